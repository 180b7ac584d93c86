"""Witnesses: which head they are to cosign, what they signed, and what happens without them.

A quorum is as many witnesses under the very same text. So all are shown one head for a few
seconds, or until enough have signed it; then the next. Who signs is the root statement's to
say: who brings the lines does not matter, each is checked here before it is kept.

The format is ``docs/spec/ledger.md``, section 7.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import Cosigned, HeadToCosign, ToCosign
from seefen.protocol.ledger.note import Note, decode_checkpoint, open_checkpoint, parse_note
from seefen.protocol.ledger.quorum import Quorum, Witness, quorum_of, seen_by
from seefen.protocol.statements import Root
from seefen.protocol.suite import sha256
from seefen.server.alarms import alarm
from seefen.server.errors import UnreachableError
from seefen.server.metrics import WITNESSED_SECONDS
from seefen.server.proofs import Prover
from seefen.server.rows import CosignatureRow, Cosignatures, Heads, LogHead, RoundRow
from seefen.server.sequencer import Sequencer
from seefen.server.view import Needs

LOGS: Final = ("authority", "activity")
ROUND_SECONDS: Final = 10  # for which all are shown the same head, if too few have signed it
ROUNDS_KEPT: Final = 8  # for witnesses that are slow to sign
ALARM_SECONDS: Final = 60  # without a quorum
CLOCK_SLACK: Final = 300  # seconds by which the clock of a witness may be ahead
LOOK_SECONDS: Final = 2


class Witnesses:
    """What this broker shows to witnesses and takes from them."""

    def __init__(
        self,
        rows: Cosignatures,
        prover: Prover,
        sequencer: Sequencer,
        heads: Callable[[], Awaitable[Heads]],
        clock: Callable[[], float],
        *,
        closes_after: int,
    ) -> None:
        """Put the parts together; ``closes_after`` seconds without a quorum, 0 for never."""
        self._rows = rows
        self._prover = prover
        self._sequencer = sequencer
        self._heads = heads
        self._clock = clock
        self._closes_after = closes_after
        self._since: int | None = None  # when a quorum was first asked for, as seen here
        self._age = 0
        self._alarmed = False
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look whether there is a quorum."""
        self._looking = asyncio.create_task(self._look_on(), name="witnesses")

    async def close(self) -> None:
        """Stop."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    @property
    def closed(self) -> bool:
        """Whether bodies of cases are not given out: no quorum for too long."""
        return 0 < self._closes_after < self._age

    async def to_cosign(self, device: bytes, ask: ToCosign) -> HeadToCosign:
        """Return the head that all witnesses are shown now, and its growth from ``old``.

        Raises:
            RefusedError: rule ``no-witnesses``: the root names none.
        """
        self._active(device)
        if not self._root.witnesses:
            raise RefusedError("this network has no witnesses", rule="no-witnesses")
        row = await self._round(ask.log)
        proof = await self._prover.consistency(ask.log, ask.old, row.size)
        return HeadToCosign(row.note, proof)

    async def take(self, device: bytes, text: str) -> Cosigned:
        """Keep the lines of witnesses; return how many have signed this head.

        Raises:
            UntrustedError: A line is wrong, or its time is in the future (``clock``).
            OutOfTurnError: rule ``other-head``: this head is shown no longer.
            RefusedError: rule ``no-witness``: nobody whom the root names has signed.
        """
        self._active(device)
        note = parse_note(text)
        row = await self._row_of(text, note)
        quorum = self._quorum
        signed = [w for w in quorum.witnesses if any(line.name == w.name for line in note.lines)]
        found = [self._checked(note, witness) for witness in signed]
        if not found:
            raise RefusedError("no witness of this network has signed this", rule="no-witness")
        for one in found:
            await self._rows.add(row.log, row.size, one)
        await self._tidy(row.log)
        return Cosigned(len(await self._signatures(row, quorum)), quorum.needed)

    async def newest(self, log: str) -> str:
        """Return the newest checkpoint that the quorum has signed, with its lines; or ``""``."""
        found = await self._witnessed(log)
        return "" if found is None else found[0].note + "".join(row.lines for row in found[1])

    async def lines(self, log: str, note: str) -> str:
        """Return the lines that witnesses have signed under the head in a note of this log.

        The newest head has often none yet: what the quorum has signed is :meth:`newest`.
        """
        if not self._root.witnesses:
            return ""
        text = parse_note(note).text
        same = [row for row in await self._rows.rounds(log) if parse_note(row.note).text == text]
        signed = await self._signatures(same[0], self._quorum) if same else []
        return "".join(one.lines for one in signed)

    async def check(self, case: bytes) -> None:
        """Refuse bodies of a case while nobody can have seen the log; channels go on.

        Raises:
            RefusedError: rule ``unwitnessed``.
        """
        if not self.closed:
            return
        state = await self._sequencer.case(case)
        if state is None or state.form == "case":
            raise RefusedError(
                f"no quorum of witnesses has seen the log for {self._age // 3600} h: no body of a "
                "case is given out until one has; alerts in channels go on",
                rule="unwitnessed",
            )

    def shut(self, case: bytes) -> bool:
        """Tell whether nothing of a case may be released ahead now."""
        if not self.closed:
            return False
        known = self._sequencer.known
        if known.missing(Needs(cases=frozenset((case,)))):
            return True  # what is not at hand is not looked up here: its readers ask by themselves
        state = known.case(case)
        return state is None or state.form == "case"

    async def look(self) -> None:
        """See how old the newest head is that the quorum has signed; raise an alarm once."""
        now = self._now()
        if not self._sequencer.known.directory.size or not self._root.quorum:
            self._since, self._age = None, 0
        else:
            self._since = now if self._since is None else self._since
            times = [await self._time(log) for log in LOGS]
            oldest = min(self._since if time is None else time for time in times)
            self._age = max(0, now - oldest)
        WITNESSED_SECONDS.set(self._age)
        lost = self._age > ALARM_SECONDS
        if lost and not self._alarmed:
            alarm("no-quorum", seconds=self._age)
        elif self._alarmed and not lost:
            structlog.get_logger().info("quorum.back")
        self._alarmed = lost

    async def _look_on(self) -> None:
        while True:
            try:
                await self.look()
            except UnreachableError:
                # The age grows all the same: what cannot be asked is no quorum.
                self._age += LOOK_SECONDS
            except Exception as err:  # the next look may do better; without it nobody looks
                alarm("look-failed", error=type(err).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _time(self, log: str) -> int | None:
        found = await self._witnessed(log)
        if found is None:
            return None
        # Not the newest of their times, or one whose clock is ahead would make it fresh.
        return sorted((row.at for row in found[1]), reverse=True)[self._quorum.needed - 1]

    async def _witnessed(self, log: str) -> tuple[RoundRow, list[CosignatureRow]] | None:
        quorum = self._quorum
        for row in await self._rows.rounds(log):
            signatures = await self._signatures(row, quorum)
            if len(signatures) >= max(quorum.needed, 1):
                return row, signatures
        return None

    async def _signatures(self, row: RoundRow, quorum: Quorum) -> list[CosignatureRow]:
        """Return what the witnesses of today's root have signed, in their order there."""
        found = {one.witness: one for one in await self._rows.found(row.log, row.size)}
        keys = (sha256(witness.public) for witness in quorum.witnesses)
        return [found[key] for key in keys if key in found]

    async def _round(self, log: str) -> RoundRow:
        heads = await self._heads()
        head: LogHead = heads.authority if log == "authority" else heads.activity
        rows = await self._rows.rounds(log)
        if rows and await self._lasts(rows[0], head):
            return rows[0]
        note = self._prover.published(self._root.origin, log, head)
        row = RoundRow(log, head.size, self._now(), note)
        await self._rows.begin(row)
        await self._tidy(log)
        return row

    async def _tidy(self, log: str) -> None:
        """Forget what is shorter than the newest witnessed head, and all but the last rounds."""
        rows, witnessed = await self._rows.rounds(log), await self._witnessed(log)
        kept = witnessed[0].size if witnessed is not None else -1
        old = {row.size for row in rows[ROUNDS_KEPT:]} | {r.size for r in rows if r.size < kept}
        if old := old - {kept}:
            await self._rows.forget(log, old)

    async def _lasts(self, row: RoundRow, head: LogHead) -> bool:
        shown = decode_checkpoint(parse_note(row.note).text)
        if row.size >= head.size:
            # A head that went back, or changed, is shown as it is: they must see it.
            return (shown.size, shown.root) == (head.size, head.root)
        if self._now() - row.at >= ROUND_SECONDS:
            return False
        quorum = self._quorum
        return len(await self._signatures(row, quorum)) < max(quorum.needed, 1)

    async def _row_of(self, text: str, note: Note) -> RoundRow:
        head = decode_checkpoint(note.text)
        log = next((log for log in LOGS if head.origin == f"{self._root.origin}/{log}"), None)
        if log is None:
            raise UntrustedError("this is the checkpoint of another log", rule="origin")
        open_checkpoint(text, head.origin, self._root.log_key)
        for row in await self._rows.rounds(log):
            if parse_note(row.note).text == note.text:
                return row
        raise OutOfTurnError("this head is shown to witnesses no longer", rule="other-head")

    def _checked(self, note: Note, witness: Witness) -> CosignatureRow:
        at = seen_by(note, witness)
        if at > self._now() + CLOCK_SLACK:
            # It would pass for fresh until then.
            raise UntrustedError("the clock of this witness is ahead: set it", rule="clock")
        ids = {key.id for key in witness.keys}
        lines = [line for line in note.lines if line.name == witness.name and line.key_id in ids]
        return CosignatureRow(sha256(witness.public), at, "".join(line.encode() for line in lines))

    def _active(self, device: bytes) -> None:
        self._sequencer.known.directory.require_active(device, at=self._now())

    @property
    def _root(self) -> Root:
        return self._sequencer.known.directory.root

    @property
    def _quorum(self) -> Quorum:
        root = self._root
        return quorum_of(root.origin, root.witnesses, root.quorum)

    def _now(self) -> int:
        return int(self._clock())
