"""The groups of commands: channels, cases, alerts, files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from seefen.client import fetched, versions
from seefen.client.cards import Cards
from seefen.client.casework import Casework
from seefen.client.devices import Devices
from seefen.client.drafts import Attached
from seefen.client.engine import Engine
from seefen.client.messaging import Messaging, silent
from seefen.client.names import saved_name
from seefen.client.outbox import Progress
from seefen.client.reading import Reader
from seefen.client.requests import Find, Requests
from seefen.client.values import CaseView, ObjectView, Opened, OwnAlert, Reach, Read, Sent
from seefen.client.views import (
    Row,
    case_view,
    object_view,
    recall_of,
    ref_of,
    require_in_use,
    row_of,
    terms_of,
)
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    FileNote,
    Message,
    Note,
    OtherChannel,
    SeizureAlert,
    label,
    saying,
)

Reaches: TypeAlias = list[Reach]


class Channels:
    """Standing cases whose keys go to every device that holds alerts."""

    def __init__(self, engine: Engine, casework: Casework) -> None:
        self._engine = engine
        self._casework = casework

    async def open(self, name: str, members: Sequence[str]) -> CaseView:
        """Open a channel; its own node is the owner."""
        return await self._casework.open("channel", name, name, tuple(members))

    def list(self) -> list[CaseView]:
        """Return the channels this device knows, without the house of its node."""
        states = self._casework.states("channel")
        return [case_view(self._engine, s) for s in states if not self._casework.is_house(s)]

    async def add(self, name: str, nodes: Sequence[str]) -> CaseView:
        """Let nodes read from now on."""
        return await self._casework.change(name, "channel", add=tuple(nodes))

    async def remove(self, name: str, nodes: Sequence[str]) -> CaseView:
        """Take nodes out; what they have read they know."""
        return await self._casework.change(name, "channel", remove=tuple(nodes))


def _opened_from(alert: Row) -> str:
    return f"opened-from/{alert.object.hex()}"


class Cases:
    """Cases: members, messages, files."""

    def __init__(
        self,
        engine: Engine,
        casework: Casework,
        messaging: Messaging,
        devices: Devices,
        find: Find,
    ) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging
        self._devices = devices
        self._find = find

    async def open(
        self,
        title: str,
        members: Sequence[str],
        from_alert: str | None = None,
        *,
        again: bool = False,
    ) -> CaseView:
        """Open a case; its own node is the owner. The alert it grew out of is noted in it.

        Raises:
            RefusedError: rule ``done``: this device has opened one from that alert, and this is
                not meant to be ``again``; rule ``recalled``: the alert was taken back.
        """
        alert: Row | None = None
        if from_alert is not None:
            alert = row_of(self._engine, *self._find(from_alert))
            back = recall_of(self._engine, alert)
            if back is not None:
                raise RefusedError(
                    f"{from_alert} was taken back ({ref_of(self._engine, back)})", rule="recalled"
                )
            before = self._engine.vault.get(_opened_from(alert))
            if before is not None and not again:
                raise RefusedError(
                    f"{before.decode()} was opened from {from_alert} already", rule="done"
                )
            # Now, not when the case is there and its first note is refused.
            self._messaging.permit(members, Note(text=from_alert))
        view = await self._casework.open("case", "", title, tuple(members))
        if alert is not None:
            state = self._casework.find(view.number)
            with self._engine.vault.change():
                self._engine.vault.put(_opened_from(alert), view.number.encode())
            await self._messaging.note_from_alert(state, alert)
            view = case_view(self._engine, self._casework.find(view.number))
        return view

    def list(self) -> list[CaseView]:
        """Return the cases this device knows."""
        return [case_view(self._engine, s) for s in self._casework.states("case")]

    def show(self, number: str) -> CaseView:
        """Return a case with the covers of all its objects."""
        return case_view(self._engine, self._casework.find(number), objects=True)

    def object_id(self, ref: str) -> bytes:
        """Return the id of an object, which the fields of forms refer to: 16 bytes.

        Raises:
            RefusedError: rule ``unknown-object``, or ``unknown-case``.
        """
        return row_of(self._engine, *self._find(ref)).object

    def look(self, ref: str) -> ObjectView:
        """Return what a list shows of one message or file, from its cover."""
        state, number = self._find(ref)
        return object_view(self._engine, row_of(self._engine, state, number))

    async def send(
        self,
        number: str,
        text: str,
        files: Attached = (),
        progress: Progress = silent,
        *,
        original: bool = False,
    ) -> Sent:
        """Send a note with files; files alone get a note that says so."""
        state = self._casework.find(number)
        note = Note(text=text or f"{len(files)} file(s)")
        return await self._messaging.send(
            state, note, tuple(files), original=original, progress=progress
        )

    async def publish(
        self,
        number: str,
        message: Message,
        files: Attached = (),
        progress: Progress = silent,
        *,
        original: bool = False,
    ) -> Sent:
        """Send a message of any form that asks and answers nothing: a notice, a bulletin.

        Raises:
            RefusedError: rule ``is-a-request``: it needs the place that requests have.
        """
        if message.act() is not None:
            raise RefusedError(
                f"a {message.TYPE} asks or answers: `seefen request`, or `seefen alert send`",
                rule="is-a-request",
            )
        state = self._casework.find(number)
        return await self._messaging.send(
            state, message, tuple(files), original=original, progress=progress
        )

    async def refer(self, ref: str, channel: str, number: str) -> Sent:
        """Tell that the same is handled in another channel, and under which number there.

        It is a note about the message, which every member that opens it sees from then on.

        Raises:
            RefusedError: rule ``recalled``, or there is no such message.
        """
        state, n = self._find(ref)
        row = row_of(self._engine, state, n)
        require_in_use(self._engine, row)
        other = OtherChannel(channel=channel, asked="yes", ref=number)
        note = Note(
            text=f"{label('channel', channel)}: {number}",
            about=row.object,
            other_channels=(other,),
            **terms_of(row),
        )
        said = saying(note, "handling", "tlp")
        return await self._messaging.send(state, said, reply_to=row.object)

    async def add(self, number: str, nodes: Sequence[str]) -> CaseView:
        """Let nodes read from now on, not what came before."""
        return await self._casework.change(number, "case", add=tuple(nodes))

    async def remove(self, number: str, nodes: Sequence[str]) -> CaseView:
        """Take nodes out; what they have read they know."""
        return await self._casework.change(number, "case", remove=tuple(nodes))

    async def assign(self, number: str, device: str) -> CaseView:
        """Hand the case to a device of the own node, by officer or start of its id."""
        found = self._devices.find(device)
        await self._casework.assign(number, (found.device,))
        return case_view(self._engine, self._casework.find(number))


class Alerts:
    """Seizure alerts in channels."""

    def __init__(
        self,
        casework: Casework,
        messaging: Messaging,
        requests: Requests,
        cards: Cards,
        read: Read,
        find: Find,
    ) -> None:
        self._cards = cards
        self._casework = casework
        self._messaging = messaging
        self._requests = requests
        self._read = read
        self._find = find

    async def send(
        self,
        alert: SeizureAlert,
        channel: str,
        photos: Attached = (),
        progress: Progress = silent,
        *,
        original: bool = False,
        matters_s: int = 0,
        form: str = "",
    ) -> Sent:
        """Send an alert first and small; photographs follow.

        Args:
            matters_s: Seconds from now after which nobody is asked about it any more; 0: never.
            form: Under which name it was kept half-filled: that is gone once it waits to leave.
        """
        state = self._casework.find(channel, "channel")
        expires = self._messaging.moment(matters_s)
        return await self._messaging.send(
            state, alert, tuple(photos), original=original, progress=progress, expires=expires,
            form=form,
        )  # fmt: skip

    def list(self) -> list[ObjectView]:
        """Return all alerts this device knows, the newest first."""
        return self._messaging.alerts()

    def expired(self) -> Sequence[ObjectView]:
        """Return alerts that expired in the last week before the own node had answered."""
        return self._messaging.expired()

    async def show(
        self,
        ref: str,
        purpose: str | None = None,
        basis: str | None = None,
        reason: str = "",
        *,
        accept: bool = False,
    ) -> Opened:
        """Open an alert, which leaves an entry; see :meth:`Client.read`."""
        opened = await self._read(ref, purpose, basis, reason, accept=accept)
        if not isinstance(opened.message, SeizureAlert):
            raise RefusedError(f"{ref} is no alert: `seefen case show {ref}`", rule="no-alert")
        return opened

    async def answer(self, ref: str, answer: str, cause: str = "") -> Sent:
        """Answer: taken, passed_on, not_ours or rejected.

        Raises:
            OutOfTurnError: rule ``answered``: somebody of the own node has said the same.
        """
        return await self._requests.answer(ref, answer, cause)

    def unanswered(self) -> Sequence[OwnAlert]:
        """Return alerts of the own node that not every node has answered, for two days."""
        return self._messaging.unanswered()

    def reach(self, ref: str) -> Reaches:
        """Return, node by node, how far an alert got, and whom to call where it did not."""
        return self._cards.reached(self._messaging.reach(self._find(ref)))


class Files:
    """Files that others sent."""

    def __init__(self, engine: Engine, reader: Reader, find: Find) -> None:
        self._engine = engine
        self._reader = reader
        self._find = find

    def of(self, ref: str) -> tuple[str, ...]:
        """Return the files of a message and of its earlier versions, or the file itself.

        Covers are enough.

        Raises:
            RefusedError: rule ``no-file``: the message has none.
        """
        state, number = self._find(ref)
        row = row_of(self._engine, state, number)
        if row.statement.file:
            return (ref,)
        found = versions.files_of(self._engine, row)
        if not found:
            raise RefusedError(f"{ref} is a message without files", rule="no-file")
        return tuple(ref_of(self._engine, one) for one in found)

    def here(self, ref: str, folder: Path) -> Path | None:
        """Return where a file that was fetched before lies in a folder, whole, under its name."""
        state, number = self._find(ref)
        row = row_of(self._engine, state, number)
        note = row.message
        if not isinstance(note, FileNote):
            return None
        path = folder / saved_name(note.name)
        if not path.is_file() or path.stat().st_size != note.size:
            return None
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").digest() == note.sha256
        if same:
            fetched.remember(self._engine, row, path)
        return path if same else None

    def fetched(self, ref: str) -> tuple[Path, ...]:
        """Return where this device wrote the files of a message; who moved them knows more.

        Of what was taken back: the files of all its versions.
        """
        row = row_of(self._engine, *self._find(ref))
        return fetched.paths(self._engine, versions.taken_back_with(self._engine, row))

    def view(self, ref: str) -> ObjectView:
        """Return a file as a list shows it: its name and description once it was fetched."""
        state, number = self._find(ref)
        return object_view(self._engine, row_of(self._engine, state, number))

    async def get(
        self,
        ref: str,
        folder: Path,
        purpose: str | None = None,
        basis: str | None = None,
        reason: str = "",
        progress: Progress = silent,
        *,
        accept: bool = False,
    ) -> Path:
        """Fetch, check and open a file into a folder; return where it is."""
        state, number = self._find(ref)
        self._reader.remember(state.case, purpose, basis, reason)
        path = await self._reader.fetch(state, number, folder, progress, accept=accept)
        fetched.remember(self._engine, row_of(self._engine, state, number), path)
        return path
