"""What a mirror keeps beside the tiles: openings of entries, and how to read bundles.

A mirror holds both logs as C2SP tiles and bundles, and of its own node's entries what
opens them. From it a broker that has lost the newest part is made whole again, bit for
bit: every piece is checked against a root that was signed.

The format is ``docs/spec/ledger.md``, section 9.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

from msgspec import Meta

from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.record import CORE_LIMIT, RECORD_LENGTH
from seefen.protocol.ledger.tiles import TileId, tile_path
from seefen.protocol.statements import Count, Hash, Part

KEPT_LIMIT: Final = 4 * 1024 * 1024


class Kept(Part, frozen=True):
    """What a mirror keeps of an entry; wraps and body where they came to its node."""

    index: Count
    kind: str
    record: Annotated[bytes, Meta(min_length=RECORD_LENGTH, max_length=RECORD_LENGTH)]
    core: Annotated[bytes, Meta(max_length=CORE_LIMIT)]
    salt: Hash
    envelope: bytes
    wraps: tuple[bytes, ...]
    body: bytes


def bundle_path(n: int, width: int) -> str:
    """Return the C2SP path of a bundle of entries."""
    return tile_path(TileId(0, n), width).replace("tile/0/", "tile/entries/")


def page_path(n: int, width: int) -> str:
    """Return the path of what is too long for a bundle: the same entries, longer lengths."""
    return tile_path(TileId(0, n), width).replace("tile/0/", "pages/")


def decode_entries(data: bytes) -> list[bytes]:
    """Return the entries in a C2SP bundle.

    Raises:
        MalformedError: It is cut.
    """
    return list(_pieces(data, 2))


def pack(items: Iterable[bytes]) -> bytes:
    """Return items one after the other, each after its length in four bytes."""
    return b"".join(len(item).to_bytes(4, "big") + item for item in items)


def unpack(data: bytes) -> list[bytes]:
    """Return what :func:`pack` has put together.

    Raises:
        MalformedError: It is cut.
    """
    return list(_pieces(data, 4))


def encode_kept(entries: Iterable[Kept]) -> bytes:
    """Return a block of openings."""
    return pack(encode(entry) for entry in entries)


def decode_kept(data: bytes) -> list[Kept]:
    """Return the openings in a block.

    Raises:
        MalformedError: It is none.
    """
    return [decode(item, Kept, limit=KEPT_LIMIT) for item in unpack(data)]


def merge_kept(one: Kept, other: Kept) -> Kept:
    """Return what two sources know of the same entry."""
    wraps = tuple(dict.fromkeys((*one.wraps, *other.wraps)))
    opened = one if one.core else other
    return Kept(
        opened.index, opened.kind, opened.record, opened.core, opened.salt, opened.envelope, wraps,
        one.body or other.body,
    )  # fmt: skip


def _pieces(data: bytes, lengths: int) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        start = at + lengths
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or start > len(data):
            raise MalformedError("a bundle of entries is cut", rule="bundle")
        yield data[start:at]
