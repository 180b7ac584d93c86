"""The quorum: which witnesses a network has, and whether enough of them saw a head.

A witness is an entry of the field ``witnesses`` of the root statement: an Ed25519 key of 32
bytes, or that and an ML-DSA-44 key, 1,344 bytes together. It counts once, however often it
signs. One that has both keys counts by both lines: a stripped half is no half a vote.

The format is ``docs/spec/ledger.md``, section 7 (C2SP tlog-cosignature).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.note import (
    COSIGNATURE,
    LATTICE,
    NAME_LIMIT,
    Note,
    SignedCheckpoint,
    VerifierKey,
    check_line,
    open_checkpoint,
    parse_note,
)
from seefen.protocol.suite import check_plain, sha256

PLAIN: Final = 32
BOTH: Final = 32 + 1312
INDEPENDENT: Final = 2  # below as many, one operator of both sides can split the view


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of a network: its name, and the keys whose lines must all be there."""

    name: str
    public: bytes
    keys: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class Quorum:
    """Who the witnesses of a network are, and how many of them must have seen a head."""

    witnesses: tuple[Witness, ...]
    needed: int


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A head that the quorum saw.

    Attributes:
        signed: The head, and when its log signed it.
        by: Names of the witnesses that count, and when each of them signed (unix seconds).
        time: As many as the quorum asks for say that this was the newest head then, or
            later: not the newest of their times, or one who lies would make it fresh.
    """

    signed: SignedCheckpoint
    by: tuple[tuple[str, int], ...]
    time: int


def witness_name(origin: str, public: bytes) -> str:
    """Return the name under which a witness signs: of the network, the key, and no log."""
    return f"{origin}/witness/{sha256(public).hex()[:16]}"


@lru_cache(maxsize=8)
def quorum_of(origin: str, publics: tuple[bytes, ...], needed: int) -> Quorum:
    """Return the quorum that a root statement names.

    Args:
        origin: The field ``origin``: the logs' names begin with it.
        publics: The field ``witnesses``.
        needed: The field ``quorum``.

    Raises:
        RefusedError: rule ``witnesses``; see :func:`check_witnesses`.
    """
    check_witnesses(origin, publics, needed)
    return Quorum(tuple(_witness(origin, public) for public in publics), needed)


def check_witnesses(origin: str, publics: Sequence[bytes], needed: int) -> None:
    """Check what a root statement says of its witnesses.

    Raises:
        RefusedError: rule ``witnesses``: the quorum cannot be met, something is no key, a
            key stands twice, or the origin makes no name that can stand in a note.
        UntrustedError: rule ``unusable-key``.
    """
    if needed > len(publics):
        raise RefusedError("the quorum asks for more witnesses than there are", rule="witnesses")
    if any(len(public) not in (PLAIN, BOTH) for public in publics):
        raise RefusedError("a witness has a key of 32 or 1344 bytes", rule="witnesses")
    halves = [half for public in publics for half in (public[:PLAIN], public[PLAIN:]) if half]
    if len(set(halves)) != len(halves):
        # Also one half of a pair: whoever holds it would be counted for both (fault 44).
        raise RefusedError("a witness stands twice: its key counts once", rule="witnesses")
    for public in publics:
        check_plain(public[:PLAIN])
        try:
            _witness(origin, public)
        except ValueError:
            raise RefusedError(
                "the origin makes no name that a witness can sign under", rule="witnesses"
            ) from None
    if publics and len(f"{origin}/authority".encode()) > NAME_LIMIT:
        raise RefusedError("the origin is too long for witnesses", rule="witnesses")


def seen_by(note: Note, witness: Witness) -> int:
    """Return when a witness signed the text of a note: the earlier of its lines.

    Raises:
        UntrustedError: A line is missing, stands twice or is wrong. Lines of the same key
            under another name are lines of a key nobody knows.
    """
    return min(check_line(note, key) for key in witness.keys)


def open_witnessed(text: str, origin: str, log_public: bytes, quorum: Quorum) -> Witnessed:
    """Return the head in a note, once its log and the quorum vouch for it.

    Raises:
        MalformedError: It is no note, or not of a checkpoint.
        UntrustedError: The log does not vouch for it, or rule ``unwitnessed``: fewer
            witnesses than the quorum signed this very text.
    """
    signed = open_checkpoint(text, origin, log_public)
    note = parse_note(text)
    by = tuple(
        (witness.name, time)
        for witness in quorum.witnesses
        if (time := _time_of(note, witness)) is not None
    )
    if len(by) < max(quorum.needed, 1):
        raise UntrustedError(
            f"{len(by)} of {quorum.needed} witnesses have signed this head", rule="unwitnessed"
        )
    times = sorted((time for _, time in by), reverse=True)
    return Witnessed(signed, by, times[max(quorum.needed, 1) - 1])


def _time_of(note: Note, witness: Witness) -> int | None:
    try:
        return seen_by(note, witness)
    except SeefenError:
        return None  # one bad witness must not take the honest ones with it (attack 62)


def _witness(origin: str, public: bytes) -> Witness:
    name = witness_name(origin, public)
    keys = [VerifierKey(name, COSIGNATURE, public[:PLAIN])]
    if len(public) == BOTH:
        keys.append(VerifierKey(name, LATTICE, public[PLAIN:]))
    return Witness(name, public, tuple(keys))
