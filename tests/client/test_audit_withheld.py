"""A broker that refuses, cuts or empties the audit; and who has no right to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import Filter
from seefen.client.cli import session
from seefen.protocol.encoding import encode
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuditPage, Frame, Problem
from seefen.protocol.ledger.record import decode_core, encode_core
from tests.client.cli.stage import Said, command
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until
from tests.support.broker import free_port
from tests.support.hostile import Hostile

WEEK = 7 * 86_400
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Place(NamedTuple):
    site: Site
    hostile: Hostile
    lead: Client
    number: str

    async def auditor(self) -> Client:
        """Return the client of a device of Skopje that has the role ``auditor`` and no other."""
        network = self.site.network
        await self.site.broker.take(network.enrol(SKOPJE, ("auditor",)))
        auditors = [one for one in network.directory.devices(SKOPJE) if "auditor" in one.roles]
        return await self.site.client(SKOPJE, "auditor", nth=len(auditors) - 1)

    def refuse(self, status: int, rule: str, *, verb: str = "audit") -> None:
        """Let the broker refuse a verb to everybody."""

        async def hear(frame: Frame) -> None:
            said = Frame(frame.id, "problem", encode(Problem(status, rule, "not for you")))
            for machine in self.site.network.machines.values():
                await self.hostile.say(said, to=machine)

        self.hostile.before(verb, hear)

    def evidence(self, client: Client, name: str) -> dict[str, Any]:
        """Return a file of evidence that a device has kept."""
        path = client._engine.home / "evidence" / f"{name}.json"
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        assert found["rule"] == "withheld"
        assert len(found["heads"]) == 2
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A lead of Skopje, no auditor, opened a case; Belgrade has read what he wrote there."""
    front, folder = f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("withheld")
    async with site(folder, SKOPJE, BELGRADE, front=front) as made:
        hostile = Hostile(made.broker)
        async with hostile.listening():
            await made.broker.take(made.network.enrol(SKOPJE, ("lead", "keyholder")))
            _, view = made.network.view(made.network.of(BELGRADE))  # a network auditor
            await made.broker.take(made.network.bundle("view", view))
            lead, belgrade = await made.client(SKOPJE, nth=1), await made.client(BELGRADE)
            case = await lead.cases.open("Pistols", [BELGRADE])
            ref = (await lead.cases.send(case.number, "one")).ref or ""
            await until(lambda: belgrade.cases.list(), belgrade)
            await belgrade.read(ref, **WHY, reason="a call")
            await lead.sync()
            yield Place(made, hostile, lead, case.number)


async def run(client: Client, *argv: object) -> Said:
    """Run a command on an open client."""
    session.host(client, asyncio.get_running_loop())
    try:
        return await asyncio.to_thread(command, *argv)
    finally:
        session.host(None, None)


@contextmanager
def later(client: Client, seconds: int) -> Generator[None]:
    """Let a client's clock be ahead."""
    engine: Any = client._engine
    now = engine.now
    engine.now = lambda: now() + seconds
    yield
    del engine.now


async def test_who_is_no_auditor_checks_the_records_and_asks_for_no_entry(place: Place) -> None:
    network, broker, lead = place.site.network, place.site.broker, place.lead
    await broker.take(network.enrol(SKOPJE, ("field",)))
    field = await place.site.client(SKOPJE, "field", nth=1)
    auditor = await place.site.client(SKOPJE, "auditor")
    refused = Filter(outcome="denied")
    before = await auditor.audit.list(wanted=refused)
    asked = place.hostile.heard["audit"]
    for client in (lead, field):
        report = await client.audit.verify()
        assert (report.ok, report.problems, report.entries) == (True, (), None)
        assert report.checked == report.head
    # What he sees of single cases has gaps between the numbers, and nothing is missing.
    assert (await lead.audit.case(place.number)).problems == ()
    with later(lead, WEEK + 86_400):  # and no network auditor owes him a manifest
        report = await lead.audit.verify()
    assert (report.problems, report.entries) == ((), None)
    assert "checkpoint is 192 h old" in report.stale, "by a clock that is a week ahead"
    with pytest.raises(UntrustedError) as caught:
        await field.audit.export()
    assert caught.value.rule == "not-an-auditor"
    assert place.hostile.heard["audit"] == asked
    await broker.services.broker.denials.settled()
    assert await auditor.audit.list(wanted=refused) == before
    said = await run(lead, "audit", "verify")
    assert said.code == 0
    assert "entries are for the auditors of your node" in " ".join(said.out.split())


REFUSALS = ((403, "role"), (403, "forbidden"), (422, "not-the-owner"), (409, "x"))


async def test_attack_a_broker_refuses_an_auditor_what_is_his(place: Place) -> None:
    auditor = await place.auditor()
    assert (await auditor.audit.verify()).ok
    for status, rule in REFUSALS:
        place.refuse(status, rule)
        report = await auditor.audit.verify()
        assert not report.ok
        assert [text for text in report.problems if f"says: {rule})" in text] == [auditor.alarm]
    assert place.evidence(auditor, "audit-refused")["said"] == "not for you"
    verdict = await auditor.audit.verdict()
    assert not verdict.ok
    assert verdict.problems
    assert len(verdict.alarms) == len(REFUSALS)
    for words in (("audit",), ("audit", "verify"), ("audit", "list")):
        said = await run(auditor, *words)
        assert said.code == 1, words
        assert "IN ORDER  " not in said.out
    place.hostile.honest()
    assert (await auditor.audit.verify()).ok
    # It stays until somebody says what it was.
    assert not (await auditor.audit.verdict()).ok


async def test_a_refusal_that_the_log_bears_out_is_no_alarm(place: Place) -> None:
    before = place.lead.alarm
    with pytest.raises(SeefenError) as caught:
        await place.lead.audit._fetching.catch_up()  # what no command of his does
    assert caught.value.rule == "role"
    assert place.lead.alarm == before


async def test_attack_a_broker_shows_a_new_auditor_an_empty_audit(place: Place) -> None:
    auditor = await place.auditor()

    def empty(page: AuditPage) -> AuditPage:
        return replace(page, items=())

    place.hostile.lie("audit", empty)
    report = await auditor.audit.verify()
    assert any(place.lead.officer in text for text in report.problems)
    assert not (await auditor.audit.verdict()).ok
    place.hostile.honest()
    assert (await auditor.audit.verdict()).ok


async def test_attack_a_broker_ends_the_audit_before_the_log_does(place: Place) -> None:
    auditor = await place.auditor()
    assert (await auditor.audit.verify()).ok

    def short(page: AuditPage) -> AuditPage:
        return replace(page, items=(), upto=0)

    place.hostile.lie("audit", short)
    report = await auditor.audit.verify()
    assert any("up to entry 0 and no further" in text for text in report.problems)
    assert auditor.alarm in report.problems
    assert place.evidence(auditor, "audit-cut")
    place.hostile.honest()
    assert (await auditor.audit.verify()).ok


async def test_what_is_not_proved_ends_as_a_verdict_does(place: Place, tmp_path: Path) -> None:
    auditor = await place.auditor()
    await auditor.sync()
    number = place.number

    def spoilt(page: AuditPage) -> AuditPage:
        items = [
            replace(item, entry=replace(item.entry, core=_blamed(item.entry.core)))
            for item in page.items
        ]
        return replace(page, items=tuple(items))

    place.hostile.lie("audit", spoilt)
    (row,) = [one for one in await auditor.audit.list(node=BELGRADE) if one.problem]
    for words in (("list",), ("case", number), ("show", row.index)):
        said = await run(auditor, "audit", *words)
        assert "NOT PROVED" in said.out, words
        assert said.code == 1, words
    file = tmp_path / "person.json"
    assert (await run(place.lead, "audit", "person", "Nobody Here", "-o", file)).code == 0
    counted: tuple[tuple[object, ...], ...] = (
        ("audit", "register"), ("audit", "register", "--processing"), ("audit", "flags"),
        ("breach", number), ("audit", "person", "--found", file),
    )  # fmt: skip
    for argv in counted:  # who counts what is proved says what is not
        said = await run(auditor, *argv)
        assert "1 entry is NOT PROVED, and counted nowhere here" in said.out, argv
        assert said.code == 1, argv
    place.hostile.honest()
    every = (("audit", "list"), ("audit", "case", number), ("audit", "show", row.index), *counted)
    for argv in every:
        said = await run(auditor, *argv)
        assert "NOT PROVED" not in said.out, argv
        assert said.code == 0, argv


def _blamed(core: bytes) -> bytes:
    """Return a reading with another reader."""
    found = decode_core(core)
    return encode_core(replace(found, officer="o-0000")) if found.act == "access" else core


async def test_attack_32_a_reading_kept_from_its_owner_is_an_alarm(place: Place) -> None:
    auditor, number = await place.auditor(), place.number
    await auditor.sync()

    def without(page: AuditPage) -> AuditPage:
        kept = [item for item in page.items if decode_core(item.entry.core).act != "access"]
        return replace(page, items=tuple(kept))

    place.hostile.lie("case-audit", without)
    place.hostile.lie("audit", without)
    for client in (place.lead, auditor):
        said = await run(client, "audit", "case", number)
        assert "KEPT FROM YOU" in said.out
        assert said.code == 1
        assert number in str(client.alarm)
        (path,) = (client._engine.home / "evidence").glob("case-audit-*.json")
        (hidden,) = place.evidence(client, path.stem)["hidden"]
        assert f"entry {hidden['index']}" in str(client.alarm)
    place.hostile.honest()
    for client in (place.lead, auditor):
        assert (await run(client, "audit", "case", number)).code == 0
