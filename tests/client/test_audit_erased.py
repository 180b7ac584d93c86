"""What is erased under retention is shown as that; what is merely gone is a problem."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from seefen.client import Client
from seefen.client.audit.filters import Filter
from seefen.client.cli.views import audits
from seefen.client.findings import AuditRow
from seefen.protocol import retention as rules
from seefen.server import retention
from seefen.server.retention import EraseJob
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until

ALL = Filter(op="all")


class Story(NamedTuple):
    place: Site
    auditor: Client
    other: Client


@pytest_asyncio.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """Belgrade has read an alert of Skopje's channel, and Skopje has two auditors."""
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        await place.broker.take(place.network.enrol(SKOPJE, ("auditor",)))
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        await until(belgrade.alerts.list, belgrade)
        await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, reason="a call")
        yield Story(place, skopje, await place.client(SKOPJE, nth=1))


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be over its time a second after it was made."""

    def soon(now: int, years: int) -> int:
        assert years
        return now + 1

    for module in (rules, retention):
        monkeypatch.setattr(module, "cutoff", soon)


async def erase(place: Site) -> int:
    return await place.broker.services.broker.retention.run()


async def readings(client: Client) -> list[AuditRow]:
    return [row for row in await client.audit.list() if row.what != "looked into the audit"]


@pytest.mark.usefixtures("over")
async def test_fault_51_an_auditor_sees_that_it_was_erased_and_when(story: Story) -> None:
    place, auditor, other = story
    before = await readings(auditor)
    assert [row.what for row in before] == ["opened"]
    kept = (await auditor.audit.show(before[0].index)).kept_until
    assert kept == rules.kept_until(before[0].at, 3)
    assert await erase(place) > 0
    for client in (auditor, other):  # one has seen it before, one never
        rows = await readings(client)
        (gone,) = (row for row in rows if row.index == before[0].index)
        assert gone.what.startswith("erased under retention on 2")
        assert (gone.proved, gone.officer, gone.purpose, gone.reason) == (True, "", "", None)
        assert "erased under retention on" in " ".join(printed(audits.listed([gone], 0)).split())
        assert "erased readings" in [row.what for row in rows]
        found = await client.audit.verdict()
        assert (found.problems, found.gaps) == ((), ())
        assert (await client.audit.verify()).problems == ()
        shown = await client.audit.show(gone.index)
        assert shown.fields == {}
        assert shown.proof
        row = client._engine.vault.one(
            "SELECT core, envelope FROM audited_bytes WHERE idx = ?", gone.index
        )
        assert row == (b"", b"")
    assert (await auditor.audit.export()).findings == ()


async def test_attack_a_broker_drops_the_text_of_a_reading(story: Story) -> None:
    place, auditor, other = story
    (seen,) = await readings(auditor)
    pool: Any = getattr(place.broker.services.broker._storage, "pool")  # noqa: B009
    await pool.execute(
        "UPDATE activity_leaf SET core = '', envelope = '' WHERE idx = $1", seen.index
    )
    assert any(
        f"entry {seen.index}: its text is gone, and nothing in the log allows it" in text
        for text in (await other.audit.verify()).problems
    )


async def test_attack_a_broker_erases_before_its_time(story: Story) -> None:
    """The entry that allows it says what the rule allows, and reaches too far."""
    place, auditor, other = story
    (seen,) = await readings(auditor)
    broker = place.broker.services.broker
    size = broker.heads.activity.size
    before = rules.cutoff(place.network.at, 1)
    await broker._sequencer.write(EraseJob(size, before, 1, 1))
    broker.retention.years = 0
    await broker.retention.run()
    for client in (auditor, other):
        problems = (await client.audit.verify()).problems
        assert f"entry {seen.index}: its text was erased before its time" in problems
