# A bare clone needs Python 3.11 or newer and make; everything else comes from requirements.lock.
PYTHON ?= python3
ARGS ?=
RUN := .venv/bin/python
READY := .venv/ready
DEEP := .venv/deep
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test bench handbook faults fuzz fuzz-api probes soak mutants check lock clean

demo: $(READY) ## the story: make demo ARGS=--stay keeps it running
	$(RUN) -m demo $(ARGS)

test: $(READY) ## every test, a file at a time
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(DEEP) ## each decoder for an hour: make fuzz ARGS="--seconds 60 --only bundle"
	$(RUN) -m tests.fuzz $(ARGS)

fuzz-api: $(READY) ## the broker's interface, with far more requests than make test
	SEEFEN_API_EXAMPLES=$${EXAMPLES:-2000} $(RUN) -m pytest --timeout=36000 tests/server/web/test_openapi.py $(ARGS)

probes: $(READY) ## ten thousand wrong logins, known and unknown devices: no answer and no time tells
	SEEFEN_PROBES=$${PROBES:-10000} $(RUN) -m pytest tests/server/web/test_probing.py $(ARGS)

bench: $(READY) ## the table of performance: make bench ARGS="--parts ab", ARGS=--full
	$(RUN) -m bench $(ARGS)

handbook: $(READY) ## run every page of docs/handbook and write down what was really printed
	$(RUN) -m tests.handbook

faults: $(READY) ## every fault many times over; writes the table of docs/reliability.md
	$(RUN) -m tests.faults.table $(ARGS)

soak: $(READY) ## the model test for a million steps: make soak ARGS="--steps 100000 --seed 7"
	$(RUN) -m tests.model $(ARGS)

check: $(READY) ## format, lint, types, layers, wheels
	scripts/check

mutants: $(DEEP) ## change the code in small ways and see the tests notice: ARGS="protocol.keys protocol.case"
	$(RUN) -m tests.mutation $(ARGS)

$(READY): requirements.lock protocol/pyproject.toml server/pyproject.toml client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "seefen needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
	    --editable protocol --editable server --editable client
	touch $@

$(DEEP): $(READY) requirements-deep.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-deep.lock
	touch $@

RESOLVE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate

lock: ## resolve both locks anew: names, versions and hashes, no index address
	$(RESOLVE) --no-emit-package seefen-protocol --extra embedded --group pyproject.toml:dev \
	    protocol/pyproject.toml server/pyproject.toml client/pyproject.toml --output-file requirements.lock
	$(RESOLVE) --constraint requirements.lock --group pyproject.toml:deep --output-file requirements-deep.lock

clean: ## the environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
