"""Denials: what is refused for want of a right stands in the log, too.

The refusal goes out at once and does not wait for its entry; an entry that cannot be written
is an alarm, and what was refused stays refused. Only who has logged in is entered, by what his
device signed. One entry an hour for each device and what it asked for, and a few for each
device: nobody fills the log by asking. All ids that nobody gave are one thing beside those:
whoever asks for nonsense first leaves room for what he asks for then. What is beyond that is
counted in the journal.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import structlog

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, Opened, check_signed_by
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.manifest import NETWORK
from seefen.protocol.statements import Access, Activity, Caseless, Denied, Object, Search
from seefen.protocol.suite import SUITE, new_id
from seefen.server.alarms import alarm
from seefen.server.entries import denied_entry_of
from seefen.server.jobs import Done, Job
from seefen.server.metrics import DENIED
from seefen.server.rates import Window
from seefen.server.view import Known, Layer, Needs

# Rights, and nothing else: what is malformed, late or out of turn is nobody's attempt.
RIGHTS: Final = frozenset(
    (
        "revoked",
        "expired",
        "suspended",
        "role",
        "not-a-reader",
        "not-a-member",
        "not-the-owner",
        "not-a-viewer",
    )
)
SECONDS: Final = 3600
MOST: Final = 20  # entries of one device in that time, about what there is
STOP_SECONDS: Final = 5.0  # for those that have no entry yet when the broker stops
COUNTED: Final = "counted"


class Writes(Protocol):
    """Whoever commits jobs."""

    async def write(self, job: Job) -> Done:
        """Return what became of a job once it is committed."""
        ...


class DeniedJob(Job):
    """One refusal, entered; it opens nothing."""

    def __init__(
        self,
        device: bytes,
        what: str,
        rule: str,
        opened: Opened | None,
        case: bytes | None,
        of: str | None,
        room: Callable[[bytes, bool], bool],
    ) -> None:
        """Enter that ``device`` was refused ``what`` by ``rule``: ``of`` a node, or of all.

        ``room`` tells whether there is room for one more entry of a device, about what there
        is or about ids that nobody gave.
        """
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
        self._of = of
        self.about = (device, what, self._case, self._object, of)
        self._rule = rule
        self._opened = opened
        self._room = room
        self._fits: bool | None = None
        self.exists: bool | None = None  # what it is about; None until room was asked for

    def judge(self, layer: Layer) -> None:
        """Try it on a layer.

        Raises:
            UntrustedError: The device has not signed what it brought: anybody could have.
            RefusedError: rule ``counted``: there is no room; it gets no entry of its own.
        """
        device, what, *_ = self.about
        certificate = layer.directory.device(device)
        if self._opened is not None:
            if self._asked is None or self._asked.device != device:
                raise UntrustedError("a device asks by its own statements", rule="wrong-device")
            check_signed_by(self._opened, certificate.sign)
        if self._fits is None:  # asked once, however often it is judged
            self.exists = self._exists(layer)
            self._fits = self._room(device, self.exists)
        if not self._fits:
            raise RefusedError("refused before: it is counted", rule=COUNTED)
        # What was asked for is named whether it exists or not: else the entry would tell the
        # auditors of who asked which ids are cases, and the answer was careful not to.
        denied = Denied(
            SUITE,
            layer.directory.net,
            "denied",
            new_id(),
            certificate.node,
            device,
            what,
            self._rule,
            self._case,
            self._object,
            self._of if self._is_known(layer) else None,
            b"" if self._opened is None else self._opened.envelope,
        )
        envelope = encode(Envelope(encode(denied), ()))
        layer.changes.activity.append(denied_entry_of(layer, denied, envelope, self._asked))
        layer.activity_size += 1

    def _is_known(self, layer: Layer) -> bool:
        return self._of in (None, NETWORK, *layer.directory.nodes())

    def _exists(self, layer: Layer) -> bool:
        if not self._is_known(layer):
            return False
        if self._case is not None and layer.case(self._case) is None:
            return False
        facts = None if self._object is None else layer.object(self._object)
        return self._object is None or (facts is not None and facts.case == self._case)


class Denials:
    """Enters refusals of one broker process."""

    def __init__(self, writes: Writes, clock: Callable[[], float]) -> None:
        self._writes = writes
        self._clock = clock
        self._each = Window(1, SECONDS)
        self._all = Window(MOST, SECONDS)
        self._nothing = Window(1, SECONDS)
        self._losses = Window(MOST, SECONDS)  # that are an alarm each
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
        of: str | None = None,
    ) -> None:
        """Enter a refusal if it was for want of a right; never raises, never waits.

        Args:
            device: Who is logged in.
            what: ``access``, ``search`` or ``audit``.
            error: Why it was refused.
            opened: The signed statement that was refused, where there is one.
            case: Where there is none: the case that was asked about.
            of: Or the node whose cores were; empty for all.
        """
        if error.rule not in RIGHTS:
            return
        job = DeniedJob(device, what, error.rule, opened, case, of, self._room)
        if self._each.take(job.about, self._clock()):
            self._count(device)
            return
        task = asyncio.create_task(self._write(job), name="denied")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextmanager
    def of(
        self,
        device: bytes | None,
        *opened: Opened,
        audit: bool = False,
        case: bytes | None = None,
        of: str | None = None,
    ) -> Generator[None]:
        """Enter what is refused inside: an access, a search, or a look into the audit.

        Args:
            device: Who is logged in; None: whoever brings what the root has signed.
            opened: What was sent; only accesses and searches are entered.
            audit: It is a look into the audit, of ``case``, of the cores ``of`` others, or of
                the own node.
            case: See there.
            of: See there.
        """
        try:
            yield
        except SeefenError as err:
            if device is not None:
                if audit:
                    self.note(device, "audit", err, case=case, of=of)
                for one in opened:
                    if one.kind in ("access", "search"):
                        self.note(device, one.kind, err, opened=one)
            raise

    async def settled(self, seconds: float | None = None) -> None:
        """Wait until everything noted so far is written, or is an alarm; ``seconds`` at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _write(self, job: DeniedJob) -> None:
        try:
            await self._writes.write(job)
        except UntrustedError:
            DENIED.labels("unsigned").inc()  # not what the device signed: no attempt of its own
        except Exception as err:
            if getattr(err, "rule", "") == COUNTED:
                self._count(job.about[0])
            else:
                self._lost(job, err)
        else:
            self._more.pop(job.about[0], None)
            DENIED.labels("entered").inc()

    def _lost(self, job: DeniedJob, err: Exception) -> None:
        # The refusal has long gone out, and stands: nothing opens because this fails. The next
        # try is entered; a device that tries and tries meanwhile does not fill the journal.
        self._each.give_back(job.about)
        if job.exists is not None:  # or twenty tries while the database is away hide an hour's
            self._pot(exists=job.exists).give_back(job.about[0])
        DENIED.labels("lost").inc()
        if not self._losses.take(job.about[0], self._clock()):
            alarm("denied-unwritten", error=getattr(err, "rule", type(err).__name__))

    def _room(self, device: bytes, exists: bool) -> bool:
        return not self._pot(exists=exists).take(device, self._clock())

    def _pot(self, *, exists: bool) -> Window:
        return self._all if exists else self._nothing

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
            if isinstance(one, Activity | Caseless) and known.has_number(one.device, one.device_n):
                alarm("cloned-device", device=one.device, number=one.device_n)
