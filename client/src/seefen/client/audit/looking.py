"""What every look into the audit does: fetch what is new, look, be entered, and only then show."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from seefen.client.audit.facts import AUDIT
from seefen.client.audit.fetching import Fetching
from seefen.client.audit.filters import month as months
from seefen.client.audit.granted import settle
from seefen.client.audit.rowing import row_of_entry
from seefen.client.audit.store import Store
from seefen.client.audit.whole import WholeLog
from seefen.client.audit.withheld import AUDITORS
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow, SoughtView
from seefen.client.journal import Journal
from seefen.client.keying import require_fresh_log
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.statements import Revoke

T = TypeVar("T")


def once(_: object) -> int:
    """Count a look that gives one page, whatever stands on it."""
    return 1


@contextmanager
def needing_the_broker() -> Generator[None]:
    """Say of what nobody can answer from the vault alone that it needs the broker.

    Raises:
        UnreachableError: rule ``audit-away``.
    """
    try:
        yield
    except UnreachableError as err:
        raise UnreachableError(f"for this the broker is needed: {err}", rule="audit-away") from err


class Looking:
    """The entries of a node and of its cases, as far as this device has checked them."""

    def __init__(self, engine: Engine, journal: Journal, of: str | None = None) -> None:
        """Look at the entries of the own node; or at the cores of those that a view is ``of``."""
        self._engine = engine
        self._journal = journal
        self._fetching = Fetching(engine, of)
        self._whole = WholeLog(engine)

    @property
    def is_auditor(self) -> bool:
        """Whether the broker shows this device what its node's auditors may see."""
        roles = self._engine.directory.device(self._engine.keys.device).roles
        return bool({*AUDITORS} & {*roles})

    def require_auditor(self) -> None:
        """Check that this device may look into the audit of its node.

        Raises:
            UntrustedError: rule ``not-an-auditor``.
        """
        if not self.is_auditor:
            # Else an empty store would pass for a log in order.
            raise UntrustedError(
                "the audit is for auditors and admins of your node; "
                "'seefen audit list' shows what your own device opened",
                rule="not-an-auditor",
            )

    @property
    def store(self) -> Store:
        """What was checked so far."""
        return self._fetching.store

    @property
    def unproved(self) -> int:
        """How many entries here are not proved: none of them is counted anywhere."""
        return self.store.wrong

    @property
    def head(self) -> int:
        """The size of the log that this device has proved."""
        return self._engine.trust.head("activity").size

    @property
    def stale(self) -> str:
        """Why the log is too old to be called in order: what keeps this device from sending.

        Empty where it is fresh. Without a quorum that is the log's own word; but a broker that
        shows an old head with its old time, so as to hide what came since, has signed no lie.
        """
        try:
            require_fresh_log(self._engine)
        except RefusedError as err:
            return str(err).removeprefix("(a) ")
        return ""

    async def catch_up(self) -> bool:
        """Fetch what is new; tell whether the broker could be asked.

        Raises:
            UntrustedError: rule ``not-an-auditor``, or the log itself is not what was signed.
        """
        self.require_auditor()
        try:
            await self._fetching.catch_up()
        except UnreachableError:
            return False
        return True

    def drop_ended(self) -> None:
        """Drop the cores that were shown under views which are over, or of another period."""
        settle(self._engine)

    async def entered(self, query: str, look: Callable[[], T], count: Callable[[T], int]) -> T:
        """Look, write down that it was done, and only then return what was found.

        Raises:
            RefusedError: rule ``lease``, ``a-clock`` or ``disk``: it could not be written down.
        """
        found = self._journal.enter(AUDIT, query, look, count)
        await self._journal.upload()
        return found

    def search_of_another(self, index: int, two: str) -> tuple[AuditRow, tuple[SoughtView, ...]]:
        """Return the entry of a search and what was sought, if another person made it.

        Args:
            index: Where the log has it.
            two: Who does what in this, for whoever tries to be both.

        Raises:
            RefusedError: rule ``unknown-entry``.
            UntrustedError: rule ``two-persons``: this officer, or this device, made it.
        """
        facts = self.store.one(index)
        if facts is None or facts.problem:
            raise RefusedError(
                f"entry {index} is none your node may see, or it is not proved",
                rule="unknown-entry",
            )
        row = row_of_entry(self._engine, self.store, facts, self.head)
        own = self._engine.directory.device(self._engine.keys.device)
        if own.officer in facts.officer.split() or facts.device == own.device.hex():
            raise UntrustedError(f"{two}: these are two persons", rule="two-persons")
        return row, () if row.search is None else row.search.sought or ()

    def require_fresh(self, box: str, what: str) -> None:
        """Check that nobody was taken out who has the keys of a mailbox of the own node.

        Args:
            box: ``audit`` or ``case``.
            what: Is sealed to it, and taken up by its holders.

        Raises:
            RefusedError: rule ``stale-mailbox``.
        """
        if self._engine.directory.mailbox_stale(self._engine.node, box):
            whose = "an auditor" if box == "audit" else "a keyholder"
            raise RefusedError(
                f"a device was taken out that holds the keys {what} is sealed to: {whose} renews "
                "them by his next command, any one; then do this again",
                rule="stale-mailbox",
            )

    def is_doubted(self, device: bytes) -> bool:
        """Whether a device was revoked for another reason than that its officer left it."""
        directory = self._engine.directory
        if directory.revoked(device) is None:
            return False
        revoke = directory.latest(("revoke", device), Revoke)
        return revoke is None or revoke.reason not in ("left", "replaced")

    def span(self, month: str) -> tuple[int, int | None]:
        """Return where in the log a month lies, all of it without one.

        Raises:
            RefusedError: rule ``month``.
        """
        if not month:
            return 0, None
        since, until = months(month, self._engine.now())
        return self.store.since(since), self.store.since(until)
