"""(j) for real, at a size: ``python -m bench --entries 10000000``, and ``--whole 1000000``.

The filters are timed in the vault of an auditor's device, as ``seefen audit list`` goes through
it: what the filter means, the search, and each row with its statement opened. Left out is what
does not depend on the size: asking the broker for what is new, and the entry about the look
itself. The facts are made up; the bytes beside them are those of some thousand proper entries of
a real log, again and again. From the ninth stretch on all is a copy of the first eight. The
youngest stretch, which has no bitmaps yet, is as long as it can be. *Cold* is after the pages of
the vault were given up by the device and by the system.

A verification of the whole log is timed at two sizes (:mod:`bench.biglog`), with its memory: that
must not grow with the log.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec
from msgspec.structs import replace

from bench.biglog import MIX, Cloner, Task, Verified, write
from bench.rows import Row
from bench.stage import Stage, ask_process
from bench.table import line
from seefen.client.audit.bits import STRETCH
from seefen.client.audit.facts import Facts
from seefen.client.audit.filters import Filter, conditions
from seefen.client.audit.rowing import rows_of
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import AuditItem, AuditPage, LogFrom, RecordPage
from seefen.protocol.statements import Object
from seefen.protocol.suite import new_id
from tests.support import casework
from tests.support.network import Machine

MUST: Final = 200.0  # ms for a page
MUST_ROW: Final = 1.0  # ms for one entry
FLAT: Final = 1.5  # memory at the larger size over that at the smaller one
PAGE: Final = 100
MS: Final = 1000
TIMES: Final = 5
NODES: Final = tuple(f"audited-{n:02}" for n in range(12))
OFFICERS, CASES, POOL = 2000, 20_000, 2000
OPERATIONS: Final = {"object": "disclose", "ack": "collect", "access": "consult",
                     "search": "consult"}  # fmt: skip
BASES: Final = ("pcc-see", "untoc-20", "national-law")
ORIGINALS: Final = 8  # stretches that are made one by one; the others are copies of them
_FACTS: Final = """
    INSERT INTO audited SELECT idx + ?1, at + ?1 * 100, act, op, outcome, node, officer, device,
      case_id, object, n, case_n + ?1, device_n + ?1, purpose, basis, recipient, emergency, reason,
      size, problem FROM audited WHERE idx >= ?2 AND idx < ?3
"""
_BYTES: Final = """
    INSERT INTO audited_bytes SELECT idx + ?1, kind, record, core, salt, envelope
      FROM audited_bytes WHERE idx >= ?2 AND idx < ?3
"""
HOURS: Final = 2 * 3600.0  # seconds that the largest verification may take


async def filters(stage: Stage, count: int) -> list[Row]:
    """Measure filters among so many entries: 29 GB of disk, for ten million."""
    (auditor, *_), first = await _begin(stage)
    return await _filters(stage, auditor, first[1], count)


async def whole(stage: Stage, count: int) -> list[Row]:
    """Measure the verification of a log of so many entries, and of one of a tenth."""
    (_, *auditors), first = await _begin(stage)
    found: list[Verified] = []
    rows: list[Row] = []
    for size, auditor in zip((count // 10, count), auditors, strict=True):
        pages = stage.folder / f"{size}.pages"
        began = time.perf_counter()
        write(pages, stage.network, stage.log_key, first, size)
        print(f"made {size} entries, {pages.stat().st_size >> 20} MiB, in "
              f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        task = msgspec.msgpack.encode(Task(str(stage.home(auditor)), str(pages)))
        answer = await ask_process("bench.biglog", task, seconds=HOURS)
        found.append(msgspec.msgpack.decode(answer, type=Verified))
        pages.unlink()
        rows += _verified(found)
        print("\n".join(map(line, rows)), flush=True)
    return rows


def _verified(found: Sequence[Verified]) -> list[Row]:
    """Return what the last one says, its memory beside that of the first."""
    first, last = found[0], found[-1]
    size = last.size
    beside = None if last is first else first.memory
    must = None if last is first else FLAT
    return [
        Row("j", f"records of {size} verified", "per s", size / last.records),
        Row("j", f"{last.shown} entries of them verified", "per s", last.shown / last.entries),
        Row("j", f"memory for {size}", "MiB", last.memory, beside, must, at_most=True),
        Row("j", f"the bar moved, {size}", "times", last.reports),
        *(
            Row("j", f"one {kind}, checked with its facts", "ms", took, None, MUST_ROW,
                at_most=True)
            for kind, took in sorted(last.one.items())
        ),
    ]  # fmt: skip


async def _begin(
    stage: Stage,
) -> tuple[tuple[Machine, ...], tuple[Sequence[bytes], Sequence[AuditItem]]]:
    """Let a node do a bit of everything; return its auditors, and its log with what they see."""
    owner, partner = NODES[:2]
    async with stage.workshop() as workshop:
        await workshop.admit(owner, machines=4, roles=("auditor",))
        await workshop.admit(*NODES[1:])
        network = workshop.network
        by, other = network.of(owner, "keyholder"), network.of(partner, "keyholder")
        case = await workshop.open_case(by, partner)
        sent = casework.message(network, by, case)
        await workshop.take(sent, by=by)
        statement = open_envelope(sent.statements[0].envelope, "object").statement
        obj = cast("Object", statement).object
        await workshop.take(casework.ack(network, other, case, obj), by=other)
        await workshop.take(casework.search(network, by), by=by)
        await workshop.broker.ask(by.device, casework.access(network, by, case, obj))
    machines = stage.network.machines.values()
    auditors = tuple(one for one in machines if one.node == owner and one.roles == ("auditor",))
    async with stage.client(auditors[0]) as client:
        engine: Engine = getattr(client, "_engine")  # noqa: B009 - what the broker answers
        ask = engine.connection.request
        records = (await ask("records", LogFrom(0, 4096, 0), RecordPage)).records
        page = await ask("audit", LogFrom(0, 200, 0), AuditPage)
        items = [one for one in page.items if one.entry.index < len(records)]
    return auditors, (records, items)


async def _filters(
    stage: Stage, machine: Machine, first: Sequence[AuditItem], count: int
) -> list[Row]:
    full = max(1, count // STRETCH)
    count = full * STRETCH + STRETCH - 1
    async with stage.client(machine) as client:
        engine: Engine = getattr(client, "_engine")  # noqa: B009 - its store is filled
        store = Store(engine.vault)
        began = time.perf_counter()
        _fill(store, stage, first, count)
        rate = count / (time.perf_counter() - began)
        size = sum(path.stat().st_size for path in stage.home(machine).glob("vault*")) >> 20
        rows = [Row("j", f"{count} checked entries kept, {size} MiB", "per s", rate)]
        print(line(rows[0]), flush=True)
        for name, wanted in _wanted(stage).items():
            for where, after in (("first", -1), ("deep", count // 2), ("last", full * STRETCH)):
                cold, _ = _page(engine, store, wanted, after, cold=stage.home(machine))
                warm = sorted(_page(engine, store, wanted, after) for _ in range(TIMES))
                title = f"{where} page among {count}: {name}"
                wall, processor = warm[TIMES // 2]
                rows += [
                    Row("j", f"{title}, cold", "ms", cold, None, MUST, at_most=True),
                    Row("j", f"{title}, warm", "ms", wall, None, MUST, at_most=True),
                    Row("j", f"{title}, warm, processor", "ms", processor),
                ]
                print(*map(line, rows[-3:]), sep="\n", flush=True)
    return rows


def _wanted(stage: Stage) -> dict[str, Filter]:
    officer, case = stage.network.of(NODES[3]), f"{7:032x}"
    base = 1_700_000_000
    return {
        "all readings": Filter(),
        "all": Filter(op="all"),
        "period": Filter(since=base + 40_000, until=base + 500_000),
        "node": Filter(node=NODES[3]),
        "officer": Filter(officer=officer.officer),
        "device": Filter(device=officer.device.hex()[:12]),
        "case": Filter(case=case, op="all"),
        "operation": Filter(op="disclose"),
        "outcome": Filter(outcome="denied"),
        "basis": Filter(basis="untoc-20"),
        "recipient": Filter(to=NODES[5], op="all"),
        "emergency": Filter(emergency=True),
        "seven at once": Filter(
            node=NODES[3], officer=officer.officer, op="consult", basis="pcc-see",
            case=case, emergency=True, until=base + 900_000,
        ),
        "nothing found": Filter(to=NODES[3], op="consult", basis="pcc-see", emergency=True),
    }  # fmt: skip


def _page(
    engine: Engine, store: Store, wanted: Filter, after: int, *, cold: Path | None = None
) -> tuple[float, float]:
    """Return the time of a page, and of it that of the processor, in ms."""
    if cold is not None:
        _forget(engine, cold)
    began, spent = time.perf_counter(), time.process_time()
    asked = conditions(engine, store, wanted)
    start = max(after + 1, 0 if wanted.since is None else store.since(wanted.since))
    stop = None if wanted.until is None else store.since(wanted.until)
    found, _ = store.find(asked, start=start, stop=stop, limit=PAGE)
    list(rows_of(engine, store, found, store.upto))
    return MS * (time.perf_counter() - began), MS * (time.process_time() - spent)


def _forget(engine: Engine, home: Path) -> None:
    """Let the device and the system forget the pages of its vault."""
    engine.vault.run("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.vault.run("PRAGMA shrink_memory")
    for path in home.glob("vault*"):
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def _fill(store: Store, stage: Stage, first: Sequence[AuditItem], count: int) -> None:
    """Keep the first stretches as what was checked is kept, and copy them on and on by SQL."""
    cloner = Cloner(stage.network, first)
    pool = {kind: [cloner.clone(kind, n) for n in range(1, POOL + 1)] for kind in OPERATIONS}
    made = _made(stage, pool, count)
    originals = min(ORIGINALS, count // STRETCH)
    for start in range(0, originals * STRETCH, STRETCH):
        stop = start + STRETCH
        store.keep((next(made) for _ in range(start, stop)), stop)
    sql = "SELECT field, value, bits FROM audited_bits WHERE stretch = ?"
    bits = [store.vault.run(sql, stretch) for stretch in range(originals)]
    store.vault.run("PRAGMA journal_mode = OFF")  # nobody keeps it: each page is written once
    for stretch in range(originals, -(-count // STRETCH)):
        _copy(store, stretch % originals, stretch, count, bits[stretch % originals])
    store.vault.run("PRAGMA journal_mode = WAL")


def _copy(
    store: Store, source: int, stretch: int, count: int, bits: Sequence[tuple[str, str, bytes]]
) -> None:
    low, by = source * STRETCH, (stretch - source) * STRETCH
    vault, places = store.vault, (by, low, min(low + STRETCH, count - by))
    with vault.change():
        vault.run(_FACTS, *places)
        vault.run(_BYTES, *places)
        if (stretch + 1) * STRETCH <= count:
            vault.many(
                "INSERT INTO audited_bits VALUES (?, ?, ?, ?)",
                ((field, value, stretch, data) for field, value, data in bits),
            )
            vault.run("INSERT INTO audited_full VALUES (?)", stretch)
        vault.put_number("audited", by + places[2])


def _made(
    stage: Stage, pool: dict[str, list[AuditItem]], count: int
) -> Iterator[tuple[Facts, AuditItem]]:
    drawn = random.Random(30)
    known = [(one.node, one.officer, one.device.hex()) for one in map(stage.network.of, NODES)]
    people = known + [
        (NODES[n % len(NODES)], f"o-{n:04x}", new_id().hex()) for n in range(len(known), OFFICERS)
    ]
    for index in range(count):
        act = MIX[drawn.randrange(5)]
        node, officer, device = people[drawn.randrange(OFFICERS)]
        denied = act == "access" and drawn.random() < 0.002
        to = f"{NODES[drawn.randrange(12)]} {NODES[drawn.randrange(12)]}"
        item = pool[act][drawn.randrange(POOL)]
        facts = Facts(
            idx=index, at=1_700_000_000_000 + index * 100, act="denied" if denied else act,
            op=OPERATIONS[act], outcome="role" if denied else "ok", node=node, officer=officer,
            device=device, case_id=f"{drawn.randrange(CASES):032x}", object=new_id().hex(), n=1,
            case_n=index, device_n=index, purpose="trace", basis=BASES[drawn.randrange(3)],
            recipient=to if act == "object" else "", emergency=int(drawn.random() < 0.002),
            reason=0, size=count, problem="",
        )  # fmt: skip
        yield facts, replace(item, entry=replace(item.entry, index=index))
