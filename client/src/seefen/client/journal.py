"""The journal: whoever looks into his own vault is written down before he sees what he found.

Nothing is asked of the broker for it, so it works without one: what was done waits in the
vault and leaves in order, as statements of the kind ``search``, when the broker is back.
A line goes in the transaction that takes in its receipt: a kill between loses and doubles
nothing.

An officer's search leaves at once, alone. Automated ones are many: they leave together, some
time later. Another module has its own way of looking written down with one call of
:meth:`Journal.search`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol, TypeAlias, TypeVar

from seefen.client import marks
from seefen.client.engine import Engine
from seefen.client.keying import heard_at
from seefen.client.sender import Parcel, Sender
from seefen.client.stating import (
    NO_CASE,
    SHIFT,
    audits,
    is_unsealed,
    remember,
    remembered,
)
from seefen.client.trust import Taken
from seefen.client.values import Hit
from seefen.client.views import Row, ref_of
from seefen.protocol.case_chain import CLOCK_SLACK
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)
from seefen.protocol.search import QUERY_LIMIT, Account, Sought, fits, seal_account
from seefen.protocol.statements import Part, Search

LEASE: Final = 72 * 3600  # seconds without the broker in which searching goes on
BATCH: Final = 15 * 60  # seconds that automated searches wait for others
TOGETHER: Final = 50  # automated searches that wait for no more; statements in a bundle
READ: Final = 500  # lines looked at for a bundle
PATIENCE: Final = 3.0  # seconds for which an officer waits for his entry
CROSS_CHECK: Final = "cross-check"
OWN_LAW: Final = "national-law"  # basis of what a node does with what nobody sent it


class Counted(Protocol):
    """What was found, and in how many places."""

    @property
    def count(self) -> int:
        """In how many places."""
        ...


F = TypeVar("F", bound=Counted)
T = TypeVar("T")
Why: TypeAlias = tuple[str | None, str | None, str]
NOTHING_NEW: Final[Why] = (None, None, "")


class Line(Part, frozen=True):
    """One search as it waits in the vault."""

    automated: bool
    purpose: str
    basis: str
    reason: str
    sought: Sought

    @property
    def why(self) -> tuple[bool, str, str, str]:
        """What lines must have in common to stand in one statement."""
        return self.automated, self.purpose, self.basis, self.reason


class Journal:
    """What this device looked for: written down, then shown, then told to the log."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        self._newest = 0
        self._entry: int | None = None
        sender.entered = self._let_go

    # --- searching --------------------------------------------------------------

    def search(self, what: str, query: str, look: Callable[[], F], why: Why = NOTHING_NEW) -> F:
        """Look for something, write down that it was done, and only then return what was found.

        Args:
            what: The way of searching, a code (``docs/spec/access.md``, section 6).
            query: What for, as the officer wrote it; for the auditors of his node.
            look: Finds it in the vault. What it raises was no search.
            why: Purpose, basis and reason: remembered for all searches of the shift. Without
                purpose and basis, what was stated before holds on.

        Raises:
            RefusedError: rule ``purpose-needed``, ``form``, ``lease``, ``a-clock``, or ``disk``: it
                could not be written down, and nothing is shown.
        """
        if len(query) > QUERY_LIMIT:
            raise RefusedError(f"a search has at most {QUERY_LIMIT} characters", rule="long")
        with self._engine.vault.soon():  # synced with the line that follows
            remember(self._engine, NO_CASE, (why[0] or "", why[1] or "", why[2]))
        purpose, basis, reason = remembered(self._engine, NO_CASE)
        if not purpose:
            raise RefusedError(
                "say once per shift why you search: purpose and legal basis", rule="purpose-needed"
            )
        self._require_lease()
        found = look()
        sought = Sought(self._engine.now(), what, query, found.count)
        with self._engine.vault.change():
            self._newest = self._write(Line(False, purpose, basis, reason, sought))
            self._entry = None
        return found

    def enter(
        self, purpose: str, query: str, look: Callable[[], T], count: Callable[[T], int]
    ) -> T:
        """Look for something whose purpose is what it is done for, and write down that it was.

        An auditor's look says so by itself: he is asked nothing, and what officers of this
        device stated for their searches stays as it is.

        Args:
            purpose: A code; also the way of searching (``docs/spec/access.md``, section 6).
            query: What for; cut at 400 characters.
            look: Finds it in the vault. What it raises was no search.
            count: Says how much was found.

        Raises:
            RefusedError: rule ``lease``, ``a-clock`` or ``disk``: it could not be written down,
                and nothing is shown.
        """
        self._require_lease()
        found = look()
        sought = Sought(self._engine.now(), purpose, query[:QUERY_LIMIT], count(found))
        with self._engine.vault.change():
            self._newest = self._write(Line(False, purpose, OWN_LAW, "", sought))
            self._entry = None
        return found

    def cross_check(self, row: Row) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
        """Return where marks of an open message stand here as well: see :func:`marks.known`.

        An automated search, one line for a message and shift; none where it has no marks.

        Raises:
            RefusedError: rule ``disk``: it could not be written down, and nothing is shown.
        """
        engine, done = self._engine, f"crossed/{row.object.hex()}"
        if engine.vault.one("SELECT 1 FROM mark WHERE object = ?", row.object) is None:
            return (), ()
        found, common = marks.known(engine, row.object)
        if engine.vault.get_number(done) <= engine.now():
            basis = remembered(engine, row.case)[1] or OWN_LAW
            sought = Sought(engine.now(), CROSS_CHECK, ref_of(engine, row), len(found))
            with engine.vault.change():
                self._write(Line(True, CROSS_CHECK, basis, "", sought))
                engine.vault.put_number(done, engine.now() + SHIFT)
        return found, common

    def _write(self, line: Line) -> int:
        vault = self._engine.vault
        sql = "INSERT INTO journal (made_at, automated, fields) VALUES (?, ?, ?) RETURNING id"
        row = vault.one(sql, line.sought.at, int(line.automated), encode(line))
        return 0 if row is None else int(row[0])

    def _require_lease(self) -> None:
        """Check that the log has heard of this device lately, and its journal with it."""
        engine = self._engine
        oldest = engine.vault.one("SELECT min(made_at) FROM journal")
        waits = [] if oldest is None or oldest[0] is None else [int(oldest[0])]
        now = engine.now()
        for at in (*heard_at(engine).values(), *waits):
            if now - at > LEASE:
                raise RefusedError(
                    f"this device was {(now - at) // 3600} h without the broker, and searching is "
                    f"lent for {LEASE // 3600}: its journal must reach the log first",
                    rule="lease",
                )
            if now < at - CLOCK_SLACK:
                # A clock that was put back would make the time without the broker short.
                raise RefusedError(
                    f"this machine's clock is {(at - now) // 60} min behind the log: set it",
                    rule="a-clock",
                )

    # --- to the log -------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many searches were written down and do not stand in the log yet."""
        row = self._engine.vault.one("SELECT count(*) FROM journal")
        return 0 if row is None else int(row[0])

    @property
    def is_unsealed(self) -> bool:
        """Whether what is looked for now is entered so that nobody can read what for."""
        return is_unsealed(self._engine)

    async def upload(self, patience: float = PATIENCE) -> int | None:
        """Tell the log what waits; return where the newest search of an officer stands.

        None: the broker is away or slow. The entry leaves by itself later.
        """
        if self._engine.connection.is_open:
            with suppress(SeefenError, TimeoutError):
                async with asyncio.timeout(patience), self._engine.lock:
                    await self.owed(now=True)
        return self._entry

    async def owed(self, *, now: bool = False) -> None:
        """Tell the log what is due; the engine's lock must be held.

        Args:
            now: Also automated searches that could wait for others.

        Raises:
            UnreachableError, LoginError: It waits.
        """
        try:
            while self._is_due(now):
                await self._sender.send(self._add)
                now = True  # what did not fit into one bundle
        except (MalformedError, OutOfTurnError, RefusedError, UntrustedError) as err:
            if self._sender.waits:
                raise  # not refused: its receipt was not believed
            if not isinstance(err, OutOfTurnError):  # too much goes on now: in the next round
                self._engine.alarm(f"the broker takes no entry of a search: {err}")

    def _is_due(self, now: bool) -> bool:
        sql = "SELECT count(*), min(made_at), min(automated) FROM journal"
        count, oldest, automated = self._engine.vault.run(sql)[0]
        if not count or now or not automated:
            return bool(count)
        return count >= TOGETHER or not 0 <= self._engine.now() - oldest < BATCH

    def _add(self, parcel: Parcel) -> None:
        """Add the oldest lines to a bundle, and a note of which they are."""
        ids: list[tuple[int, ...]] = []
        for numbers, lines in self._groups():
            parcel.add(self._statement(parcel, lines))
            ids.append(numbers)
            if len(ids) == TOGETHER:
                break
        parcel.note = encode(ids)

    def _groups(self) -> Iterator[tuple[tuple[int, ...], list[Line]]]:
        """Yield lines that stand in one statement, with their numbers in the vault."""
        numbers: list[int] = []
        lines: list[Line] = []
        sql = "SELECT id, fields FROM journal ORDER BY id LIMIT ?"
        for id_, fields in self._engine.vault.run(sql, READ):
            line = decode(fields, Line)
            if lines and not _together([*lines, line]):
                yield tuple(numbers), lines
                numbers, lines = [], []
            numbers.append(id_)
            lines.append(line)
        if lines:
            yield tuple(numbers), lines

    def _statement(self, parcel: Parcel, lines: list[Line]) -> Search:
        engine, first = self._engine, lines[0]
        audit = next(iter(audits(engine, engine.node)), None)
        detail, reasons = seal_account(_account(lines), device=engine.keys.device, audit=audit)
        return parcel.caseless(
            Search,
            "search",
            made_at=first.sought.at,
            automated=first.automated,
            count=len(lines),
            purpose=first.purpose,
            basis=first.basis,
            detail=detail,
            reasons=reasons,
        )

    def _let_go(self, taken: list[Taken], note: bytes) -> None:
        """Delete lines that stand in the log, in the transaction that takes in their receipt."""
        if not note:
            return  # it was no journal that was sent
        groups = decode(note, tuple[tuple[int, ...], ...])
        for one, numbers in zip(taken, groups, strict=True):
            rows = [(number,) for number in numbers]
            self._engine.vault.many("DELETE FROM journal WHERE id = ?", rows)
            if self._newest in numbers:
                self._entry = one.index


def _together(lines: list[Line]) -> bool:
    """Tell whether lines may stand in one statement: an officer's search stands alone."""
    return lines[0].automated and len({line.why for line in lines}) == 1 and fits(_account(lines))


def _account(lines: list[Line]) -> Account:
    return Account(lines[0].reason, tuple(line.sought for line in lines))
