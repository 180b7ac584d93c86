"""The audit: what is missing is named, also the last entries and those of who never spoke."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import Filter
from seefen.protocol.frames import AuditPage, Page
from seefen.protocol.ledger.record import decode_core, encode_core
from seefen.server.proofs import Prover
from seefen.server.rows import Heads
from seefen.server.view import Known, Layer
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    SKOPJE,
    WHY,
    alert,
    channel,
    deaf,
    honest,
    spoil,
    until,
)

REF = f"{CHANNEL}#1"
DAY = 86_400


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def story(place: Site) -> tuple[Client, Client]:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(REF, **WHY, reason="a call from Skopje")
    await until(lambda: skopje.alerts.reach(REF)[0].read_at, skopje, belgrade)
    return skopje, belgrade


def without(device: str, *, last: int = 1000) -> Any:
    """Hide the last entries of a device from an audit."""

    def hide(page: AuditPage) -> AuditPage:
        own = [i for i in page.items if decode_core(i.entry.core).device == device]
        hidden = own[-last:]
        return replace(page, items=tuple(i for i in page.items if i not in hidden))

    return hide


async def test_an_honest_log_has_no_gaps_and_shows_the_reason(place: Site) -> None:
    skopje, belgrade = await story(place)
    for client in (skopje, belgrade):
        verdict = await client.audit.verdict()
        assert (verdict.ok, verdict.gaps, verdict.problems) == (True, (), ())
        assert verdict.entries == verdict.proved
    rows = await skopje.audit.list(node=BELGRADE)

    assert [(row.what, row.reason, row.proved) for row in rows] == [
        ("opened", "a call from Skopje", True)
    ]
    assert [row.ref for row in rows] == [REF]


@pytest.mark.parametrize("last", [1, 1000], ids=["last", "all"])
async def test_fault_18_entries_of_a_partner_cannot_be_hidden_from_the_owner(
    place: Site, last: int
) -> None:
    skopje, belgrade = await story(place)
    spoil(skopje, "audit", without(belgrade.device_hex, last=last), once=False)
    verdict = await skopje.audit.verdict()

    assert not verdict.ok
    assert any(belgrade.officer in gap for gap in verdict.gaps)
    assert set(verdict.gaps).isdisjoint(verdict.problems)
    honest(skopje)
    assert (await skopje.audit.verdict()).ok


@pytest.mark.parametrize("last", [1, 1000], ids=["last", "all"])
async def test_fault_17_own_entries_cannot_be_hidden(place: Site, last: int) -> None:
    skopje, _ = await story(place)
    spoil(skopje, "audit", without(skopje.device_hex, last=last), once=False)
    verdict = await skopje.audit.verdict()

    assert not verdict.ok
    assert any(skopje.officer in gap for gap in verdict.gaps)


async def test_an_altered_text_is_a_problem_of_its_entry(place: Site) -> None:
    skopje, belgrade = await story(place)

    def blame(page: AuditPage) -> AuditPage:
        def other(item: Any) -> Any:
            core = decode_core(item.entry.core)
            if core.act != "access":
                return item
            text = encode_core(replace(core, officer=skopje.officer))
            return replace(item, entry=replace(item.entry, core=text))

        return replace(page, items=tuple(map(other, page.items)))

    spoil(skopje, "audit", blame, once=False)
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    assert len(verdict.problems) == 1
    (row,) = await skopje.audit.list(node=BELGRADE)
    assert not row.proved
    assert belgrade.alarm is None


async def test_verify_knows_the_records_of_an_earlier_process(place: Site) -> None:
    skopje, _ = await story(place)
    assert (await skopje.audit.verify()).problems == ()
    await place.open.aclose()
    async with place.briefly(SKOPJE) as again:

        def altered(page: Any) -> Any:
            first, *rest = page.records
            return replace(page, records=(first[:-1] + bytes([first[-1] ^ 1]), *rest))

        spoil(again, "records", altered, once=False)
        report = await again.audit.verify()
        assert report.problems == ("entry 0 is not the one that was signed: it was altered",)
        honest(again)
        assert (await again.audit.verify()).problems == ()


async def test_fault_11_an_entry_that_is_dated_back_is_named(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await story(place)
    real = Layer.on

    def half_a_minute_ago(below: Known | Layer, *, at: int = 0) -> Layer:
        layer = real(below, at=at)
        layer.at = at - 30_000 if at else layer.at
        return layer

    monkeypatch.setattr(Layer, "on", half_a_minute_ago)
    sent = await belgrade.alerts.send(alert(), CHANNEL)
    assert sent.ref
    verdict = await skopje.audit.verdict()

    assert not verdict.ok
    assert verdict.problems
    assert all("s before the one before it" in problem for problem in verdict.problems)
    rows = await skopje.audit.list(wanted=Filter(op="all", case=CHANNEL))
    proved = [row.proved for row in rows]
    assert proved == sorted(proved, reverse=True)
    assert {row.proved for row in rows} == {True, False}


async def test_attack_an_old_head_with_its_old_time_is_in_no_order(place: Site) -> None:
    """Without witnesses: whoever hides a tail so has signed nothing that convicts him."""
    skopje, _ = await story(place)
    assert (await skopje.audit.verdict()).ok
    engine: Any = skopje._engine
    now = engine.now
    engine.now = lambda: now() + DAY + 60
    for found in (await skopje.audit.verdict(), await skopje.audit.verify()):
        assert not found.ok
    verdict = await skopje.audit.verdict()
    assert any("the newest checkpoint is 24 h old" in text for text in verdict.problems)


async def test_fault_12_an_entry_that_is_dated_ahead_is_named(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export of it was wrong for everybody who checked it, and the verdict was in order."""
    skopje, belgrade = await story(place)
    real = Layer.on

    def in_an_hour(below: Known | Layer, *, at: int = 0) -> Layer:
        layer = real(below, at=at)
        layer.at = at + 3_600_000 if at else layer.at
        return layer

    seen = Prover.see

    def at_its_time(prover: Prover, heads: Heads, at: float) -> None:
        seen(prover, replace(heads, at=0), at)  # an honest one dates no head before its entries

    monkeypatch.setattr(Prover, "see", at_its_time)
    with monkeypatch.context() as patch:
        patch.setattr(Layer, "on", in_an_hour)
        await belgrade.alerts.send(alert(), CHANNEL)
    last = place.broker.services.broker.heads.activity.size - 1
    for _ in range(2):
        verdict = await skopje.audit.verdict()
        assert not verdict.ok
        (alarm_, *_) = verdict.alarms
        assert alarm_.sentence.startswith("dated up to 3")
        assert f"ies {last}, " in alarm_.sentence


async def test_attack_what_is_shown_of_a_device_says_how_far_it_got(place: Site) -> None:
    """The feed tells an auditor nothing of Belgrade any more, the audit all but one reading."""
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",)))
    auditor = await place.client(SKOPJE, nth=1)
    deaf(auditor)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await auditor.sync()
    own = belgrade._engine.keys.device

    def nothing_of_it(page: Page) -> Page:
        items = tuple(i for i in page.items if decode_core(i.entry.core).device != own.hex())
        return replace(page, items=items, stubs=tuple(i for i in page.stubs if i.device != own))

    spoil(auditor, "feed", nothing_of_it, once=False)
    await belgrade.alerts.show(REF, **WHY)
    await until(lambda: skopje.alerts.reach(REF)[0].read_at, skopje, belgrade)
    (read,) = await skopje.audit.list(node=BELGRADE)

    def but_one(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(i for i in page.items if i.entry.index != read.index))

    spoil(auditor, "audit", but_one, once=False)
    verdict = await auditor.audit.verdict()
    assert not verdict.ok
    (gap,) = verdict.gaps
    assert gap.startswith(f"an entry of {belgrade.officer} in {CHANNEL} is missing: its number ")
