"""A long log of proper entries, and what its verification takes of a device of its own.

:func:`write` makes a log that begins as the broker's: its entries are those of a few templates
that the broker has recorded, each with numbers, text, salt, signature and proof of its own, under
one checkpoint that the log's key signed; four in five are records of others, and say nothing. What
a broker would answer to an auditor stands in a file, so that ``python -m bench.biglog`` measures
the device alone: decoding, every check of every entry, and its vault. Its peak of memory counts
from the moment at which the device is open.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self
from unittest.mock import patch

import msgspec
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.answers import decode_answer
from seefen.client.audit.checking import check
from seefen.client.audit.facts import facts_of
from seefen.client.audit.fetching import PAGE, Fetching
from seefen.client.audit.unshown import not_shown
from seefen.client.audit.whole import RECORDS, WholeLog
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.frames import AuditItem, AuditPage, LogFrom, Proof, RecordPage, Span
from seefen.protocol.ledger.note import Checkpoint, open_checkpoint, sign_checkpoint
from seefen.protocol.ledger.record import RECORD_LENGTH, Record, decode_core, encode_core
from seefen.protocol.ledger.tiles import Edge
from seefen.protocol.ledger.tree import consistency_plan, inclusion_plan, leaf_hash
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Activity
from seefen.protocol.suite import PlainKey, commit
from tests.client.homes import PASSPHRASE
from tests.support.network import Network

MIX: Final = ("object", "ack", "access", "ack", "search")
SHARE: Final = 5  # one entry in so many is one that the auditor's node may see
CHOSEN: Final = 2000  # entries that are checked one by one
MS: Final = 1000


class Task(msgspec.Struct):
    """What to verify: the pages in a file, by the device in a folder."""

    home: str
    pages: str


class Verified(msgspec.Struct):
    """What it took; sizes in MiB, times in ms for one entry of a kind."""

    size: int
    shown: int  # entries that the node may see
    records: float  # seconds
    entries: float
    memory: float
    reports: int  # how often the bar moved
    one: dict[str, float]


@dataclass(frozen=True, slots=True)
class Book:
    """Where in the file the answer to each question stands."""

    checkpoint: str
    size: int
    places: dict[str, tuple[int, int]]


class Cloner:
    """Makes entries like those the broker has recorded."""

    def __init__(self, network: Network, templates: Sequence[AuditItem]) -> None:
        self._network = network
        self._templates = {item.kind: item for item in templates}
        self._opened = {
            kind: open_envelope(item.envelope, kind).statement
            for kind, item in self._templates.items()
        }
        self._after = max(decode_core(item.entry.core).at for item in templates)

    def clone(self, kind: str, n: int) -> AuditItem:
        """Return an entry of a kind with numbers of its own, signed; its proof is empty."""
        template, statement = self._templates[kind], self._opened[kind]
        core, record = decode_core(template.entry.core), Record.decode(template.entry.record)
        numbers: dict[str, Any] = {"device_n": n}
        if isinstance(statement, Activity):
            numbers["case_n"] = n
        by = self._network.machines[bytes.fromhex(core.device)]
        envelope = sign(replace(statement, **numbers), by.sign)
        hash_ = open_envelope(envelope, kind).hash.hex()
        text = encode_core(replace(core, at=self._after + n // MS, req=hash_, **numbers))
        salt = os.urandom(32)
        leaf = replace(record, core_commitment=commit(salt, text)).encode()
        return AuditItem(kind, Entry(n, leaf, text, salt, ()), envelope)


def write(
    path: Path,
    network: Network,
    log_key: PlainKey,
    first: tuple[Sequence[bytes], Sequence[AuditItem]],
    size: int,
) -> None:
    """Write what a broker with a log of so many entries would answer to an auditor.

    Args:
        path: A new file.
        network: It has the keys of the devices.
        log_key: What the broker signs its logs with.
        first: The records with which the log begins, and the entries of them that are shown.
        size: Of the log.
    """
    records, shown = list(first[0]), list(first[1])
    cloner = Cloner(network, shown)
    loose = path.with_suffix(".loose")
    with loose.open("wb") as file:
        for n in range(len(records), size):
            if n % SHARE:
                records.append(os.urandom(RECORD_LENGTH))
                continue
            item = cloner.clone(MIX[n // SHARE % len(MIX)], n)
            records.append(item.entry.record)
            file.write(_framed(encode(item)))
    edge = Edge()
    tree = edge.reader(edge.extend(leaf_hash(record) for record in records))
    root = edge.compact().root()
    origin = f"{network.root.origin}/activity"
    note = sign_checkpoint(Checkpoint(origin, size, root), log_key, int(time.time()))
    places: dict[str, tuple[int, int]] = {}
    with path.open("wb") as out, loose.open("rb") as made:

        def put(name: str, answer: object) -> None:
            data = encode(answer)
            places[name] = out.tell(), len(data)
            out.write(data)

        for start in range(0, size, RECORDS):
            piece = tuple(records[start : start + RECORDS])
            put(f"records {start}", RecordPage(start, piece, note, ()))
            old = min(size, start + RECORDS)
            put(f"consistency {old}", Proof(consistency_plan(old, size).build(tree)[0]))
        old = len(first[0])
        put(f"consistency {old}", Proof(consistency_plan(old, size).build(tree)[0]))
        items = _items(shown, made)
        waiting = next(items, None)
        for start in range(0, size, PAGE):
            page: list[AuditItem] = []
            stop = min(size, start + PAGE)
            while waiting is not None and waiting.entry.index < stop:
                page.append(waiting)
                waiting = next(items, None)
            proofs = inclusion_plan([one.entry.index for one in page], size).build(tree)
            proved = tuple(
                replace(one, entry=replace(one.entry, proof=proof))
                for one, proof in zip(page, proofs, strict=True)
            )
            put(f"audit {start}", AuditPage(proved, stop, note, ()))
    loose.unlink()
    path.with_suffix(".book").write_bytes(msgspec.msgpack.encode(Book(note, size, places)))


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _items(shown: Sequence[AuditItem], file: BinaryIO) -> Iterator[AuditItem]:
    yield from shown
    while length := file.read(4):
        yield decode(file.read(int.from_bytes(length, "big")), AuditItem)


class Answers:
    """Answers an auditor's device out of a file, as the broker would."""

    def __init__(self, book: Book, file: BinaryIO) -> None:
        self._book = book
        self._file = file

    @classmethod
    def of(cls, path: Path) -> Self:
        """Open the file that :func:`write` has made."""
        book = msgspec.msgpack.decode(path.with_suffix(".book").read_bytes(), type=Book)
        return cls(book, path.open("rb"))

    @property
    def book(self) -> Book:
        """What stands where."""
        return self._book

    async def request(self, verb: str, body: Span | LogFrom, answer: type[Any]) -> Any:
        """Return the answer to a question, decoded as from the wire."""
        await asyncio.sleep(0)  # as a socket does, this lets others have their turn
        start = body.old if isinstance(body, Span) else body.start
        place = self._book.places.get(f"{verb} {start}")
        if place is None:  # what the device asks by itself meanwhile
            raise UnreachableError("the broker does not answer", rule="broker")
        at, length = place
        self._file.seek(at)
        return decode_answer(self._file.read(length), answer)


async def _verify(task: Task) -> Verified:
    async with Client.open(Path(task.home), PASSPHRASE) as client:
        engine: Engine = getattr(client, "_engine")  # noqa: B009 - its parts, one by one
        answers = Answers.of(Path(task.pages))
        reports: list[int] = []

        def progress(_name: str, done: int, _total: int) -> None:
            reports.append(done)

        with patch.object(engine.connection, "request", answers.request):
            note = answers.book.checkpoint
            await engine.trust.accept("activity", note, (), engine.prove)
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            idle = _memory("VmRSS")
            began = time.perf_counter()
            async with engine.lock:
                size, wrong = await WholeLog(engine).compare(progress)
            middle = time.perf_counter()
            await Fetching(engine).whole(progress)
            ended = time.perf_counter()
            peak = _memory("VmHWM")
            fetching = Fetching(engine)
            wrong += [facts.problem for facts in fetching.store.problems()]
            wrong += [text for _, text, _ in not_shown(fetching.store)]
            if wrong or size != answers.book.size or fetching.store.upto != size:
                raise RuntimeError(f"not verified: {wrong[:3]}, {size}")
            shown = fetching.store.count[0]
            one = await _one_by_one(engine, answers)
    spent = middle - began, ended - middle
    return Verified(size, shown, *spent, peak - idle, len(reports), one)


async def _one_by_one(engine: Engine, answers: Answers) -> dict[str, float]:
    """Return the time of one entry of each kind: its checks, and the facts that are kept of it."""
    trust, book, drawn = engine.trust, answers.book, random.Random(5)
    under = open_checkpoint(book.checkpoint, trust.origin("activity"), trust.root.log_key)
    took: dict[str, list[float]] = {}
    for _ in range(SHARE * CHOSEN // PAGE):
        start = drawn.randrange(1, book.size // PAGE) * PAGE
        page = await answers.request("audit", LogFrom(start, PAGE, 0), AuditPage)
        for item in page.items:
            began = time.perf_counter()
            facts = facts_of(engine, check(engine, item, under), book.size)
            took.setdefault(item.kind, []).append(MS * (time.perf_counter() - began))
            if facts.problem:
                raise RuntimeError(facts.problem)
    return {kind: sorted(times)[len(times) // 2] for kind, times in took.items()}


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


if __name__ == "__main__":
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(asyncio.run(_verify(asked))))
