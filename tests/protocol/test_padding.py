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


def test_attack_nothing_but_zeros_hides_in_the_padding() -> None:
    """A byte there would be a channel past whoever reads what was sealed."""
    good = pad(b"hello")
    for value in set(range(1, 256)) - {0x80}:  # which would be the marker of a longer text
        for place in (-1, -500):
            bent = bytearray(good)
            bent[place] = value
            with pytest.raises(MalformedError):
                unpad(bytes(bent))


def test_padding_of_many_pieces_is_one_marker_and_zeros() -> None:
    length = (1 << 26) + 1
    count = padded_length(length) - length
    assert count > 3 << 19  # more than a piece, and not whole ones
    assert padding(length) == b"\x80".ljust(count, b"\0")
