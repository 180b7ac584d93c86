"""What becomes of refusals: entered, counted, unsigned or lost, and what the journal says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from seefen.protocol.bundle import Bundle
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import Ask, AuditItem, LogFrom
from seefen.protocol.statements import Object, Search
from seefen.protocol.suite import new_id
from seefen.server.denials import MOST, SECONDS, Denials, DeniedJob, suspect
from seefen.server.errors import UnreachableError
from seefen.server.metrics import COUNTED
from seefen.server.store import Store
from tests.protocol.builder import read
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER, Bench, as_bundle
from tests.support.network import Machine
from tests.support.served import Served, refused, served
from tests.support.waiting import until

NO_ROLE = UntrustedError("no", rule="role")


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(OWNER, PARTNER, LAB) as it:
        yield it


@pytest.fixture
async def bench() -> Bench:
    return Bench()


class Became:
    """Tells what was counted since it was made or asked last."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self()

    def __call__(self) -> dict[str, int]:
        now = {
            end: COUNTED.get_sample_value("seefen_denied_total", {"became": end}) or 0.0
            for end in ("entered", "counted", "unsigned", "lost")
        }
        grown = {end: int(now[end] - self._before.get(end, 0)) for end in now}
        self._before = now
        return {end: count for end, count in grown.items() if count}


async def tried(it: Served, by: Machine, ask: Ask, rule: str = "not-a-reader") -> None:
    await refused(rule, it.broker.ask(by.device, ask))
    await it.broker.denials.settled()


async def entries(it: Served, by: Machine) -> list[AuditItem]:
    page = await it.broker.audit(by.device, LogFrom(0, 4096, 0))
    return [item for item in page.items if item.kind == "denied"]


async def message_of(it: Served) -> tuple[bytes, bytes]:
    author = it.network.of(OWNER)
    case = await it.open_case(author, PARTNER)
    return case, await it.message(author, case)


async def test_what_gets_no_entry_is_in_the_journal_at_1_2_4_and_8(it: Served) -> None:
    case, obj = await message_of(it)
    lab, count = it.network.of(LAB), Became()
    ask = casework.access(it.network, lab, case, obj)
    with capture_logs() as logs:
        for _ in range(10):
            await tried(it, lab, ask)
    assert [(one["event"], one["device"], one["count"]) for one in logs] == [
        ("denied.more", lab.device, n) for n in (1, 2, 4, 8)
    ]
    assert count() == {"entered": 1, "counted": 9}
    it.network.at += SECONDS
    with capture_logs() as logs:
        for _ in range(3):
            await tried(it, lab, ask)
    assert [one["count"] for one in logs] == [1, 2], "what is entered begins the count anew"
    assert count() == {"entered": 1, "counted": 2}
    assert len(await entries(it, lab)) == 2


async def test_there_is_room_for_so_many_in_an_hour_and_for_one_more_when_it_is_over(
    it: Served,
) -> None:
    author, lab, count = it.network.of(OWNER), it.network.of(LAB), Became()
    case = await it.open_case(author, PARTNER)
    objects = [await it.message(author, case) for _ in range(MOST + 1)]
    with capture_logs() as logs:
        for obj in objects:
            await tried(it, lab, casework.access(it.network, lab, case, obj))
    assert count() == {"entered": MOST, "counted": 1}
    assert [(one["device"], one["count"]) for one in logs] == [(lab.device, 1)]
    it.network.at += SECONDS - 1
    await tried(it, lab, casework.access(it.network, lab, case, objects[MOST]))
    assert count() == {"counted": 1}
    it.network.at += 1
    await tried(it, lab, casework.access(it.network, lab, case, objects[0]))
    assert count() == {"entered": 1}
    # Another's device has room of its own.
    await it.send(it.network.of(LAB), it.network.enrol(LAB, ("field",)))
    other = it.network.of(LAB, nth=1)
    await tried(it, other, casework.access(it.network, other, case, objects[0]))
    assert count() == {"entered": 1}


async def test_what_another_signed_is_counted_as_that_and_is_no_alarm(
    it: Served, alarms: list[str]
) -> None:
    case, obj = await message_of(it)
    lab, partner, count = it.network.of(LAB), it.network.of(PARTNER), Became()
    ask = casework.access(it.network, lab, case, obj)
    it.broker.denials.note(
        partner.device, "access", NO_ROLE, opened=open_envelope(ask.envelope, "access")
    )
    await it.broker.denials.settled()
    assert count() == {"unsigned": 1}
    assert alarms == []


async def test_attack_refusals_that_could_not_be_written_use_up_no_room(
    it: Served, alarms: list[str]
) -> None:
    """Who asks while the database is away would have an hour for which nothing is entered."""
    author, lab, count = it.network.of(OWNER), it.network.of(LAB), Became()
    case = await it.open_case(author, PARTNER)
    objects = [await it.message(author, case) for _ in range(MOST)]

    async def away(*_: object) -> Any:
        raise UnreachableError("the database is away", rule="database")

    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr(Store, "swap", away)
        for obj in objects:
            await tried(it, lab, casework.access(it.network, lab, case, obj))
        await tried(it, lab, casework.access(it.network, lab, case, new_id()))
    assert alarms == ["denied-unwritten"] * MOST
    assert {one["error"] for one in logs if one["event"] == "alarm"} == {"database"}
    assert count() == {"lost": MOST + 1}
    for obj in objects:
        await tried(it, lab, casework.access(it.network, lab, case, obj))
    await tried(it, lab, casework.access(it.network, lab, case, new_id()))
    assert count() == {"entered": MOST + 1}


# --- what is noted, and what is not -----------------------------------------------------------


class Kept:
    """Keeps what is to be written, and fails as it is told to."""

    def __init__(self) -> None:
        self.jobs: list[DeniedJob] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, job: Any) -> Any:
        await self.gate.wait()
        self.jobs.append(job)
        if self.error is not None:
            raise self.error


@pytest.fixture
async def kept() -> Kept:
    return Kept()


@pytest.fixture
async def denials(kept: Kept) -> Denials:
    return Denials(kept, lambda: 0)


def opened(bench: Bench, sent: Bundle | Ask) -> Opened:
    signed = as_bundle(sent).statements[0]
    return open_envelope(signed.envelope, signed.kind)


async def test_only_for_want_of_a_right_is_an_entry(denials: Denials, kept: Kept) -> None:
    for error in (
        MalformedError("no", rule="encoding"),
        OutOfTurnError("no", rule="number"),
        RefusedError("no", rule="scope"),
        UnreachableError("no", rule="database"),
    ):
        denials.note(new_id(), "audit", error)
    await denials.settled()
    assert kept.jobs == []
    device, case = new_id(), new_id()
    denials.note(device, "audit", NO_ROLE, case=case, of=OWNER)
    assert kept.jobs == [], "nobody waits for it"
    await denials.settled()
    (job,) = kept.jobs
    assert job.about == (device, "audit", case, None, OWNER)
    assert job._rule == "role"
    assert denials._tasks == set()
    await denials.settled()  # nothing to wait for


async def test_what_is_refused_inside_is_noted_and_refused_all_the_same(
    denials: Denials, kept: Kept, bench: Bench
) -> None:
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    device, lab = bench.lab.device, bench.lab
    access = opened(bench, casework.access(bench.network, lab, case, obj))
    search = opened(bench, casework.search(bench.network, lab))
    message = opened(bench, casework.message(bench.network, bench.owner, case))
    for statements, asked in (
        ((access,), ["access"]),
        ((search,), ["search"]),
        ((message,), []),
        ((message, search, access), ["access", "search"]),
        ((), []),
    ):
        for who, whats in ((device, asked), (None, [])):
            denials = Denials(kept, lambda: 0)
            kept.jobs.clear()
            with pytest.raises(UntrustedError) as caught, denials.of(who, *statements):
                raise NO_ROLE
            assert caught.value is NO_ROLE
            await denials.settled()
            assert sorted(job.about[1] for job in kept.jobs) == whats
            for job in kept.jobs:
                assert job.about[0] == device
                assert job._opened in statements
    kept.jobs.clear()
    with pytest.raises(UntrustedError), denials.of(device, audit=True, case=case, of=OWNER):
        raise NO_ROLE
    await denials.settled()
    assert [job.about for job in kept.jobs] == [(device, "audit", case, None, OWNER)]
    kept.jobs.clear()
    with denials.of(device, access, audit=True):
        pass
    with pytest.raises(ValueError, match="another"), denials.of(device, access, audit=True):
        raise ValueError("another")
    await denials.settled()
    assert kept.jobs == []


async def test_who_waits_for_refusals_to_be_written_waits_no_longer_than_he_said(
    denials: Denials, kept: Kept
) -> None:
    kept.gate.clear()
    denials.note(new_id(), "audit", NO_ROLE)
    await asyncio.wait_for(denials.settled(0.05), 5)
    (task,) = denials._tasks
    assert task.get_name() == "denied"
    waiting = asyncio.create_task(denials.settled())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    kept.gate.set()
    await waiting
    await until(lambda: not denials._tasks)
    assert len(kept.jobs) == 1


async def test_what_nobody_foresaw_is_named_by_its_kind(denials: Denials, kept: Kept) -> None:
    kept.error = KeyError("what")
    with capture_logs() as logs:
        denials.note(new_id(), "audit", NO_ROLE)
        await denials.settled()
    assert [(one["rule"], one["error"]) for one in logs] == [("denied-unwritten", "KeyError")]


async def test_what_was_never_judged_gives_no_room_back(denials: Denials, kept: Kept) -> None:
    device = new_id()
    for exists, count in ((True, MOST), (False, 1)):
        assert all(denials._room(device, exists) for _ in range(count))
    kept.error = UnreachableError("the database is away", rule="database")
    denials.note(device, "audit", NO_ROLE)
    await denials.settled()
    assert not any(denials._room(device, exists) for exists in (True, False))


async def test_the_alarms_about_one_device_hide_none_about_another(
    denials: Denials, kept: Kept, alarms: list[str]
) -> None:
    kept.error = UnreachableError("the database is away", rule="database")
    first, second = new_id(), new_id()
    for device, count in ((first, MOST + 1), (second, 1)):
        for _ in range(count):
            denials.note(device, "audit", NO_ROLE)
            await denials.settled()
    assert alarms == ["denied-unwritten"] * (MOST + 1)


# --- what looks like a copy or a forgery -------------------------------------------------------


async def test_attack_a_copied_device_and_a_forged_object_are_alarms(
    bench: Bench, alarms: list[str]
) -> None:
    case = bench.open_case(PARTNER)
    bench.message(case)
    owner = bench.owner
    partner = bench.partner
    sent = casework.message(bench.network, owner, case)
    used, object_ = opened(bench, sent), read(sent, Object)
    bench.known.learn_device(owner.device, object_.device_n)
    fresh = opened(bench, casework.access(bench.network, partner, case, new_id()))
    sought = casework.search(bench.network, partner)
    search, number = opened(bench, sought), read(sought, Search).device_n
    revoke = opened(bench, bench.network.revoke(bench.lab))  # it has no number
    used_twice = OutOfTurnError("no", rule="number")
    with capture_logs() as logs:
        suspect(bench.known, (fresh, revoke, search), used_twice)
        suspect(bench.known, (used,), NO_ROLE)
        assert logs == []
        suspect(bench.known, (fresh, used), used_twice)
        suspect(bench.known, (fresh, used), OutOfTurnError("no", rule="other-bytes"))
        bench.known.learn_device(partner.device, number)
        suspect(bench.known, (search,), used_twice)
    assert [{k: v for k, v in one.items() if k not in ("event", "log_level")} for one in logs] == [
        {"rule": "cloned-device", "device": owner.device, "number": object_.device_n},
        {"rule": "other-bytes", "objects": [None, object_.object]},
        {"rule": "cloned-device", "device": partner.device, "number": number},
    ]
    assert alarms == ["cloned-device", "other-bytes", "cloned-device"]
