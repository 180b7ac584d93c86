"""The hand-over of the watch: what is open goes to the next officer, by reference alone.

It is said in the house. The newest one counts, and beside it each that is for an officer by
name, until its giver gives another; the next officer answers it as taken, or does not: nothing
waits for it. One that was for somebody by name is taken by another only
when he says so, and then both who gave it and for whom it was are told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from seefen.client.engine import Engine
from seefen.client.house import House, Said
from seefen.client.messaging import Messaging
from seefen.client.requests import Find, Requests
from seefen.client.values import ObjectView, Sent
from seefen.client.views import object_view, row_of, rows
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import Answer, Handover

MOST: Final = 200  # references in one hand-over; the rest is counted
TOLD: Final = 12 * 3600  # seconds: so long both hear that another took it
Views: TypeAlias = tuple[ObjectView, ...]


@dataclass(frozen=True, slots=True)
class HandoverView:
    """A hand-over as the next officer sees it: what is open is what is due now.

    Attributes:
        officer: Whom it is for, or empty.
        waiting: What waits for the own node still.
        owed: What others owe it still.
        done: What was open then and has ended: answered, recalled, replaced, expired.
        sealed: What this device has no key for, and so cannot say whether it is open.
        silent: What has no answer, and is not due now: nobody is reminded of it.
        since: How much is open that came later.
        unknown: How many references this device has nothing of.
        taken_by: Who took it, or empty.
        taken_at: When, in Unix seconds, or 0.
    """

    ref: str
    by: str
    at: int
    officer: str
    waiting: Views
    owed: Views
    done: Views
    sealed: Views
    silent: Views
    since: int
    unknown: int
    more: int
    queued: int
    drafts: int
    text: str
    taken_by: str
    taken_at: int = 0

    @property
    def went_elsewhere(self) -> bool:
        """Whether another took it than the one it was for."""
        return bool(self.officer and self.taken_by) and self.taken_by != self.officer


Given: TypeAlias = tuple[HandoverView, ...]


class HandingOver:
    """Gives the watch to the next officer, and takes it."""

    def __init__(
        self, engine: Engine, house: House, requests: Requests, messaging: Messaging, find: Find
    ) -> None:
        self._engine = engine
        self._house = house
        self._requests = requests
        self._messaging = messaging
        self._find = find

    async def give(self, officer: str = "", text: str = "", *, queued: int = 0) -> Sent:
        """Tell the house what is open.

        Args:
            queued: What waits on this machine to be sent.

        Raises:
            RefusedError: rule ``unknown-device``: no such officer.
            UntrustedError: rule ``role``: there is no house yet, and this is no lead.
        """
        engine = self._engine
        officers = {one.officer for one in engine.directory.devices(engine.node)}
        if officer and officer not in officers:
            raise RefusedError(f"your node has no officer {officer}", rule="unknown-device")
        waiting, owed = self._open()
        drafts = engine.vault.one("SELECT count(*) FROM setting WHERE name GLOB 'form/*'")
        message = Handover(
            officer=officer,
            waiting=self._objects(waiting),
            owed=self._objects(owed),
            more=sum(max(0, len(refs) - MOST) for refs in (waiting, owed)),
            queued=queued,
            drafts=drafts[0] if drafts else 0,
            text=text,
        )
        return await self._house.say(message)

    def newest(self) -> HandoverView | None:
        """Return the newest hand-over, taken or not."""
        said = next(iter(self._house.said(Handover)), None)
        return None if said is None else self._view(said)

    def waiting(self) -> HandoverView | None:
        """Return the newest hand-over, unless somebody took it."""
        view = self.newest()
        return None if view is None or view.taken_by else view

    def told(self) -> Given:
        """Return what this officer must know of, the newest first.

        The newest, if it waits or went to another than it was for; and what waits for him by name,
        or what he gave so, whoever has handed over since.
        """
        newest = self.newest()
        told = [] if newest is None or not self._must_know(newest) else [newest]
        for said in self._named():
            if newest is not None and said.ref == newest.ref:
                continue
            if self._officer in (said.officer, said.message.officer):
                told.append(self._view(said))
        return tuple(told)

    def _must_know(self, view: HandoverView) -> bool:
        if not view.taken_by:
            return True
        fresh = self._engine.now() - view.taken_at < TOLD
        return view.went_elsewhere and self._officer in (view.by, view.officer) and fresh

    def _named(self) -> list[Said[Handover]]:
        """Return what is for an officer by name and was not taken: of each giver the newest."""
        newest: dict[str, Said[Handover]] = {}
        for said in self._house.said(Handover):
            newest.setdefault(said.officer, said)
        waits = (said for said in newest.values() if not self._taken(said)[0])
        return [said for said in waits if said.message.officer]

    async def take(self, *, instead: bool = False) -> tuple[Sent, Given]:
        """Answer as taken what waits for this officer: the newest, and what is for him by name.

        Args:
            instead: The newest also when it was for another officer, who is told.

        Returns:
            What became of the answer to the last of them, and what was taken.

        Raises:
            OutOfTurnError: rule ``no-handover``: there is none, or it is taken.
            RefusedError: rule ``for-another``.
        """
        said = next(iter(self._house.said(Handover)), None)
        if said is None:
            raise OutOfTurnError("no watch was handed over", rule="no-handover")
        mine = self._for_us(said, instead=instead)
        if not mine and (by := self._taken(said)[0]):
            raise OutOfTurnError(f"{by} has taken it", rule="no-handover")
        if not mine:
            for_ = said.message.officer
            raise RefusedError(f"{said.officer} handed this watch to {for_}", rule="for-another")
        sent = [await self._take(one) for one in mine]
        return sent[-1], tuple(map(self._view, mine))

    def _for_us(self, newest: Said[Handover], *, instead: bool) -> list[Said[Handover]]:
        for_us = "", self._officer
        free = not self._taken(newest)[0] and (instead or newest.message.officer in for_us)
        named = [one for one in self._named() if one.message.officer == self._officer]
        rest = [one for one in named if one.object != newest.object]
        return [newest, *rest] if free else rest

    async def _take(self, said: Said[Handover]) -> Sent:
        answer = Answer(answer="taken", of=said.object, handling="H2")
        return await self._house.say(answer, reply_to=said.object)

    def _open(self) -> tuple[list[str], list[str]]:
        """Return what waits for the own node now, and what others owe it, as ``due`` shows it.

        One that is owed by seven nodes is one reference.
        """
        open_ = self._requests.due()
        waiting = [due.ref for due in open_ if due.waits_for_us]
        owed = [due.ref for due in open_ if not due.waits_for_us]
        # What a node owes to an alert has no clock; whoever comes next asks there all the same.
        owed += [one.ref for one in self._messaging.unanswered()]
        return list(dict.fromkeys(waiting)), list(dict.fromkeys(owed))

    def _objects(self, refs: Sequence[str]) -> tuple[bytes, ...]:
        return tuple(row_of(self._engine, *self._find(ref)).object for ref in refs[:MOST])

    @property
    def _officer(self) -> str:
        return self._engine.directory.device(self._engine.keys.device).officer

    def _taken(self, given: Said[Handover]) -> tuple[str, int]:
        for said in self._house.said(Answer):
            if said.message.of == given.object and said.message.answer == "taken":
                return said.officer, said.at
        return "", 0

    def _view(self, said: Said[Handover]) -> HandoverView:
        message = said.message
        known = self._known(message.waiting), self._known(message.owed)
        named = {one.ref: one for views in known for one in views}
        waiting, owed = self._open()
        still = {*waiting, *owed}
        rest = [one for ref, one in named.items() if ref not in still]
        silent = tuple(one for one in rest if self._is_silent(one.ref))
        taken_by, taken_at = self._taken(said)
        return HandoverView(
            ref=said.ref,
            by=said.officer,
            at=said.at,
            officer=message.officer,
            waiting=tuple(named[ref] for ref in waiting if ref in named),
            owed=tuple(named[ref] for ref in owed if ref in named),
            # Without a cover nothing is due here, while its clock may run: that is no end.
            done=tuple(one for one in rest if one.cover_open and one not in silent),
            sealed=tuple(one for one in rest if not one.cover_open),
            silent=silent,
            since=0 if message.more else len(still - named.keys()),
            unknown=len(message.waiting) + len(message.owed) - sum(map(len, known)),
            more=message.more,
            queued=message.queued,
            drafts=message.drafts,
            text=message.text,
            taken_by=taken_by,
            taken_at=taken_at,
        )

    def _is_silent(self, ref: str) -> bool:
        row = row_of(self._engine, *self._find(ref))
        return self._messaging.is_unanswered(row) or self._requests.is_unclear(row)

    def _known(self, objects: Iterable[bytes]) -> Views:
        engine = self._engine
        found = (row for one in objects for row in rows(engine, "object = ?", one))
        return tuple(object_view(engine, row) for row in found)
