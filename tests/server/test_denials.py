"""Refusals for want of a right are entries; they delay nothing, open nothing, fill nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Ask, AuditItem, CaseFrom, LogFrom
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Access, Denied
from seefen.protocol.suite import new_id
from seefen.server.denials import MOST, SECONDS, Denials
from seefen.server.errors import UnreachableError
from seefen.server.fsck import Fsck
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, refused, served

OWNER, PARTNER, OTHER = "skopje-border", "belgrade-ffp", "tirana-lab"
ALL = LogFrom(0, 4096, 0)


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(OWNER, PARTNER, OTHER) as it:
        yield it


async def denied(it: Served, by: Machine) -> list[tuple[Core, Denied, AuditItem]]:
    """Return the refusals that the auditors of a machine's node are shown, each proved."""
    await it.broker.denials.settled()
    page = await it.broker.audit(by.device, ALL)
    found: list[tuple[Core, Denied, AuditItem]] = []
    for item in page.items:
        core = it.check(item.entry, page.checkpoint)
        if item.kind == "denied":
            statement = open_envelope(item.envelope, "denied").statement
            assert isinstance(statement, Denied)
            found.append((core, statement, item))
    return found


async def tried(it: Served, by: Machine, ask: Ask, rule: str = "not-a-reader") -> None:
    await refused(rule, it.broker.ask(by.device, ask))


def about(it: Served, by: Machine, case: bytes, object_: bytes) -> Ask:
    """Return an access that a machine has no right to; its numbers are not used up."""
    return casework.access(it.network, by, case, object_)


async def test_fault_56_what_an_auditor_has_no_right_to_is_refused_and_entered(
    it: Served,
) -> None:
    """Tirana's auditor asks for a case of Skopje and Belgrade: both sides see that he did."""
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    case = await it.open_case(author, PARTNER)
    object_ = await it.message(author, case)
    before = await it.sizes()
    ask = about(it, stranger, case, object_)
    await tried(it, stranger, ask)
    assert await denied(it, it.network.of(PARTNER)) == []
    for side in (author, stranger):
        ((core, statement, _),) = await denied(it, side)
        assert (core.act, core.op, core.outcome) == ("denied", "consult", "not-a-reader")
        assert (core.node, core.device) == (OTHER, stranger.device.hex())
        assert (core.officer, core.purpose) == (stranger.officer, "tracing")
        assert (core.case, core.object) == (case.hex(), object_.hex())
        # No more than he knew when he asked.
        assert (core.n, core.to, core.device_n, core.case_n) == (0, (), 0, 0)
        assert statement.asked == ask.envelope
    assert await it.sizes() == (before[0], before[1] + 1)
    for machine in (author, stranger, it.network.of(PARTNER)):
        page = await it.feed(machine)
        assert not any(item.kind == "denied" for item in page.items)
        assert not any(stub.kind == "denied" for stub in page.stubs)
    # The case goes on as if nothing had been asked, here and at a broker that starts anew.
    await it.message(author, case)
    await it.restart()
    await it.message(author, case)
    assert (await Fsck(it.store).whole()).problems == []


async def test_a_look_into_the_audit_without_the_role_is_entered(it: Served) -> None:
    admin = it.network.of(PARTNER)
    await it.send(admin, it.network.enrol(PARTNER, ("field",)))
    field = it.network.of(PARTNER, nth=1)
    await refused("role", it.broker.audit(field.device, ALL))
    ((core, statement, _),) = await denied(it, admin)
    assert (core.outcome, core.device, core.case) == ("role", field.device.hex(), "")
    assert (statement.what, statement.asked) == ("audit", b"")


async def test_a_revoked_device_that_asks_on_is_entered(it: Served) -> None:
    author, reader = it.network.of(OWNER), it.network.of(PARTNER)
    case = await it.open_case(author, PARTNER)
    object_ = await it.message(author, case)
    ask = about(it, reader, case, object_)
    await it.send(None, it.network.suspend(PARTNER))
    await tried(it, reader, ask, "suspended")
    ((core, _, _),) = await denied(it, author)
    assert core.outcome == "suspended"


async def test_only_what_the_device_signed_itself_is_its_attempt(it: Served) -> None:
    author, stranger, partner = (it.network.of(node) for node in (OWNER, OTHER, PARTNER))
    case = await it.open_case(author, PARTNER)
    object_ = await it.message(author, case)
    ask = about(it, stranger, case, object_)
    access = open_envelope(ask.envelope, "access").statement
    assert isinstance(access, Access)
    nowhere = sign(replace(access, case=new_id()), stranger.sign)
    watch = casework.access(it.network, author, case, object_, scope="watch")
    for by, asked in (
        (partner, ask),  # another's
        (stranger, replace(ask, envelope=nowhere)),  # a case that is none
        (author, watch),  # out of scope: no right is missing
    ):
        with pytest.raises(SeefenError):
            await it.broker.ask(by.device, asked)
    await it.send(None, it.network.suspend(OTHER))
    await tried(it, stranger, replace(ask, envelope=sign(access, author.sign)), "suspended")
    assert await denied(it, author) == []


async def test_attack_nobody_fills_the_log_by_asking(it: Served) -> None:
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    case = await it.open_case(author, PARTNER)
    objects = [await it.message(author, case) for _ in range(MOST + 5)]
    for _ in range(50):
        await tried(it, stranger, about(it, stranger, case, objects[0]))
    assert len(await denied(it, author)) == 1
    for object_ in objects:
        await tried(it, stranger, about(it, stranger, case, object_))
        # An id that is none is no other thing: else there would be as many as one likes.
        await tried(it, stranger, about(it, stranger, case, new_id()))
    assert len(await denied(it, author)) == MOST + 1  # and one for all ids that nobody gave
    it.network.at += SECONDS + 1
    before = len(await denied(it, author))
    await tried(it, stranger, about(it, stranger, case, objects[0]))
    assert len(await denied(it, author)) == before + 1


async def test_attack_nonsense_first_does_not_hide_what_is_tried_then(it: Served) -> None:
    """He burns his twenty with ids that nobody gave, and then tries a case of Skopje."""
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    case = await it.open_case(author, PARTNER)
    object_ = await it.message(author, case)
    for _ in range(MOST):
        looking = it.broker.audit(stranger.device, CaseFrom(new_id(), 0, 10, 0))
        await refused("not-the-owner", looking)
        await tried(it, stranger, about(it, stranger, case, new_id()))
    await tried(it, stranger, about(it, stranger, case, object_))
    found = [core.object for core, _, _ in await denied(it, author)]
    assert found == [object_.hex()]
    assert len(await denied(it, stranger)) == 2


async def test_attack_an_entry_does_not_say_which_ids_are_cases(it: Served) -> None:
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    asked = [await it.open_case(author, PARTNER), new_id()]
    for case in asked:
        looking = it.broker.audit(stranger.device, CaseFrom(case, 0, 10, 0))
        await refused("not-the-owner", looking)
    found = await denied(it, stranger)
    assert [core.case for core, _, _ in found] == [case.hex() for case in asked]
    assert [statement.case for _, statement, _ in found] == asked
    assert (await Fsck(it.store).whole()).problems == []


async def test_an_orderly_stop_writes_what_was_refused(it: Served, alarms: list[str]) -> None:
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    case = await it.open_case(author, PARTNER)
    ask = about(it, stranger, case, await it.message(author, case))
    await tried(it, stranger, ask)
    await it.restart()
    assert alarms == []
    assert len(await denied(it, author)) == 1


async def test_attack_a_refusal_stands_when_its_entry_cannot_be_written(
    it: Served, monkeypatch: pytest.MonkeyPatch, alarms: list[str]
) -> None:
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    case = await it.open_case(author, PARTNER)
    ask = about(it, stranger, case, await it.message(author, case))

    class Away:
        async def write(self, job: Any) -> Any:
            raise UnreachableError("the database is away", rule="database")

    with monkeypatch.context() as patched:
        patched.setattr(it.broker.denials, "_writes", Away())
        await tried(it, stranger, ask)
        await it.broker.denials.settled()
        assert alarms == ["denied-unwritten"]
        for _ in range(2 * MOST):  # nor does it fill the journal
            await tried(it, stranger, ask)
            await it.broker.denials.settled()
        assert alarms == ["denied-unwritten"] * MOST
    # What was not written did not count: the next try is entered.
    await tried(it, stranger, ask)
    assert len(await denied(it, author)) == 1


async def test_a_refusal_does_not_wait_for_its_entry(it: Served) -> None:
    author, stranger = it.network.of(OWNER), it.network.of(OTHER)
    case = await it.open_case(author, PARTNER)
    ask = about(it, stranger, case, await it.message(author, case))
    before = await it.sizes()
    noted: list[object] = []

    class Held(Denials):
        def note(self, *rest: Any, **more: Any) -> None:
            noted.append(rest)

    it.broker.denials = Held(it.broker.denials._writes, lambda: 0)
    await tried(it, stranger, ask)
    assert (len(noted), await it.sizes()) == (1, before)
