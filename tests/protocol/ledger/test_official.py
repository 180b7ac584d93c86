"""The official vectors: each file is run by a test that is named here, and by a second reader.

The second reader (:mod:`tests.support.c2sp_reader`) is the one that replays our own logs. That
it takes the logs of others, and refuses them when they are changed, is what its word is worth.
"""

import re
from pathlib import Path

import pytest

from tests.support.c2sp_reader import BadLogError, Vkey, open_note, replay
from tests.support.vectors import OFFICIAL, ROOT, official

TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
LEDGER = "tests/protocol/ledger"
# What runs a file, by its path; what is not about the ledger says where it is run instead.
RUN_BY = {
    r"merkle/testdata/inclusion/.*\.json": (
        f"{LEDGER}/test_tree.py::test_fault_48_official_inclusion_proofs_get_the_verdict_they_ask_for"
    ),
    r"merkle/testdata/consistency/.*\.json": (
        f"{LEDGER}/test_tree.py::test_fault_48_official_consistency_proofs_get_the_verdict_they_ask_for"
    ),
    r"tessera/testdata/log/checkpoint(\.\d+)?": (
        f"{LEDGER}/test_note.py::test_the_key_and_every_checkpoint_of_tessera"
    ),
    r"tessera/testdata/log/tile/.*": f"{LEDGER}/test_tiles.py::test_tessera_stores_the_same_log",
    r"sunlight/.*/tile/(0|1)/.*": (
        f"{LEDGER}/test_tiles.py::test_the_mirror_of_sunlight_stores_the_same_log"
    ),
    r"sunlight/.*(checkpoint|\.v0\.json)": (
        f"{LEDGER}/test_note.py::test_the_cosignatures_of_sunlight"
    ),
    # The entries of that mirror are made up: they are not those of its tiles.
    r"sunlight/.*/tile/entries/.*": "none",
    r"wycheproof/.*": "tests/protocol/test_suite_signing.py and test_suite_sealing.py",
}


def test_every_official_vector_is_run_by_a_test() -> None:
    official("merkle")
    files = [path.relative_to(OFFICIAL).as_posix() for path in OFFICIAL.rglob("*")
             if path.is_file() and path.name not in ("LICENSE", "README.md")]  # fmt: skip
    unmatched = [name for name in files if not any(re.fullmatch(p, name) for p in RUN_BY)]
    assert unmatched == []
    for test in RUN_BY.values():
        path, _, name = test.partition("::")
        if name:
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("size", range(16))
async def test_the_second_reader_replays_the_log_of_tessera(size: int) -> None:
    folder = official("tessera/testdata/log")

    async def fetch(path: str) -> bytes:
        return (folder / (f"checkpoint.{size}" if path == "checkpoint" else path)).read_bytes()

    replayed = await replay(fetch, Vkey.parse(TESSERA))
    assert replayed.head.size == len(replayed.entries) == size

    async def change(path: str) -> bytes:
        data = await fetch(path)
        return data[:-1] + bytes([data[-1] ^ 1]) if path.startswith("tile/0") else data

    if size:
        with pytest.raises(BadLogError):
            await replay(change, Vkey.parse(TESSERA))


def test_the_second_reader_knows_a_cosignature_of_sunlight() -> None:
    base = official("sunlight/cmd/skylight/testdata/witness")
    text = re.findall(r'"([^"]+\+[0-9a-f]{8}\+[^"]+)"', (base / "witness.v0.json").read_text())
    note = _one(base, "0*/checkpoint").read_text(encoding="utf-8")
    head = open_note(note, Vkey.parse(text[0]))
    assert (head.size, head.time) == (300, 1_767_139_200)
    with pytest.raises(BadLogError):
        open_note(note.replace("300", "301"), Vkey.parse(text[0]))


def _one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found
