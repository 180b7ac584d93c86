"""Both logs as files that never change: tiles and bundles of entries, as C2SP tools read them.

What is served is made from the database at each request, whatever it says there: a reader
finds an altered row, because its hash is not the one in the tile under the checkpoint.
The format is ``docs/spec/ledger.md``, section 2 (C2SP tlog-tiles).
"""

from typing import NamedTuple

from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.tiles import (
    WIDTH,
    TileId,
    encode_entries,
    parse_bundle_path,
    parse_tile_path,
    tile_width,
)
from seefen.server.errors import AbsentError
from seefen.server.proofs import Prover
from seefen.server.rows import Storage


class Piece(NamedTuple):
    """A tile or a bundle, and whether it stays as it is for ever."""

    data: bytes
    full: bool


class Tiled:
    """Serves tiles and bundles of both logs."""

    def __init__(self, storage: Storage, prover: Prover) -> None:
        self._storage = storage
        self._prover = prover

    async def read(self, log: str, path: str, size: int) -> Piece:
        """Return what stands at a path of a log that has ``size`` leaves.

        Every width up to the one it has now is there: a checkpoint was made of each size.

        Raises:
            MalformedError: rule ``tile-path``: it is not the one way to write a path.
            AbsentError: rule ``tile``: the log is not as long; rule ``entry-length``: an
                entry is too long for a bundle.
        """
        bundle = path.startswith("tile/entries/")
        if bundle:
            n, width = parse_bundle_path(path)
            tile = TileId(0, n)
        else:
            tile, width = parse_tile_path(path)
        if width > tile_width(tile, size):
            raise AbsentError("the log has no such tile yet", rule="tile")
        if bundle:
            data = await self._entries(log, tile.n * WIDTH, width)
        else:
            data = await self._prover.tile(log, tile, width)
        if not data:
            raise AbsentError("the log has no such tile", rule="tile")
        return Piece(data, width == WIDTH)

    async def _entries(self, log: str, start: int, width: int) -> bytes:
        stop = start + width
        if log == "authority":
            entries = [row.envelope for row in await self._storage.authority(start, stop)]
        else:
            entries = await self._storage.records(start, stop)
        if len(entries) != width:
            return b""
        try:
            return encode_entries(entries)
        except MalformedError as err:
            # Of the authority log alone: records have 89 bytes. Its leaves are also read
            # page by page (docs/decisions/0031).
            raise AbsentError(str(err), rule=err.rule) from None
