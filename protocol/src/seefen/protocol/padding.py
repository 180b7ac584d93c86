"""Padding: the length of what is sealed must not tell what it says.

Up to 16 KiB lengths go in steps of 1 KiB; above, they follow Padmé (at most 12 % more,
less for larger files), so that a file has one of few lengths. The format is
``docs/spec/encoding.md``, section 4.
"""

from collections.abc import Iterator
from typing import Final

from seefen.protocol.errors import MalformedError

_STEP: Final = 1024
_STEPS_END: Final = 16 * 1024
_PIECE: Final = 1 << 20
_MARKER: Final = b"\x80"


def pad(plain: bytes) -> bytes:
    """Return the bytes with 0x80 and as many zeros behind them as their length asks."""
    return plain + padding(len(plain))


def unpad(padded: bytes) -> bytes:
    """Return what :func:`pad` padded.

    Raises:
        MalformedError: This is not the one padding of anything.
    """
    plain = padded.rstrip(b"\0")
    if not plain.endswith(_MARKER):
        raise MalformedError("the padding has no beginning")
    plain = plain[:-1]
    # More zeros than needed would be a channel past whoever counts bytes.
    if padded_length(len(plain)) != len(padded):
        raise MalformedError("the padding is not of the length it must have")
    return plain


def padding(plain_length: int) -> bytes:
    """Return what follows a plaintext of this length."""
    return b"".join(padding_pieces(plain_length))


def padding_pieces(plain_length: int) -> Iterator[bytes]:
    """Yield the same piece by piece, for a stream: behind a gibibyte it can be 32 MiB."""
    left = padded_length(plain_length) - plain_length
    piece = _MARKER
    while left:
        piece = piece.ljust(min(left, _PIECE), b"\0")
        yield piece
        left -= len(piece)
        piece = b""


def padded_length(plain_length: int) -> int:
    """Return the length after padding."""
    least = plain_length + 1
    if least <= _STEPS_END:
        return -(-least // _STEP) * _STEP
    exponent = least.bit_length() - 1
    mask = (1 << exponent - exponent.bit_length()) - 1
    return (least + mask) & ~mask
