"""The engine: keeps a device in step with the broker.

It fetches both logs, lets :mod:`seefen.client.trust` judge every byte, learns the keys
that were handed to this device, and stores what it may show. One thing at a time: a lock
orders syncing, sending and reading, so that numbers never cross.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seefen.client import alarms
from seefen.client.accusing import accuse
from seefen.client.again import Again
from seefen.client.ahead import ahead, of_entries
from seefen.client.connection import Connection
from seefen.client.doubts import came_late, doubt
from seefen.client.heads import SeenHeads
from seefen.client.keychain import Keychain
from seefen.client.keyfile import DeviceKeys
from seefen.client.once import opened
from seefen.client.paging import Place, keep_place, place_of
from seefen.client.states import STRUCTURE, comes_late, drop_unknown
from seefen.client.storing import crowded, crowded_out, store_object, store_step
from seefen.client.stubs import Stubs, is_told_less, stub_of
from seefen.client.trust import Taken, Trust
from seefen.client.vault import Vault
from seefen.client.witnessed import WitnessedHeads
from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import (
    AuthorityPage,
    Item,
    LogFrom,
    LogName,
    Page,
    Proof,
    Span,
    Stub,
    WitnessedHead,
)
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Ack, Activity, Assign, Case, CaseKey, Object

HOUSE: Final = "house"  # the channel of a node alone, see house.py
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
        self.keychain = Keychain(vault, keys, trust, self.alarm)
        self.again = Again(trust, vault, self.keychain, connection, home, self.alarm)
        self.lock = asyncio.Lock()
        self.witnessed = WitnessedHeads(vault, trust)
        self._stubs = Stubs(trust, vault, self.alarm)
        self._heads = SeenHeads(keys.device, home / "evidence")
        self.alarms: list[str] = []
        self.arrived: Callable[[Sequence[Taken]], None] = lambda _: None

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
        alarms.keep(self.vault, sentence)

    # --- both logs -------------------------------------------------------------

    async def sync(self) -> int:
        """Fetch and check everything new; return how many entries came.

        Raises:
            UnreachableError: No broker; the vault is as it was.
            UntrustedError: The broker shows something that cannot be; evidence is kept.
        """
        await self.sync_authority()
        await self.again.ask(self.change)
        count = await self._sync_feed()
        await self.fetch_witnessed()
        return count

    async def fetch_witnessed(self) -> None:
        """Fetch what the quorum has signed since."""
        await self.witnessed.fetch(self._ask_witnessed, self.prove, self.now())

    async def sync_authority(self) -> None:
        """Replay what is new in the authority log."""
        while True:
            seen = self.trust.head("authority").size
            # Leaves that were fetched with an invite came without our wraps: once more.
            start = self.vault.get_number("learned")
            page = await self.connection.request(
                "authority", LogFrom(start, PAGE, seen), AuthorityPage
            )
            if page.start != start:
                raise UntrustedError("the broker shows another page than was asked", rule="page")
            await self.take_authority(page)
            if not page.items:
                return

    async def reach(self, entries: Sequence[Entry]) -> None:
        """Know the authority log as far as entries were judged by it.

        Raises:
            UntrustedError: rule ``withheld``: the broker does not show it that far.
        """
        needed = max((Record.decode(e.record).authority_size for e in entries), default=0)
        if needed > self.directory.size:
            await self.sync_authority()
        if needed > self.directory.size:
            await accuse(self.trust, self.vault, self.home, entries, self.sync_authority)

    async def take_authority(self, page: AuthorityPage) -> None:
        """Take in a page of the authority log, all of it or nothing."""
        self.trust.learn_root(page)
        signed = await self.trust.accept("authority", page.checkpoint, page.consistency, self.prove)
        try:
            with self.vault.change():
                for sentence in self.trust.take_page(page, signed.checkpoint):
                    self.alarm(sentence)
                self.again.learn_seeds(page)
                self.vault.put_number("learned", page.start + len(page.items))
        except BaseException as err:
            # The vault was rolled back: what is in memory must go back with it.
            self.trust.reload()
            self.keychain.forget_all()
            if isinstance(err, UntrustedError):
                self.alarm(str(err))
            raise

    async def _sync_feed(self) -> int:
        count, place = 0, place_of(self.vault)
        broken: SeefenError | None = None
        asked: asyncio.Task[Page] | None = self._ask_page(place)
        try:
            while asked is not None:
                page = await asked
                signed = await self.trust.accept(
                    "activity", page.checkpoint, page.consistency, self.prove
                )
                under = signed.checkpoint
                place, more = place.behind(page, under.size)
                # The broker makes the next page while this one is checked.
                asked = self._ask_page(place) if more else None
                await self.reach([item.entry for item in page.items])
                await asyncio.sleep(0)  # the question leaves before the work begins
                taken, wrong = self._take_page(page, under, place if broken is None else None)
                broken, count = broken or wrong, count + len(taken)
                self.arrived(taken)
        finally:
            if asked is not None:
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)  # it may have failed before
        for sentence in await self._heads.compare(self.trust, self.vault, self.connection):
            self.alarm(sentence)
        if broken is not None:
            raise broken
        return count

    def _ask_page(self, place: Place) -> asyncio.Task[Page]:
        ask = place.asked(PAGE, self.trust.head("activity").size)
        return asyncio.create_task(self.connection.request("feed", ask, Page))

    def _take_page(
        self, page: Page, under: Checkpoint, place: Place | None
    ) -> tuple[list[Taken], SeefenError | None]:
        """Take in what is true of a page; return it, and what was wrong with the rest.

        The cursor stays before a page with an entry that cannot be: it is asked for again.
        """
        taken: list[Taken] = []
        wrong: SeefenError | None = None
        merged: list[Item | Stub] = sorted([*page.items, *page.stubs], key=_index)
        with self.change(), ahead(merged, of_entries(self.directory)) as pieces:
            for count in page.before:
                self.trust.count_before(count, self.node)
            for piece in pieces:
                if isinstance(piece, Stub):
                    self.take_stub(piece)
                    continue
                try:
                    one = self.take_item(piece, under)
                except SeefenError as err:
                    self.alarm(f"entry {piece.entry.index} is not to be believed: {err}")
                    wrong = wrong or err
                    continue
                if one is not None:
                    taken.append(one)
            drop_unknown(self.vault, page.before)
            self.look_for_crowded_out(taken)
            if place is not None and wrong is None:
                keep_place(self.vault, place)
        return taken, wrong

    @contextmanager
    def change(self) -> Generator[None]:
        """Make all writes inside one transaction; cases in memory go back with it."""
        with self._together(self.vault.change()):
            yield

    @contextmanager
    def soon(self) -> Generator[None]:
        """Do as :meth:`change` does, synced with what is committed next (:meth:`Vault.soon`)."""
        with self._together(self.vault.soon()):
            yield

    @contextmanager
    def _together(self, transaction: AbstractContextManager[None]) -> Generator[None]:
        try:
            with transaction:
                yield
        except BaseException:
            self.trust.forget_all()
            self.keychain.forget_all()
            raise

    def look_for_crowded_out(self, taken: Sequence[Taken]) -> None:
        """Raise an alarm about what was taken in and could not be kept."""
        for index in crowded_out(self.vault, taken):
            self.alarm(crowded(index))

    def take_stub(self, stub: Stub) -> None:
        """Take a stub in; one in place of what is for this node raises an alarm."""
        self._stubs.check(stub, self.node)
        self._stubs.take(stub, self.node)

    def take_item(self, item: Item, under: Checkpoint, *, alone: bool = False) -> Taken | None:
        """Take one item in; what breaks a rule raises an alarm and has no effect.

        Args:
            alone: It came without what lies before it. If it breaks a rule, that may be why:
                nothing is kept, and the feed has it again, in its place.

        Raises:
            SeefenError: The entry does not stand in the signed log.
        """
        if self.vault.has_entry(item.entry.index):
            return None
        taken = self.trust.take_entry(item.kind, item.entry, item.envelope, under)
        case = bytes.fromhex(taken.core.case)
        late = comes_late(self.vault, self.trust.state(case), item.kind, taken.index)
        try:
            state = self._follow(taken)
        except SeefenError as err:
            if alone:
                return None
            self.alarm(f"entry {taken.index} was refused: {err} [{err.rule}]")
            doubt(self.vault, case)
            self._stubs.take(stub_of(taken), self.node)
            return None
        if late:
            came_late(self.vault, case)
        self._heads.note(taken)
        return self._store(taken, state, item)

    def _store(self, taken: Taken, state: CaseState, item: Item) -> Taken:
        match taken.opened.statement:
            case Case() as opened if opened.version == 1:
                self._keep_name(opened)
            case CaseKey() | Assign():
                self.again.learn(taken, item.wraps)
            case Object() as obj:
                if taken.core.n != state.object_count:
                    self.alarm(f"entry {taken.index} has a wrong number in {state.number}")
                    doubt(self.vault, obj.case)
                found = self.keychain.open_cover(obj)
                data = None if found is None else found.data
                spoiled = found is None and self.case_key(obj.case, obj.gen) is not None
                count = state.object_count
                body = self.again.checked(taken.index, f"{state.number}#{count}", obj, item.body)
                store_object(self.vault, taken, obj, data, body, count, spoiled=spoiled)
                if found is not None:
                    return replace(taken, cover=found.cover)
            case Ack() as ack:
                store_step(self.vault, ack, taken.core.at // 1000, taken.core.officer)
            case _:
                pass
        return taken

    def _follow(self, taken: Taken) -> CaseState:
        try:
            return self.trust.follow(taken, reader=self.node)
        except OutOfTurnError as err:
            stub = stub_of(taken)
            if err.rule != "number" or self.vault.has_number(stub.case, stub.device, stub.case_n):
                raise  # a number used twice: a cloned device (attack 36)
            told_less = is_told_less(self.trust.require_state(stub.case), stub, self.node)
            # What was withheld must not take the next with it, nor be lost once it is shown.
            state = self.trust.follow(taken, reader=self.node, past_gap=True)
            if not told_less:
                what = f"something was withheld beside entry {taken.index}"
                self.alarm(f"{what}: a number is missing")
                doubt(self.vault, stub.case)
            return state

    def in_order(self, kind: str, entry: Entry, envelope: bytes) -> bool:
        """Tell whether what an entry must not overtake is known.

        An object would get a number here that others know another message by. A change of
        members or key would make every message before it look written under an old key.
        """
        statement = opened(envelope, kind).statement
        if not isinstance(statement, Activity) or self.trust.state(statement.case) is None:
            return True
        if isinstance(statement, Object):
            state = self.trust.require_state(statement.case)
            return decode_core(entry.core).n == state.object_count + 1
        return kind not in STRUCTURE or self._knows_before(entry.index)

    def _knows_before(self, index: int) -> bool:
        """Tell whether every entry before an index is known: by the feed, or one by one."""
        # Inside a backlog a key of before may still be due, whatever the cursor says.
        place = place_of(self.vault)
        sql = "SELECT count(*) FROM entry WHERE idx >= ? AND idx < ?"
        row = self.vault.one(sql, place.cursor, index)
        return not place.within and row is not None and place.cursor + row[0] >= index

    def follows(self, kind: str, entry: Entry, envelope: bytes) -> bool:
        """Tell whether an entry is the next of its case; else the feed has what lies before.

        Taken in alone, it would be refused for ever.
        """
        statement = opened(envelope, kind).statement
        if not isinstance(statement, Activity):
            raise UntrustedError("not a statement of a case", rule="unknown-kind")
        state = self.trust.state(statement.case)
        if state is None:
            return isinstance(statement, Case) and statement.version == 1
        if isinstance(statement, Object) and statement.gen != state.generation.gen:
            return False
        number = state.last(statement.device).case_n + 1
        return number == statement.case_n and self.in_order(kind, entry, envelope)

    def _keep_name(self, case: Case) -> None:
        # The first of a name keeps it: nobody takes over a channel by opening another one. The
        # house is our own, whoever was the first.
        if case.number == HOUSE and case.node != self.node:
            return
        if self.named(case.number) is None:
            self.vault.put(f"name/{case.number}", case.case)

    def named(self, name: str) -> bytes | None:
        """Return the case or channel a name stands for here."""
        return self.vault.get(f"name/{name}")

    def name_of(self, state: CaseState) -> str:
        """Return the number of a case or name of a channel; ``name@owner`` if one had it before."""
        ours = state.number != HOUSE or state.owner == self.node
        if ours and self.named(state.number) in (None, state.case):
            return state.number
        return f"{state.number}@{state.owner}"

    def case_key(self, case: bytes, gen: int) -> bytes | None:
        """Return the key of a generation, if this device holds it."""
        return self.keychain.case_key(case, gen)

    def mailbox_seed(self, node: str, box: str, gen: int) -> bytes | None:
        """Return the seed of a generation of a mailbox, if this device holds it."""
        return self.keychain.mailbox_seed(node, box, gen)

    async def prove(self, log: str, old: int, new: int) -> tuple[bytes, ...]:
        """Ask the broker for a consistency proof."""
        return (await self.connection.request("consistency", Span(log, old, new), Proof)).hashes

    async def _ask_witnessed(self, log: str) -> str:
        asked = self.connection.request("witnessed", LogName(log), WitnessedHead)
        return (await asked).checkpoint


def _index(piece: Item | Stub) -> int:
    return piece.index if isinstance(piece, Stub) else piece.entry.index
