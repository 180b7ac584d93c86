"""The client: one device of a node, for the command line, for a desk, and for programs.

    async with Client.open(home, passphrase) as client:
        sent = await client.cases.send("SF-2026-SKP-00001", "See the annex.")

Opening works without the broker: what is in the vault can be read and what is sent waits
in the outbox. All methods raise ``SeefenError`` with a ``rule`` and a sentence for a person.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from seefen.client import alarms, listings, marks, mirroring, retaking, searching, unwitnessed
from seefen.client.amending import Amending
from seefen.client.auditing import Audit
from seefen.client.casework import Casework
from seefen.client.connection import Connection, UnreachableError
from seefen.client.devices import Devices
from seefen.client.duty import Duty
from seefen.client.engine import Engine
from seefen.client.exporting import Exporting
from seefen.client.faces import Alerts, Cases, Channels, Files
from seefen.client.forwarding import Forwarding
from seefen.client.handlers import H, Handlers
from seefen.client.house import House
from seefen.client.invites import Invite
from seefen.client.keyfile import NAME, DeviceKeys, read_key_file
from seefen.client.keying import fresh_at
from seefen.client.messaging import Messaging, silent
from seefen.client.outbox import Outbox
from seefen.client.pairs import Pairs
from seefen.client.presetting import Presetting
from seefen.client.pushes import Pushes
from seefen.client.queueing import Queue
from seefen.client.reading import Reader
from seefen.client.requests import Requests
from seefen.client.ringing import Ringing
from seefen.client.roots import Roots
from seefen.client.sender import Sender
from seefen.client.tags import Tags
from seefen.client.trust import Trust
from seefen.client.upkeep import Upkeep
from seefen.client.values import CheckResult, Found, NodeView, Opened, Sent, Synced
from seefen.client.vault import NAME as VAULT
from seefen.client.vault import Vault
from seefen.client.views import object_view, row_of
from seefen.client.watching import Watch
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.messages import Message

LOOK: Final = 60  # seconds between two looks while on line
RETRY: Final = (1, 2, 5, 10, 20)  # seconds between two tries to reach the broker


class Client:
    """An open device. Make it with :meth:`open`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sender = Sender(engine)
        self._outbox = Outbox(engine, self._sender)
        self._tags, self._casework = Tags(engine), Casework(engine, self._sender)
        self._reader = Reader(engine, self._sender)
        self._messaging = Messaging(engine, self._outbox, self._casework)
        self.journal, self._online = self._reader.journal, False
        self.queue = Queue(engine, self._outbox, self._sender)
        self.watch = Watch(engine, self._reader, self._casework)
        self.house = House(engine, self._casework, self._messaging, self._reader)
        self.presets = Presetting(engine, self.house, self.find)
        self._messaging.fill = self.presets.fill
        self._bind(Pairs(engine, self.house))
        self.ringing = Ringing(engine, self.watch, self.house, self._messaging, self.find)
        self._pushes = Pushes(engine, self._reader, self.watch, self.house, self.ringing)
        self.devices, self.root = Devices(engine, self._sender), Roots(engine, self._sender)
        self.upkeep = Upkeep(engine, self._sender, self.devices, self._casework)
        self.audit, self.logs = Audit(engine, self.journal, self._sender), mirroring.Logs(engine)
        self.channels = Channels(engine, self._casework)
        self.cases = Cases(engine, self._casework, self._messaging, self.devices, self.find)
        self.requests = Requests(engine, self._casework, self._messaging, self.find)
        parts = (self._casework, self._messaging, self._reader, self.house, self.requests)
        self.duty = Duty(engine, *parts, self._pushes)
        self.amend = Amending(engine, self._messaging, self.requests, self.find)
        self.onward = Forwarding(engine, self._casework, self._messaging, self.requests, self.find)
        cards, requests = self.duty.cards, self.requests
        self.alerts = Alerts(self._casework, self._messaging, requests, cards, self.read, self.find)
        self.files = Files(engine, self._reader, self.find)
        self.export = Exporting(engine, self._casework, self._reader, self.read)
        self.events, self.end_events = self._pushes.events, self._pushes.end_events
        self._handlers = Handlers(engine, self._pushes, self.requests, self.read)
        self._keeper: asyncio.Task[None] | None = None

    def _bind(self, pairs: Pairs) -> None:
        """Put the pair policy before everything that leaves."""
        self._casework.permit = pairs.require_members
        self._messaging.permit = pairs.require_message
        self._messaging.clocks = pairs.clocks
        self._outbox.permit = pairs.require_draft

    @classmethod
    @asynccontextmanager
    async def open(
        cls, home: Path, secret: str | DeviceKeys, patience: float | None = None
    ) -> "AsyncGenerator[Client]":
        """Open the device in ``home``; it is closed at the end of the block.

        ``secret`` is the passphrase, or keys that :func:`seefen.client.keeping.ask` handed out.
        After ``patience`` seconds without any answer of the broker the vault opens without it; with
        0 the broker is asked nothing, and nothing leaves.

        Raises:
            RefusedError: rule ``no-device``, ``passphrase``, ``vault-busy``, ``not-joined``.
        """
        if isinstance(secret, DeviceKeys):
            keys = secret
        else:
            keys = await asyncio.to_thread(read_key_file, home / NAME, secret)
        vault = Vault.open(home / VAULT, keys.vault)
        try:
            kept = vault.get("invite")
            if kept is None or vault.get("joined") is None:
                raise RefusedError(
                    "this device was not admitted yet: run `seefen join` again", rule="not-joined"
                )
            invite = msgspec.json.decode(kept, type=Invite)
            trust = Trust(vault, bytes.fromhex(invite.net), home / "evidence")
            engine = Engine(home, keys, vault, trust, Connection(invite.address, keys))
            client = cls(engine)
            try:
                await client._start(patience)
                yield client
            finally:
                await client._stop()
        finally:
            vault.close()

    # --- who and where ----------------------------------------------------------

    @property
    def online(self) -> bool:
        """Whether the broker is reachable now."""
        return self._online

    @property
    def node(self) -> str:
        """The node of this device."""
        return self._engine.node

    @property
    def device_hex(self) -> str:
        """The id of this device."""
        return self._engine.keys.device.hex()

    @property
    def officer(self) -> str:
        """The pseudonym of its officer."""
        return self._engine.directory.device(self._engine.keys.device).officer

    @property
    def roles(self) -> tuple[str, ...]:
        """What this device may do."""
        return self._engine.directory.device(self._engine.keys.device).roles

    @property
    def network(self) -> str:
        """The name of the network."""
        return self._engine.directory.root.name

    @property
    def net(self) -> str:
        """The network's id: the hash of the first version of its root statement, in hex."""
        return self._engine.directory.net.hex()

    @property
    def quorum(self) -> int:
        """How many witnesses must cosign; with 0 split views are possible."""
        return self._engine.directory.root.quorum

    @property
    def alarms(self) -> tuple[str, ...]:
        """Alarms that nobody acknowledged, the newest last; evidence is in ``evidence``."""
        return (*self.house.intruders(), *alarms.unanswered(self._engine.vault))

    @property
    def alarm(self) -> str | None:
        """The last alarm."""
        return next(reversed(self.alarms), None)

    @property
    def checkpoint_at(self) -> int:
        """Until when the log was seen by the quorum, 0 for never; without one, signed."""
        return fresh_at(self._engine).get("activity", 0)

    def nodes(self) -> list[NodeView]:
        """Return the nodes of the network."""
        return listings.nodes(self._engine)

    # --- in step ------------------------------------------------------------------

    async def sync(self) -> Synced:
        """Fetch what is new and send what waits; without the broker nothing changes.

        Raises:
            LoginError: This device is not let in any more.
            UntrustedError: The broker shows something that cannot be; evidence is kept.
        """
        synced = await self._sync()
        await self._acknowledge_rest()
        return synced

    async def _sync(self) -> Synced:
        engine = self._engine
        engine.alarms.clear()
        try:
            new = await retaking.catch_up(engine, self._tags.look)
            async with engine.lock:
                unwitnessed.confirm(engine)
                await self._sender.settle()  # first what an earlier process left on its way
                self.audit.drop_ended()
                await self.house.look()  # what leaves now leaves under the papers of now
                self._pushes.work.set()
                await self._outbox.flush()
                await self.journal.owed()
                await self._reader.acks.owed()
                await self.duty.emergencies.enter()
                await self._pushes.open_waiting()
                await self.devices.renew_mailboxes()
                self.duty.codelists.apply()
                self.ringing.stirred = True  # who went on watch, too
                self._pushes.ring()
            if self._outbox.files_wait:
                # What an earlier process could not bring to its end. The lock is free for alerts.
                problem = await self._outbox.prepare(silent)
                if problem is not None:
                    engine.alarm(f"a file did not follow its message: {problem}")
                async with engine.lock:
                    await self._outbox.flush()
        except UnreachableError:
            self._online = False
            return Synced(0, tuple(engine.alarms))
        self._pushes.reached(before=self._online)
        self._online = True
        engine.vault.put("session", engine.connection.session())
        return Synced(new, tuple(engine.alarms))

    # --- for programs ---------------------------------------------------------------

    def on(self, *types: type[Message]) -> Callable[[H], H]:
        """Register an async function that :meth:`run` calls for messages of these types.

        Raises:
            ValueError: A type has one already, or none is named.
        """
        return self._handlers.on(*types)

    async def run(
        self, *, purpose: str, basis: str, reason: str = "", accept: bool = False
    ) -> None:
        """Open what comes and hand it to the functions of :meth:`on`, until cancelled.

        Raises:
            ValueError: No function was registered.
            LoginError: This device is not let in any more.
        """
        await self._handlers.run(purpose=purpose, basis=basis, reason=reason, accept=accept)

    # --- reading --------------------------------------------------------------------

    async def read(
        self,
        ref: str,
        purpose: str | None = None,
        basis: str | None = None,
        reason: str = "",
        *,
        emergency: bool = False,
        accept: bool = False,
    ) -> Opened:
        """Open a message. Purpose and basis are remembered for the case and shift.

        Raises:
            RefusedError: rule ``purpose-needed``, ``d-no-key``, ``not-a-reader``; ``conditions``:
                those that it names were not accepted yet (``accept``).
        """
        state, number = self.find(ref)
        self._reader.remember(state.case, purpose, basis, reason)
        opened = await self._reader.read(state, number, emergency=emergency, accept=accept)
        row = row_of(self._engine, state, number)
        return replace(opened, view=object_view(self._engine, row))

    def find(self, ref: str) -> tuple[CaseState, int]:
        """Return case and number that a reference ``CASE#n`` names.

        Raises:
            RefusedError: rule ``reference`` or ``unknown-case``.
        """
        return self._casework.find_object(ref)

    def check(
        self, serial: str, purpose: str | None = None, basis: str | None = None, reason: str = ""
    ) -> CheckResult:
        """Look for a serial number, plate or headstamp in the own vault: :meth:`Journal.search`."""
        look = partial(self.watch.beside, partial(marks.check, self._engine, serial))
        return self.journal.search("mark", serial, look, (purpose, basis, reason))

    def search(
        self, text: str, purpose: str | None = None, basis: str | None = None, reason: str = ""
    ) -> Found:
        """Look for words in all that was opened here; covers, no bodies: :meth:`Journal.search`."""
        look = partial(self.watch.beside, partial(searching.search, self._engine, text))
        return self.journal.search("words", text, look, (purpose, basis, reason))

    # --- drafts and queue -------------------------------------------------------------

    def queued(self) -> list[Sent]:
        """Return what waits in the outbox, with the last problem of each."""
        return self.queue.sent()

    def draft(self, name: str) -> bytes | None:
        """Return what was kept of a form that was not sent."""
        return self._engine.vault.get(f"form/{name}")

    def keep_draft(self, name: str, data: bytes) -> None:
        """Keep a half-filled form; it survives everything."""
        self._engine.vault.put(f"form/{name}", data)

    def forget_draft(self, name: str) -> None:
        """Drop a half-filled form."""
        self._engine.vault.run("DELETE FROM setting WHERE name = ?", f"form/{name}")

    # --- life ---------------------------------------------------------------------------

    async def _start(self, patience: float | None) -> None:
        connection = self._engine.connection
        connection.pushed = self._pushes.take
        connection.closed = self._closed
        if (session := self._engine.vault.get("session")) is not None:
            connection.resume(session)
        self._outbox.clean()
        self._reader.clean()
        self._pushes.start()
        self.duty.assigning.start()
        if patience == 0:
            return
        # Whatever the broker shows or refuses: what is in the vault can be read.
        with contextlib.suppress(SeefenError):
            await connection.patience.glance(self._sync(), patience)
        self._keeper = asyncio.create_task(self._keep_connected())

    async def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self.duty.assigning.stop()
        await self._pushes.stop()
        await self._engine.connection.close()

    def _closed(self, reason: str) -> None:
        self._online = False
        self._pushes.tell("closed", reason)

    async def _acknowledge_rest(self) -> None:
        """Tell what a long absence left owed; between two bundles the officer comes first."""
        more = self._online
        with contextlib.suppress(SeefenError):
            while more:
                async with self._engine.lock:
                    more = await self._reader.acks.owed()
                    await self.journal.owed()

    async def _keep_connected(self) -> None:
        tries, synced, exchanged = 0, time.monotonic(), self._engine.connection.exchanged
        while True:
            await self._acknowledge_rest()
            await asyncio.sleep(RETRY[min(tries, len(RETRY) - 1)])
            with contextlib.suppress(SeefenError):  # the disk is full: whoever writes next is told
                self._engine.vault.sync()
                self._engine.vault.tidy()
            if self._engine.connection.is_open:
                tries = 0
                lost = exchanged != self._engine.connection.exchanged
                if time.monotonic() - synced < LOOK and not lost:
                    continue
            tries, exchanged = tries + 1, self._engine.connection.exchanged
            with contextlib.suppress(SeefenError):
                await self._sync()
            # A push that was lost, a log that grew old: nothing waits longer than this.
            synced = time.monotonic()
            with contextlib.suppress(SeefenError):
                self._pushes.remind(listings.reminders(self.requests, self.watch))
