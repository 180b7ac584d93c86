import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError
from seefen.protocol.padding import pad, padded_length, padding, unpad
from tests.support.specs import spec
from tests.support.vectors import own

VECTOR = own("encoding/padding.json")


@pytest.mark.parametrize("case", VECTOR["cases"], ids=lambda case: str(case["plain"]))
def test_the_padded_length_is_this(case: dict[str, int]) -> None:
    assert padded_length(case["plain"]) == case["padded"]


def test_the_worked_example() -> None:
    assert VECTOR["worked"] in spec("encoding.md")
    padded = pad(b"hello")
    assert padded == bytes.fromhex(VECTOR["worked"]).ljust(1024, b"\0")


@given(st.binary(max_size=5000))
def test_what_is_padded_unpads(plain: bytes) -> None:
    padded = pad(plain)
    assert unpad(padded) == plain
    assert plain + padding(len(plain)) == padded


@given(st.integers(0, 2**50))
def test_padding_grows_and_costs_little(length: int) -> None:
    padded = padded_length(length)
    assert length < padded <= padded_length(length + 1)
    assert padded - length <= max(1024, length * 0.12)
    assert padded_length(padded - 1) == padded  # a step is its own step


def test_a_longer_file_has_one_of_few_lengths() -> None:
    assert len({padded_length(length) for length in range(2**20, 2**21, 512)}) <= 33


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        bytes(1024),
        b"hello",
        b"\x80",
        pad(b"hello")[:-1],
        pad(b"hello") + b"\0",
        pad(b"hello") + bytes(1024),
        pad(b"hello")[:-1] + b"\1",
    ],
    ids=range(8),
)
def test_another_padding_is_malformed(padded: bytes) -> None:
    with pytest.raises(MalformedError):
        unpad(padded)
