"""A log in memory: every proof about it is true of its own leaves, whatever they are."""

from dataclasses import dataclass, field

from seefen.protocol.ledger.note import Checkpoint, sign_checkpoint
from seefen.protocol.ledger.tiles import Edge
from seefen.protocol.ledger.tree import consistency_plan, inclusion_plan, leaf_hash, root_of
from seefen.protocol.suite import PlainKey


@dataclass
class Log:
    """One log: its leaves, and what can be said about them."""

    origin: str
    key: PlainKey
    leaves: list[bytes] = field(default_factory=list[bytes])

    @property
    def size(self) -> int:
        return len(self.leaves)

    def append(self, data: bytes) -> int:
        self.leaves.append(leaf_hash(data))
        return self.size - 1

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        leaves = self.leaves[: self.size if size is None else size]
        return Checkpoint(self.origin, len(leaves), root_of(leaves))

    def note(self, at: int, size: int | None = None) -> str:
        return sign_checkpoint(self.checkpoint(size), self.key, at)

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        upto = self.size if size is None else size
        edge = Edge()
        full = edge.extend(self.leaves[:upto])
        return inclusion_plan([index], upto).build(edge.reader(full))[0]

    def consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        upto = self.size if new is None else new
        edge = Edge()
        full = edge.extend(self.leaves[:upto])
        return consistency_plan(old, upto).build(edge.reader(full))[0]
