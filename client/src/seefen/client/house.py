"""The house: a node's own channel, in which its devices leave papers and tell each other.

It is sealed and logged like any channel, and has no other member. A *paper* binds the
devices of the node (presets, a roster): it counts only from an admin of the node. What
comes is opened by itself, with an entry of its own, for the rules of a node must be known
before anybody asks; an officer is asked nothing.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar, cast

from msgspec.structs import replace

from seefen.client import rosters
from seefen.client.casework import Casework
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.engine import HOUSE, Engine
from seefen.client.messaging import Messaging
from seefen.client.reading import Reader
from seefen.client.stating import remembered
from seefen.client.values import CaseView, Sent
from seefen.client.views import Row, author_of, case_view, recall_of, ref_of, rows
from seefen.protocol.case import CaseState
from seefen.protocol.directory import BOX_ROLES
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError, UntrustedError
from seefen.protocol.messages import CATALOGUE, Message, Paper, Roster
from seefen.protocol.statements import Device

PURPOSE: Final = "house"
BASIS: Final = "national-law"
M = TypeVar("M", bound=Message)
# Of the own node alone: another one that was let in says nothing here, and lays down nothing.
_CLOSED: Final = "case_id = ? AND node = ? AND body IS NULL AND cover IS NOT NULL AND NOT file"
_OPEN: Final = "case_id = ? AND node = ? AND body IS NOT NULL AND NOT file"
_REPLIES: Final = (
    "case_id = ? AND reply_to IS NOT NULL AND node = ? AND cover IS NOT NULL AND NOT file"
)


@dataclass(frozen=True, slots=True)
class Said(Generic[M]):
    """What a device of the own node wrote in the house.

    Attributes:
        ref: ``house#3``.
        officer: The author's pseudonym, ``o-7f31``.
        by_admin: Whether the author was an admin of the node when it was recorded.
        at: When it was recorded, in Unix seconds.
        holds: Neither taken back nor replaced, by the same officer or an admin.
        binds: Not taken back by an admin; a paper always: only a newer one ends it.
    """

    ref: str
    object: bytes
    device: bytes
    officer: str
    by_admin: bool
    at: int
    index: int
    message: M
    holds: bool = True
    binds: bool = True


Kept: TypeAlias = tuple[Said[Message], ...]
Recalls: TypeAlias = dict[bytes, list[Device]]  # who took an object back, by its id


class House:
    """The channel of the own node."""

    def __init__(
        self, engine: Engine, casework: Casework, messaging: Messaging, reader: Reader
    ) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging
        self._reader = reader
        self._kept: tuple[object, Kept] = (None, ())
        self._messages = dict[bytes, Message | None]()  # by object: their bodies never change

    def state(self) -> CaseState | None:
        """Return the house, or None while this device knows none, or it has other members."""
        state = self._place()
        return state if state is not None and self._casework.is_house(state) else None

    def intruders(self) -> tuple[str, ...]:
        """Return what is wrong with the house, as long as it is: a sentence, or none."""
        state = self._place()
        ours = state is None or self._casework.is_house(state)
        return () if state is None or ours else (self._why_not(state),)

    def _place(self) -> CaseState | None:
        """Return the house, also while other nodes are in it: papers of ours still bind us."""
        known = self._engine.vault.get("house")
        if known is not None:
            return self._engine.trust.require_state(known)
        if self._engine.named(HOUSE) is None:
            return None  # as on each push at a node without a house
        states = self._casework.states("channel")
        for state in states:
            if self._casework.is_house(state):
                self._engine.vault.put("house", state.case)
                return state
        ours = (s for s in states if (s.number, s.owner) == (HOUSE, self._engine.node))
        return next(ours, None)

    def _why_not(self, state: CaseState) -> str:
        others = [node for node in state.members if node != self._engine.node]
        return (
            f"{', '.join(others)} was let into your node's house and reads what is said there: "
            f"a lead removes it first, `seefen channel remove {HOUSE} {others[0]}`"
            if others
            else "your node is no member of its house any more"
        )

    async def prepare(self) -> None:
        """Open the house where this device is a lead's and there is none yet.

        Nobody has to think of it before a colleague rings at night. What hinders it now is
        no reason to hinder what the lead came for: his next command tries again.
        """
        if self._place() is None and self._is_lead(self._engine.keys.device):
            with suppress(SeefenError):
                await self.open()

    async def open(self) -> CaseView:
        """Open the house; a second time changes nothing, and of two leads at once one does.

        Raises:
            UntrustedError: rule ``no-house``: there is none, and this device is no ``lead``.
            RefusedError: rule ``house``: other nodes were let in.
        """
        state = self.state()
        if state is None:
            if (place := self._place()) is not None:
                raise RefusedError(self._why_not(place), rule="house")
            if not self._is_lead(self._engine.keys.device):
                raise UntrustedError(self._who_opens(), rule="no-house")
            try:
                return await self._casework.open("channel", HOUSE, HOUSE, ())
            except OutOfTurnError as err:
                if err.rule != "case-number":
                    raise
            async with self._engine.lock:
                await self._engine.sync()  # another lead was faster: his is the house
            state = self._opened()
        return case_view(self._engine, state)

    def _opened(self) -> CaseState:
        state = self.state()
        if state is None:
            raise RefusedError("the house was not recorded yet: try again", rule="unknown-case")
        return state

    def _is_lead(self, device: bytes) -> bool:
        return "lead" in self._engine.directory.device(device).roles

    def _who_opens(self) -> str:
        directory, now = self._engine.directory, self._engine.now()
        leads = [
            one.officer
            for one in directory.devices(self._engine.node)
            if "lead" in one.roles and directory.is_active(one.device, at=now)
        ]
        return "your node has no house yet: " + (
            f"any command opens it on a device that is a lead's, {', '.join(leads)}: seefen status"
            if leads
            else "a lead's device opens it and there is none; an admin invites one, "
            "seefen officer add --role lead"
        )

    async def say(
        self, message: Message, *, reply_to: bytes | None = None, supersedes: bytes | None = None
    ) -> Sent:
        """Tell all devices of the node that hold alerts; the house is opened when there is none.

        Raises:
            UntrustedError: rule ``no-house``: there is none yet, and this device is no ``lead``.
        """
        await self.open()
        return await self._messaging.send(
            self._opened(), message, reply_to=reply_to, supersedes=supersedes
        )

    async def lay(self, paper: Paper) -> Sent:
        """Lay down a paper for all devices of the node: the newest of its form is in force.

        Raises:
            UntrustedError: rule ``role``: this device is no ``admin``.
            RefusedError: It is filled in wrongly, or names a type of message, a node or an officer
                that there is not.
        """
        engine = self._engine
        if "admin" not in engine.directory.device(engine.keys.device).roles:
            raise UntrustedError("an admin of the node lays down its papers", rule="role")
        known = {type_.TYPE for type_ in CATALOGUE if issubclass(type_, Message)}
        unknown = [name for name in paper.speaks_of() if name not in known]
        if unknown:
            raise RefusedError(
                f"there is no message {unknown[0]}; known: {', '.join(sorted(known))}", rule="form"
            )
        strange = [node for node in paper.nodes() if node not in engine.directory.nodes()]
        if strange:
            # A row for a name that is mistyped would leave the node to the row for all.
            raise RefusedError(
                f"there is no node {strange[0]}; known: {', '.join(engine.directory.nodes())}",
                rule="unknown-node",
            )
        if isinstance(paper, Roster):
            rosters.check(engine, paper)
        before = self.laid(type(paper))
        version = 1 if before is None else before.message.version + 1
        return await self.say(replace(paper, version=version))

    def said(self, type_: type[M]) -> list[Said[M]]:
        """Return what devices of the node wrote in a form, the newest first.

        Nothing that its author took back or replaced; only what this device has opened.
        """
        return [one for one in self._of(type_) if one.holds]

    def laid(self, type_: type[M]) -> Said[M] | None:
        """Return the newest paper of a form, with who laid it down and when, or None."""
        # Whoever may write here is no admin for it: a stolen field device makes no rules,
        # and takes back or replaces none.
        return next(iter(self.bound(type_)), None)

    def bound(self, type_: type[M]) -> list[Said[M]]:
        """Return what admins of the node laid down in a form and what binds, the newest first."""
        return [one for one in self._of(type_) if one.by_admin and one.binds]

    def paper(self, type_: type[M]) -> M | None:
        """Return the newest paper of a form: what an admin of the node laid down, or None."""
        laid = self.laid(type_)
        return None if laid is None else laid.message

    def is_unread(self, type_: type[Message]) -> bool:
        """Tell whether a paper of a form lies here closed that is newer than what is open.

        Which rules are in force is not known then.
        """
        laid = self.laid(type_)
        newest = -1 if laid is None else laid.index
        return any(
            row.index > newest and "admin" in author_of(self._engine, row).roles
            for row in self._closed(type_)
        )

    def keeps_closed(self, type_: type[Message]) -> bool:
        """Tell whether anything of a form lies here that may still open."""
        get = self._engine.vault.get
        return any(get(_spoiled(row)) is None for row in self._closed(type_))

    def _closed(self, type_: type[Message]) -> list[Row]:
        state = self._place()
        if state is None:
            return []
        found = rows(self._engine, _CLOSED, state.case, self._engine.node)
        return [row for row in found if (c := row.opened_cover) and c.type == type_.TYPE]

    async def look(self) -> None:
        """Open what came; the engine's lock must be held. What cannot be opened now stays."""
        state = self.state()
        if state is None or not self._holds_alerts():
            return
        vault = self._engine.vault
        closed = rows(self._engine, _CLOSED, state.case, self._engine.node)
        # What has no body yet is asked for at each sync.
        found = [row for row in closed if row.has_sealed and vault.get(_spoiled(row)) is None]
        if found and not remembered(self._engine, state.case)[0]:
            self._reader.remember(state.case, PURPOSE, BASIS, "")
        for row in found:
            try:
                with suppress(RefusedError, OutOfTurnError, LoginError):
                    await self._reader.take(state, row)
            except UnreachableError:
                raise
            except SeefenError as err:
                # One that a device of ours spoiled must not hold up what is to be sent.
                self._engine.alarm(f"{ref_of(self._engine, row)} does not open: {err}")
            self._note_spoiled(row)

    def _note_spoiled(self, row: Row) -> None:
        """Remember what its key came for and did not open: asked for at each look, it floods."""
        sql = (
            "SELECT 1 FROM object JOIN access USING (object)"
            " WHERE object = ? AND body IS NULL AND sealed IS NOT NULL"
        )
        if self._engine.vault.one(sql, row.object) is not None:
            self._engine.vault.put(_spoiled(row), b"1")

    def _holds_alerts(self) -> bool:
        device = self._engine.directory.device(self._engine.keys.device)
        return bool(BOX_ROLES["alert"] & set(device.roles))

    def _of(self, type_: type[M]) -> list[Said[M]]:
        return [cast("Said[M]", one) for one in self._all() if isinstance(one.message, type_)]

    def _all(self) -> Kept:
        state = self._place()
        if state is None:
            return ()
        sql = (
            "SELECT count(*), count(body), count(superseded_by), max(idx) FROM object"
            " WHERE case_id = ?"
        )
        mark = self._engine.vault.one(sql, state.case)
        if self._kept[0] != mark:
            found = reversed(rows(self._engine, _OPEN, state.case, self._engine.node))
            recalls = self._recalls(state)
            said = (self._said(row, recalls.get(row.object, [])) for row in found)
            self._kept = (mark, tuple(filter(None, said)))
        return self._kept[1]

    def _said(self, row: Row, back: list[Device]) -> Said[Message] | None:
        if back and recall_of(self._engine, row) is None:
            back = []  # withdrawn, or nothing that can be taken back
        if row.object not in self._messages:
            self._messages[row.object] = row.message
        message = self._messages[row.object]
        if message is None:
            return None
        author = author_of(self._engine, row)
        newer = [author_of(self._engine, one) for one in self._newer(row)]
        return Said(
            ref=ref_of(self._engine, row),
            object=row.object,
            device=row.statement.device,
            officer=author.officer,
            by_admin="admin" in author.roles,
            at=row.at,
            index=row.index,
            message=message,
            holds=not any(_may_end(author, one) for one in (*back, *newer)),
            binds=isinstance(message, Paper) or not any("admin" in one.roles for one in back),
        )

    def _newer(self, row: Row) -> list[Row]:
        following = row.superseded_by
        return [] if following is None else rows(self._engine, "object = ?", following)

    def _recalls(self, state: CaseState) -> Recalls:
        found: Recalls = {}
        for row in rows(self._engine, _REPLIES, state.case, self._engine.node):
            cover, target = row.opened_cover, row.statement.reply_to
            if cover is not None and cover.type == "Recall" and target is not None:
                found.setdefault(target, []).append(author_of(self._engine, row))
        return found


def _spoiled(row: Row) -> str:
    return f"spoiled/{row.object.hex()}"


def _may_end(author: Device, by: Device) -> bool:
    """Tell whether a device may take back what another said: a colleague stops no emergency."""
    same = by.officer == author.officer if author.officer else by.device == author.device
    return same or "admin" in by.roles
