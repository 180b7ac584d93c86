"""Keys kept in order before anybody waits for them: mailboxes, then keys of cases and channels.

Whoever writes under a stale key renews it first; an alert then carries 45 KB instead of 3. And
an officer to whom a case was assigned cannot renew it at all. So what a device of the own node
left stale is renewed by the node itself, as far as this device holds the mailbox and the key.
"""

from dataclasses import dataclass, field
from typing import Final

from seefen.client import keying
from seefen.client.casework import Casework
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.devices import Devices
from seefen.client.engine import Engine
from seefen.client.sender import Parcel, Sender
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError, SeefenError

MOST: Final = 16  # keys at one look: others want to write, too
_REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True)
class Kept:
    """What one look has renewed: names of cases and channels; and of the rest, why not."""

    renewed: list[str] = field(default_factory=list[str])
    failed: list[tuple[str, SeefenError]] = field(default_factory=list[tuple[str, SeefenError]])


class Upkeep:
    """What a device that is always there keeps in order."""

    def __init__(
        self, engine: Engine, sender: Sender, devices: Devices, casework: Casework
    ) -> None:
        self._engine = engine
        self._sender = sender
        self._devices = devices
        self._casework = casework
        self._looked = (-1, -1)
        self._failed: set[bytes] = set()

    async def look(self) -> Kept:
        """Renew what is stale by a device of the own node, and say what that was.

        Raises:
            UnreachableError: No broker; the next look goes on.
            RefusedError: rule ``a-...``: the log is too old to write on.
        """
        engine = self._engine
        kept = Kept()
        async with engine.lock:
            await self._devices.renew_mailboxes()
            now = (engine.directory.size, len(engine.vault.cases()))
            if now == self._looked:
                return kept  # nobody was revoked and no case came: nothing can have become stale
            due = self._due()
            if due:
                await keying.refresh(engine)
            for state in due[:MOST]:
                await self._renew(state, kept)
            # A key that stayed as it is is tried again: it may have failed in passing, and
            # somebody who was revoked holds it.
            if len(due) <= MOST and not kept.failed:
                self._looked = now
        return kept

    def _due(self) -> list[CaseState]:
        """Return what is stale, channels first: an alert is what cannot wait.

        What has failed before comes last: as many as are tried at one look would otherwise
        keep all others waiting for ever.
        """
        states = self._casework.states("channel") + self._casework.states("case")
        due = [state for state in states if self._is_due(state)]
        return sorted(due, key=lambda state: state.case in self._failed)

    def _is_due(self, state: CaseState) -> bool:
        engine = self._engine
        since = state.generation.position.authority_size
        if engine.node not in state.members or not engine.directory.revoked_since(
            engine.node, since
        ):
            return False  # it is the affair of whose device it was, or of whoever writes next
        if engine.case_key(state.case, state.generation.gen) is None:
            return False
        try:
            return keying.renewal_reason(engine, state) == _REVOKED
        except RefusedError:
            return False  # this device was only assigned it

    async def _renew(self, state: CaseState, kept: Kept) -> None:
        engine = self._engine

        def make(parcel: Parcel) -> None:
            newest = engine.trust.require_state(state.case)
            if self._is_due(newest):  # else somebody has written there meanwhile
                keying.require_writer(engine, newest)
                keying.add_renewal(engine, parcel, newest, _REVOKED)

        name = engine.name_of(state)
        self._failed.discard(state.case)
        try:
            if await self._sender.send(make):
                kept.renewed.append(name)
        except (UnreachableError, LoginError):
            raise
        except SeefenError as err:  # one case must not keep the others waiting, whatever it is
            self._failed.add(state.case)
            kept.failed.append((name, err))
