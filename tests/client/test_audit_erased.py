"""What is erased under retention is shown as that; what is merely gone is a problem."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from msgspec import structs

from seefen.client import Client
from seefen.client.audit import checking, fetching
from seefen.client.audit.filters import Filter
from seefen.client.cli.audit_export import _summary
from seefen.client.cli.views import audits
from seefen.client.findings import AuditRow
from seefen.protocol import retention as rules
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope
from seefen.protocol.frames import AuditPage, LogFrom
from seefen.protocol.ledger.note import open_checkpoint
from seefen.protocol.statements import Erased
from seefen.protocol.suite import SUITE, new_id
from seefen.server import entries, retention
from seefen.server.retention import EraseJob
from seefen.server.rows import LeafRow
from seefen.server.store.erasures import ErasureRows
from seefen.server.view import Layer
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until

YEAR = 366 * 86_400
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
        place.broker.services.broker.retention.years = 3
        yield Story(place, skopje, await place.client(SKOPJE, nth=1))


def always(value: int) -> Callable[..., int]:
    def said(*_: object) -> int:
        return value

    return said


def soon(now: int, years: int) -> int:
    assert years
    return now + 1


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be over its time a second after it was made."""
    for module in (rules, retention):
        monkeypatch.setattr(module, "cutoff", soon)
    monkeypatch.setattr(fetching, "told_end", always(0))


async def erase(place: Site) -> int:
    return await place.broker.services.broker.retention.run(sure=True)


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
    made = await auditor.audit.export()
    assert made.findings == ()
    assert gone.index in made.erased
    assert "left out: their text was erased" in printed(_summary(made, Path("x.zip")))


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
    for client in (auditor, other):  # one has kept it, and fetches nothing again
        made = await client.audit.export()
        assert made.findings == (
            f"entry {seen.index}: its text is gone, and nothing in the log allows it",
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
    await broker.retention.run(sure=True)
    for client in (auditor, other):
        problems = (await client.audit.verify()).problems
        assert f"entry {seen.index}: its text was erased before its time" in problems


def hide(place: Site, monkeypatch: pytest.MonkeyPatch, hidden: Callable[[LeafRow], bool]) -> None:
    """Let the broker leave entries out of what it shows to auditors."""
    storage = type(place.broker.services.broker._storage)
    real = storage.entitled

    async def entitled(self: Any, *asked: Any) -> list[LeafRow]:
        return [row for row in await real(self, *asked) if not hidden(row)]

    monkeypatch.setattr(storage, "entitled", entitled)


class Said(EraseJob):
    """An erasure as a broker of bad will enters it: dated as it likes."""

    def __init__(self, erased: tuple[int, int, int], at: int) -> None:
        super().__init__(*erased, 1)
        self._erased, self._at = erased, at

    def judge(self, layer: Layer) -> None:
        upto, before, years = self._erased
        net = layer.directory.net
        erased = Erased(SUITE, net, "erased", new_id(), upto, before, years, 1)
        now, layer.at = layer.at, self._at * 1000
        row = entries.erased_entry_of(layer, encode(Envelope(encode(erased), ())))
        layer.at = now
        layer.changes.activity.append(row)
        layer.activity_size += 1


async def test_attack_an_old_erasure_excuses_a_reading_that_is_hidden_today(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first numbers of a device in a case are left out, after an erasure of other things."""
    place, _, other = story
    broker = place.broker.services.broker
    await broker._sequencer.write(EraseJob(1, rules.cutoff(place.network.at, 3), 3, 0))
    hide(place, monkeypatch, lambda row: row.kind in ("access", "ack"))
    found = await other.audit.verdict()
    assert len(found.gaps) == 1
    assert "there" in found.gaps[0]
    assert not found.ok


@pytest.mark.usefixtures("over")
@pytest.mark.parametrize("kind", ["access", "search"])
async def test_attack_a_hidden_reading_is_passed_off_as_erased(
    story: Story, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As many must be shown as erased as numbers are missing: each at its place in the log."""
    place, auditor, other = story
    assert await auditor.audit.list()  # searches of its own
    await erase(place)
    assert await auditor.audit.list()  # his last number is known when he is heard again
    (last, *_) = [
        row.idx
        for row in reversed(await place.broker.services.broker._storage.activity(0, 1000))
        if row.kind == kind and not row.core
    ]
    hide(place, monkeypatch, lambda row: row.idx == last)
    found = (await other.audit.verdict()).gaps
    assert len(found) == 1
    assert "missing" in found[0]


@pytest.mark.parametrize("later", [False, True])
async def test_attack_an_erasure_of_the_future_takes_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    """Dated in four years it takes what was read a minute ago, and no page of an audit has it."""
    place, auditor, other = story
    (seen,) = await readings(auditor)
    broker = place.broker.services.broker
    far = place.network.at + 4 * YEAR
    said = broker.heads.activity.size
    await broker._sequencer.write(Said((said, rules.cutoff(far, 1), 1), far))
    broker.retention.years = 0
    assert await broker.retention.run(sure=True)
    hide(place, monkeypatch, lambda row: row.kind == "erased")
    await auditor.alerts.send(alert(), CHANNEL)
    if later:
        # When its time has come, what was entered after it speaks against it.
        monkeypatch.setattr(checking, "min", always(far), raising=False)
    why = "erased by an entry whose time is not true" if later else "gone, and nothing in the log"
    for client in (auditor, other):
        found = await client.audit.verdict()
        problems = (await client.audit.verify()).problems
        assert any(f"entry {seen.index}: its text" in one and why in one for one in problems)
        if client is other or later:  # the other one has kept it, and fetches nothing again
            assert any(f"entry {seen.index}: its text" in one for one in found.problems)


async def test_attack_an_erasure_is_later_than_the_signed_head_or_the_own_clock(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, auditor, _ = story
    far = place.network.at + 4 * YEAR
    broker = place.broker.services.broker
    await broker._sequencer.write(Said((1, rules.cutoff(far, 1), 1), far))
    engine = auditor._engine
    page = await engine.connection.request("erasures", LogFrom(0, 200, 0), AuditPage)
    origin, key = engine.trust.origin("activity"), engine.trust.root.log_key
    true = open_checkpoint(page.checkpoint, origin, key)
    late = replace(true, time=far)
    for signed, own, believed in (
        (true, far, False),
        (late, place.network.at, False),
        (late, far, True),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(type(engine), "now", always(own))
            problem = checking.check(engine, page.items[0], signed).problem
        assert ("dated later than it was entered" in problem) is not believed


async def test_attack_a_hidden_access_is_told_to_stand_where_another_entry_stands(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is shown without its text fills a number that the members were told."""
    place, auditor, _ = story
    hide(place, monkeypatch, lambda row: row.kind == "access")
    for _ in range(2):
        await auditor.audit.verdict()  # its own looks are entries, too
    vault = auditor._engine.vault
    ((index,),) = vault.run("SELECT max(idx) FROM audited WHERE act = 'search'")
    vault.run("UPDATE entry SET idx = ? WHERE kind = 'access'", index)
    assert len((await auditor.audit.verdict()).gaps) == 1


async def test_attack_a_reading_goes_before_the_end_that_was_told(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The auditor was told three years; the broker erases by one, and tells three again."""
    place, auditor, _ = story
    (seen,) = await readings(auditor)
    broker = place.broker.services.broker
    # By the rule that the entry names its time is over; by the one that was told it is not.
    for module in (rules, retention):
        monkeypatch.setattr(module, "cutoff", soon)
    broker.retention.years = 1
    assert await broker.retention.run(sure=True)
    broker.retention.years = 3
    problem = f"entry {seen.index}: its text was erased before the end that this device was told"
    for _ in range(2):
        assert problem in (await auditor.audit.verdict()).problems
        assert problem in (await auditor.audit.verify()).problems
        # It stays a problem when nothing else is left that says when it was made.
        auditor._engine.vault.run("DELETE FROM audited WHERE idx < ?", seen.index)
        hide(place, monkeypatch, lambda row: row.idx < seen.index)


@pytest.mark.usefixtures("over")
async def test_attack_what_was_erased_is_passed_off_as_another_kind(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading of a partner could fill the place of one of an own device that is hidden."""
    place, auditor, _ = story
    (seen,) = await readings(auditor)
    await erase(place)
    storage = type(place.broker.services.broker._storage)
    real = storage.entitled

    async def entitled(self: Any, *asked: Any) -> list[LeafRow]:
        rows = await real(self, *asked)
        return [
            structs.replace(row, kind="search") if row.idx == seen.index else row for row in rows
        ]

    monkeypatch.setattr(storage, "entitled", entitled)
    problem = f"entry {seen.index}: it was shown as another kind before"
    assert problem in (await auditor.audit.verify()).problems


@pytest.mark.usefixtures("over")
async def test_what_a_lifted_hold_had_kept_goes_from_the_auditors_store_too(story: Story) -> None:
    place, auditor, _ = story
    (seen,) = await readings(auditor)
    rows = ErasureRows(getattr(place.broker.services.broker._storage, "pool"))  # noqa: B009
    await rows.hold(BELGRADE, 1, "court")
    await erase(place)
    assert "opened" in [row.what for row in await readings(auditor)]
    await rows.lift(BELGRADE)
    await erase(place)
    (gone,) = (row for row in await readings(auditor) if row.index == seen.index)
    assert gone.what.startswith("erased under retention on 2")
    assert (await auditor.audit.verify()).problems == ()
    sql = "SELECT core, envelope FROM audited_bytes WHERE idx = ?"
    assert auditor._engine.vault.one(sql, seen.index) == (b"", b"")
