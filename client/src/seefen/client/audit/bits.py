"""Bitmaps: which entries of a stretch of the log have a value, so that any filter is quick.

A stretch holds 2^15 places of the log, and is written once, when the log has grown past it. A
set of few places is kept as a list of them, as roaring bitmaps do; a filter is an *and* of
whole stretches, and what it costs does not depend on how well its parts go together.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

SHIFT: Final = 15
STRETCH: Final = 1 << SHIFT
_MASK: Final = STRETCH - 1
_WHOLE: Final = STRETCH >> 3  # bytes of a bitmap
_FEW: Final = 512  # places that are shorter as a list, and quickly put back


def packed(places: list[int]) -> bytes:
    """Return the set of some places of a stretch, 0 to 2^15 - 1, as bytes."""
    if len(places) <= _FEW:
        return b"\x00" + array("H", places).tobytes()
    return b"\x01" + bytes(_bitmap(places))


def repacked(bits: int) -> bytes:
    """Return a set that was unpacked, and perhaps changed, as bytes again."""
    if bits.bit_count() <= _FEW:
        return packed([*places(bits, 0)])
    return b"\x01" + bits.to_bytes(_WHOLE, "little")


def unpacked(data: bytes) -> int:
    """Return a set of places as one number: bit ``p`` is set for place ``p``."""
    if data[0] == 1:
        return int.from_bytes(data[1:], "little")
    places = array("H")
    places.frombytes(data[1:])
    return int.from_bytes(_bitmap(places), "little")


def _bitmap(places: Iterable[int]) -> bytearray:
    bitmap = bytearray(_WHOLE)
    for place in places:
        bitmap[place >> 3] |= 1 << (place & 7)
    return bitmap


def place(index: int) -> int:
    """Return the place of an index of the log in its stretch."""
    return index & _MASK


def places(bits: int, stretch: int) -> Iterator[int]:
    """Yield the indices of the log that a set stands for, in order."""
    start = stretch << SHIFT
    while bits:
        low = bits & -bits
        yield start + low.bit_length() - 1
        bits ^= low


def span(start: int, stop: int, stretch: int) -> int:
    """Return the set of all places of a stretch with ``start <= index < stop``."""
    low = max(0, start - (stretch << SHIFT))
    high = min(STRETCH, stop - (stretch << SHIFT))
    return ((1 << high) - (1 << low)) if high > low else 0
