"""Assigning by rule: the roster says who works on what, and one keyholder hands it over.

Any client of a keyholder that stays does it (``events()``, ``run()``), and the node's agent.
The first keyholder acts at once, the next ones after a while, if nobody has; twice does no
harm. It hands the key of a case to devices of its own node that are in force, and to no
others: the log refuses the rest. What was assigned by hand stays with whom it was given.

A renewed key takes no case away: each new one is handed on to those who had the one before
and are in force, whoever renewed it and for whatever reason.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from seefen.client import rosters
from seefen.client.assigned import heirs, holders
from seefen.client.casework import Casework
from seefen.client.connection import UnreachableError
from seefen.client.emergencies import Granting
from seefen.client.engine import Engine
from seefen.client.house import House
from seefen.client.pushes import Pushes
from seefen.client.rosters import Matter
from seefen.client.views import Row, recall_of, rows
from seefen.protocol.case import CaseState
from seefen.protocol.errors import SeefenError
from seefen.protocol.messages import Roster
from seefen.protocol.statements import Device

LOOK: Final = 30  # seconds between two looks, if nothing comes: a shift may have begun
PATIENCE: Final = 20  # seconds that each further keyholder leaves to those before him
IMPATIENCE: Final = 3  # seconds likewise, in an emergency
SOON: Final = 1  # seconds between two looks while something is left to another keyholder
BACK: Final = 7 * 86_400  # seconds: what is older was seen by somebody
_CAME: Final = "at > ? AND node <> ? AND cover IS NOT NULL AND NOT file AND superseded_by IS NULL"
Done: TypeAlias = list[tuple[str, str]]  # case and officer of each that was assigned


class Assigning:
    """The roster of the own node, and what a keyholder does by it."""

    def __init__(
        self, engine: Engine, casework: Casework, house: House, pushes: Pushes, granting: Granting
    ) -> None:
        self._granting = granting
        self._engine = engine
        self._casework = casework
        self._house = house
        self._pushes = pushes
        self._task: asyncio.Task[None] | None = None
        self._told = set[str]()
        self._waits = False
        self._seen = 0

    @property
    def is_stirred(self) -> bool:
        """Whether something came since the last look, or waits for an earlier keyholder."""
        return self._waits or self._seen != self._pushes.stirs

    def start(self) -> None:
        """Begin to look, while somebody stays to see it."""
        self._task = asyncio.create_task(self._stay())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> Done:
        """Assign what came and has nobody; return case and officer of each.

        Raises:
            UnreachableError: The broker is away; the next look goes on.
        """
        self._seen = self._pushes.stirs  # before the look: what comes meanwhile is looked at again
        said, rank = self._house.laid(Roster), self._rank()
        self._waits = False
        if rank is None:
            return []
        done = await self._hand_on(rank)
        # Under which roster is not known then; the newer one may forbid what the older allows.
        if self._house.is_unread(Roster):
            return done
        done += await self._open_emergencies(rank)
        if said is None:
            return done
        roster, engine = said.message, self._engine
        for row in rows(engine, _CAME, engine.now() - BACK, engine.node):
            state = engine.trust.require_state(row.case)
            # Asked first: each push looks at a week of objects, and few are new.
            if not self._is_new(row, state) or not self._waits_for_somebody(row, state):
                continue
            if engine.now() - row.at < rank * PATIENCE:
                self._waits = True  # another keyholder comes first
                continue
            done += await self._assign(roster, row, state)
        return done

    async def _hand_on(self, rank: int) -> Done:
        """Hand each new key of a case to those who had the one before."""
        engine, done = self._engine, Done()
        for state in self._casework.states("case"):
            mark, gen = f"handed/{state.case.hex()}", state.generation.gen
            # Asked first: each push looks at all cases, and few have a new key.
            if engine.vault.get_number(mark) >= gen or engine.node not in state.members:
                continue
            if engine.case_key(state.case, gen) is None:
                continue  # another keyholder may hold it
            devices = heirs(engine, state)
            if devices and engine.now() - state.generation.position.at < rank * PATIENCE:
                self._waits = True
                continue
            if await self._inherit(state, devices):
                engine.vault.put_number(mark, gen)
                found = (engine.directory.device(device).officer for device in devices)
                done += [(engine.name_of(state), officer) for officer in dict.fromkeys(found)]
        return done

    async def _inherit(self, state: CaseState, devices: tuple[bytes, ...]) -> bool:
        name = self._engine.name_of(state)
        try:
            if devices:
                await self._casework.assign(name, devices)
        except UnreachableError:
            raise
        except SeefenError as err:  # the next case is handed on all the same
            self._complain(f"{name} was not handed on under its new key: {err}")
            return False
        for device in devices:
            officer = self._engine.directory.device(device).officer
            self._pushes.tell("assigned", f"to {officer}, who had it before its new key", name)
        return True

    async def _open_emergencies(self, rank: int) -> Done:
        done = await self._granting.look(rank * IMPATIENCE)
        self._waits |= self._granting.waits
        for why in self._granting.failed:
            self._complain(f"a case was not opened in an emergency: {why}")
        for name, officer in done:
            self._pushes.tell("assigned", f"to {officer}, in an EMERGENCY", name)
        return done

    async def _assign(self, roster: Roster, row: Row, state: CaseState) -> Done:
        engine = self._engine
        name, gen = engine.name_of(state), state.generation.gen
        if holders(engine, state):
            engine.vault.put_number(_mark(row), gen)
            return []
        for officer, devices in self._on_shift(roster, row):
            try:
                await self._casework.assign(name, tuple(one.device for one in devices))
            except UnreachableError:
                raise
            except SeefenError as err:
                self._complain(f"{name} was not assigned to {officer}: {err}")
                return []
            engine.vault.put_number(_mark(row), gen)
            self._pushes.tell("assigned", f"to {officer}, by the roster", name)
            return [(name, officer)]
        return []

    def _on_shift(self, roster: Roster, row: Row) -> Iterator[tuple[str, Sequence[Device]]]:
        cover, message = row.opened_cover, row.message
        if cover is None:
            return
        offence = "" if message is None else message.offence
        matter = Matter(cover.type, row.statement.node, cover.urgency, offence)
        now = datetime.fromtimestamp(self._engine.now(), UTC)
        for officer in rosters.officers_for(roster, matter, now):
            # Who left since the paper was laid down has no device: the next one gets it.
            if devices := rosters.devices_of(self._engine, officer):
                yield officer, devices

    def _waits_for_somebody(self, row: Row, state: CaseState) -> bool:
        """Tell whether the roster is about an object, and this device holds its case."""
        engine, cover = self._engine, row.opened_cover
        if engine.node not in state.members or cover is None:
            return False
        if state.owner == engine.node and not cover.life:
            return False  # the lead who opened it has it: only a question needs another
        if engine.case_key(state.case, state.generation.gen) is None:
            return False
        return recall_of(engine, row) is None

    def _is_new(self, row: Row, state: CaseState) -> bool:
        """Tell whether nobody looked at an object of a case since its members changed last."""
        if state.form != "case":
            return False
        # A new key without a link leaves all who were assigned behind.
        return self._engine.vault.get_number(_mark(row)) < state.generation.gen

    def _rank(self) -> int | None:
        """Return the place of this device among the keyholders of its node, from 0."""
        engine = self._engine
        found = engine.directory.holders(engine.node, "case", at=engine.now())
        devices = sorted(device.device for device in found)
        ours = engine.keys.device
        return devices.index(ours) if ours in devices else None

    def _complain(self, text: str) -> None:
        """Tell what went wrong, once: each look meets it again."""
        if text not in self._told:
            self._told.add(text)
            self._pushes.tell("alarm", text)

    async def _stay(self) -> None:
        while True:
            self._pushes.work.clear()  # before the look: what comes meanwhile is looked at again
            if self._pushes.stays:
                try:
                    await self.look()
                except UnreachableError:
                    pass
                except SeefenError as err:
                    self._complain(f"the roster cannot be followed: {err}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON if self._waits else LOOK):
                    await self._pushes.work.wait()


def _mark(row: Row) -> str:
    return f"rostered/{row.object.hex()}"
