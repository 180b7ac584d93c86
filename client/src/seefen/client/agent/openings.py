"""What opens the entries of the own node, kept in blocks of 256 indices.

Sealed bodies and wraps are in it, and who opened what: the folder is for its owner alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from seefen.client.agent.durable import Batch
from seefen.protocol.ledger.mirror import Kept, decode_kept, encode_kept, merge_kept

BLOCK: Final = 256


class Cursors(msgspec.Struct):
    """How far the own entries were fetched, from each source."""

    fed: int = 0
    audited: int = 0


class Openings:
    """The blocks in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cursors = folder / "cursors.json"

    def cursors(self) -> Cursors:
        """Return how far all is kept; from the beginning if that is not known."""
        try:
            return msgspec.json.decode(self._cursors.read_bytes(), type=Cursors)
        except (OSError, msgspec.MsgspecError):
            return Cursors()

    def keep(self, found: Iterable[Kept], cursors: Cursors) -> None:
        """Put entries into their blocks, then move the cursors on."""
        blocks: dict[int, list[Kept]] = defaultdict(list)
        for kept in found:
            blocks[kept.index // BLOCK].append(kept)
        batch = Batch()
        for n, entries in blocks.items():
            known = {kept.index: kept for kept in self.block(n)}
            for kept in entries:
                before = known.get(kept.index)
                known[kept.index] = kept if before is None else merge_kept(before, kept)
            data = encode_kept(known[index] for index in sorted(known))
            batch.write(self._path(n), data)
        batch.sync()
        batch.write(self._cursors, msgspec.json.encode(cursors))
        batch.sync()

    def block(self, n: int) -> list[Kept]:
        """Return what is kept of the entries from ``n * 256`` on."""
        path = self._path(n)
        return decode_kept(path.read_bytes()) if path.exists() else []

    def _path(self, n: int) -> Path:
        return self.folder / f"{n:09}"
