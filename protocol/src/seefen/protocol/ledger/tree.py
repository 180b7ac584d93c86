"""The Merkle tree of a log: its hashes, its proofs, and the checks of both.

A proof is planned first and built second: :func:`inclusion_plan` and
:func:`consistency_plan` name the complete subtrees a proof is made of, the caller gets
their hashes from wherever they are kept, and :meth:`Plan.build` puts the proof together.
So one process proves from memory, another from a database, with the same code.

A *node* ``(level, index)`` is a complete subtree: the ``index``-th of ``2**level`` leaves.
A *span* ``(start, end)`` is a run of leaves that RFC 6962 hashes as one.

The format is ``docs/spec/ledger.md``, section 1 (RFC 6962, section 2.1).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self, TypeAlias

from seefen.protocol.errors import MalformedError, UntrustedError

Node: TypeAlias = tuple[int, int]
Span: TypeAlias = tuple[int, int]
Proof: TypeAlias = tuple[bytes, ...]

HASH_LENGTH: Final = 32
SIZE_LIMIT: Final = 2**53 - 1  # what a statement can carry as a size
PROOF_LIMIT: Final = 64  # hashes; no tree below SIZE_LIMIT needs as many
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(*pieces: bytes | bytearray | memoryview) -> bytes:
    """Return the hash of a leaf, which may come in pieces."""
    hasher = sha256(b"\x00")
    for piece in pieces:
        hasher.update(piece)  # not joined first: the part of a file has a mebibyte
    return hasher.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees side by side.

    The first byte differs from a leaf's: otherwise two hashes could pass for an entry.
    """
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, by the definition: slow, for tests and examples.

    Source:
        docs/spec/ledger.md, section 1 (RFC 6962, section 2.1).
    """
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = _split(len(leaves))
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


class CompactRange:
    """What one must know of a tree to append to it: its complete subtrees, largest first.

    There is one hash for each bit set in ``size``: 17 at most up to 10^5 leaves.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if not 0 <= size <= SIZE_LIMIT or len(self.hashes) != size.bit_count():
            raise ValueError(f"{len(self.hashes)} hashes do not make a tree of {size}")

    def append(self, leaf: bytes) -> None:
        """Take in the next leaf hash."""
        merges = self.size  # a subtree is complete as often as a bit carries over
        while merges & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            merges >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the tree."""
        return _fold(self.hashes)

    def encode(self) -> bytes:
        """Return the size (8 bytes, big endian) and the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the range that :meth:`encode` wrote.

        Raises:
            MalformedError: The hashes do not fit the size.
        """
        size = int.from_bytes(data[:8], "big")
        if size > SIZE_LIMIT or len(data) != 8 + HASH_LENGTH * size.bit_count():
            raise MalformedError("the hashes do not fit the size of the tree", rule="range")
        return cls(size, split_hashes(data[8:]))


@dataclass(frozen=True, slots=True)
class Plan:
    """Proofs to be built: for each, the spans whose hashes it consists of.

    The hash of a span is the same in every longer tree, so who builds many proofs of one
    log keeps them: ``known`` are those found before, and :meth:`build` adds what it finds.
    """

    proofs: tuple[tuple[Span, ...], ...]

    def nodes(self, known: Container[Span] = ()) -> set[Node]:
        """Return the complete subtrees whose hashes :meth:`build` will ask for."""
        spans = {span for proof in self.proofs for span in proof if span not in known}
        return {node for span in spans for node in _nodes_of(span)}

    def build(
        self, node: Callable[[Node], bytes], known: dict[Span, bytes] | None = None
    ) -> tuple[Proof, ...]:
        """Return the proofs in order. What several have in common is hashed once."""
        hashes: dict[Span, bytes] = {} if known is None else known
        for proof in self.proofs:
            for span in proof:
                if span not in hashes:
                    hashes[span] = _fold([node(part) for part in _nodes_of(span)])
        return tuple(tuple([hashes[span] for span in proof]) for proof in self.proofs)


def inclusion_plan(indices: Iterable[int], size: int) -> Plan:
    """Return the plan of one inclusion proof for each index, in a tree of ``size``.

    Raises:
        ValueError: An index is not in the tree.
    """
    return Plan(tuple(_inclusion_spans(index, size) for index in indices))


def consistency_plan(old: int, new: int) -> Plan:
    """Return the plan of the one proof that a tree of ``new`` leaves begins as ``old``.

    It is empty when there is nothing to prove: from the empty tree, or to the same size.

    Raises:
        ValueError: The old tree is the larger.
    """
    if not 0 <= old <= new <= SIZE_LIMIT:
        raise ValueError(f"no tree of {new} grew from one of {old}")
    return Plan((_consistency_spans(old, new),))


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` is the hash of the entry at ``index`` under ``root``.

    Raises:
        UntrustedError: It is not, or the proof is no proof.

    Source:
        RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size or not _all_hashes(leaf, root, *proof):
        raise UntrustedError("this cannot be a proof of inclusion", rule="inclusion")
    here, last = index, size - 1
    found = leaf
    for sibling in proof:
        if last == 0:
            raise UntrustedError("the proof of inclusion is too long", rule="inclusion")
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            here, last = _up_to_a_right_child(here, last)
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    if last or found != root:
        raise UntrustedError("the entry is not in the log", rule="inclusion")


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with the whole old one.

    Every tree begins with the empty one: from size 0 an empty proof is right.

    Raises:
        UntrustedError: ``rule`` says how: ``rewind`` (the new tree is smaller), ``fork``
            (same size, another root) or ``consistency`` (entries were changed).

    Source:
        RFC 9162, section 2.1.4.2.
    """
    if not 0 <= old <= new:
        raise UntrustedError("the log has become shorter", rule="rewind")
    if old == 0 and old_root != EMPTY_ROOT:
        raise UntrustedError("an empty log has another root", rule="fork")
    if old == new:
        if old_root != new_root:
            raise UntrustedError("the log has two roots at one size", rule="fork")
        if proof:
            raise UntrustedError("a tree needs no proof to equal itself", rule="consistency")
    elif not _all_hashes(old_root, new_root, *proof) or bool(proof) == (old == 0):
        raise UntrustedError("this cannot be a proof of consistency", rule="consistency")
    elif old:
        _check_growth(old, old_root, new, new_root, proof)


def split_hashes(data: bytes) -> list[bytes]:
    """Return the hashes that stand in ``data`` one after the other."""
    return [data[at : at + HASH_LENGTH] for at in range(0, len(data), HASH_LENGTH)]


def _check_growth(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    # An old tree that is complete is itself the first hash, so the proof leaves it out.
    first, *rest = proof if old & (old - 1) else (old_root, *proof)
    found_old = found_new = first
    for sibling in rest:
        if last == 0:
            raise UntrustedError("the proof of consistency is too long", rule="consistency")
        if here & 1 or here == last:
            found_old = node_hash(sibling, found_old)
            found_new = node_hash(sibling, found_new)
            here, last = _up_to_a_right_child(here, last)
        else:
            found_new = node_hash(found_new, sibling)
        here, last = here >> 1, last >> 1
    if last or found_old != old_root or found_new != new_root:
        raise UntrustedError("what was in the log has been changed", rule="consistency")


def _up_to_a_right_child(here: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the right edge has no sibling."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last


def _all_hashes(*values: bytes) -> bool:
    # A longer "hash" could move the border between left and right in node_hash.
    return all(len(value) == HASH_LENGTH for value in values)


def _inclusion_spans(index: int, size: int) -> tuple[Span, ...]:
    if not 0 <= index < size <= SIZE_LIMIT:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return tuple(reversed(spans))


def _consistency_spans(old: int, new: int) -> tuple[Span, ...]:
    if old in (0, new):
        return ()
    spans: list[Span] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:  # else this span is the whole old tree, and its root is known
        spans.append((start, end))
    return tuple(reversed(spans))


def _nodes_of(span: Span) -> Iterator[Node]:
    """Yield the complete subtrees of a span, largest first."""
    start, end = span
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _split(size: int) -> int:
    """Return the largest power of two below ``size``: where RFC 6962 divides a tree."""
    return 1 << (size - 1).bit_length() - 1


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees, largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root
