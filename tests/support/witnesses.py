"""Witnesses of a test network, honest ones and others, and a log that they watch."""

from collections.abc import Sequence
from hashlib import sha256

from seefen.protocol.ledger.note import Checkpoint, cosign, sign_checkpoint
from seefen.protocol.ledger.quorum import BOTH, PLAIN, Quorum, quorum_of, witness_name
from seefen.protocol.ledger.tree import CompactRange, consistency_plan, leaf_hash, root_of
from seefen.protocol.suite import PlainKey, WitnessKey

ORIGIN = "seefen.example"
LOG = f"{ORIGIN}/activity"
LOG_KEY = PlainKey.from_secret(bytes(range(32)))
AT = 1_767_225_600


def witness_key(number: int) -> WitnessKey:
    """Return the key of a witness, the same for the same number."""
    return WitnessKey.from_secret(sha256(bytes([number])).digest() * 2)


def public_of(key: WitnessKey, *, lattice: bool = False) -> bytes:
    """Return what a root statement names of a witness."""
    return key.public[: BOTH if lattice else PLAIN]


def quorum(keys: Sequence[WitnessKey], needed: int, *, lattice: bool = False) -> Quorum:
    """Return the quorum of a network with these witnesses."""
    publics = tuple(public_of(key, lattice=lattice) for key in keys)
    return quorum_of(ORIGIN, publics, needed)


def lines_of(
    key: WitnessKey, text: str, at: int = AT, *, lattice: bool = False, name: str = ""
) -> str:
    """Return what a witness adds to a checkpoint, whatever it is: this one looks at nothing."""
    name = name or witness_name(ORIGIN, public_of(key, lattice=lattice))
    return cosign(text, name, key, at, lattice=lattice)


class Leaves:
    """A log in memory: heads and proofs at every size."""

    def __init__(self, leaves: Sequence[bytes], origin: str = LOG) -> None:
        self.origin = origin
        self.hashes = [leaf_hash(leaf) for leaf in leaves]

    @classmethod
    def of(cls, count: int, *, branch: bytes = b"") -> "Leaves":
        """Return a log of ``count`` leaves; with a branch, another one from the first on."""
        return cls([branch + bytes([number]) for number in range(count)])

    def head(self, size: int) -> Checkpoint:
        """Return the head at a size."""
        range_ = CompactRange()
        for leaf in self.hashes[:size]:
            range_.append(leaf)
        return Checkpoint(self.origin, size, range_.root())

    def note(self, size: int, at: int = AT, key: PlainKey = LOG_KEY) -> str:
        """Return the checkpoint that the log signs."""
        return sign_checkpoint(self.head(size), key, at)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes."""
        if not 0 < old < new:
            return ()
        plan = consistency_plan(old, new)

        def node(at: tuple[int, int]) -> bytes:
            level, index = at
            return root_of(self.hashes[index << level : (index + 1) << level])

        return plan.build(node)[0]
