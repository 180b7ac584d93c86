"""What a witness decides: whether it cosigns a head, over the one it stored before.

Nothing here signs, and nothing here stores: :func:`judge` says what is to be stored *before* the
answer leaves. Who calls it MUST look up the stored head, judge and store in one transaction:
else two heads that cross would roll the log back (fault 41).

Bodies and statuses are those of C2SP tlog-witness, ``add-checkpoint``; ``docs/spec/ledger.md``,
section 7.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.ledger.note import Checkpoint, decode_checkpoint, open_checkpoint, parse_note
from seefen.protocol.ledger.tree import (
    EMPTY_ROOT,
    HASH_LENGTH,
    SIZE_LIMIT,
    Proof,
    check_consistency,
)
from seefen.protocol.statements import Head

PROOF_LINES: Final = 63
BODY_LIMIT: Final = 256 * 1024  # characters: a note of the largest size, and its proof
TEXT: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"
NOTHING: Final = Head(0, EMPTY_ROOT)  # what a witness has stored of a log it never cosigned

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Addition:
    """A head that a witness is asked to cosign, not checked yet."""

    old_size: int
    proof: Proof
    note: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a witness answers: a status of HTTP, and a body."""

    status: int
    body: str
    content_type: str = TEXT


@dataclass(frozen=True, slots=True)
class Granted:
    """A head that may be cosigned, once it is stored."""

    head: Checkpoint


def parse_addition(body: str) -> Addition:
    """Return the parts of the body of ``add-checkpoint``.

    Raises:
        MalformedError: It is not one.
    """
    above, blank, note = body.partition("\n\n")
    lines = above.split("\n")
    old = _OLD.fullmatch(lines[0])
    if len(body) > BODY_LIMIT or not blank or old is None or len(lines) - 1 > PROOF_LINES:
        raise MalformedError("this asks for no cosignature", rule="add-checkpoint")
    return Addition(int(old[1]), tuple(_hash(line) for line in lines[1:]), note)


def encode_addition(addition: Addition) -> str:
    """Return the body that :func:`parse_addition` reads."""
    proof = "".join(f"{b64encode(one).decode()}\n" for one in addition.proof)
    return f"old {addition.old_size}\n{proof}\n{addition.note}"


def origin_of(note: str) -> str:
    """Return which log a note says it is of: what to look up before :func:`judge`.

    Raises:
        MalformedError: It is no note, or not of a checkpoint.
    """
    return decode_checkpoint(parse_note(note).text).origin


def judge(addition: Addition, logs: Mapping[str, bytes], stored: Head) -> Granted | Outcome:
    """Decide whether a head may be cosigned.

    Args:
        addition: What is asked.
        logs: The keys of the logs that this witness knows, by origin.
        stored: The last head it cosigned of this log, :data:`NOTHING` if none.

    Returns:
        The head to store, or the refusal: 400 (no note, or an old size above the new one),
        403 (no signature of the log), 404 (another log), 409 (another old size than the
        stored one, whose body is the stored size; or another root at one size), 422 (the
        proof does not hold).
    """
    new = _vouched(addition.note, logs)
    if isinstance(new, Outcome):
        return new
    if not 0 <= addition.old_size <= new.size <= SIZE_LIMIT:
        return Outcome(400, "the old size is above the new one\n")
    if len(addition.proof) > PROOF_LINES:
        return Outcome(400, "a proof has 63 hashes at most\n")
    if addition.old_size != stored.size:
        return Outcome(409, f"{stored.size}\n", SIZE)
    try:
        check_consistency(stored.size, stored.root, new.size, new.root, addition.proof)
    except UntrustedError as err:
        if err.rule == "fork":
            return Outcome(409, f"{stored.size}\n", SIZE)
        return Outcome(422, f"{err}\n")
    return Granted(new)


def _vouched(note: str, logs: Mapping[str, bytes]) -> Checkpoint | Outcome:
    try:
        origin = origin_of(note)
        if origin not in logs:
            return Outcome(404, "this witness does not know the log\n")
        return open_checkpoint(note, origin, logs[origin]).checkpoint
    except MalformedError as err:
        return Outcome(400, f"{err}\n")
    except UntrustedError as err:
        return Outcome(403, f"{err}\n")


def _hash(line: str) -> bytes:
    try:
        data = b64decode(line, validate=True)
    except (Error, ValueError) as err:
        raise MalformedError("a line of the proof is no hash", rule="add-checkpoint") from err
    if len(data) != HASH_LENGTH or b64encode(data).decode() != line:
        raise MalformedError("a line of the proof is no hash", rule="add-checkpoint")
    return data
