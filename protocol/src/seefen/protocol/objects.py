"""Objects: a cover and a body, sealed for a case and bound to their author.

The body has a random content key of its own, wrapped under the generation of the case
and stored apart: that wrapped key is what an access releases. Author, case and object
are in the context of each seal, so nobody can pass a ciphertext off as his own or carry
it into another case (attacks 18 and 19).

The context leaves numbers and generation out on purpose: when the broker refuses a
number, a file of a gigabyte is signed again but not sealed again.

The format is ``docs/spec/objects.md``.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from seefen.protocol.bundle import Content
from seefen.protocol.encoding import encode
from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.padding import pad, unpad
from seefen.protocol.statements import Case, Object
from seefen.protocol.suite import P, derive, random_bytes, seal, sha256, unseal

_COVER: Final = P + b"cover\x00"
_BODY: Final = P + b"body\x00"
PART_SIZE: Final = 1 << 20  # bytes of ciphertext in a part of a file
RUN: Final = 8  # parts in a row that one request may move


@lru_cache(maxsize=16)  # cover, key and body of an object are opened one after the other
def context(obj: Object) -> bytes:
    """Return the hash of what a seal is bound to: network, case, object and author."""
    bound = [obj.net, obj.nonce, obj.case, obj.object, obj.node, obj.device, obj.created_at]
    return sha256(encode(["object", *bound, obj.file]))


def body_context(obj: Object) -> bytes:
    """Return the context under which the body of an object is sealed."""
    return _BODY + context(obj)


def new_content_key() -> bytes:
    """Return 32 random bytes: a content key is used for one body only."""
    return random_bytes(32)


def seal_cover(obj: Object, generation_key: bytes, cover: bytes) -> bytes:
    """Return the cover sealed under the generation, so that lists open without asking."""
    return seal(_cover_key(generation_key), _cover_context(obj), cover)


def open_cover(obj: Object, generation_key: bytes) -> bytes:
    """Return the bytes of an object's cover.

    Raises:
        UntrustedError: Sealed under another key, or not by this author for this case.
    """
    return unseal(_cover_key(generation_key), _cover_context(obj), obj.cover)


def wrap_content_key(obj: Object, generation_key: bytes, content_key: bytes) -> bytes:
    """Return the content key wrapped under the generation of ``obj``: 104 bytes."""
    return seal(_content_key_key(generation_key), _key_context(obj), content_key)


def unwrap_content_key(obj: Object, generation_key: bytes, wrapped: bytes) -> bytes:
    """Return the content key of an object.

    Raises:
        UntrustedError: Not the wrap of this object under this generation.
    """
    return unseal(_content_key_key(generation_key), _key_context(obj), wrapped)


def seal_message(
    obj: Object, generation_key: bytes, *, cover: bytes, body: bytes
) -> tuple[Object, Content]:
    """Return the object completed with its sealed cover and body, and its content.

    Args:
        obj: All fields but ``cover``, ``body_size`` and ``body_root`` are set.
    """
    content_key, bound = new_content_key(), context(obj)
    sealed = seal(content_key, _BODY + bound, pad(body))
    complete = replace(
        obj,
        cover=seal(_cover_key(generation_key), _COVER + bound, cover),
        body_size=len(sealed),
        body_root=parts_root([leaf_hash(sealed)]),
    )
    wrapped = seal(_content_key_key(generation_key), _key_context_of(obj, bound), content_key)
    return complete, Content(obj.object, wrapped, sealed)


def check_body(obj: Object, sealed: bytes) -> None:
    """Check a message's sealed body against the size and root that were signed.

    Raises:
        UntrustedError: Another body; nothing was decrypted (attack 17).
    """
    if len(sealed) != obj.body_size or parts_root([leaf_hash(sealed)]) != obj.body_root:
        raise UntrustedError("the body is not the one that was signed", rule="body")


def open_message(obj: Object, content_key: bytes, sealed: bytes) -> bytes:
    """Return the body of a message.

    Raises:
        UntrustedError: Another body, or another key.
    """
    check_body(obj, sealed)
    return unpad(unseal(content_key, body_context(obj), sealed))


def parts_root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the RFC 6962 root over the leaf hashes of all parts of a body."""
    tree = CompactRange()
    for leaf in leaf_hashes:
        tree.append(leaf)
    return tree.root()


def part_count(size: int) -> int:
    """Return how many parts a body of ``size`` bytes has; an empty one has one."""
    return max(1, -(-size // PART_SIZE))


@lru_cache(maxsize=64)
def _cover_key(generation_key: bytes) -> bytes:
    """Return the key of all covers of a generation: a list opens thousands with one."""
    return derive(generation_key, "cover")


@lru_cache(maxsize=64)
def _content_key_key(generation_key: bytes) -> bytes:
    """Return the key under which the content keys of a generation are wrapped."""
    return derive(generation_key, "content-key")


def _cover_context(obj: Object) -> bytes:
    return _COVER + context(obj)


def _key_context(obj: Object) -> bytes:
    return _key_context_of(obj, context(obj))


def _key_context_of(obj: Object, bound: bytes) -> bytes:
    return P + b"content-key\x00" + encode([obj.case, obj.gen, bound])


def seal_title(case: Case, generation_key: bytes, title: bytes) -> Case:
    """Return the version of a case with its title sealed under its new generation."""
    sealed = seal(derive(generation_key, "title"), _title_context(case), pad(title))
    return replace(case, title=sealed)


def open_title(case: Case, generation_key: bytes) -> bytes:
    """Return the title of a version of a case.

    Raises:
        UntrustedError: Sealed under another key, or for another version.
    """
    return unpad(unseal(derive(generation_key, "title"), _title_context(case), case.title))


def _title_context(case: Case) -> bytes:
    return P + b"title\x00" + encode([case.net, case.case, case.version])
