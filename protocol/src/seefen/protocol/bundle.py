"""Bundles: what the broker commits together or not at all.

The format is ``docs/spec/bundle.md``. Wraps and contents travel beside the statements
that name their hashes; a wrap nobody named is refused, so nothing can be planted.
"""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.encoding import BUNDLE_LIMIT, decode, encode
from seefen.protocol.errors import MalformedError
from seefen.protocol.statements import (
    Assign,
    CaseKey,
    Hash,
    Id,
    Mailbox,
    Part,
    Statement,
)
from seefen.protocol.suite import sha256


class Signed(Part, frozen=True):
    """A statement's envelope, the kind its sender says it is of, and its tag.

    ``tag`` lets a member see in the log that a statement of his case exists. It needs
    the case key, so the author makes it; empty where there is none (authority kinds).
    """

    kind: Annotated[str, Meta(max_length=16)]
    envelope: Annotated[bytes, Meta(max_length=256 * 1024)]
    tag: Annotated[bytes, Meta(max_length=16)]


class Content(Part, frozen=True):
    """What belongs to an object and stands outside its signature.

    ``key`` is the wrapped content key (what an access releases). ``body`` is the sealed
    body of a message; it is empty for a file, whose parts are uploaded on their own.
    """

    object: Id
    key: Annotated[bytes, Meta(min_length=104, max_length=104)]
    body: bytes


class Bundle(Part, frozen=True):
    """Statements in the order in which they are to stand, and what they name."""

    statements: Annotated[tuple[Signed, ...], Meta(min_length=1, max_length=64)]
    wraps: Annotated[tuple[bytes, ...], Meta(max_length=4096)]
    contents: Annotated[tuple[Content, ...], Meta(max_length=64)]


def encode_bundle(bundle: Bundle) -> bytes:
    """Return the bytes of a bundle."""
    return encode(bundle)


def decode_bundle(data: bytes) -> Bundle:
    """Return the bundle in ``data``, at most 4 MiB.

    Raises:
        MalformedError: Not a bundle, or too long.
    """
    return decode(data, Bundle, limit=BUNDLE_LIMIT)


def named_wraps(statement: Statement) -> tuple[Hash, ...]:
    """Return the hashes of the wraps a statement names, in its order."""
    if isinstance(statement, CaseKey):
        nodes = tuple(w.hash for w in statement.mailboxes)
        return nodes + tuple(w.hash for w in statement.devices)
    if isinstance(statement, Mailbox):
        return tuple(w.hash for w in statement.wraps)
    if isinstance(statement, Assign):
        return tuple(w.hash for w in statement.devices)
    return ()


def match_wraps(bundle: Bundle, statements: tuple[Statement, ...]) -> dict[Hash, bytes]:
    """Return the wraps by hash, when they are exactly those the statements name.

    Raises:
        MalformedError: A named wrap is missing, or one is there that nobody named.
    """
    wraps = {sha256(wrap): wrap for wrap in bundle.wraps}
    named = {name for statement in statements for name in named_wraps(statement)}
    if wraps.keys() != named or len(wraps) != len(bundle.wraps):
        raise MalformedError("the wraps are not the ones the statements name", rule="wraps")
    return wraps
