"""Requests: what was asked of whom, how it stands there, and how much time is left.

All of it is read from covers and from the log, so that it asks nothing of the officer.
A move that the tables of the protocol do not have is refused before anything is sealed;
one that another node makes all the same changes nothing here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from seefen.client import copies, versions
from seefen.client.accepting import SEARCHED, require_read
from seefen.client.assigned import holders
from seefen.client.casework import Casework
from seefen.client.dues import (
    ASK,
    ASKED,
    due_view,
    is_due,
    is_settled,
    require_later,
    settle,
    unsettled,
)
from seefen.client.engine import Engine
from seefen.client.lives import Life, Lives, apply, refusal, word_of
from seefen.client.messaging import Messaging, silent
from seefen.client.outbox import Progress
from seefen.client.values import DueView, LifeView, RequestView, Sent
from seefen.client.views import (
    Row,
    answer_of,
    clock_s,
    flash_of,
    object_view,
    ref_of,
    require_newest,
    row_of,
    rows,
    step_at,
    terms_of,
)
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import (
    TABLES,
    Answer,
    Closing,
    Cover,
    Extension,
    Message,
    Note,
    saying,
)
from seefen.protocol.requests import RUNNING, Act, Request, Side, State

Find: TypeAlias = Callable[[str], tuple[CaseState, int]]
Views: TypeAlias = list[RequestView]
Dues: TypeAlias = list[DueView]
Objects: TypeAlias = list[bytes]
UNCLEAR: Final = State.UNCLEAR.value
LEVELS: Final = (100, 80, 50)  # per cent of the time at which somebody is reminded
# Which answer fits which question; a note answers whatever has no form of its own.
_ANSWERS: Final = {
    "TraceReply": "TraceRequest",
    "InfoReply": "InfoRequest",
    "BallisticResult": "BallisticRequest",
    "OnwardDecision": "OnwardRequest",
    "ErasureConfirm": "Recall",
}


class Requests:
    """Asks, and makes the moves of both sides."""

    def __init__(
        self, engine: Engine, casework: Casework, messaging: Messaging, find: Find
    ) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging
        self._find = find

    async def ask(
        self,
        case: str,
        message: Message,
        files: Sequence[Path] = (),
        progress: Progress = silent,
        *,
        original: bool = False,
    ) -> Sent:
        """Ask nodes of a case: one message, and a clock for each of them.

        Raises:
            RefusedError: The message asks nothing, or somebody who is no member.
        """
        if message.act() is not Act.ASK:
            raise RefusedError(f"a {message.TYPE} asks nothing", rule="not-a-request")
        state = self._casework.find(case)
        return await self._messaging.send(
            state, message, tuple(files), original=original, progress=progress
        )

    async def move(
        self,
        ref: str,
        message: Message,
        files: Sequence[Path] = (),
        progress: Progress = silent,
        *,
        original: bool = False,
    ) -> Sent:
        """Send a message that moves a request: an answer, a question back, a new date.

        Raises:
            OutOfTurnError: The request does not stand so that this can be done.
            RefusedError: It is no request, or it was not asked of this node.
        """
        state, number = self._find(ref)
        row = row_of(self._engine, state, number)
        self.require_move(row, message)
        return await self._messaging.send(
            state, message, tuple(files), reply_to=row.object, original=original, progress=progress
        )

    async def answer(self, ref: str, answer: str, cause: str = "", *, ground: str = "") -> Sent:
        """Answer an alert or request: taken, passed on, not ours, rejected or refused."""
        row = self._row(ref)
        said, by, _ = answer_of(self._engine, row, self._engine.node)
        if said == answer:  # two keys pressed, or two officers of a node
            word = TABLES["answer"].get(answer, answer)
            raise OutOfTurnError(f"{by} has answered so already: {word}", rule="answered")
        message = Answer(
            answer=answer, of=row.object, cause=cause, refusal_ground=ground, **terms_of(row)
        )
        return await self.move(ref, message)

    async def query(self, ref: str, text: str) -> Sent:
        """Ask back: the clock stands until the asker has clarified."""
        return await self._note(ref, "query", text)

    async def clarify(self, ref: str, text: str) -> Sent:
        """Answer a question that was asked back: the clock goes on."""
        return await self._note(ref, "clarify", text)

    async def interim(self, ref: str, text: str) -> Sent:
        """Tell how far it is, before the answer."""
        return await self._note(ref, "interim", text)

    async def withdraw(self, ref: str, text: str) -> Sent:
        """Take a request of one's own back."""
        return await self._note(ref, "withdraw", text)

    async def pass_on(self, ref: str, to: str) -> Sent:
        """Pass a request on to a unit; it stays ours until that unit has it."""
        row = self._row(ref)
        message = Answer(answer="passed_on", of=row.object, passed_to=to, **terms_of(row))
        return await self.move(ref, message)

    async def extend(self, ref: str, days: int, delay: str, text: str = "") -> Sent:
        """Say that the answer takes so many days from delivery; ``obtainable``: if urgent."""
        row = self._row(ref)
        if (cover := row.opened_cover) is not None:
            own = self._lives(row, cover).get(self._engine.node)
            require_later(cover, cover.due_s if own is None else own.request.due_s, days, delay)
        message = Extension(
            of=row.object, answer_in_s=days * 86_400, delay=delay, text=text, **terms_of(row)
        )
        return await self.move(ref, message)

    async def close(self, ref: str, closing: str, usefulness: str = "", text: str = "") -> Sent:
        """Close a request of one's own, and say what the answers were worth."""
        row = self._row(ref)
        message = Closing(
            of=row.object, closing=closing, usefulness=usefulness, text=text, **terms_of(row)
        )
        return await self.move(ref, message)

    def show(self, ref: str) -> RequestView:
        """Return a request with its clocks, one for each node that is asked."""
        row = self._row(ref)
        if not _asks(row.opened_cover):
            raise RefusedError(f"{ref} is no request", rule="not-a-request")
        return self._view(row)

    def list(self) -> Views:
        """Return all requests this device knows, the newest first."""
        found = [
            row for row in rows(self._engine, ASKED, ASK) if _asks(row.opened_cover, "request")
        ]
        return [self._view(row) for row in reversed(found)]

    def due(self) -> Dues:
        """Return what is open: ours to answer first, then what others owe us, each by time."""
        found: Dues = []
        settled, case_holders = list[bytes](), dict[bytes, tuple[str, ...]]()
        for row in unsettled(self._engine):
            found += self._dues(row, settled, case_holders)
        settle(self._engine, settled)
        found += copies.due(self._engine)
        # What has not come to its recipient yet has no time to be late by.
        return sorted(found, key=lambda d: (not d.waits_for_us, d.due_at is None, d.due_at or 0))

    def waiting(self, what: str = "", *, form: str = "") -> Dues:
        """Return what waits for an answer of the own node, alerts too, the most urgent first.

        Those of one type of message alone, or of one form ("case", "channel"), where it is named.
        """
        due = (one for one in self.due() if one.waits_for_us and what in ("", one.what))
        return [one for one in due if form in ("", self._casework.find(one.case).form)]

    def is_unclear(self, row: Row) -> bool:
        """Tell whether the own node asked back: no time runs, and the answer is owed still."""
        cover = row.opened_cover
        if cover is None or not _asks(cover) or row.superseded_by is not None:
            return False
        own = self._lives(row, cover).get(self._engine.node)
        return own is not None and own.request.state is State.UNCLEAR

    def reminders(self) -> Sequence[tuple[int, DueView]]:
        """Return what has passed 50, 80 or 100 per cent of its time since the last look."""
        vault, passed = self._engine.vault, list[tuple[int, DueView]]()
        for due in self.due():
            level = next((level for level in LEVELS if due.used >= level), 0)
            if not due.waits_for_us:
                level = level if level == LEVELS[0] else 0  # the asker hears of what is late
            if due.due_at is None:
                continue
            # With its date: what was given more time is reminded of anew.
            name = f"reminded/{due.ref}/{due.node}/{due.due_at}"
            if level > vault.get_number(name):
                with vault.soon():
                    vault.put_number(name, level)
                passed.append((level, due))
        return passed

    def require_move(self, row: Row, message: Message) -> None:
        """Check that a message may move a request as it stands now; see :meth:`move`."""
        ref, engine = ref_of(self._engine, row), self._engine
        cover, act, now = row.opened_cover, message.act(), engine.now()
        if cover is None or not _asks(cover):
            raise RefusedError(f"{ref} is no request", rule="not-a-request")
        if act is None or act is Act.ASK:
            raise RefusedError(f"a {message.TYPE} answers nothing", rule="not-a-request")
        if _ANSWERS.get(message.TYPE, cover.type) != cover.type:
            raise RefusedError(f"{ref} is a {cover.type}: answer that", rule="not-a-request")
        require_newest(engine, row)
        lives = self._lives(row, cover)
        if row.statement.node == engine.node:
            _require_asker(lives, message, act, now)
            return
        own = lives.get(engine.node)
        if own is None:
            raise RefusedError(f"{ref} was not asked of your node", rule="not-asked")
        own.request.moved(Side.HOLDER, act, now)
        if act is Act.ANSWER and message.TYPE in SEARCHED:
            require_read(engine, row)

    def require_read(self, ref: str) -> None:
        """Check that a question was read here, before its answer is asked for."""
        require_read(self._engine, self._row(ref))

    # --- inside ---------------------------------------------------------------------

    def _row(self, ref: str) -> Row:
        state, number = self._find(ref)
        return row_of(self._engine, state, number)

    def _dues(self, row: Row, settled: Objects, case_holders: dict[bytes, tuple[str, ...]]) -> Dues:
        cover, node = row.opened_cover, self._engine.node
        if cover is None or not _asks(cover):
            return []
        lives, ours = self._lives(row, cover), row.statement.node == node
        # Of an alert to many we are owed nothing but what `alert reach` shows; a leg that
        # nobody takes over is an alarm.
        owed = ours and cover.type != "SeizureAlert"
        looked_at = lives if owed else {one: lives[one] for one in lives if one == node}
        counted = [life.request for life in looked_at.values()]
        if not is_due(row, cover, counted, node):
            if is_settled(self._engine, row, cover, counted):
                settled.append(row.object)
            return []
        if row.case not in case_holders:
            case_holders[row.case] = self._assigned(row)
        view, has = self._view(row, looked_at), case_holders[row.case]
        found = [due_view(view, life, has) for life in view.lives if life.running and view.due_s]
        if ours:  # asked back: the clock stands, and the next word is ours
            unclear = (life for life in view.lives if life.state == UNCLEAR)
            found += [due_view(view, life, has, ours=True) for life in unclear]
        return found

    async def _note(self, ref: str, move: str, text: str) -> Sent:
        row = self._row(ref)
        note = Note(text=text, about=row.object, move=move, **terms_of(row))
        return await self.move(ref, saying(note, "handling", "tlp"))

    def _view(self, row: Row, lives: Lives | None = None) -> RequestView:
        view, cover, now = object_view(self._engine, row), row.opened_cover, self._engine.now()
        if lives is None:
            lives = {} if cover is None else self._lives(row, cover)
        return RequestView(
            ref=view.ref,
            case=view.case,
            type=view.type,
            subject=view.subject,
            urgency=view.urgency,
            handling=view.handling,
            asker=view.sender,
            ours=view.sender == self._engine.node,
            asked_at=view.recorded_at,
            due_s=cover.due_s if cover else 0,
            exercise=cover is not None and cover.exercise,
            lives=tuple(self._life_view(node, lives[node], now) for node in lives),
        )

    def _life_view(self, node: str, one: Life, now: int) -> LifeView:
        life, last = one.request, one.last
        cover = None if last is None else last.opened_cover
        officer = ""
        if last is not None and last.statement.node == node:
            officer = self._engine.directory.device(last.statement.device).officer
        return LifeView(
            node=node,
            state=life.state.value,
            running=life.state in RUNNING[life.life],
            delivered_at=life.delivered_at,
            due_at=life.due_at,
            used=int(100 * life.used(now)),
            officer=officer,
            moved_at=None if last is None else last.at,
            said="" if cover is None else cover.subject,
            word=word_of(one, self._engine.directory),
        )

    def _assigned(self, row: Row) -> tuple[str, ...]:
        state = self._engine.trust.require_state(row.case)
        if state.form != "case":
            return ()
        return tuple(one.officer for one in holders(self._engine, state))

    def _lives(self, row: Row, cover: Cover) -> Lives:
        """Return how a request stands at each node that is asked, and what moved it last."""
        engine, obj = self._engine, row.statement
        state = engine.trust.require_state(row.case)
        covered = state.covered(obj.gen, engine.directory) - {obj.node}
        if cover.type == "Recall":
            covered &= self._had_it(row, covered)
        known = set(engine.directory.nodes())
        named = [node for node in cover.to if node in known and node != obj.node]
        lives: Lives = {}
        flash = flash_of(engine, row)
        for node in named if cover.to else sorted(covered):
            delivered = step_at(engine, row.object, node, "delivered")
            if delivered is None and node == engine.node:
                delivered = row.at  # it is here, whether or not that stands in the log yet
            due_s = clock_s(cover, node, row.at if delivered is None else delivered, flash)
            life = Request(life=cover.life, due_s=due_s)
            lives[node] = Life(life if delivered is None else life.delivered(delivered))
        replies = "reply_to = ? AND case_id = ? AND cover IS NOT NULL"
        for reply in rows(engine, replies, row.object, row.case):
            apply(lives, obj.node, reply)
        return lives

    def _had_it(self, recall: Row, covered: frozenset[str]) -> frozenset[str]:
        """Return who could read what is taken back: nobody else has anything to erase."""
        of, state = recall.statement.reply_to, self._engine.trust.require_state(recall.case)
        for row in rows(self._engine, "object = ? AND case_id = ?", of, recall.case):
            gens = {one.statement.gen for one in versions.with_earlier(self._engine, row)}
            had = (state.covered(gen, self._engine.directory) for gen in gens)
            return frozenset[str]().union(*had)
        return covered


def _require_asker(lives: Lives, message: Message, act: Act, now: int) -> None:
    """Check that the asker may make a move at one of the nodes at least."""
    if isinstance(message, Answer) or message.TYPE in _ANSWERS:
        raise RefusedError("this is your own node's message", rule="own")
    refusals = [refusal(life.request, Side.ASKER, act, now) for life in lives.values()]
    if refusals and all(refusals):
        raise next(why for why in refusals if why is not None)


def _asks(cover: Cover | None, life: str = "") -> bool:
    return cover is not None and cover.life != "" and life in ("", cover.life)
