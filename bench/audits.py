"""(j) A page of an auditor's filter among very many entries, and the check of one entry.

The store is filled with made-up facts, by the code that keeps what was checked; the filters are
those of ``seefen audit list``, alone and together, with many, few and no results. The last row
of the filters is that of a filter without a result, which walks through every stretch. For ten
million entries its time is what the youngest stretch takes, which is never longer than it is, and
what each full one takes, as often as there would be one.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.rows import Row
from bench.stage import Stage
from seefen.client.audit.bits import STRETCH
from seefen.client.audit.checking import check
from seefen.client.audit.facts import Facts
from seefen.client.audit.filters import READINGS
from seefen.client.audit.store import Condition, Store
from seefen.client.vault import Vault
from seefen.protocol.frames import AuditItem, AuditPage, LogFrom
from seefen.protocol.ledger.note import open_checkpoint
from seefen.protocol.receipt import Entry
from seefen.protocol.suite import random_bytes

COUNTS = {"tiny": 3_000, "usual": 200_000, "full": 1_000_000}
GOAL = 10_000_000  # entries among which a page is to be there in MUST
MUST = 200.0  # ms
MUST_ROW = 1.0  # ms
PAGE = 100
TIMES = 5
FILTERS: dict[str, tuple[Condition, ...]] = {
    "readings": (READINGS,),
    "node and operation": ((("node", "node-03"),), (("op", "disclose"),)),
    "officer and basis": ((("officer", "o-0017"),), (("basis", "untoc-20"),)),
    "case": ((("case_id", f"{7:032x}"),),),
    "emergency at a node": ((("emergency", "1"),), (("node", "node-11"),)),
    "five parts, nothing found": (
        (("op", "collect"),), (("node", "node-03"), ("node", "node-04")), (("basis", "pcc-see"),),
        (("recipient", "node-07"),), (("emergency", "1"),),
    ),
}  # fmt: skip


async def run(stage: Stage) -> list[Row]:
    """Measure each filter in a file of its own, and the check of entries of a real log."""
    return [*filters(COUNTS[stage.scale.name]), await _checked(stage)]


def filters(count: int) -> list[Row]:
    """Measure each filter among so many entries: a minute for a million of them."""
    with TemporaryDirectory() as folder:
        vault = Vault.open(Path(folder) / "vault.db", random_bytes(32))
        store = Store(vault)
        began = time.perf_counter()
        _fill(store, count)
        rate = count / (time.perf_counter() - began)
        rows = [Row("j", f"keep {count} checked entries", "per s", rate)]
        grown = 0.0
        for name, wanted in FILTERS.items():
            took = min(_timed(store, wanted) for _ in range(TIMES))
            grown = max(grown, _grown(store, wanted, took, count))
            title = f"page of {PAGE} among {count}: {name}"
            rows.append(Row("j", title, "ms", took, None, MUST, at_most=True))
        title = f"the slowest, extrapolated to {GOAL}"
        rows.append(Row("j", title, "ms", grown, None, MUST, at_most=True))
        vault.close()
    return rows


def _grown(store: Store, wanted: tuple[Condition, ...], took: float, count: int) -> float:
    """Return what a filter would take among :data:`GOAL` entries, from what it took here."""
    full, youngest = divmod(count, STRETCH)
    if not full:
        return took
    tail = min(_timed(store, wanted, start=full * STRETCH) for _ in range(TIMES))
    longest = tail * STRETCH / youngest if youngest else tail
    return longest + max(0.0, took - tail) / full * (GOAL // STRETCH)


def _timed(store: Store, wanted: tuple[Condition, ...], *, start: int = 0) -> float:
    began = time.perf_counter()
    store.find(wanted, start=start, limit=PAGE)
    return 1000 * (time.perf_counter() - began)


def _fill(store: Store, count: int) -> None:
    made = _made(count)
    for start in range(0, count, 2000):
        stop = min(count, start + 2000)
        page = [next(made) for _ in range(start, stop)]
        store.keep(page, stop)


def _made(count: int) -> Iterator[tuple[Facts, AuditItem]]:
    drawn = random.Random(30)
    acts = (("access", "consult"), ("object", "disclose"), ("release", "disclose"),
            ("ack", "collect"), ("search", "consult"))  # fmt: skip
    bases = ("pcc-see", "untoc-20", "national-law")
    for index in range(count):
        act, op = acts[drawn.randrange(5)]
        node, officer = drawn.randrange(30), drawn.randrange(2000)
        to = f"node-{drawn.randrange(30):02} node-{drawn.randrange(30):02}"
        facts = Facts(
            idx=index, at=index * 100, act=act, op=op, outcome="ok", node=f"node-{node:02}",
            officer=f"o-{officer:04x}", device=f"{officer:032x}",
            case_id=f"{drawn.randrange(20_000):032x}", object=f"{index:032x}", n=1, case_n=index,
            device_n=index, purpose="trace", basis=bases[drawn.randrange(3)],
            recipient=to if op == "disclose" else "", emergency=int(drawn.random() < 0.002),
            reason=0, size=count, problem="",
        )  # fmt: skip
        yield facts, AuditItem(act, Entry(index, bytes(89), bytes(480), bytes(32), ()), bytes(700))


async def _checked(stage: Stage) -> Row:
    """Return what it takes to check one entry of a real log: text, proof, signature."""
    async with stage.workshop() as workshop:
        await workshop.admit("audited-node", machines=2)
        case = await workshop.open_case(stage.network.of("audited-node"))
    number = stage.network.cases[case].number
    async with stage.client(stage.network.of("audited-node", nth=1)) as client:
        for n in range(20):
            await client.cases.send(number, f"{n}")
        engine = getattr(client, "_engine")  # noqa: B009 - nobody outside checks one alone
        page = await engine.connection.request("audit", LogFrom(0, 200, 0), AuditPage)
        trust = engine.trust
        under = open_checkpoint(page.checkpoint, trust.origin("activity"), trust.root.log_key)
        items = [item for item in page.items if item.kind == "object"]
        began = time.perf_counter()
        wrong = [one for item in items if (one := check(engine, item, under)).problem]
        took = 1000 * (time.perf_counter() - began) / len(items)
    if wrong:
        raise RuntimeError(wrong[0].problem)
    return Row("j", "check of one entry", "ms", took, None, MUST_ROW, at_most=True)
