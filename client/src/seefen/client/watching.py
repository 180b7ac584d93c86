"""The watch: one access per channel at the start of a shift; then alerts open as they come."""

from typing import TypeAlias

from seefen.client.accepting import OFF
from seefen.client.casework import Casework
from seefen.client.engine import Engine
from seefen.client.expiring import is_expired
from seefen.client.reading import Reader
from seefen.client.stating import NO_CASE, SHIFT, remember, remembered
from seefen.client.values import WatchView
from seefen.client.views import Row, recall_of, rows
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import Push
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.receipt import check_entry
from seefen.protocol.statements import Release

Watches: TypeAlias = list[WatchView]
Rows: TypeAlias = list[Row]


class Watch:
    """Being on watch, and what comes under it."""

    def __init__(self, engine: Engine, reader: Reader, casework: Casework) -> None:
        self._engine = engine
        self._reader = reader
        self._casework = casework

    async def on(
        self, channels: tuple[str, ...] = (), *, purpose: str, basis: str, reason: str = ""
    ) -> Watches:
        """Go on watch in channels (all, when none is named), for at most 12 hours.

        Searches of the shift are for the same purpose, unless another was stated for them.

        Raises:
            RefusedError: No such channel, or this device is no holder of alerts.
        """
        engine = self._engine
        async with engine.lock:
            states = (
                [self._casework.find(name, "channel") for name in channels]
                if channels
                else self._casework.states("channel")
            )
            states = [
                s for s in states if engine.node in s.members and not self._casework.is_house(s)
            ]
            if not states:
                raise RefusedError("your node is in no channel yet", rule="no-channel")
            engine.vault.run("DELETE FROM setting WHERE name = ?", OFF)
            until = engine.now() + SHIFT
            if not remembered(engine, NO_CASE)[0]:
                # Said once a shift: a serial number is looked up for the same purpose.
                remember(engine, NO_CASE, (purpose, basis, reason))
            for state in states:
                self._reader.remember(state.case, purpose, basis, reason)
                unread = self._unopened(state.case)
                # What waited in the channel opens under the watch as well.
                ask = tuple(row.object for row in unread)
                await self._reader.access(state, "watch", None, ask, until)
            return self.list()

    def off(self) -> None:
        """Go off watch: what is pushed with a key from now on stays closed here."""
        self._engine.vault.put(OFF, b"1")

    def list(self) -> Watches:
        """Return the watches that are open."""
        engine = self._engine
        if engine.vault.get(OFF) is not None:
            return []
        found = engine.vault.run(
            "SELECT case_id, max(until), max(idx) FROM access WHERE scope = 'watch' AND until > ?"
            " GROUP BY case_id",
            engine.now(),
        )
        views: Watches = []
        for case, until, index in found:
            purpose, basis, _ = remembered(engine, case)
            name = engine.name_of(engine.trust.require_state(case))
            views.append(WatchView(name, until, index, purpose, basis))
        return sorted(views, key=lambda view: view.channel)

    def take_release(self, push: Push, under: Checkpoint) -> Row | None:
        """Open what was pushed under a watch, once its release stands in the log.

        Raises:
            UntrustedError: A key without an entry, or an entry about something else.
        """
        engine = self._engine
        if push.release is None:
            if push.key:
                # The first promise of the log: no key without an entry (attack 31).
                raise UntrustedError("a key came without an entry in the log", rule="no-release")
            return None
        core = check_entry(push.release, under)
        opened = open_envelope(push.envelope, "release")
        release = opened.statement
        named = isinstance(release, Release) and engine.keys.device in release.devices
        if not named or core.act != "release" or core.req != opened.hash.hex():
            raise UntrustedError("the release is not about this device", rule="no-release")
        if not isinstance(release, Release):
            return None
        untils = [u for index in release.under for u in self._until(release.case, index)]
        if not untils:
            # The log would say that this officer asked, and he has not.
            raise UntrustedError("the release names no watch of this device", rule="no-release")
        found = rows(engine, "object = ?", release.object)
        if engine.vault.get(OFF) is not None or max(untils) <= engine.now() or not found:
            return None
        self._reader.keep_key(found[0], push.key, push.release.index, max(untils))
        return found[0]

    def _until(self, case: bytes, index: int) -> tuple[int, ...]:
        sql = "SELECT until FROM access WHERE idx = ? AND case_id = ? AND scope = 'watch'"
        return tuple(row[0] for row in self._engine.vault.run(sql, index, case))

    def _unopened(self, case: bytes) -> Rows:
        engine = self._engine
        closed = "case_id = ? AND body IS NULL AND cover IS NOT NULL AND NOT file"
        found = rows(engine, closed, case)[-200:]
        matter = (row for row in found if not is_expired(engine, row.statement, row.opened_cover))
        return [row for row in matter if recall_of(engine, row) is None]
