"""Opening a case in an emergency: one officer, at once, and a trace that nobody overlooks.

An officer of the node who was not assigned asks in the house. A keyholder's client that
stays tells the case who gets it, then hands him the key: no key without that word. What
he reads stands in the log as an emergency, and his reason is due within a day.

The roster may forbid it, and says how many cases a day. Each question counts, also one
that was taken back: so nobody harvests cases by asking.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from seefen.client.casework import Casework
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.house import House, Said
from seefen.client.messaging import Messaging
from seefen.client.reading import Reader
from seefen.client.rosters import WORK
from seefen.client.stating import SHIFT, remembered
from seefen.client.urgent import NOTICES, emergency_of, is_urgent, told, urgent_of
from seefen.client.values import Sent
from seefen.client.views import Row, author_of, rows
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError
from seefen.protocol.messages import (
    Emergencies,
    EmergencyAsk,
    EmergencyOpened,
    EmergencyRefused,
    Roster,
)

DAY: Final = 86_400  # seconds: until the reason is due, and in which questions are counted
_ENTERED: Final = b"entered"  # what the log says already, before anything was read
_LOOK: Final = 0.5  # seconds
_WORDS: Final = 200  # characters of a reason that another refusal gave
_ASKS: Final = "case_id = ? AND at > ? AND idx <= ? AND cover IS NOT NULL AND instr(cover, ?)"


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """A case that this device asked for in an emergency.

    Attributes:
        state: ``asked``, ``opened``, or ``refused``.
        why: Why it was refused, or empty.
        due_at: Until when the reason is due, in Unix seconds.
    """

    case: str
    state: str
    why: str
    due_at: int


Views: TypeAlias = list[EmergencyView]


class EmergencyRule:
    """What the roster of the own node says about emergencies; three a day where there is none."""

    def __init__(self, engine: Engine, house: House) -> None:
        self._engine = engine
        self._house = house

    def refusal(self, said: Said[EmergencyAsk], state: CaseState) -> str:
        """Return why a question is refused, or nothing."""
        roster = self._house.paper(Roster)
        rule = Emergencies() if roster is None else roster.emergencies
        if not said.officer:
            return "an officer asks for it, and no device without one"
        if rule.forbidden:
            return "your node's roster lets nobody open a case without assignment"
        if said.officer in rule.not_for:
            return f"your node's roster does not let {said.officer} open one in an emergency"
        if self._engine.name_of(state) in rule.not_cases or state.number in rule.not_cases:
            return "your node's roster keeps this case to those who were assigned"
        if self._asked(said) > rule.a_day:
            return f"{said.officer} asked for more than {rule.a_day} cases within a day"
        return ""

    def _asked(self, said: Said[EmergencyAsk]) -> int:
        """Return for how many cases an officer asked in the day before, this one counted."""
        engine, house = self._engine, self._house.state()
        if house is None:
            return 0
        place = engine.vault.one("SELECT idx FROM object WHERE object = ?", said.object)
        upto = 0 if place is None else place[0]
        named = EmergencyAsk.TYPE.encode()
        # What he took back or replaced counts all the same: these rows know nothing of it.
        found = rows(engine, _ASKS, house.case, said.at - DAY, upto, named)
        mine = [row for row in found if author_of(engine, row).officer == said.officer]
        return len({_case_asked(row) for row in mine})


def _case_asked(row: Row) -> bytes:
    message = row.message
    return message.case if isinstance(message, EmergencyAsk) else row.object


class Asking:
    """Asks for a case in an emergency, and gives the reason for it."""

    def __init__(self, engine: Engine, casework: Casework, reader: Reader, house: House) -> None:
        self._engine = engine
        self._casework = casework
        self._reader = reader
        self._house = house

    async def ask(
        self, number: str, *, purpose: str, basis: str, reason: str = "", again: bool = False
    ) -> Sent:
        """Ask the keyholders of the own node for a case, by its number.

        Args:
            again: Also when it was refused within a day: the roster may be another by now.

        Raises:
            RefusedError: rule ``assigned``: this device has it; ``role``: it works on no case.
            OutOfTurnError: rule ``asked``: it was asked for already, or refused.
        """
        engine, state = self._engine, self._casework.find(number, "case")
        self._require_new(state, again=again)
        self._reader.remember(state.case, purpose, basis, reason)
        vault, names = engine.vault, (emergency_of(state.case), urgent_of(state.case))
        before = [(name, vault.get(name)) for name in names]
        with vault.change():
            # Before it is said: whatever ends this process, his readings are known as such.
            vault.put_number(names[0], engine.now())
            vault.put(names[1], b"1")
        message = EmergencyAsk(case=state.case, purpose=purpose, basis=basis)
        try:
            return await self._house.say(message)
        except SeefenError:
            if not self._waits_to_leave():  # nothing was said: he may try again at once
                with vault.change():
                    for name, value in before:
                        vault.run("DELETE FROM setting WHERE name = ?", name)
                        if value is not None:
                            vault.put(name, value)
            raise

    def _require_new(self, state: CaseState, *, again: bool) -> None:
        engine, view, name = self._engine, self._view(state), self._engine.name_of(state)
        if not WORK & set(engine.directory.device(engine.keys.device).roles):
            raise RefusedError("this device works on no case: a colleague's does", rule="role")
        if engine.case_key(state.case, state.generation.gen) is not None:
            raise RefusedError(f"this device has {name}: open what is in it", rule="assigned")
        if view is not None and view.state == "asked":
            raise OutOfTurnError(
                f"{name} was asked for: a keyholder's client opens it", rule="asked"
            )
        if view is not None and view.state == "refused" and not again:
            raise OutOfTurnError(f"{name} was refused: {view.why}", rule="asked")

    def _waits_to_leave(self) -> bool:
        house = self._house.state()
        sql = "SELECT 1 FROM draft WHERE case_id = ?"
        return house is not None and self._engine.vault.one(sql, house.case) is not None

    async def wait(self, number: str, seconds: float) -> EmergencyView:
        """Wait until a case that was asked for is opened or refused, or the time is over.

        Raises:
            OutOfTurnError: rule ``no-emergency``: it was not asked for.
        """
        state = self._casework.find(number, "case")
        for _ in range(int(seconds / _LOOK)):
            view = self._view(self._engine.trust.require_state(state.case))
            if view is None or view.state != "asked":
                break
            await asyncio.sleep(_LOOK)
        async with self._engine.lock:
            await self.enter()
        found = self._view(self._engine.trust.require_state(state.case))
        if found is None:
            raise OutOfTurnError(f"{number} was not asked for", rule="no-emergency")
        return found

    async def enter(self) -> None:
        """Enter in the log that this device was given what it asked for, whether it reads or not.

        It is an access to the message that told the members: so the auditors of both nodes see the
        emergency from the assignment on. The engine's lock must be held.

        Raises:
            UnreachableError: The next look goes on.
        """
        engine = self._engine
        for name, value in engine.vault.run(
            "SELECT name, value FROM setting WHERE name GLOB 'urgent/*'"
        ):
            state = engine.trust.state(bytes.fromhex(name.partition("/")[2]))
            if value == _ENTERED or state is None or not is_urgent(engine, state):
                continue
            notice, asked = self._told(state), self._asked(state.case)
            if notice is None:
                continue
            if asked is not None and not remembered(engine, state.case)[0]:  # his shift is over
                self._reader.remember(state.case, asked.message.purpose, asked.message.basis, "")
            with suppress(RefusedError, OutOfTurnError):  # as on a log too old to write on: later
                until, ask = engine.now() + SHIFT, (notice.object,)
                await self._reader.access(state, "object", notice.object, ask, until)
                engine.vault.put(name, _ENTERED)

    def list(self) -> Views:
        """Return what this device asked for, and what it opened without a reason yet."""
        named = self._engine.vault.run("SELECT name FROM setting WHERE name GLOB 'emergency/*'")
        cases = (bytes.fromhex(name.partition("/")[2]) for (name,) in named)
        states = (self._engine.trust.state(case) for case in cases)
        views = (self._view(state) for state in states if state is not None)
        return sorted((one for one in views if one is not None), key=lambda one: one.due_at)

    async def reason(self, number: str, text: str) -> int:
        """Give the reason for an emergency; return its entry in the log.

        It is an access to the message that told the members, sealed to the auditors of both.

        Raises:
            OutOfTurnError: rule ``no-emergency``: this device opened no such case, or not yet.
            RefusedError: rule ``missing``: an empty reason.
        """
        if not text.strip():
            raise RefusedError("a reason says something", rule="missing")
        engine, state = self._engine, self._casework.find(number, "case")
        view, notice = self._view(state), self._told(state)
        if view is None or view.state != "opened" or notice is None:
            raise OutOfTurnError(f"{number} waits for no reason of yours", rule="no-emergency")
        async with engine.lock:
            asked, (purpose, basis, _) = self._asked(state.case), remembered(engine, state.case)
            if asked is not None:  # his shift is over perhaps: those of his question
                purpose, basis = asked.message.purpose, asked.message.basis
            self._reader.remember(state.case, purpose, basis, text)
            taken, _ = await self._reader.access(
                state, "object", notice.object, (notice.object,), engine.now() + SHIFT
            )
            engine.vault.run("DELETE FROM setting WHERE name = ?", emergency_of(state.case))
        return taken.index

    def _told(self, state: CaseState) -> Row | None:
        """Return with which object the members were told of the emergency of this device."""
        asked = self._asked(state.case)
        return told(self._engine, state, -1 if asked is None else asked.index)

    def _asked(self, case: bytes) -> Said[EmergencyAsk] | None:
        ours = self._engine.keys.device
        asks = self._house.said(EmergencyAsk)
        return next((one for one in asks if one.device == ours and one.message.case == case), None)

    def _view(self, state: CaseState) -> EmergencyView | None:
        engine = self._engine
        at, name = engine.vault.get_number(emergency_of(state.case)), engine.name_of(state)
        if not at:
            return None
        has = engine.case_key(state.case, state.generation.gen) is not None
        # By the notice: he had the case, also where its key was renewed since.
        if has or self._told(state) is not None:
            return self._had(state, EmergencyView(name, "opened", "", at + DAY))
        asked, why = self._asked(state.case), ""
        for said in refusals(engine, self._house):
            if asked is not None and said.message.of == asked.object:
                why = said.message.why
        if why or at + DAY < engine.now():
            # Whatever he reads there later, he reads because he was assigned.
            engine.vault.run("DELETE FROM setting WHERE name = ?", urgent_of(state.case))
        if at + DAY < engine.now():
            return None  # nobody answered, or it was refused yesterday
        return EmergencyView(name, "refused" if why else "asked", why, at + DAY)

    def _had(self, state: CaseState, view: EmergencyView) -> EmergencyView | None:
        if self._told(state) is not None:
            return view
        # It was assigned by hand meanwhile: it is his like any other.
        for one in (emergency_of(state.case), urgent_of(state.case)):
            self._engine.vault.run("DELETE FROM setting WHERE name = ?", one)
        return None


def refusals(engine: Engine, house: House) -> list[Said[EmergencyRefused]]:
    """Return what keyholders refused; nobody else stops a colleague's emergency."""
    return [
        said
        for said in house.said(EmergencyRefused)
        if "keyholder" in engine.directory.device(said.device).roles
    ]


class Granting:
    """What a keyholder's client does about a question; see :mod:`seefen.client.assigning`."""

    def __init__(
        self, engine: Engine, casework: Casework, messaging: Messaging, house: House
    ) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging
        self._house = house
        self._rule = EmergencyRule(engine, house)
        self.waits = False
        self.failed: list[str] = []

    async def look(self, wait_s: int) -> list[tuple[str, str]]:
        """Answer what was asked; return case and officer of each that was opened.

        Args:
            wait_s: Seconds that are left to keyholders who come first; :attr:`waits` says
                whether something is, and :attr:`failed` what went wrong.

        Raises:
            UnreachableError: The broker is away; the next look goes on.
        """
        done, self.waits, self.failed = list[tuple[str, str]](), False, []
        if self._house.state() is None:
            return done  # others are in it: nothing can be said there
        for said in self._open():
            if self._engine.now() - said.at < wait_s:
                self.waits = True
                continue
            state = self._engine.trust.state(said.message.case)
            if state is None or not self._holds(state):
                continue  # another keyholder may hold it
            try:
                done += await self._answer(said, state)
            except UnreachableError:
                raise
            except SeefenError as err:  # the next officer gets his all the same
                self.failed.append(f"{self._engine.name_of(state)}: {err}")
        return done

    def _open(self) -> Iterator[Said[EmergencyAsk]]:
        engine, now = self._engine, self._engine.now()
        refused = {said.message.of for said in refusals(engine, self._house)}
        for said in self._house.said(EmergencyAsk):
            fresh = now - DAY < said.at
            if fresh and said.object not in refused and engine.vault.get(_done(said)) is None:
                yield said

    async def _answer(self, said: Said[EmergencyAsk], state: CaseState) -> list[tuple[str, str]]:
        engine, name = self._engine, self._engine.name_of(state)
        given = said.device in state.assigned.get(state.generation.gen, ())
        active = engine.directory.is_active(said.device, at=engine.now())
        if given or not active:
            engine.vault.put(_done(said), b"1")
            return []
        if why := self._rule.refusal(said, state):
            await self._refuse(said, why)
            return []
        if engine.vault.get(_told(said)) is None:
            message = EmergencyOpened(
                officer=said.officer,
                device=said.device,
                purpose=said.message.purpose,
                basis=said.message.basis,
            )
            try:
                await self._messaging.send(state, message)
            except RefusedError as err:  # as by the pair policy: nobody may be told
                await self._refuse(said, str(err))
                return []
            engine.vault.put(_told(said), b"1")
        # Before the key leaves: whoever gets one so is known to all members. In the queue
        # nobody has read it, whatever holds it up there.
        if not self._is_told(said, state):
            self.waits = True
            return []
        await self._casework.assign(name, (said.device,))
        engine.vault.put(_done(said), b"1")
        return [(name, said.officer)]

    async def _refuse(self, said: Said[EmergencyAsk], why: str) -> None:
        message = EmergencyRefused(of=said.object, why=why[:_WORDS])
        await self._house.say(message, reply_to=said.object)
        self._engine.vault.put(_done(said), b"1")

    def _is_told(self, said: Said[EmergencyAsk], state: CaseState) -> bool:
        """Tell whether what this device told the members stands in the log."""
        found = rows(self._engine, NOTICES, state.case, said.index, EmergencyOpened.TYPE.encode())
        ours = (row for row in found if row.statement.device == self._engine.keys.device)
        return any(
            isinstance(row.message, EmergencyOpened) and row.message.device == said.device
            for row in ours
        )

    def _holds(self, state: CaseState) -> bool:
        engine = self._engine
        ours = state.form == "case" and engine.node in state.members
        return ours and engine.case_key(state.case, state.generation.gen) is not None


def _done(said: Said[EmergencyAsk]) -> str:
    return f"granted/{said.object.hex()}"


def _told(said: Said[EmergencyAsk]) -> str:
    return f"told/{said.object.hex()}"
