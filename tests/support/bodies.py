"""Sealed bodies of files, and a broker's storage of them without the broker."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, parts_root
from seefen.server.blobs import Blobs
from seefen.server.store.blobs import BlobRows

NODE: Final = "skopje-border"


@dataclass
class File:
    """A sealed body, cut as the sender cuts it."""

    body: bytes

    @property
    def parts(self) -> list[bytes]:
        return [self.body[i : i + PART_SIZE] for i in range(0, len(self.body), PART_SIZE)]

    @property
    def leaves(self) -> bytes:
        return b"".join(leaf_hash(part) for part in self.parts)

    @property
    def root(self) -> bytes:
        return parts_root(leaf_hash(part) for part in self.parts)


def make(pool: "asyncpg.Pool[asyncpg.Record]", folder: Path, *, quota: int = 64) -> Blobs:
    return Blobs(BlobRows(pool), folder, free_percent=0, quota_mebibytes=quota)


async def get(blobs: Blobs, file: File, number: int) -> bytes:
    """Ask for a part."""
    return await blobs.get(await blobs.find(file.root), number)


async def put(blobs: Blobs, file: File, first: int, *others: bytes) -> None:
    """Bring a part, or these bytes as it and those that follow it."""

    async def parts() -> AsyncGenerator[list[bytes], None]:
        for data in others or (file.parts[first],):
            yield [data[:70_000], data[70_000:]]  # in more than one piece, as from a line

    await blobs.put(file.root, first, parts())


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
