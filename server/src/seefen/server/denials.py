"""Denials: what is refused for want of a right stands in the log, too.

The refusal goes out at once and does not wait for its entry; an entry that cannot be written
is an alarm, and what was refused stays refused. Only who has logged in is entered, by what his
device signed. One entry an hour for each device and what it asked for, and a few for each
device: nobody fills the log by asking. What is beyond that is counted in the journal.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import structlog

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, Opened, check_signed_by
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.statements import Access, Activity, Denied, Object, Search
from seefen.protocol.suite import SUITE, new_id
from seefen.server.alarms import alarm
from seefen.server.entries import denied_entry_of
from seefen.server.jobs import Done, Job
from seefen.server.metrics import DENIED
from seefen.server.rates import Window
from seefen.server.view import Known, Layer, Needs

# Rights, and nothing else: what is malformed, late or out of turn is nobody's attempt.
RIGHTS: Final = frozenset(
    ("revoked", "expired", "suspended", "role", "not-a-reader", "not-a-member", "not-the-owner")
)
SECONDS: Final = 3600
MOST: Final = 20  # entries of one device in that time


class Writes(Protocol):
    """Whoever commits jobs."""

    async def write(self, job: Job) -> Done:
        """Return what became of a job once it is committed."""
        ...


class DeniedJob(Job):
    """One refusal, entered; it opens nothing."""

    def __init__(
        self, device: bytes, what: str, rule: str, opened: Opened | None, case: bytes | None
    ) -> None:
        """Enter that ``device`` was refused ``what`` by ``rule``."""
        asked = None if opened is None else opened.statement
        self._asked = asked if isinstance(asked, Access | Search) else None
        access = asked if isinstance(asked, Access) else None
        self._case = case if access is None else access.case
        self._object = None if access is None else access.object
        super().__init__(
            Needs(
                cases=frozenset(one for one in (self._case,) if one is not None),
                objects=frozenset(one for one in (self._object,) if one is not None),
            )
        )
        self.about = (device, what, self._case, self._object)
        self._rule = rule
        self._opened = opened

    def judge(self, layer: Layer) -> None:
        """Try it on a layer.

        Raises:
            UntrustedError: The device has not signed what it brought: anybody could have.
        """
        device, what, _, _ = self.about
        certificate = layer.directory.device(device)
        if self._opened is not None:
            if self._asked is None or self._asked.device != device:
                raise UntrustedError("a device asks by its own statements", rule="wrong-device")
            check_signed_by(self._opened, certificate.sign)
        # Ids that nobody gave are not kept: they could be any text.
        case = self._case if self._case and layer.case(self._case) is not None else None
        facts = layer.object(self._object) if self._object is not None else None
        denied = Denied(
            SUITE,
            layer.directory.net,
            "denied",
            new_id(),
            certificate.node,
            device,
            what,
            self._rule,
            case,
            self._object if facts is not None and facts.case == case else None,
            b"" if self._opened is None else self._opened.envelope,
        )
        envelope = encode(Envelope(encode(denied), ()))
        layer.changes.activity.append(denied_entry_of(layer, denied, envelope, self._asked))
        layer.activity_size += 1


class Denials:
    """Enters refusals of one broker process."""

    def __init__(self, writes: Writes, clock: Callable[[], float]) -> None:
        self._writes = writes
        self._clock = clock
        self._each = Window(1, SECONDS)
        self._all = Window(MOST, SECONDS)
        self._more: dict[bytes, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(
        self,
        device: bytes,
        what: str,
        error: SeefenError,
        *,
        opened: Opened | None = None,
        case: bytes | None = None,
    ) -> None:
        """Enter a refusal if it was for want of a right; never raises, never waits.

        Args:
            device: Who is logged in.
            what: ``access``, ``search`` or ``audit``.
            error: Why it was refused.
            opened: The signed statement that was refused, where there is one.
            case: Where there is none: the case that was asked about.
        """
        if error.rule not in RIGHTS:
            return
        job = DeniedJob(device, what, error.rule, opened, case)
        now = self._clock()
        if self._all.take(device, now):
            self._count(device)
            return
        if self._each.take(job.about, now):
            self._all.give_back(device)
            self._count(device)
            return
        self._more.pop(device, None)
        task = asyncio.create_task(self._write(job), name="denied")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextmanager
    def of(
        self, device: bytes | None, *opened: Opened, audit: bool = False, case: bytes | None = None
    ) -> Generator[None]:
        """Enter what is refused inside: an access, a search, or a look into the audit.

        Args:
            device: Who is logged in; None: whoever brings what the root has signed.
            opened: What was sent; only accesses and searches are entered.
            audit: It is a look into the audit, of ``case`` or of the node.
            case: See there.
        """
        try:
            yield
        except SeefenError as err:
            if device is not None:
                if audit:
                    self.note(device, "audit", err, case=case)
                for one in opened:
                    if one.kind in ("access", "search"):
                        self.note(device, one.kind, err, opened=one)
            raise

    async def settled(self) -> None:
        """Wait until everything noted so far is written, or is an alarm."""
        await asyncio.gather(*self._tasks)

    async def _write(self, job: DeniedJob) -> None:
        try:
            await self._writes.write(job)
        except UntrustedError:
            DENIED.labels("unsigned").inc()  # not what the device signed: no attempt of its own
        except Exception as err:
            # The refusal has long gone out, and stands: nothing opens because this fails. The
            # next try is entered; of all of a device no more are tried, or they fill the journal.
            self._each.give_back(job.about)
            DENIED.labels("lost").inc()
            alarm("denied-unwritten", error=getattr(err, "rule", type(err).__name__))
        else:
            DENIED.labels("entered").inc()

    def _count(self, device: bytes) -> None:
        """Count what gets no entry of its own; the journal says so at 1, 2, 4, 8 ..."""
        count = self._more[device] = self._more.get(device, 0) + 1
        DENIED.labels("counted").inc()
        if count & (count - 1) == 0:
            structlog.get_logger().warning("denied.more", device=device, count=count)


def suspect(known: Known, opened: Sequence[Opened], error: SeefenError) -> None:
    """Raise an alarm when a refusal looks like a copied device or a forged object."""
    statements = [one.statement for one in opened]
    if error.rule == "other-bytes":
        objects = [one.object if isinstance(one, Object) else None for one in statements]
        alarm("other-bytes", objects=objects)
    if error.rule == "number":
        for one in statements:
            if isinstance(one, Activity | Search) and known.has_number(one.device, one.device_n):
                alarm("cloned-device", device=one.device, number=one.device_n)
