"""A witness: it remembers the newest head of each log and cosigns what grew from it.

Its key stands in the root statement and signs heads, nothing else. It lies in a folder of its
own, beside the heads it has signed::

    witness = Witness.create(folder)               # once; the root statement then names .public
    witness = Witness.open(folder, root)
    outcome = witness.add_checkpoint(old, proof, note)    # C2SP tlog-witness: status and body
    refused = await watch(connection, witness)     # one turn with a broker: ask, judge, bring

Looking up, judging and storing are one transaction that locks the file, and it is synced before
a line leaves: two processes on one folder, or a kill, roll nothing back (fault 41). A folder put
back from a backup does: never restore one, make a new witness.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import apsw

from seefen.client import private
from seefen.client.connection import Connection
from seefen.client.evidence import keep_evidence
from seefen.client.keyfile import put_file, sync_folder
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError
from seefen.protocol.frames import Cosignatures, Cosigned, HeadToCosign, ToCosign
from seefen.protocol.ledger.note import cosign, parse_note
from seefen.protocol.ledger.quorum import BOTH, PLAIN, witness_name
from seefen.protocol.ledger.tree import Proof
from seefen.protocol.ledger.witness import (
    NOTHING,
    Addition,
    Granted,
    Outcome,
    judge,
    origin_of,
    parse_addition,
)
from seefen.protocol.statements import Head, Root
from seefen.protocol.suite import WitnessKey

FOLDER: Final = "witness"  # in the home of the device that runs it
KEY: Final = "witness.key"
HEADS: Final = "witness.db"
EVIDENCE: Final = "evidence"
LOGS: Final = ("authority", "activity")
WAIT: Final = 5000  # milliseconds for another process on the same folder
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS head (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Uncosigned:
    """A head that was shown and not signed: by which rule, and where both heads are kept."""

    rule: str
    text: str
    evidence: Path | None


class Witness:
    """One witness of one network. Several processes may have the folder open."""

    def __init__(self, folder: Path, key: WitnessKey, root: Root, clock: Callable[[], float]):
        self._folder = folder
        self._key = key
        self._clock = clock
        self.public = _named(key, root)
        self.name = witness_name(root.origin, self.public)
        self._logs = {f"{root.origin}/{log}": root.log_key for log in LOGS}
        self._origin = root.origin
        self._db: Any = _opened(folder / HEADS, new=False)

    @staticmethod
    def create(folder: Path) -> bytes:
        """Make the key of a witness, or take the one that is there; return its public half.

        Returns:
            1,344 bytes for the root statement: Ed25519 and ML-DSA-44. The first 32 alone
            are a witness too, one that signs with Ed25519 alone.

        Raises:
            RefusedError: rule ``witness-key``: what is there does not open.
        """
        private.folder(folder)
        path = folder / KEY
        if path.exists():
            # Nothing is made beside it: a witness without its heads would sign any log.
            return _read_key(path).public
        _opened(folder / HEADS, new=True).close()
        key = WitnessKey.generate()
        beside = folder / f"{KEY}.new"
        try:
            put_file(beside, f"{key.secret.hex()}\n".encode("ascii"))
            # Whole or not at all, and never over one that is there: the network may know it.
            os.link(beside, path)
            beside.unlink()
        except OSError as err:
            raise RefusedError(
                f"{path} cannot be written: {err.strerror}", rule="witness-key"
            ) from None
        sync_folder(folder)
        return key.public

    @classmethod
    def open(cls, folder: Path, root: Root, *, clock: Callable[[], float] = time.time) -> Self:
        """Open the witness in a folder.

        Args:
            folder: Where :meth:`create` put its key.
            root: The newest root statement; open the witness again when it changes.
            clock: Unix seconds.

        Raises:
            RefusedError: rule ``witness-key`` (no key there, or it does not open),
                ``no-witness`` (the root does not name it), ``witness-heads`` (the file of
                heads is gone or does not open: without it any log could be signed anew).
        """
        return cls(folder, _read_key(folder / KEY), root, clock)

    def close(self) -> None:
        """Close the file of heads."""
        self._db.close()

    def head(self, log: str) -> Head:
        """Return the last head of a log (``authority``, ``activity``) that it cosigned."""
        return self._stored(f"{self._origin}/{log}")[0]

    def add_checkpoint(self, old_size: int, proof: Proof, note: str) -> Outcome:
        """Answer the question of C2SP tlog-witness.

        Args:
            old_size: What the asker believes this witness to have stored.
            proof: Consistency from there.
            note: The checkpoint.

        Returns:
            200 with the witness's lines, or 400, 403, 404, 409 (body: the stored size), 422.
            Two heads of one size, or one that did not grow from the other, are kept as evidence.

        Raises:
            RefusedError: rule ``witness-disk``: it cannot be remembered, and is not signed.
        """
        addition = Addition(old_size, proof, note)
        try:
            origin = origin_of(note)
        except MalformedError as err:
            return Outcome(400, f"{err}\n")
        try:
            found, stored, before = self._judged(addition, origin)
        except apsw.Error as err:
            raise RefusedError(
                f"{self._folder / HEADS} cannot be written ({err}): nothing is signed",
                rule="witness-disk",
            ) from None
        if isinstance(found, Outcome):
            self._accuse(found, addition, stored, before)
            return found
        lattice = len(self.public) == BOTH
        at = int(self._clock())
        lines = cosign(parse_note(note).text, self.name, self._key, at, lattice=lattice)
        return Outcome(200, lines)

    def _judged(self, addition: Addition, origin: str) -> tuple[Granted | Outcome, Head, str]:
        """Judge and store in one transaction; return the verdict and what stood there before."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            stored, before = self._stored(origin)
            found = judge(addition, self._logs, stored)
            if isinstance(found, Granted):
                row = (origin, found.head.size, found.head.root, addition.note)
                self._db.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?)", row)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise
        return found, stored, before

    def cosign(self, note: str, proof: Proof) -> Outcome:
        """Do as :meth:`add_checkpoint` does, from the head that is stored."""
        try:
            stored, _ = self._stored(origin_of(note))
        except MalformedError as err:
            return Outcome(400, f"{err}\n")
        return self.add_checkpoint(stored.size, proof, note)

    def answer(self, body: str) -> Outcome:
        """Answer the body of ``POST add-checkpoint``, as C2SP writes it."""
        try:
            addition = parse_addition(body)
        except MalformedError as err:
            return Outcome(400, f"{err}\n")
        return self.add_checkpoint(addition.old_size, addition.proof, addition.note)

    def _stored(self, origin: str) -> tuple[Head, str]:
        sql = "SELECT size, root, note FROM head WHERE origin = ?"
        for size, root, note in self._db.execute(sql, (origin,)):
            return Head(size, root), note
        return NOTHING, ""

    def _accuse(self, found: Outcome, addition: Addition, stored: Head, before: str) -> None:
        """Keep what the log signed against itself: it answered from the head stored here."""
        if addition.old_size != stored.size or found.status not in _LIES:
            return
        rule = _LIES[found.status]
        value = {
            "rule": rule,
            "what": "the log signed two heads of which neither grew from the other",
            "before": before,
            "now": addition.note,
            "proof": [one.hex() for one in addition.proof],
        }
        keep_evidence(self._folder / EVIDENCE, _evidence(rule, addition.note), value)

    def evidence(self, outcome: Outcome, note: str) -> Path | None:
        """Return where two heads are kept of which the second was refused; None for no lie."""
        rule = _LIES.get(outcome.status)
        path = self._folder / EVIDENCE / _evidence(rule or "", note)
        return path if rule is not None and path.exists() else None


async def watch(connection: Connection, witness: Witness) -> list[Uncosigned]:
    """Cosign the newest head of both logs, as the broker shows them; return what was refused.

    Raises:
        UnreachableError: No broker: the next turn will do.
        SeefenError: The broker refuses the lines, or rule ``witness-disk``.
    """
    refused: list[Uncosigned] = []
    for log in LOGS:
        ask = ToCosign(log, witness.head(log).size)
        shown = await connection.request("witness", ask, HeadToCosign)
        outcome = witness.add_checkpoint(ask.old, shown.consistency, shown.checkpoint)
        if outcome.status == 200:
            await _bring(connection, shown.checkpoint + outcome.body)
        elif witness.head(log).size == ask.old:  # else another process here was faster
            rule, why = _REASONS[outcome.status]
            kept = witness.evidence(outcome, shown.checkpoint)
            # With the size: who is lied to again later is told so again.
            text = f"the {log} log is not cosigned after {ask.old} entries: {why}"
            refused.append(Uncosigned(rule, text, kept))
    return refused


_REASONS: Final = {
    400: ("rewind", "it is shorter than what this witness has signed, or no checkpoint"),
    403: ("signature", "it is not signed with the key that the root statement names"),
    404: ("origin", "it has another name than the root statement gives it"),
    409: ("fork", "it shows other entries than those this witness has signed"),
    422: ("consistency", "it did not grow from what this witness has signed"),
}
_LIES: Final = {409: "fork", 422: "consistency"}


async def _bring(connection: Connection, note: str) -> None:
    try:
        await connection.request("cosign", Cosignatures(note), Cosigned)
    except OutOfTurnError:
        return  # another head is shown by now: the next turn signs that


def _evidence(rule: str, note: str) -> str:
    return f"witness-{rule}-{parse_note(note).text.split(chr(10))[1]}.json"


def _named(key: WitnessKey, root: Root) -> bytes:
    for public in root.witnesses:
        if public in (key.public, key.public[:PLAIN]):
            return public
    raise RefusedError("the root statement names another witness than this one", rule="no-witness")


def _read_key(path: Path) -> WitnessKey:
    try:
        return WitnessKey.from_secret(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except OSError as err:
        raise RefusedError(
            f"there is no key of a witness in {path.parent}: {err.strerror}", rule="witness-key"
        ) from None
    except ValueError:
        raise RefusedError(f"{path} is not the key of a witness", rule="witness-key") from None


def _opened(path: Path, *, new: bool) -> Any:
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if new else 0)
    try:
        place = private.database(path) if new else path
        db: Any = apsw.Connection(str(place), flags=flags)
        db.set_busy_timeout(WAIT)
        db.pragma("synchronous", "FULL")
        db.execute(_SCHEMA)
    except apsw.Error as err:
        raise RefusedError(
            f"{path}, the heads this witness has signed, does not open ({err}). Never put an older "
            "copy there, nor an empty one: the network needs a new witness",
            rule="witness-heads",
        ) from None
    return db
