"""Refusals as entries: whose attempt it was, what it says, and when there is room for it."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.envelope import Opened, open_envelope, sign
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.statements import Access, Denied, Search
from seefen.protocol.suite import new_id, sha256
from seefen.server.denials import COUNTED, DeniedJob
from seefen.server.rows import LeafRow
from seefen.server.view import Layer, Needs
from tests.protocol.builder import read, refused
from tests.support import casework
from tests.support.judge import BEFORE, LAB, OWNER, PARTNER, Bench, as_bundle
from tests.support.network import Machine

pytestmark = pytest.mark.asyncio  # a job waits in a loop


class Room:
    """Has room, and keeps what it was asked."""

    def __init__(self, *, has: bool = True) -> None:
        self.has = has
        self.asked: list[tuple[bytes, bool]] = []

    def __call__(self, device: bytes, exists: bool) -> bool:
        self.asked.append((device, exists))
        return self.has


@pytest.fixture
def bench() -> Bench:
    return Bench()


def denied(
    by: Machine,
    what: str = "audit",
    opened: Opened | None = None,
    case: bytes | None = None,
    of: str | None = None,
    room: Callable[[bytes, bool], bool] | None = None,
) -> DeniedJob:
    return DeniedJob(by.device, what, "role", opened, case, of, room or Room())


def entered(bench: Bench, job: DeniedJob) -> tuple[LeafRow, Denied]:
    """Return the entry of a refusal, and what it says."""
    for case in job.needs.cases:
        if case not in bench.layer.cases:
            bench.known.learn_case(case, None)
    layer = Layer.on(bench.layer)
    job.judge(layer)
    assert layer.activity_size == bench.layer.activity_size + 1
    (row,) = layer.changes.activity
    statement = open_envelope(row.envelope, "denied").statement
    assert isinstance(statement, Denied)
    return row, statement


def access(
    bench: Bench, by: Machine, case: bytes, *objects: bytes, scope: str = "object"
) -> Opened:
    bundle = as_bundle(casework.access(bench.network, by, case, *objects, scope=scope))
    return open_envelope(bundle.statements[0].envelope, "access")


async def test_the_entry_says_what_he_asked_for_as_he_signed_it(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    opened = access(bench, bench.lab, case, obj)
    job = denied(bench.lab, "access", opened, new_id())
    assert job.needs == Needs(frozenset((case,)), objects=frozenset((obj,)))
    assert job.about == (bench.lab.device, "access", case, obj, None)
    row, said = entered(bench, job)
    assert (said.net, said.node, said.device) == (bench.network.net, LAB, bench.lab.device)
    assert (said.what, said.rule, said.of) == ("access", "role", None)
    assert (said.case, said.object, said.asked) == (case, obj, opened.envelope)
    assert (row.idx, row.kind, row.case, row.object) == (
        bench.layer.activity_size, "denied", case, obj
    )  # fmt: skip
    assert (row.device, row.device_n, row.case_n) == (bench.lab.device, None, None)
    core = decode_core(row.core)
    asked = opened.statement
    assert isinstance(asked, Access)
    assert (core.act, core.op, core.outcome, core.node) == ("denied", "consult", "role", LAB)
    assert (core.officer, core.purpose, core.basis) == (
        bench.lab.officer, asked.purpose, asked.basis
    )  # fmt: skip
    assert core.req == sha256(row.envelope).hex()
    assert Record.decode(row.record).detail_commitment == asked.detail


async def test_a_look_into_the_audit_is_the_word_of_the_broker(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    for of in (None, "", OWNER):
        job = denied(bench.lab, case=case, of=of)
        assert job.needs == Needs(frozenset((case,)))
        row, said = entered(bench, job)
        assert (said.case, said.object, said.of, said.asked) == (case, None, of, b"")
        assert (row.kind, row.object) == ("denied", None)
    job = denied(bench.lab)
    assert job.needs == Needs()
    row, said = entered(bench, job)
    assert (row.idx, row.case, said.case) == (bench.layer.activity_size, b"", None)
    assert decode_core(row.core).purpose == ""


async def test_a_search_that_was_refused_names_no_case(bench: Bench) -> None:
    bundle = casework.search(bench.network, bench.lab)
    opened, search = open_envelope(bundle.statements[0].envelope, "search"), read(bundle, Search)
    job = denied(bench.lab, "search", opened)
    assert job.needs == Needs()
    row, said = entered(bench, job)
    core = decode_core(row.core)
    assert (said.what, said.case, said.object) == ("search", None, None)
    assert (said.asked, core.purpose, core.basis) == (opened.envelope, search.purpose, search.basis)
    assert (row.idx, core.emergency) == (BEFORE, 0)


async def test_attack_nobody_is_entered_for_what_another_asked(bench: Bench) -> None:
    """Whoever is logged in could else let any officer appear in the log as refused."""
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    theirs = access(bench, bench.partner, case, obj)
    statement = theirs.statement
    assert isinstance(statement, Access)
    unsigned = open_envelope(sign(statement, bench.lab.sign), "access")
    message = casework.message(bench.network, bench.lab, bench_case(bench))
    other = open_envelope(message.statements[0].envelope, "object")
    for by, opened, expected in (
        (bench.lab, theirs, "wrong-device"),
        (bench.partner, unsigned, "wrong-signers"),
        (bench.lab, other, "wrong-device"),
    ):
        room = Room()
        layer = Layer.on(bench.layer)
        job = denied(by, "access", opened, room=room)
        with refused(expected, UntrustedError):
            job.judge(layer)
        assert (layer.changes.activity, room.asked) == ([], []), "and uses up nobody's room"
    entered(bench, denied(bench.partner, "access", theirs))


def bench_case(bench: Bench) -> bytes:
    return bench.open_case(LAB, serial=9)


async def test_a_device_that_nobody_knows_has_no_entry(bench: Bench) -> None:
    with refused("unknown-device", UntrustedError):
        DeniedJob(new_id(), "audit", "role", None, None, None, Room()).judge(Layer.on(bench.layer))


async def test_attack_what_there_is_and_what_nobody_gave_use_up_different_room(
    bench: Bench,
) -> None:
    case, other = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    obj, theirs = bench.message(case), bench.message(other)
    gone = new_id()
    bench.known.learn_object(gone, None)
    opened = access(bench, bench.lab, case, obj)
    statement = opened.statement
    assert isinstance(statement, Access)

    def asking(**changes: Any) -> Opened:
        return open_envelope(sign(replace(statement, **changes), bench.lab.sign), "access")

    for job, exists in (
        (denied(bench.lab), True),
        (denied(bench.lab, case=case), True),
        (denied(bench.lab, case=new_id()), False),
        (denied(bench.lab, of=""), True),
        (denied(bench.lab, of=OWNER), True),
        (denied(bench.lab, of="no-such-node"), False),
        (denied(bench.lab, case=case, of="no-such-node"), False),
        (denied(bench.lab, "access", opened), True),
        (denied(bench.lab, "access", asking(case=new_id())), False),
        (denied(bench.lab, "access", asking(object=gone)), False),
        (denied(bench.lab, "access", asking(object=theirs)), False),  # of another case
        (denied(bench.lab, "access", asking(object=None, scope="case")), True),
    ):
        room = Room()
        job._room = room
        _, said = entered(bench, job)
        assert room.asked == [(bench.lab.device, exists)]
        # Named all the same: else the entry would tell which ids are cases.
        assert (said.case, said.object) == job.about[2:4]
        assert said.of in (None, "", OWNER)


async def test_room_is_asked_once_however_often_it_is_judged(bench: Bench) -> None:
    room = Room()
    job = denied(bench.lab, room=room)
    for _ in range(3):
        entered(bench, job)
    assert len(room.asked) == 1
    full = Room(has=False)
    job = denied(bench.lab, room=full)
    for _ in range(3):
        layer = Layer.on(bench.layer)
        with refused(COUNTED, RefusedError):
            job.judge(layer)
        assert layer.changes.activity == []
    assert len(full.asked) == 1
