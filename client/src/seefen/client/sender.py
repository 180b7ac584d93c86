"""Sending: numbers, heads and signatures at the last moment, and never twice.

What is about to leave is written to the vault first and repeated unchanged until the
broker answers with a receipt or a refusal. After a refusal for order it is numbered and
signed again. A receipt is believed only with proof and with our own tag in the record.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from seefen.client.connection import FRAME_LIMIT, UnreachableError
from seefen.client.engine import Engine
from seefen.client.trust import Taken
from seefen.protocol.bundle import Bundle, Content, Signed, encode_bundle
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError, UntrustedError
from seefen.protocol.frames import Ask, Item, Recorded, Released, Send
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.record import Record
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import (
    ACTIVITY_KINDS,
    Activity,
    Authority,
    Caseless,
    Object,
    Part,
    Statement,
)
from seefen.protocol.suite import SUITE, SigningKey, new_id, random_bytes, sha256, tag

TRIES: Final = 5
NO_CASE: Final = b""
A = TypeVar("A", bound=Activity)
C = TypeVar("C", bound=Caseless)
U = TypeVar("U", bound=Authority)


class Pending(Part, frozen=True):
    """What is on its way: the exact bytes, so that a repeat gives the same receipt."""

    verb: str
    body: bytes
    note: bytes = b""  # for :attr:`Sender.granted` or :attr:`Sender.entered`


Granted: TypeAlias = Callable[[Taken, dict[bytes, bytes], bytes], None]
Entered: TypeAlias = Callable[[list[Taken], bytes], None]


@dataclass(slots=True)
class Parcel:
    """A bundle being made: its statements take the next numbers in order."""

    engine: Engine
    signed: list[Signed] = field(default_factory=list[Signed])
    wraps: list[bytes] = field(default_factory=list[bytes])
    contents: list[Content] = field(default_factory=list[Content])
    note: bytes = b""
    _taken: dict[bytes, int] = field(default_factory=dict[bytes, int])
    _objects: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])

    def next_case_n(self, case: bytes) -> int:
        """Return the device's next number in a case."""
        state = self.engine.trust.state(case)
        last = 0 if state is None else state.last(self.engine.keys.device).case_n
        return last + self._taken.get(case, 0) + 1

    def previous_object(self, case: bytes) -> bytes:
        """Return the hash of the device's previous object in a case."""
        if case in self._objects:
            return self._objects[case]
        state = self.engine.trust.state(case)
        known = None if state is None else state.last(self.engine.keys.device).object_hash
        return known or bytes(32)

    def next_device_n(self) -> int:
        """Return the device's next number."""
        return self.engine.vault.get_number("device_n") + sum(self._taken.values()) + 1

    def activity(self, type_: type[A], kind: str, case: bytes, **fields: Any) -> A:
        """Make a statement of the activity log with the next numbers."""
        mine: dict[str, Any] = {"case": case, "case_n": self.next_case_n(case), **fields}
        return type_(**self._said(kind) | mine)

    def caseless(self, type_: type[C], kind: str, **fields: Any) -> C:
        """Make a statement of the activity log that is of no case, with the next number."""
        return type_(**self._said(kind) | fields)

    def _said(self, kind: str) -> dict[str, Any]:
        """Return what each statement of the activity log says of its author and the logs."""
        engine = self.engine
        return {
            "suite": SUITE,
            "net": engine.directory.net,
            "kind": kind,
            "nonce": new_id(),
            "node": engine.node,
            "device": engine.keys.device,
            "device_n": self.next_device_n(),
            "authority": engine.directory.head(),
            "activity": engine.trust.head("activity"),
        }

    def authority(
        self, type_: type[U], kind: str, chain: tuple[str, bytes | str], **fields: Any
    ) -> U:
        """Make a statement of the authority log, the next of its chain."""
        directory = self.engine.directory
        link = directory.link(chain)
        return type_(
            suite=SUITE,
            net=directory.net,
            kind=kind,
            nonce=new_id(),
            version=1 if link is None else link.statement.version + 1,
            prev=bytes(32) if link is None else link.hash,
            seen=directory.head(),
            **fields,
        )

    def add(self, statement: Statement, *keys: SigningKey, tag_key: bytes | None = None) -> bytes:
        """Sign a statement, take its numbers and return its envelope.

        Args:
            tag_key: The key of the generation under which members look for the tag.
        """
        envelope = sign(statement, *(keys or (self.engine.keys.sign,)))
        mark = b""
        if isinstance(statement, Activity):
            self._taken[statement.case] = self._taken.get(statement.case, 0) + 1
            if statement.kind == "object":
                self._objects[statement.case] = sha256(envelope)
            mark = _tag(statement, tag_key)
        elif isinstance(statement, Caseless):
            self._taken[NO_CASE] = self._taken.get(NO_CASE, 0) + 1
            mark = random_bytes(16)  # of no case: nobody looks for it
        self.signed.append(Signed(statement.kind, envelope, mark))
        return envelope

    def bundle(self) -> bytes:
        """Return the bytes of the bundle."""
        return encode_bundle(Bundle(tuple(self.signed), tuple(self.wraps), tuple(self.contents)))


class Sender:
    """Sends one thing after the other; the engine's lock must be held."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Keeps an access and the keys it released, in the transaction that ends it.
        self.granted: Granted = _unheard
        # Hears of entries and the note that went with them, in the transaction that ends them.
        self.entered: Entered = _unnoted

    async def send(self, make: Callable[[Parcel], Awaitable[None] | None]) -> list[Taken]:
        """Build a bundle, send it until it is recorded, and take its entries in.

        ``make`` may run several times: the broker refused an order that was not true any
        more, the logs were fetched, and everything is numbered and signed again.

        Raises:
            UnreachableError: Nothing was sent; rule ``on-its-way``: it may have been, and waits.
            SeefenError: The broker's refusal, or ours.
        """
        await self.settle()
        for left in reversed(range(TRIES)):
            parcel = Parcel(self._engine)
            if (made := make(parcel)) is not None:
                await made
            if not parcel.signed:
                return []  # somebody else has done it meanwhile
            # Without a line nothing is on its way, and what waits can still be taken back.
            await self._engine.connection.open()
            self._put_pending(Pending("send", parcel.bundle(), parcel.note))
            try:
                return await self._send_pending()
            except SeefenError as err:
                await self._after_refusal(err, left)
        raise AssertionError

    async def ask(
        self, make: Callable[[Parcel], tuple[bytes, ...]], note: bytes = b""
    ) -> tuple[Taken, dict[bytes, bytes]]:
        """Send an access; return its entry and the wrapped content keys it released.

        Args:
            note: What :attr:`granted` is to get with it, also when a lost answer is asked
                for again by a later process.
        """
        await self.settle()
        for left in reversed(range(TRIES)):
            parcel = Parcel(self._engine)
            objects = make(parcel)
            signed = parcel.signed[0]
            ask = Ask(signed.envelope, signed.tag, objects, 0)
            self._put_pending(Pending("access", encode(ask), note))
            try:
                return await self._ask_pending()
            except SeefenError as err:
                await self._after_refusal(err, left)
        raise AssertionError

    @property
    def waits(self) -> bool:
        """Whether something is on its way without an answer that is believed."""
        return self._pending() is not None

    @property
    def on_its_way(self) -> set[bytes]:
        """The objects that were sent and have neither receipt nor refusal: they may have left."""
        pending = self._pending()
        if pending is None or pending.verb != "send":
            return set()
        return {one.object for one in decode(pending.body, Bundle, limit=1 << 23).contents}

    async def settle(self) -> None:
        """Bring what was on its way to its end: a lost answer is asked for again."""
        pending = self._pending()
        if pending is None:
            return
        try:
            if pending.verb == "send":
                await self._send_pending()
            else:
                await self._ask_pending()
        except SeefenError:
            if self._pending() is not None:
                # Not refused: no answer, or one that our own checks do not believe. The
                # same bytes stay for the next try; nothing is ever sealed a second time.
                raise
            await self._engine.sync()

    async def _after_refusal(self, err: SeefenError, left: int) -> None:
        if self._pending() is not None:  # no answer, or our own checks stumbled over it
            if err.rule == "broker":  # who is told that it was not done does it a second time
                raise UnreachableError(str(err), rule="on-its-way") from err
            raise err
        final = err.rule in ("case-number", "other-bytes", "parts-missing")
        if left == 0 or final or not isinstance(err, OutOfTurnError):
            raise err
        await self._engine.sync()

    async def _send_pending(self) -> list[Taken]:
        pending = self._pending()
        if pending is None:
            return []
        body = Send(pending.body, self._engine.trust.head("activity").size)
        try:
            if len(pending.body) > FRAME_LIMIT:
                recorded = await self._engine.connection.post("/v1/bundles", body, Recorded)
            else:
                recorded = await self._engine.connection.request("send", body, Recorded)
        except SeefenError as err:
            self._drop_if_refused(err)
            raise
        return await self._take_recorded(pending, recorded)

    async def _take_recorded(self, pending: Pending, recorded: Recorded) -> list[Taken]:
        engine = self._engine
        bundle = decode(pending.body, Bundle, limit=1 << 23)
        mine = [s for s in bundle.statements if s.kind in ACTIVITY_KINDS]
        keys = [s for s in bundle.statements if s.kind not in ACTIVITY_KINDS]
        if (len(mine), len(keys)) != (len(recorded.entries), len(recorded.authority)):
            # Else an empty receipt would do, and what was never recorded would be let go.
            raise UntrustedError("the receipt is not about what was sent", rule="receipt")
        await self._check_authority(keys, recorded.authority)
        taken: list[Taken] = []
        if mine:
            signed = await engine.trust.accept(
                "activity", recorded.checkpoint, recorded.consistency, engine.prove
            )
            await engine.reach(recorded.entries)
            ordered = True
            for one, entry in zip(mine, recorded.entries, strict=True):
                _check_tag(one.tag, entry)
                ordered &= engine.in_order(one.kind, entry, one.envelope)
                taken.append(
                    engine.trust.take_entry(one.kind, entry, one.envelope, signed.checkpoint)
                )
            if not ordered:
                # Others wrote meanwhile: what lies before is taken in before.
                await engine.sync()
            with engine.change():
                for one, entry in zip(mine, recorded.entries, strict=True):
                    self._take_own(bundle, one, entry, signed.checkpoint)
                for receipt in taken:
                    self._count(receipt)
                self.entered(taken, pending.note)
                for content in bundle.contents:
                    engine.vault.run(
                        "UPDATE object SET wrapped = ? WHERE object = ?",
                        content.key,
                        content.object,
                    )
                self._drop_pending()
        else:
            self._drop_pending()
        return taken

    def _take_own(self, bundle: Bundle, one: Signed, entry: Entry, under: Checkpoint) -> None:
        if one.kind in ("search", "manifest"):
            return  # it changes no case, and no feed brings it
        # The feed may have brought it before: the receipt was checked anyway.
        body = next((c.body for c in bundle.contents if c.object == _of(one)), b"")
        item = Item(one.kind, entry, one.envelope, bundle.wraps, body)
        self._engine.take_item(item, under)

    async def _check_authority(self, sent: list[Signed], indices: tuple[int, ...]) -> None:
        """Check that what was sent stands in the authority log and has its effect."""
        if not sent:
            return
        engine = self._engine
        await engine.sync_authority()
        sql = "SELECT envelope FROM authority WHERE idx = ? AND broken IS NULL"
        stand = {row[0] for index in indices for row in engine.vault.run(sql, index)}
        if stand != {signed.envelope for signed in sent}:
            # An officer who hears "revoked" must be able to rely on it.
            raise UntrustedError("what was sent does not stand in the log", rule="receipt")

    async def _ask_pending(self) -> tuple[Taken, dict[bytes, bytes]]:
        engine = self._engine
        pending = self._pending()
        if pending is None:
            raise UntrustedError("nothing was asked", rule="receipt")
        kept = decode(pending.body, Ask)
        ask = Ask(kept.envelope, kept.tag, kept.objects, engine.trust.head("activity").size)
        try:
            released = await engine.connection.request("access", ask, Released)
        except SeefenError as err:
            self._drop_if_refused(err)
            raise
        signed = await engine.trust.accept(
            "activity", released.checkpoint, released.consistency, engine.prove
        )
        await engine.reach((released.entry,))
        _check_tag(kept.tag, released.entry)
        with engine.change():
            item = Item("access", released.entry, kept.envelope, (), b"")
            taken = engine.trust.take_entry(
                "access", released.entry, kept.envelope, signed.checkpoint
            )
            engine.take_item(item, signed.checkpoint)
            self._count(taken)
            keys = {key.object: key.key for key in released.keys if key.object in kept.objects}
            self.granted(taken, keys, pending.note)
            self._drop_pending()
        if keys.keys() != set(kept.objects):
            raise RefusedError("the broker released other keys than asked for", rule="receipt")
        return taken, keys

    def _drop_if_refused(self, err: SeefenError) -> None:
        # No answer, no login, another machine's answer: what was sent may stand all the same.
        if err.status not in (401, 503, 507) and err.rule != "tls":
            self._drop_pending()

    def _count(self, taken: Taken) -> None:
        number = taken.core.device_n
        if number > self._engine.vault.get_number("device_n"):
            self._engine.vault.put_number("device_n", number)

    def _put_pending(self, pending: Pending) -> None:
        self._engine.vault.put("pending", encode(pending))

    def _pending(self) -> Pending | None:
        value = self._engine.vault.get("pending")
        return None if value is None else decode(value, Pending, limit=1 << 23)

    def _drop_pending(self) -> None:
        self._engine.vault.run("DELETE FROM setting WHERE name = 'pending'")


def _tag(statement: Activity, key: bytes | None) -> bytes:
    if key is None:
        return random_bytes(16)
    if statement.kind in ("case", "casekey"):
        # No device: the next version has one tag, whoever writes it.
        number = int(getattr(statement, "version", 0) or getattr(statement, "gen", 0))
        return tag(key, statement.kind, statement.case, b"", number)
    return tag(key, statement.kind, statement.case, statement.device, statement.case_n)


def _check_tag(expected: bytes, entry: Entry) -> None:
    if Record.decode(entry.record).tag != expected:
        raise UntrustedError("the entry does not carry our tag", rule="receipt")


def _unheard(taken: Taken, keys: dict[bytes, bytes], note: bytes) -> None:
    """Keep nothing: nobody reads here."""


def _unnoted(taken: list[Taken], note: bytes) -> None:
    """Hear of nothing: nobody sends notes here."""


def _of(signed: Signed) -> bytes | None:
    statement = open_envelope(signed.envelope, signed.kind).statement
    return statement.object if isinstance(statement, Object) else None
