"""The engine: keeps a device in step with the broker.

It fetches both logs, lets :mod:`seefen.client.trust` judge every byte, learns the keys
that were handed to this device, and stores what it may show. One thing at a time: a lock
orders syncing, sending and reading, so that numbers never cross.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seefen.client.connection import Connection
from seefen.client.keyfile import DeviceKeys
from seefen.client.learning import key_for_device, key_from_mailbox
from seefen.client.trust import Taken, Trust
from seefen.client.vault import Vault
from seefen.protocol import case_chain
from seefen.protocol import keys as handed
from seefen.protocol.directory import Directory
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import (
    AuthorityItem,
    AuthorityPage,
    FeedFrom,
    Item,
    LogFrom,
    Page,
    Proof,
    Span,
    Stub,
)
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.messages import decode_cover
from seefen.protocol.objects import open_cover
from seefen.protocol.statements import Ack, Assign, CaseKey, Mailbox, Object
from seefen.protocol.suite import sha256

PAGE: Final = 500


class Engine:
    """One device: its keys, vault, trust and connection."""

    def __init__(
        self, home: Path, keys: DeviceKeys, vault: Vault, trust: Trust, connection: Connection
    ) -> None:
        self.home = home
        self.keys = keys
        self.vault = vault
        self.trust = trust
        self.connection = connection
        self.lock = asyncio.Lock()
        self.alarms: list[str] = []
        self.arrived: Callable[[Taken], None] = lambda _: None

    @property
    def directory(self) -> Directory:
        """Who holds which key."""
        return self.trust.directory

    @property
    def node(self) -> str:
        """The node of this device."""
        return self.directory.device(self.keys.device).node

    def now(self) -> int:
        """Return unix seconds by this machine's clock."""
        return int(time.time())

    def alarm(self, sentence: str) -> None:
        """Keep an alarm: it is shown until the vault is gone."""
        self.alarms.append(sentence)
        self.vault.put("alarm", sentence.encode())

    # --- both logs -------------------------------------------------------------

    async def sync(self) -> int:
        """Fetch and check everything new; return how many entries came.

        Raises:
            UnreachableError: No broker; the vault is as it was.
            UntrustedError: The broker shows something that cannot be; evidence is kept.
        """
        await self.sync_authority()
        return await self._sync_feed()

    async def sync_authority(self) -> None:
        """Replay what is new in the authority log."""
        while True:
            seen = self.trust.head("authority").size
            # Leaves that were fetched with an invite came without our wraps: once more.
            start = self.vault.get_number("learned")
            page = await self.connection.request(
                "authority", LogFrom(start, PAGE, seen), AuthorityPage
            )
            await self.take_authority(page)
            if not page.items:
                return

    async def take_authority(self, page: AuthorityPage) -> None:
        """Take in a page of the authority log, all of it or nothing."""
        self.trust.learn_root(page)
        signed = await self.trust.accept("authority", page.checkpoint, page.consistency, self.prove)
        try:
            with self.vault.change():
                self.alarms += self.trust.take_authority(page)
                self.trust.check_replayed(signed.checkpoint)
                for item in page.items:
                    if item.kind == "mailbox" and item.wraps:
                        self._learn_seed(item)
                self.vault.put_number("learned", page.start + len(page.items))
        except BaseException as err:
            # The vault was rolled back: what is in memory must go back with it.
            self.trust.reload()
            if isinstance(err, UntrustedError):
                self.alarm(str(err))
            raise

    async def _sync_feed(self) -> int:
        count = 0
        while True:
            cursor = self.vault.get_number("cursor")
            seen = self.trust.head("activity").size
            page = await self.connection.request("feed", FeedFrom(cursor, PAGE, seen), Page)
            signed = await self.trust.accept(
                "activity", page.checkpoint, page.consistency, self.prove
            )
            count += self._take_page(page, signed.checkpoint)
            if page.upto <= cursor or page.upto >= signed.checkpoint.size:
                return count

    def _take_page(self, page: Page, under: Checkpoint) -> int:
        taken: list[Taken] = []
        merged: list[Item | Stub] = sorted([*page.items, *page.stubs], key=_index)
        try:
            with self.vault.change():
                for piece in merged:
                    if isinstance(piece, Stub):
                        self._check_stub(piece)
                        self._take_stub(piece)
                    elif (one := self.take_item(piece, under)) is not None:
                        taken.append(one)
                self.vault.put_number("cursor", page.upto)
        except BaseException:
            self.trust.forget_all()
            raise
        for one in taken:
            self.arrived(one)
        return len(taken)

    def take_item(self, item: Item, under: Checkpoint) -> Taken | None:
        """Take one item in; what breaks a rule raises an alarm and has no effect.

        Raises:
            UntrustedError: The entry does not stand in the signed log.
        """
        if self.vault.has_entry(item.entry.index):
            return None
        taken = self.trust.take_entry(item.kind, item.entry, item.envelope, under)
        try:
            state = self.trust.follow(taken)
        except SeefenError as err:
            stub = _stub(taken)
            self.alarm(f"entry {taken.index} was refused: {err} [{err.rule}]")
            self._take_stub(stub)
            return None
        match taken.opened.statement:
            case CaseKey() | Assign():
                self._learn_case_key(taken, item.wraps)
            case Object():
                if taken.core.n != state.object_count:
                    self.alarm(f"entry {taken.index} has a wrong number in {state.number}")
                self._store_object(taken, taken.opened.statement, item.body, state.object_count)
            case Ack():
                self._store_step(taken, taken.opened.statement)
            case _:
                pass
        return taken

    def _check_stub(self, stub: Stub) -> None:
        """Raise an alarm when a statement for this node came as a stub (attack 13)."""
        state = self.trust.state(stub.case)
        if state is None or self.vault.has_entry(stub.index):
            return
        try:
            case_chain.check_stub(state, stub, self.directory, self.node)
        except UntrustedError as err:
            self.alarm(f"entry {stub.index} of {state.number} was withheld: {err}")

    def _take_stub(self, stub: Stub) -> None:
        if self.trust.state(stub.case) is None:
            # Its opening was refused or withheld. The rest of the feed must still come in.
            if not self.vault.has_entry(stub.index):
                self.alarm(f"entry {stub.index} is in a case this device was never told of")
                self.trust.keep_stub(stub)
            return
        try:
            self.trust.take_stub(stub)
        except OutOfTurnError:
            self.alarm(f"something was withheld before entry {stub.index}: a number is missing")
            self.trust.jump(stub)

    async def prove(self, log: str, old: int, new: int) -> tuple[bytes, ...]:
        """Ask the broker for a consistency proof."""
        return (await self.connection.request("consistency", Span(log, old, new), Proof)).hashes

    # --- keys ------------------------------------------------------------------

    def mailbox_seed(self, node: str, box: str, gen: int) -> bytes | None:
        """Return the seed of a mailbox generation, walking back from newer ones."""
        row = self.vault.one(
            "SELECT seed FROM mailbox_seed WHERE node = ? AND box = ? AND gen = ?", node, box, gen
        )
        if row is not None:
            return bytes(row[0])
        newer = self.directory.mailbox(node, box, gen=gen + 1)
        wanted = self.directory.mailbox(node, box, gen=gen)
        if newer is None or wanted is None or not newer.link:
            return None
        seed = self.mailbox_seed(node, box, gen + 1)
        if seed is None:
            return None
        older = handed.previous_seed(seed, newer, wanted)
        self.keep_seed(wanted, older)
        return older

    def keep_seed(self, mailbox: Mailbox, seed: bytes) -> None:
        """Keep the seed of a mailbox generation."""
        row = (mailbox.node, mailbox.box, mailbox.version, seed)
        self.vault.run("INSERT OR REPLACE INTO mailbox_seed VALUES (?, ?, ?, ?)", *row)

    def case_key(self, case: bytes, gen: int) -> bytes | None:
        """Return the key of a generation, if this device holds it."""
        row = self.vault.one("SELECT key FROM case_key WHERE case_id = ? AND gen = ?", case, gen)
        return None if row is None else bytes(row[0])

    def keep_case_key(self, case: bytes, gen: int, key: bytes) -> None:
        """Keep the key of a generation and open what waited for it."""
        self.vault.run("INSERT OR REPLACE INTO case_key VALUES (?, ?, ?)", case, gen, key)
        rows = self.vault.run(
            "SELECT object, envelope FROM object WHERE case_id = ? AND cover IS NULL", case
        )
        for object_, envelope in rows:
            self._open_cover(object_, object_of(envelope))

    def _learn_seed(self, item: AuthorityItem) -> None:
        mailbox = open_envelope(item.envelope, "mailbox").statement
        if not isinstance(mailbox, Mailbox) or mailbox.node != self.node:
            return
        mine = next((w.hash for w in mailbox.wraps if w.device == self.keys.device), None)
        for wrapped in item.wraps:
            if mine == sha256(wrapped):
                self.keep_seed(mailbox, handed.unwrap_mailbox_seed(wrapped, self.keys.kem, mailbox))
                self._learn_waiting_keys()

    def _learn_waiting_keys(self) -> None:
        # Who got a mailbox after the keys that were sent to it finds them here.
        for name, value in self.vault.run(
            "SELECT name, value FROM setting WHERE name GLOB 'wrap/*' ORDER BY name"
        ):
            case, gen = name.split("/")[1:]
            state = self.trust.require_state(bytes.fromhex(case))
            casekey = state.generations[int(gen) - 1].statement
            self._learn(casekey, casekey, decode(value, tuple[bytes, ...]))

    def _learn_case_key(self, taken: Taken, wraps: tuple[bytes, ...]) -> None:
        statement = taken.opened.statement
        state = self.trust.require_state(statement.case)  # type: ignore[attr-defined]
        if isinstance(statement, Assign):
            casekey = state.generations[statement.gen - 1].statement
        elif isinstance(statement, CaseKey):
            casekey = statement
        else:
            return
        self._learn(statement, casekey, wraps)

    def _learn(
        self, statement: CaseKey | Assign, casekey: CaseKey, wraps: tuple[bytes, ...]
    ) -> None:
        if self.case_key(casekey.case, casekey.gen) is not None:
            return
        state = self.trust.require_state(casekey.case)
        waiting = f"wrap/{casekey.case.hex()}/{casekey.gen:05d}"
        try:
            key = self.vault.get(f"made/{casekey.key_id.hex()}")
            if statement is casekey:
                key = key or self._key_from_mailbox(casekey, state.box, wraps)
            key = key or key_for_device(casekey, statement, self.keys, wraps)
            key = key or self._key_from_link(casekey)
        except UntrustedError as err:
            self.alarm(f"the key of {state.number} does not open: {err} [{err.rule}]")
            return
        if key is not None:
            self.keep_case_key(casekey.case, casekey.gen, key)
            self.vault.run("DELETE FROM setting WHERE name = ?", waiting)
        elif statement is casekey and any(w.node == self.node for w in casekey.mailboxes):
            self.vault.put(waiting, encode(list(wraps)))

    def _key_from_mailbox(
        self, casekey: CaseKey, box: str, wraps: tuple[bytes, ...]
    ) -> bytes | None:
        ours = next((w for w in casekey.mailboxes if w.node == self.node), None)
        seed = None if ours is None else self.mailbox_seed(self.node, box, ours.gen)
        if ours is None or seed is None:
            return None
        return key_from_mailbox(casekey, ours, seed, wraps)

    def _key_from_link(self, casekey: CaseKey) -> bytes | None:
        before = self.case_key(casekey.case, casekey.gen - 1)
        if before is None or not casekey.link:
            return None
        return handed.next_key(before, casekey)

    # --- what is stored ----------------------------------------------------------

    def _store_object(self, taken: Taken, obj: Object, body: bytes, n: int) -> None:
        at = taken.core.at // 1000
        # ``n`` is counted here: the broker could name one number twice, and hide an object.
        row = (obj.object, obj.case, n, taken.index, at, taken.opened.envelope, body or None)
        self.vault.run(
            "INSERT OR IGNORE INTO object (object, case_id, n, idx, at, envelope, sealed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *row,
        )
        if obj.supersedes is not None:
            self._supersede(obj, obj.supersedes)
        self._open_cover(obj.object, obj)

    def _supersede(self, obj: Object, older: bytes) -> None:
        row = self.vault.one("SELECT envelope FROM object WHERE object = ?", older)
        old = None if row is None else object_of(row[0])
        if old is not None and (old.case, old.node) == (obj.case, obj.node):
            # Only the author's own node replaces what it said.
            sql = "UPDATE object SET superseded_by = ? WHERE object = ?"
            self.vault.run(sql, obj.object, older)

    def _open_cover(self, object_: bytes, obj: Object) -> None:
        key = self.case_key(obj.case, obj.gen)
        if key is None:
            return
        try:
            cover = open_cover(obj, key)
            decode_cover(cover)
        except SeefenError as err:
            self.alarm(f"the cover of a message from {obj.node} does not open: {err}")
            return
        self.vault.run("UPDATE object SET cover = ? WHERE object = ?", cover, object_)

    def _store_step(self, taken: Taken, ack: Ack) -> None:
        self.vault.run(
            "INSERT OR IGNORE INTO step VALUES (?, ?, ?, ?, ?)",
            ack.object,
            ack.node,
            ack.step,
            taken.core.at // 1000,
            taken.core.officer,
        )


def object_of(envelope: bytes) -> Object:
    """Return the object in an envelope of the vault, which was verified when it came in."""
    statement = open_envelope(envelope, "object").statement
    if not isinstance(statement, Object):
        raise UntrustedError("not an object", rule="wrong-kind")
    return statement


def _index(piece: Item | Stub) -> int:
    return piece.index if isinstance(piece, Stub) else piece.entry.index


def _stub(taken: Taken) -> Stub:
    core = taken.core
    return Stub(
        taken.index,
        taken.opened.kind,
        bytes.fromhex(core.case),
        bytes.fromhex(core.device),
        core.case_n,
    )
