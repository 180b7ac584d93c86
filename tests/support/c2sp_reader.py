"""A reader of tiled logs, written from the C2SP pages alone; it knows nothing of seefen.

tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature, and RFC 6962, section 2.1. It
takes a log apart in the slowest way there is: every entry, every tile of every level, the
root by the definition. Ed25519 is that of ``cryptography``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], Awaitable[bytes]]
NOTE, COSIGNATURE = 0x01, 0x04


class BadLogError(Exception):
    """The log is not what its key signed, or is not served as C2SP says."""


@dataclass(frozen=True)
class Vkey:
    """A verifier key of signed-note: ``<name>+<hash>+<base64 of type and key>``."""

    name: str
    id: bytes
    type: int
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Vkey:
        name, id_hex, encoded = text.split("+", 2)
        blob = base64.b64decode(encoded, validate=True)
        id_ = hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4]
        _require(id_.hex() == id_hex, "the hash in the verifier key is another key's")
        return cls(name, id_, blob[0], blob[1:])


@dataclass(frozen=True)
class Head:
    """What a checkpoint says, and when its key said so (0: no time in it)."""

    origin: str
    size: int
    root: bytes
    time: int


@dataclass(frozen=True)
class Replayed:
    """A whole log, checked."""

    head: Head
    entries: tuple[bytes, ...]
    tiles: tuple[str, ...]


def open_note(text: str, *keys: Vkey) -> Head:
    """Return the head in a signed checkpoint; every one of ``keys`` must have signed it."""
    body, _, tail = text.rpartition("\n\n")
    _require(tail.endswith("\n") and body != "", "no signed note")
    body += "\n"
    lines = [line.split(" ") for line in tail[:-1].split("\n")]
    _require(all(len(parts) == 3 and parts[0] == "\u2014" for parts in lines), "bad line")
    time = 0
    for key in keys:
        blobs = [base64.b64decode(encoded, validate=True) for _, name, encoded in lines
                 if name == key.name]  # fmt: skip
        own = [blob[4:] for blob in blobs if blob[:4] == key.id]
        _require(len(own) == 1, f"{len(own)} lines of {key.name}")
        time = max(time, _check(key, own[0], body))
    origin, size, root = body[:-1].split("\n")
    _require(size == str(int(size)), "the size has another spelling")
    return Head(origin, int(size), base64.b64decode(root, validate=True), time)


def _check(key: Vkey, signature: bytes, body: str) -> int:
    time = 0
    message = body.encode()
    if key.type == COSIGNATURE:
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = f"cosignature/v1\ntime {time}\n{body}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
    except InvalidSignature:
        raise BadLogError(f"the signature of {key.name} is wrong") from None
    return time


def mth(hashes: list[bytes]) -> bytes:
    """Return the Merkle Tree Hash over leaf hashes (RFC 6962, section 2.1)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path_of(level: str, n: int, width: int) -> str:
    """Return the path of a tile, or of a bundle where the level is ``entries``."""
    groups = [f"{n % 1000:03}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == 256 else f".p/{width}")


async def replay(fetch: Fetch, *keys: Vkey) -> Replayed:
    """Read a whole log below a prefix and check all of it.

    Raises:
        BadLogError: Anything at all is not as it must be.
    """
    head = open_note((await fetch("checkpoint")).decode(), *keys)
    _require(head.origin == keys[0].name, "another log")
    read: list[str] = []

    async def get(level: str, n: int, width: int) -> bytes:
        read.append(path_of(level, n, width))
        return await fetch(read[-1])

    entries: list[bytes] = []
    for n, width in _tiles(head.size):
        found = _split(await get("entries", n, width))
        _require(len(found) == width, f"bundle {n} has {len(found)} entries")
        entries += found
    hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    _require(mth(hashes) == head.root, "the entries are not those of the root")
    level = 0
    while hashes:
        for n, width in _tiles(len(hashes)):
            tile = await get(str(level), n, width)
            _require(tile == b"".join(hashes[n * 256 : n * 256 + width]), f"tile {read[-1]}")
        full = len(hashes) // 256
        hashes = [mth(hashes[n * 256 : n * 256 + 256]) for n in range(full)]
        level += 1
    return Replayed(head, tuple(entries), tuple(read))


def _tiles(count: int) -> list[tuple[int, int]]:
    return [(n, min(256, count - n * 256)) for n in range(-(-count // 256))]


def _split(bundle: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        _require(end <= len(bundle), "an entry is cut off")
        found.append(bundle[at + 2 : end])
        at = end
    return found


def _require(good: bool, why: str) -> None:
    if not good:
        raise BadLogError(why)
