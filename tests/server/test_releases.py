"""Releases: whom a watch gives a key, and the entry that says so before."""

import pytest

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.statements import Release
from seefen.protocol.suite import new_id, sha256
from seefen.server import releases
from seefen.server.releases import Place, ReleaseJob, Watches
from seefen.server.rows import AccessRow
from seefen.server.view import Layer, Needs
from tests.protocol.builder import refused
from tests.support import casework
from tests.support.judge import BEFORE, LAB, OWNER, PARTNER, Bench
from tests.support.network import Machine

CASE, OTHER = b"c" * 16, b"o" * 16
ONE, TWO, THREE = b"1" * 16, b"2" * 16, b"3" * 16
NET, OBJECT = b"n" * 32, b"b" * 16

pytestmark = pytest.mark.asyncio  # a job waits in a loop


def row(
    idx: int, device: bytes = ONE, *, case: bytes = CASE, starts: int = 0, until: int = 100
) -> AccessRow:
    return AccessRow(idx, device, case, "watch", starts, until)


def place(case: bytes = CASE, index: int = 10) -> Place:
    return Place(NET, case, OBJECT, index)


# --- which watches are open ---------------------------------------------------------------


async def test_a_watch_covers_what_comes_from_its_begin_to_its_end() -> None:
    watch = row(5, starts=7, until=100)
    watches = Watches([watch])
    for index, at, expected in (
        (7, 0, (watch,)),
        (8, 99, (watch,)),
        (6, 99, ()),
        (7, 100, ()),
        (7, 101, ()),
    ):
        assert watches.open(CASE, [ONE], index=index, at=at) == expected
    for case, devices in ((OTHER, [ONE]), (CASE, [TWO]), (CASE, [])):
        assert watches.open(case, devices, index=7, at=0) == ()
    assert watches.open(CASE, [TWO, ONE, THREE], index=7, at=0) == (watch,)


async def test_a_clock_that_went_ahead_and_came_back_forgets_no_watch() -> None:
    """What ended by the clock that was wrong is asked of the database again."""
    watches = Watches([row(5, until=100), row(6, TWO, until=200)], at=10)
    assert not watches.prune(20)
    assert not watches.prune(150)  # ahead
    assert watches.open(CASE, [ONE], index=10, at=30) == ()
    assert watches.prune(30)
    watches.restore([row(5, until=100)], at=30)
    assert watches.open(CASE, [ONE], index=10, at=30) == (row(5, until=100),)
    assert not watches.prune(30)
    assert not watches.prune(99)
    assert watches.prune(29)  # what ended before 30 was not asked for then


async def test_of_two_watches_the_one_that_lasts_longer_counts() -> None:
    short, long, later = row(1, until=100), row(2, until=200), row(3, until=200)
    for rows, expected in (
        ((short, long), long),
        ((long, short), long),
        ((long, later), later),
        ((short, row(4, TWO, until=300), row(5, case=OTHER, until=300)), short),
    ):
        watches = Watches(())
        for one in rows:
            watches.add([one])
        assert watches.open(CASE, [ONE], index=10, at=0) == (expected,)


async def test_what_has_ended_is_forgotten_and_nothing_else() -> None:
    kept, ended = row(1, until=101), row(2, TWO, until=100)
    watches = Watches([kept, ended, row(3, case=OTHER, until=100)])
    watches.prune(100)
    assert watches.open(CASE, [ONE, TWO], index=10, at=0) == (kept,)
    assert [*watches._by_case] == [CASE]
    watches.prune(101)
    assert watches._by_case == {}


async def test_a_release_is_of_one_object_to_one_node() -> None:
    rows = {device: row(number, device) for number, device in enumerate((ONE, TWO, THREE))}
    watches = Watches(rows.values())
    jobs = watches.releases(place(), {"b": [THREE], "a": [TWO, ONE], "c": [OTHER]}, at=0)
    assert [(job._node, job._accesses) for job in jobs] == [
        ("a", (rows[TWO], rows[ONE])),
        ("b", (rows[THREE],)),
    ]
    assert all(job.wanted == (OBJECT,) for job in jobs)
    assert all(job.needs == Needs(frozenset((CASE,)), objects=frozenset((OBJECT,))) for job in jobs)
    assert watches.releases(place(), {"a": [ONE]}, at=100) == []
    assert watches.releases(place(OTHER), {"a": [ONE]}, at=0) == []
    assert Watches([row(1, starts=11)]).releases(place(index=10), {"a": [ONE]}, at=0) == []


async def test_a_release_names_so_many_accesses_and_then_there_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(releases, "MOST", 2)
    devices = [bytes([number]) * 16 for number in range(5)]
    watches = Watches([row(number, device) for number, device in enumerate(devices)])
    jobs = watches.releases(place(), {"a": devices}, at=0)
    assert [[one.device for one in job._accesses] for job in jobs] == [
        devices[:2],
        devices[2:4],
        devices[4:],
    ]


# --- what a release is judged by -----------------------------------------------------------


@pytest.fixture
def bench() -> Bench:
    return Bench()


def watching(bench: Bench, case: bytes, *by: Machine, seconds: int = 3600) -> list[AccessRow]:
    """Record a watch of each machine; return what the push is told."""
    for machine in by:
        scope = "case" if bench.network.cases[case].form == "case" else "watch"
        ask = casework.access(bench.network, machine, case, scope=scope, seconds=seconds)
        bench.record(ask)
    return bench.layer.changes.accesses[-len(by) :]


def job_of(bench: Bench, case: bytes, obj: bytes, *rows: AccessRow, node: str = PARTNER) -> Layer:
    """Judge a release and return its layer."""
    job = ReleaseJob(Place(bench.network.net, case, obj, BEFORE), node, rows)
    layer = Layer.on(bench.layer)
    job.judge(layer)
    return layer


async def test_the_entry_of_a_release_names_object_node_devices_and_accesses(bench: Bench) -> None:
    case = bench.open_case(PARTNER, form="channel")
    rows = watching(bench, case, bench.partner)
    bench.message(case)
    obj = bench.message(case)
    job = ReleaseJob(Place(bench.network.net, case, obj, BEFORE), PARTNER, tuple(rows))
    layer = Layer.on(bench.layer)
    job.judge(layer)
    assert job.readers == (bench.partner.device,)
    assert layer.activity_size == bench.layer.activity_size + 1
    (entry,) = layer.changes.activity
    assert (entry.idx, entry.kind, entry.case) == (bench.layer.activity_size, "release", case)
    assert (entry.object, entry.envelope, entry.device) == (obj, job.envelope, None)
    opened = open_envelope(job.envelope, "release")
    release = opened.statement
    assert isinstance(release, Release)
    assert (release.net, release.case, release.object) == (bench.network.net, case, obj)
    assert (release.node, release.devices) == (PARTNER, (bench.partner.device,))
    assert release.under == (rows[0].idx,)
    assert opened.signatures == ()
    core = decode_core(entry.core)
    assert (core.act, core.op, core.node, core.to) == ("release", "disclose", PARTNER, (PARTNER,))
    assert (core.n, core.under, core.req) == (2, (rows[0].idx,), sha256(job.envelope).hex())


async def test_attack_30_nobody_is_released_what_is_not_there(bench: Bench) -> None:
    case = bench.open_case(PARTNER, form="channel")
    rows = watching(bench, case, bench.partner)
    unknown = new_id()
    bench.known.learn_object(unknown, None)
    with refused("scope", RefusedError):
        job_of(bench, case, unknown, *rows)


async def test_attack_30_a_watch_of_one_case_releases_nothing_of_another(bench: Bench) -> None:
    case = bench.open_case(PARTNER, form="channel")
    other = bench.open_case(PARTNER, serial=2, form="channel")
    rows, obj = watching(bench, other, bench.partner), bench.message(case)
    for named in (case, other):  # whatever the job says of the case
        with refused("not-a-reader", RefusedError):
            job_of(bench, named, obj, *rows)
    both = (*rows, *watching(bench, case, bench.partner))
    assert len(job_of(bench, case, obj, *both).changes.activity) == 1
    job = ReleaseJob(Place(bench.network.net, case, obj, BEFORE), PARTNER, both)
    job.judge(Layer.on(bench.layer))
    assert job.readers == (bench.partner.device,)


async def test_attack_30_a_watch_that_ends_before_the_commit_releases_nothing(
    bench: Bench,
) -> None:
    case = bench.open_case(PARTNER, form="channel")
    rows, obj = watching(bench, case, bench.partner, seconds=600), bench.message(case)
    bench.layer.at = (bench.network.at + 600) * 1000 - 1
    job_of(bench, case, obj, *rows)
    bench.layer.at += 1
    with refused("not-a-reader", RefusedError):
        job_of(bench, case, obj, *rows)


async def test_attack_27_a_watch_ends_with_its_device_and_others_go_on(bench: Bench) -> None:
    bench.network.take(bench.network.enrol(PARTNER, ("keyholder",)))
    lost = bench.network.of(PARTNER, "keyholder", nth=1)
    case = bench.open_case(PARTNER, form="channel")
    rows, obj = watching(bench, case, lost, bench.partner), bench.message(case)
    bench.network.take(bench.network.revoke(lost))
    job = ReleaseJob(Place(bench.network.net, case, obj, BEFORE), PARTNER, tuple(rows))
    layer = Layer.on(bench.layer)
    job.judge(layer)
    assert job.readers == (bench.partner.device,)
    release = open_envelope(layer.changes.activity[0].envelope, "release").statement
    assert isinstance(release, Release)
    assert (release.devices, release.under) == ((bench.partner.device,), (rows[1].idx,))
    with refused("not-a-reader", RefusedError):
        job_of(bench, case, obj, rows[0])
    ends = bench.network.directory.device(bench.partner.device).expires
    bench.layer.at = ends * 1000
    forever = AccessRow(rows[1].idx, bench.partner.device, case, "watch", 0, ends + 100)
    with refused("not-a-reader", RefusedError):
        job_of(bench, case, obj, forever)
    bench.layer.at = ends * 1000 - 1
    job_of(bench, case, obj, forever)


async def test_attack_29_who_came_late_or_has_left_is_released_nothing_he_has_no_key_of(
    bench: Bench,
) -> None:
    case = bench.open_case(PARTNER)
    old = bench.message(case)
    bench.record(casework.change_members(bench.network, bench.owner, case, add=(LAB,), link=False))
    new = bench.message(case)
    rows = watching(bench, case, bench.lab)
    job_of(bench, case, new, *rows, node=LAB)
    with refused("not-a-reader", RefusedError):
        job_of(bench, case, old, *rows, node=LAB)
    bench.record(casework.change_members(bench.network, bench.owner, case, remove=(LAB,)))
    after = bench.message(case)
    with refused("not-a-reader", RefusedError):
        job_of(bench, case, after, *rows, node=LAB)
    job_of(bench, case, after, *watching(bench, case, bench.owner), node=OWNER)


async def test_the_state_of_the_case_is_asked_and_not_what_the_job_says(bench: Bench) -> None:
    case = bench.open_case(PARTNER, form="channel")
    rows, obj = watching(bench, case, bench.partner), bench.message(case)
    empty = Layer.on(bench.layer)
    bench.known.learn_case(case, None)
    del bench.layer.cases[case]  # as if nobody had ever opened it
    job = ReleaseJob(Place(bench.network.net, case, obj, BEFORE), PARTNER, tuple(rows))
    with refused("not-a-reader", RefusedError):
        job.judge(empty)
    assert empty.changes.activity == []
