"""The watch: one access per channel at the start of a shift; then alerts open as they come.

What came while no process of this device ran opens at the next look: an access of its own
for what waits in a channel. What lies here and is not open is counted: no search looks into it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeAlias, TypeVar

from seefen.client.accepting import OFF
from seefen.client.casework import Casework
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.engine import Engine
from seefen.client.expiring import is_expired
from seefen.client.reading import Reader
from seefen.client.stating import NO_CASE, SHIFT, remember, remembered
from seefen.client.values import CheckResult, Found, Unopened, WatchView
from seefen.client.views import Row, recall_of, ref_of, rows
from seefen.protocol.directory import BOX_ROLES
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import (
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)
from seefen.protocol.frames import Push
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.messages import Correction, Recall
from seefen.protocol.receipt import check_entry
from seefen.protocol.statements import Release

Watches: TypeAlias = list[WatchView]
Rows: TypeAlias = list[Row]
Open: TypeAlias = list[tuple[bytes, int, int]]  # case, until, entry
F = TypeVar("F", CheckResult, Found)
HOLDERS: Final = BOX_ROLES["alert"]
_SOON: Final = 1800  # seconds before its end in which a watch is spoken of
_MOST: Final = 200  # that are asked for at once
_ALERT: Final = b"SeizureAlert"
_WAITING: Final = "case_id = ? AND body IS NULL AND cover IS NOT NULL AND NOT file"
# What a newer version here replaces is opened as that, and counts as that alone.
_UNOPENED: Final = (
    "body IS NULL AND NOT file AND NOT EXISTS (SELECT 1 FROM object AS newer"
    " WHERE newer.object = object.superseded_by AND newer.case_id = object.case_id"
    " AND newer.node = object.node AND newer.idx > object.idx)"
)
_COUNT: Final = (
    "SELECT count(*), count(cover), count(CASE WHEN instr(cover, ?) THEN 1 END)"  # noqa: S608
    f" FROM object WHERE {_UNOPENED}"
)
_NEWEST: Final = (
    f"SELECT object FROM object WHERE {_UNOPENED} AND (instr(cover, ?) > 0) = ?"  # noqa: S608
    " ORDER BY idx DESC LIMIT ?"
)
_LAST: Final = (
    "SELECT case_id, max(until) FROM access WHERE scope = 'watch' GROUP BY case_id"
    " HAVING max(until) > ? ORDER BY case_id"
)
# Of the newest version a recall is the reply; a correction goes with what it puts right.
_BACK: Final = (
    f"{_UNOPENED} AND cover IS NOT NULL AND (instr(cover, ?) OR EXISTS ("  # noqa: S608
    "SELECT 1 FROM object AS reply WHERE reply.reply_to = object.object"
    " AND instr(reply.cover, ?)))"
)


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
        if HOLDERS.isdisjoint(engine.directory.device(engine.keys.device).roles):
            raise RefusedError(
                "this device opens no alerts: it is no field, keyholder or lead device",
                rule="roles",
            )
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
        views: Watches = []
        for case, until, index in self._running():
            purpose, basis, _ = remembered(engine, case)
            name = engine.name_of(engine.trust.require_state(case))
            views.append(WatchView(name, until, index, purpose, basis))
        return sorted(views, key=lambda view: view.channel)

    def ending(self) -> Iterator[str]:
        """Yield which watches end soon, and which have ended since they ran; each once.

        Else whoever lets the live view run past his shift waits for alerts that do not ring.
        """
        engine = self._engine
        if engine.vault.get(OFF) is not None:
            return
        for case, until in engine.vault.run(_LAST, engine.now() - SHIFT):
            left = until - engine.now()
            what = "ending" if left > 0 else "ended"
            told = f"{what}/{case.hex()}"
            if left > _SOON or engine.vault.get_number(told) == until:
                continue
            engine.vault.put_number(told, until)
            name = engine.name_of(engine.trust.require_state(case))
            yield (
                f"your watch in {name} ends in {-(-left // 60)} min: 'seefen watch on' goes on"
                if left > 0
                else f"your watch in {name} has ended: no alert opens by itself there, and none "
                "rings; 'seefen watch on' begins one"
            )

    async def look(self) -> Rows:
        """Open what waits under the watches that run, and return it; the lock must be held.

        What does not open then, as where its key was lost, is not asked for again under the
        same watch: at each look it would be one entry more.

        Raises:
            UnreachableError: The next look goes on.
        """
        engine, opened = self._engine, Rows()
        for case, until, index in self._running():
            unread = [
                row
                for row in self._unopened(case)
                if row.has_sealed and engine.vault.get_number(_asked(row)) != until
            ]
            late = self._late(unread, index, until)
            opened += late
            if len(unread) == len(late):
                continue
            unread = [row for row in unread if row.object not in {one.object for one in late}]
            with suppress(OutOfTurnError, LoginError):  # the next look goes on
                await self._ask(case, unread, until)
                opened += self._noted(unread, until)
        return opened

    def _late(self, unread: Rows, index: int, until: int) -> Rows:
        """Open that whose key was released before its body came: that is entered already."""
        sql = "SELECT wrapped FROM object WHERE object = ? AND wrapped IS NOT NULL"
        for row in unread:
            for (wrapped,) in self._engine.vault.run(sql, row.object):
                with suppress(SeefenError):  # it is asked for as any other, and that says why
                    self._reader.keep_key(row, wrapped, index, until)
        return self._open(unread)

    def _open(self, asked: Rows) -> Rows:
        opened = "object = ? AND body IS NOT NULL"
        return [one for row in asked for one in rows(self._engine, opened, row.object)]

    async def _ask(self, case: bytes, unread: Rows, until: int) -> None:
        state = self._engine.trust.require_state(case)
        try:
            ask = tuple(row.object for row in unread)
            await self._reader.access(state, "watch", None, ask, until)
        except (UnreachableError, OutOfTurnError, LoginError):
            raise
        except SeefenError as err:  # what is to be sent waits for none of it
            self._engine.alarm(f"what waits under the watch does not open: {err}")

    def _noted(self, unread: Rows, until: int) -> Rows:
        """Return what is open of what was asked for, and remember the rest."""
        found = self._open(unread)
        opened = {row.object for row in found}
        for row in unread:
            if row.object not in opened:
                self._engine.vault.put_number(_asked(row), until)
        return found

    def unopened(self) -> Unopened:
        """Return how much lies here that this device never opened.

        Not what was taken back, nor what a newer version replaces.
        """
        engine = self._engine
        total, readable, alerts = engine.vault.run(_COUNT, _ALERT)[0]
        may_be = rows(engine, _BACK, Correction.TYPE.encode(), Recall.TYPE.encode())
        back = [row for row in may_be if recall_of(engine, row) is not None]
        gone = {row.object: _ALERT in (row.cover or b"") for row in back}
        return Unopened(
            alerts=alerts - sum(gone.values()),
            messages=readable - alerts - len(gone) + sum(gone.values()),
            closed=total - readable,
            alert=self._newest(set(gone), alert=True),
            message=self._newest(set(gone), alert=False),
            watched=bool(self._running()),
        )

    def _newest(self, but: set[bytes], *, alert: bool) -> str:
        found = self._engine.vault.run(_NEWEST, _ALERT, int(alert), len(but) + 1)
        newest = (object_ for (object_,) in found if object_ not in but)
        return next((ref_of(self._engine, row) for object_ in newest
                     for row in rows(self._engine, "object = ?", object_)), "")  # fmt: skip

    def beside(self, look: Callable[[], F]) -> F:
        """Look for something, and say what was not looked into."""
        return replace(look(), unopened=self.unopened())

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

    def _running(self) -> Open:
        """Return the watches that are open: case, until when, and their newest entry."""
        engine = self._engine
        if engine.vault.get(OFF) is not None:
            return []
        return engine.vault.run(
            "SELECT case_id, max(until), max(idx) FROM access WHERE scope = 'watch' AND until > ?"
            " GROUP BY case_id",
            engine.now(),
        )

    def _unopened(self, case: bytes) -> Rows:
        engine = self._engine
        found = rows(engine, _WAITING, case)[-_MOST:]
        matter = (row for row in found if not is_expired(engine, row.statement, row.opened_cover))
        return [row for row in matter if recall_of(engine, row) is None]


def _asked(row: Row) -> str:
    return f"asked/{row.object.hex()}"
