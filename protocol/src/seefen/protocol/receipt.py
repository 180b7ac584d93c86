"""Receipts: proof that an entry stands in the activity log.

Nothing is shown, and no key is used, before :func:`check_receipt` has returned.

The format is ``docs/spec/ledger.md``, section 6.
"""

from typing import Annotated, Protocol

from msgspec import Meta

from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.note import Checkpoint, SignedCheckpoint, open_checkpoint
from seefen.protocol.ledger.record import CORE_LIMIT, RECORD_LENGTH, Core, Record, decode_core
from seefen.protocol.ledger.tree import (
    PROOF_LIMIT,
    check_consistency,
    check_inclusion,
    leaf_hash,
)
from seefen.protocol.statements import Count, Hash, Part
from seefen.protocol.suite import commit


class TreeHead(Protocol):
    """Anything that has the size and the root of a log."""

    @property
    def size(self) -> int:
        """Number of leaves."""
        ...

    @property
    def root(self) -> bytes:
        """Hash of the whole tree."""
        ...


class Entry(Part, frozen=True):
    """An entry of the activity log, opened: its core, and the proof where it stands.

    The detail stays closed: its commitment is in the record, its text with the auditors.
    """

    index: Count
    record: Annotated[bytes, Meta(min_length=RECORD_LENGTH, max_length=RECORD_LENGTH)]
    core: Annotated[bytes, Meta(max_length=CORE_LIMIT)]
    salt: Hash
    proof: Annotated[tuple[Hash, ...], Meta(max_length=PROOF_LIMIT)]


class Receipt(Part, frozen=True):
    """An entry under a signed checkpoint, and that this log only grew.

    ``consistency`` starts from the size that the request named as seen.
    """

    entry: Entry
    checkpoint: str
    consistency: Annotated[tuple[Hash, ...], Meta(max_length=PROOF_LIMIT)]


def check_entry(entry: Entry, checkpoint: Checkpoint) -> Core:
    """Return the core of an entry, once it is proved to stand in the log.

    Raises:
        MalformedError: The record or the core does not parse.
        UntrustedError: The core is not the one committed to, or the entry is not in the log.
    """
    record = Record.decode(entry.record)
    if commit(entry.salt, entry.core) != record.core_commitment:
        raise UntrustedError("the core is not the one in the log", rule="core-commitment")
    leaf = leaf_hash(entry.record)
    check_inclusion(leaf, entry.index, checkpoint.size, entry.proof, checkpoint.root)
    return decode_core(entry.core)


def check_receipt(
    receipt: Receipt, *, origin: str, log_public: bytes, seen: TreeHead
) -> tuple[Core, SignedCheckpoint]:
    """Return the core of a receipt and the head to keep from now on.

    Args:
        receipt: The receipt.
        origin: Name of the activity log.
        log_public: The log's key, from the root statement.
        seen: The head the request named; ``(0, EMPTY_ROOT)`` before the first.

    Raises:
        MalformedError: A part of the receipt does not parse.
        UntrustedError: The log vouches for none of it, or has forked (``rule`` says how).
    """
    signed = open_checkpoint(receipt.checkpoint, origin, log_public)
    head = signed.checkpoint
    check_consistency(seen.size, seen.root, head.size, head.root, receipt.consistency)
    return check_entry(receipt.entry, head), signed
