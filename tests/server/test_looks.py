"""Looks at the cores of others: each is entered before anything is shown."""

import asyncio

import pytest

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.statements import Viewed
from seefen.protocol.suite import new_id, sha256
from seefen.server.errors import UnreachableError
from seefen.server.jobs import Done, Job
from seefen.server.looks import SECONDS, Looks, ViewedJob
from seefen.server.view import Layer, Needs
from tests.protocol.builder import refused
from tests.support.judge import BEFORE, LAB, OWNER, PARTNER, Bench
from tests.support.network import Machine, Network

pytestmark = pytest.mark.asyncio  # a job waits in a loop


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for of in ("", OWNER):
        let_see(bench, bench.lab, of)
    return bench


def let_see(bench: Bench, machine: Machine, of: str, **changes: int) -> None:
    bench.network.take(Network.bundle("view", bench.network.view(machine, of, **changes)[1]))


class Written:
    """Commits what passes on the layer of a bench, as slowly as a database does."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.away = False
        self.count = 0

    async def write(self, job: Job) -> Done:
        await asyncio.sleep(0)
        if self.away:
            raise UnreachableError("the database is away", rule="database")
        trial = Layer.on(self.bench.layer)
        job.judge(trial)
        self.bench.layer.absorb(trial)
        self.count += 1
        return Done((), tuple(trial.changes.activity), self.bench.known.heads, {}, None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- the entry ------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["", OWNER])
async def test_the_entry_says_who_is_shown_whose_cores(bench: Bench, of: str) -> None:
    job, layer = ViewedJob(bench.lab.device, of), Layer.on(bench.layer)
    assert (job.needs, job.wanted, job.readers) == (Needs(), (), ())
    job.judge(layer)
    assert layer.activity_size == BEFORE + 1
    (row,) = layer.changes.activity
    assert (row.idx, row.kind, row.case, row.device) == (BEFORE, "viewed", b"", bench.lab.device)
    opened = open_envelope(row.envelope, "viewed")
    viewed = opened.statement
    assert isinstance(viewed, Viewed)
    assert (viewed.net, viewed.of, viewed.node) == (bench.network.net, of, LAB)
    assert (viewed.device, opened.signatures) == (bench.lab.device, ())
    core = decode_core(row.core)
    assert (core.act, core.op, core.node, core.officer) == (
        "viewed", "consult", LAB, bench.lab.officer
    )  # fmt: skip
    assert core.to == ((of,) if of else ())
    assert core.req == sha256(row.envelope).hex()


async def test_attack_nobody_is_entered_as_shown_what_he_has_no_view_of(bench: Bench) -> None:
    for device, of, rule in (
        (bench.partner.device, "", "not-a-viewer"),
        (bench.lab.device, PARTNER, "not-a-viewer"),
        (bench.lab.device, "no-such-node", "not-a-viewer"),
        (new_id(), "", "unknown-device"),
    ):
        layer = Layer.on(bench.layer)
        with refused(rule, UntrustedError):
            ViewedJob(device, of).judge(layer)
        assert layer.changes.activity == []


async def test_a_view_is_over_by_the_time_of_the_log_or_when_it_is_taken_back(
    bench: Bench,
) -> None:
    ends, job = bench.network.at + 30 * 86_400, ViewedJob(bench.lab.device, OWNER)
    bench.layer.at = ends * 1000 - 1
    job.judge(Layer.on(bench.layer))
    bench.layer.at = ends * 1000
    with refused("not-a-viewer", UntrustedError):
        job.judge(Layer.on(bench.layer))
    bench.layer.at = bench.network.at * 1000
    job.judge(Layer.on(bench.layer))
    let_see(bench, bench.lab, OWNER, expires=0)
    with refused("not-a-viewer", UntrustedError):
        job.judge(Layer.on(bench.layer))
    ViewedJob(bench.lab.device, "").judge(Layer.on(bench.layer))


# --- once an hour, and never without ---------------------------------------------------------


async def test_a_look_is_entered_once_an_hour_for_each_device_and_node(bench: Bench) -> None:
    let_see(bench, bench.partner, "")
    written, clock = Written(bench), Clock()
    looks = Looks(written, clock)
    assert await looks.enter(bench.lab.device, OWNER)
    for device, of, entered in (
        (bench.lab.device, OWNER, False),
        (bench.lab.device, "", True),
        (bench.partner.device, "", True),
        (bench.lab.device, "", False),
        (bench.lab.device, OWNER, False),
    ):
        assert await looks.enter(device, of) is entered
    clock.now += SECONDS - 1
    assert not await looks.enter(bench.lab.device, OWNER)
    clock.now += 1
    assert await looks.enter(bench.lab.device, OWNER)
    assert not await looks.enter(bench.lab.device, OWNER)
    assert written.count == len(bench.layer.changes.activity) == 4


async def test_attack_a_clock_that_is_set_back_does_not_hide_the_next_look(bench: Bench) -> None:
    """Else one wrong hour of the broker's clock would be as long as it was wrong."""
    written, clock = Written(bench), Clock()
    looks = Looks(written, clock)
    assert await looks.enter(bench.lab.device, OWNER)
    clock.now -= SECONDS - 1
    assert not await looks.enter(bench.lab.device, OWNER)
    clock.now -= 1
    assert await looks.enter(bench.lab.device, OWNER)
    assert written.count == 2


async def test_at_the_beginning_of_time_the_first_look_is_entered(bench: Bench) -> None:
    clock = Clock()
    clock.now = 0.0
    assert await Looks(Written(bench), clock).enter(bench.lab.device, OWNER)


async def test_attack_no_first_page_leaves_before_the_entry_of_another_stands(
    bench: Bench,
) -> None:
    written = Written(bench)
    looks, told = Looks(written, Clock()), list[tuple[bool, int]]()

    async def look() -> None:
        told.append((await looks.enter(bench.lab.device, OWNER), written.count))

    await asyncio.gather(*(look() for _ in range(4)))
    assert sorted(told) == [(False, 1)] * 3 + [(True, 1)]


async def test_attack_what_could_not_be_entered_counts_for_nothing(bench: Bench) -> None:
    written = Written(bench)
    looks = Looks(written, Clock())
    written.away = True
    for _ in range(2):
        with pytest.raises(UnreachableError):
            await looks.enter(bench.lab.device, OWNER)
    written.away = False
    with pytest.raises(SeefenError):
        await looks.enter(bench.partner.device, OWNER)
    let_see(bench, bench.partner, OWNER)
    assert await looks.enter(bench.partner.device, OWNER)
    assert await looks.enter(bench.lab.device, OWNER)
