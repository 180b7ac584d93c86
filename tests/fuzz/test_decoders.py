"""No decoder lets anything but its own error out, or reads two byte strings as one value."""

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError
from tests.fuzz.decoders import LIMIT, Decoder, table
from tests.fuzz.mutation import STEPS, bend

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
DECODERS = table()
EXAMPLES = 60
NAMES = ("decode", "parse", "peek", "open_checkpoint", "open_envelope", "from_json", "check_a",
         "check_proof")  # fmt: skip

steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1 << 16), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=list(DECODERS))
def test_what_is_valid_is_taken(decoder: Decoder) -> None:
    assert decoder.seeds
    assert all(decoder.check(seed) for seed in decoder.seeds)


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=list(DECODERS))
@given(seed=st.integers(0, 1 << 16), bent=steps)
@settings(
    max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
def test_what_was_bent_is_refused_or_read_in_one_way(
    decoder: Decoder, seed: int, bent: list[tuple[str, int, int]]
) -> None:
    decoder.check(bend(decoder.seeds[seed % len(decoder.seeds)], bent)[:LIMIT])


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=list(DECODERS))
@given(data=st.binary(max_size=200))
@settings(max_examples=EXAMPLES // 3)
def test_noise_is_refused(decoder: Decoder, data: bytes) -> None:
    decoder.check(data)


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=list(DECODERS))
def test_what_a_fuzzer_kept_is_still_handled(decoder: Decoder) -> None:
    for path in sorted((CORPUS / decoder.name).glob("*")):
        decoder.check(path.read_bytes())


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=list(DECODERS))
def test_what_is_too_deep_or_too_long_is_refused(decoder: Decoder) -> None:
    # Parsers answer these with errors of their own kinds; chance alone hardly writes them.
    for text in ('{"a":' + "[" * 20_000, '{"a":' + "1" * 5000 + "}", "a=" + "[" * 20_000):
        decoder.check(text.encode())
    decoder.check(b"a=" + b"1" * 5000)


def test_no_decoder_of_the_protocol_is_forgotten() -> None:
    covered = {decoder.covers for decoder in DECODERS.values()}
    source = ROOT / "protocol" / "src"
    found: set[str] = set()
    for path in source.rglob("*.py"):
        module = ".".join(path.relative_to(source).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith(NAMES):
                found.add(f"{module}.{node.name}")
            if isinstance(node, ast.ClassDef):
                inner = [n.name for n in node.body if isinstance(n, ast.FunctionDef)]
                found |= {f"{module}.{node.name}.{n}" for n in inner if n.startswith("decode")}
    assert found - covered == set()
    assert len(found) >= 18


def test_a_decoder_that_lets_another_error_out_is_noticed() -> None:
    def broken(data: bytes) -> bytes:
        return data[:1] or data[0:0] + bytes([data[0]])  # IndexError on nothing

    with pytest.raises(IndexError):
        Decoder("broken", "", broken, (), (MalformedError,)).check(b"")


def test_a_decoder_with_two_readings_is_noticed() -> None:
    with pytest.raises(AssertionError, match="reads"):
        Decoder("lax", "", lambda data: data.rstrip(b"\0"), ()).check(b"a\0")
