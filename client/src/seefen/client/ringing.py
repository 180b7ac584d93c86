"""Ringing: what wakes an officer, and who may do that.

An alert that should ring leaves as URGENT. It rings at who is on watch in its channel once
a second officer of the node that sent it has confirmed it there, or once an officer of
the own node rings the own devices, which he says in the house. It rings once for each, and
no more when the own node has answered it. The cover tells: nothing has to be opened.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from seefen.client.engine import Engine
from seefen.client.expiring import is_expired
from seefen.client.house import House
from seefen.client.messaging import Messaging
from seefen.client.requests import Find
from seefen.client.stating import SHIFT
from seefen.client.values import Event, Sent
from seefen.client.views import (
    Row,
    answer_of,
    asks_flash,
    author_of,
    flash_of,
    recall_of,
    ref_of,
    require_in_use,
    require_newest,
    row_of,
    rows,
    terms_of,
)
from seefen.client.watching import Watch
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import Flash

Hook: TypeAlias = Callable[[Event], None]
Rings: TypeAlias = list[Event]
WHAT: Final = "flash"
_SAID: Final = "at > ? AND reply_to IS NOT NULL AND cover IS NOT NULL AND instr(cover, ?)"


class Ringing:
    """Confirms, rings, and tells what is to ring here."""

    def __init__(
        self, engine: Engine, watch: Watch, house: House, messaging: Messaging, find: Find
    ) -> None:
        self._engine = engine
        self._watch = watch
        self._house = house
        self._messaging = messaging
        self._find = find
        self.hooks: list[Hook] = []
        self.stirred = True  # something came that may ring: only then is there a look

    def on_ring(self, hook: Hook) -> Hook:
        """Register a program's function: it is called once for each alert that rings here."""
        self.hooks.append(hook)
        return hook

    async def confirm(self, ref: str) -> Sent:
        """Confirm an alert of the own node as FLASH, as its second officer: it rings.

        Raises:
            UntrustedError: rule ``second-officer``: it is this officer's own alert.
            RefusedError: It is another node's, or was not asked to ring.
            OutOfTurnError: rule ``rings``: it was confirmed before.
        """
        row = self._alert(ref)
        engine, cover = self._engine, row.opened_cover
        if row.statement.node != engine.node:
            raise RefusedError(
                f"{ref} is of {row.statement.node}, whose officers confirm it. "
                f"`seefen alert ring {ref}` rings your own devices",
                rule="not-yours",
            )
        if recall_of(engine, row) is not None:
            raise OutOfTurnError(f"{ref} was taken back", rule="recalled")
        if cover is None or not asks_flash(cover):
            raise RefusedError(f"{ref} was not sent to ring", rule="no-flash")
        officer = engine.directory.device(engine.keys.device).officer
        if not officer or officer == author_of(engine, row).officer:
            raise UntrustedError(
                f"{ref} is of {officer or 'a device without an officer'}: "
                "a second officer of your node confirms it",
                rule="second-officer",
            )
        if (flash := flash_of(engine, row)) is not None:
            by = author_of(engine, flash).officer
            raise OutOfTurnError(f"{ref} rings already: {by} confirmed it", rule="rings")
        state, _ = self._find(ref)
        message = Flash(of=row.object, **terms_of(row))
        return await self._messaging.send(state, message, reply_to=row.object)

    async def ring(self, ref: str) -> Sent:
        """Ring the own node's devices on watch for another node's alert; the house hears why.

        Raises:
            RefusedError: It is the own node's, or was taken back.
        """
        row = self._alert(ref)
        if row.statement.node == self._engine.node:
            raise RefusedError(
                f"{ref} is your own node's: a second officer confirms it, "
                f"`seefen alert flash {ref}`",
                rule="own",
            )
        require_in_use(self._engine, row)
        return await self._house.say(Flash(of=row.object, **terms_of(row)))

    def due(self) -> Rings:
        """Return what is to ring now; each once, also after this device was started anew."""
        if not self.stirred:
            return []
        self.stirred = self._house.keeps_closed(Flash)
        watched = {watch.channel for watch in self._watch.list()}
        found: Rings = []
        for row, how, text in self._candidates() if watched else ():
            name = f"rang/{how}/{row.object.hex()}"
            vault = self._engine.vault
            if vault.get(name) is None and self._rings(row, watched):
                vault.put(name, b"1")
                cover = row.opened_cover
                said = text if cover is None else f"{cover.subject}; {text}"
                ref = ref_of(self._engine, row)
                found.append(Event(self._engine.now(), WHAT, "", ref, said))
        return found

    def _candidates(self) -> Iterator[tuple[Row, str, str]]:
        engine, since = self._engine, self._engine.now() - SHIFT
        for reply in rows(engine, _SAID, since, Flash.TYPE.encode()):
            for row in rows(engine, "object = ?", reply.statement.reply_to):
                if row.case == reply.case and (flash := flash_of(engine, row)) is not None:
                    by = author_of(engine, flash).officer
                    yield row, "sender", f"{row.statement.node} says FLASH, confirmed by {by}"
        for said in self._house.said(Flash):
            if said.at > since and said.device != engine.keys.device:
                for row in rows(engine, "object = ? AND NOT file", said.message.of):
                    yield row, "house", (
                        f"rung by {said.officer} of your node alone: "
                        f"{row.statement.node} has not confirmed FLASH"
                    )  # fmt: skip

    def _rings(self, row: Row, watched: set[str]) -> bool:
        engine, cover = self._engine, row.opened_cover
        channel = ref_of(engine, row).rpartition("#")[0]
        return (
            cover is not None
            and cover.type == "SeizureAlert"
            and row.statement.node != engine.node
            and channel in watched
            and row.superseded_by is None
            and recall_of(engine, row) is None
            and not is_expired(engine, row.statement, cover)
            and answer_of(engine, row, engine.node)[0] is None
        )

    def _alert(self, ref: str) -> Row:
        state, number = self._find(ref)
        row = row_of(self._engine, state, number)
        cover = row.opened_cover
        if cover is None or cover.type != "SeizureAlert" or state.form != "channel":
            raise RefusedError(f"{ref} is no alert in a channel", rule="no-alert")
        require_newest(self._engine, row)
        return row
