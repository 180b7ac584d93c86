"""Findings that were explained: said once, printed on each page, and nothing hides behind them."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import Filter, this_month
from seefen.client.explained import ENTRY, GAP, Finding
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import AuditPage
from seefen.protocol.ledger.record import decode_core, encode_core
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, honest, spoil, until
from tests.client.test_audit_withheld import run
from tests.client.test_auditing import without

REF = f"{CHANNEL}#1"
WORDS = "lost in the restore of March; Belgrade told us what it was"


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


async def auditor_of(place: Site) -> Client:
    """Return another auditor of Skopje, on a machine of his own."""
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",)))
    return await place.client(SKOPJE, nth=1)


def hiding(*indices: int) -> Callable[[AuditPage], AuditPage]:
    def hide(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(i for i in page.items if i.entry.index not in indices))

    return hide


def writing(basis: str) -> Callable[[AuditPage], AuditPage]:
    """Spoil the text of each reading: its basis is another than the one that was signed."""

    def bend(item: Any) -> Any:
        core = decode_core(item.entry.core)
        if core.act != "access":
            return item
        text = encode_core(replace(core, basis=basis))
        return replace(item, entry=replace(item.entry, core=text))

    return lambda page: replace(page, items=tuple(map(bend, page.items)))


def unanswered(findings: tuple[Finding, ...]) -> list[Finding]:
    return [one for one in findings if not one.acknowledged]


async def test_ones_own_last_look_is_nothing_to_explain(place: Site) -> None:
    """It is entered behind the verdict, so what was fetched for that does not hold it."""
    await story(place)
    auditor = await auditor_of(place)
    for _ in range(2):
        assert (await auditor.audit.verdict()).ok
        with pytest.raises(RefusedError, match="open are: none"):
            await auditor.audit.acknowledge("12345678", "nothing is there")


async def explain_all(client: Client) -> tuple[Finding, ...]:
    """Explain what stands against the verdict, until nothing does."""
    while waiting := unanswered((await client.audit.verdict()).findings):
        for one in waiting:
            await client.audit.acknowledge(one.name, WORDS)
    found = await client.audit.verdict()
    assert found.ok, found
    return found.findings


async def test_a_gap_is_explained_once_entered_and_printed_on_every_page(place: Site) -> None:
    skopje, belgrade = await story(place)
    spoil(skopje, "audit", without(belgrade.device_hex, last=1), once=False)
    verdict = await skopje.audit.verdict()
    (gap,) = verdict.findings
    assert (gap.what, verdict.gaps, verdict.problems) == (GAP, (gap.sentence,), ())
    said = await run(skopje, "audit")
    assert (said.code, f"GAP      {gap.name}, " in said.out) == (1, True)
    wrong = {"ffffffff": "unknown-alarm", gap.name[:4]: "unknown-alarm", "": "unknown-alarm"}
    for name, rule in {**wrong, gap.name: "form"}.items():
        with pytest.raises(RefusedError) as caught:
            await skopje.audit.acknowledge(name, " " if rule == "form" else "x")
        assert caught.value.rule == rule

    said = await run(skopje, "audit", "acknowledge", gap.name, "--why", WORDS)
    assert (said.code, "acknowledged 20" in said.out) == (0, True)
    verdict = await skopje.audit.verdict()
    (known,) = verdict.findings
    assert (verdict.ok, verdict.sentence) == (True, "IN ORDER (1 finding known)")
    assert (verdict.gaps, known.subject, known.why) == ((), gap.subject, WORDS)
    row = next(row for row in await skopje.audit.list() if row.index == known.entry)
    assert row.search is not None
    assert row.search.sought is not None
    (sought,) = row.search.sought
    assert sought.query.startswith(f"acknowledged gap {gap.name}: {WORDS}; it was: an entry of")
    for words in (("audit",), ("audit", "verify")):
        said = await run(skopje, *words)
        assert said.code == 0, words
        page = " ".join(said.out.split())
        assert f"KNOWN {gap.name}, gap: {gap.sentence}; acknowledged" in page
        assert WORDS in page
    made = await skopje.audit.report(this_month(skopje._engine.now()))
    lines = {name: text for part in made.sections for name, text in part.lines}
    assert WORDS in lines[f"known gap {gap.name}"]
    assert (made.ok, made.verdict) == (True, verdict.sentence)
    with pytest.raises(RefusedError):
        await skopje.audit.acknowledge(gap.name, "once more")

    honest(skopje)  # what is shown after all is known no more: a check of the whole log finds it
    assert (await skopje.audit.verdict()).findings == (known,)
    assert (await skopje.audit.verify()).findings == ()
    verdict = await skopje.audit.verdict()
    assert (verdict.ok, verdict.findings, verdict.sentence) == (True, (), "IN ORDER")


async def test_attack_what_explains_a_gap_explains_no_other_and_for_nobody_else(
    place: Site,
) -> None:
    skopje, belgrade = await story(place)
    colleague = await auditor_of(place)
    for client in (skopje, colleague):
        spoil(client, "audit", without(belgrade.device_hex, last=1), once=False)
    (known,) = await explain_all(skopje)
    found = await colleague.audit.verdict()
    assert not found.ok, "nobody speaks for another auditor"
    assert [one.subject for one in unanswered(found.findings)] == [known.subject]


async def test_attack_a_number_more_or_one_place_further_is_another_gap(place: Site) -> None:
    """A number may be one that a stub has invented: the true entry of it comes later."""
    skopje, belgrade = await story(place)
    auditor = await auditor_of(place)
    rows = await skopje.audit.list(wanted=Filter(op="all", case=CHANNEL, node=BELGRADE))
    last = rows[-1].index
    spoil(auditor, "audit", hiding(last), once=False)
    (known,) = await explain_all(auditor)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) > 1, belgrade)
    await auditor.sync()
    verdict = await auditor.audit.verdict()
    assert not verdict.ok
    (same,) = unanswered(verdict.findings)
    assert (same.sentence, same.subject == known.subject) == (known.sentence, False)

    await explain_all(auditor)
    rows = await skopje.audit.list(wanted=Filter(op="all", case=CHANNEL, node=BELGRADE))
    await belgrade.alerts.show(f"{CHANNEL}#2", **WHY)
    honest(auditor)
    auditor.audit.store.clear()
    spoil(auditor, "audit", hiding(last, rows[-1].index), once=False)
    await auditor.sync()
    verdict = await auditor.audit.verdict()
    assert not verdict.ok
    (more,) = unanswered(verdict.findings)
    assert more.sentence != known.sentence


async def test_attack_an_explained_gap_hides_no_later_entry_of_its_device(place: Site) -> None:
    """Of a device whose numbers have a hole, the numbers in cases were not looked at."""
    skopje, _ = await story(place)
    auditor = await auditor_of(place)
    for _ in range(2):
        await skopje.alerts.send(alert(), CHANNEL)
    wanted = Filter(op="disclose", case=CHANNEL, node=SKOPJE)
    sent = [r.index for r in await skopje.audit.list(wanted=wanted) if r.what == "sent"]
    spoil(auditor, "audit", hiding(sent[0]), once=False)
    await explain_all(auditor)
    await skopje.alerts.send(alert(), CHANNEL)
    last = place.broker.services.broker.heads.activity.size - 1
    await auditor.sync()
    honest(auditor)
    spoil(auditor, "audit", hiding(sent[0], last), once=False)
    verdict = await auditor.audit.verdict()
    assert not verdict.ok, "the last one of the case is hidden, and nobody has explained that"


async def test_what_is_missing_of_a_device_and_in_its_case_is_explained_once(place: Site) -> None:
    skopje, _ = await story(place)
    auditor = await auditor_of(place)
    for _ in range(2):
        await skopje.alerts.send(alert(), CHANNEL)
    wanted = Filter(op="disclose", case=CHANNEL, node=SKOPJE)
    sent = [r.index for r in await skopje.audit.list(wanted=wanted) if r.what == "sent"]
    spoil(auditor, "audit", hiding(sent[1]), once=False)
    (gap,) = unanswered((await auditor.audit.verdict()).findings)
    assert re.fullmatch(
        rf"an entry of {skopje.officer} is missing: its number \d+ \(\d+ in {CHANNEL}\)",
        gap.sentence,
    )
    await auditor.audit.acknowledge(gap.name, WORDS)
    verdict = await auditor.audit.verdict()
    assert (verdict.ok, len(verdict.findings)) == (True, 1)


async def test_attack_a_gap_of_a_search_covers_no_message_that_is_hidden_later(
    place: Site,
) -> None:
    """By its place the message could be the entry that was explained; by its number it is not."""
    skopje, _ = await story(place)
    auditor = await auditor_of(place)
    searches = list[int]()
    for serial in ("EV-19070413", "EV-19070414"):
        skopje.check(serial, **WHY)
        entered = await skopje.journal.upload()
        assert entered is not None
        searches.append(entered)
    spoil(auditor, "audit", hiding(searches[0]), once=False)
    (known,) = await explain_all(auditor)
    await skopje.alerts.send(alert(), CHANNEL)
    last = place.broker.services.broker.heads.activity.size - 1
    await auditor.sync()
    honest(auditor)
    spoil(auditor, "audit", hiding(searches[0], last), once=False)
    verdict = await auditor.audit.verdict()
    assert not verdict.ok
    (gap,) = unanswered(verdict.findings)
    assert re.fullmatch(rf"{re.escape(known.sentence)} \(\d+ in {CHANNEL}\)", gap.sentence)

    await explain_all(auditor)
    await skopje.alerts.send(alert(), CHANNEL)
    more = place.broker.services.broker.heads.activity.size - 1
    await auditor.sync()
    honest(auditor)
    spoil(auditor, "audit", hiding(searches[0], last, more), once=False)
    verdict = await auditor.audit.verdict()
    numbers = [one.sentence for one in unanswered(verdict.findings)]
    assert any(re.search(rf"2 entries of .* in {CHANNEL} are missing", text) for text in numbers)


async def test_what_is_missing_elsewhere_in_the_log_is_named_by_itself(place: Site) -> None:
    """One who has explained the search is not asked about it again for a message behind it."""
    skopje, _ = await story(place)
    auditor = await auditor_of(place)
    skopje.check("EV-19070413", **WHY)
    search = await skopje.journal.upload()
    assert search is not None
    await skopje.alerts.send(alert(), CHANNEL)
    spoil(auditor, "audit", hiding(search), once=False)
    (known,) = await explain_all(auditor)
    await skopje.alerts.send(alert(), CHANNEL)
    last = place.broker.services.broker.heads.activity.size - 1
    await auditor.sync()
    honest(auditor)
    spoil(auditor, "audit", hiding(search, last), once=False)
    found = (await auditor.audit.verdict()).findings
    (gap,) = unanswered(found)
    assert f" in {CHANNEL} is missing" in gap.sentence
    assert known.subject in {one.subject for one in found if one.acknowledged}


async def test_attack_an_entry_is_explained_with_its_bytes_and_its_fault(place: Site) -> None:
    skopje, belgrade = await story(place)
    spoil(skopje, "audit", writing("bilateral"), once=False)
    verdict = await skopje.audit.verdict()
    assert {one.what for one in verdict.findings} == {ENTRY, GAP}, "and it fills no number"
    known = await explain_all(skopje)
    again = await skopje.audit.verdict()
    assert again.findings == known
    assert again.entries - again.proved == 1, "it is not proved for that"
    honest(skopje)
    spoil(skopje, "audit", writing("national-law"), once=False)
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    (other,) = unanswered(verdict.findings)
    assert other.what == ENTRY
    honest(skopje)
    assert (await skopje.audit.verdict()).findings == ()
    assert belgrade.alarm is None


async def test_only_an_auditor_explains(place: Site) -> None:
    skopje, _ = await story(place)
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    field = await place.client(SKOPJE, nth=1)
    await field.sync()
    with pytest.raises(UntrustedError) as caught:
        await field.audit.acknowledge("ffffffff", "x")
    assert caught.value.rule == "not-an-auditor"
    assert (await skopje.audit.verdict()).ok


async def test_what_is_shown_no_more_is_explained_and_counted_as_ever(place: Site) -> None:
    """A check of the whole log finds it; a verdict says it from then on, until it is shown."""
    skopje, _ = await story(place)
    rows = await skopje.audit.list(wanted=Filter(op="all", case=CHANNEL, node=BELGRADE))
    before = (await skopje.audit.verdict()).readings
    hidden = [row.index for row in rows][-2:]
    spoil(skopje, "audit", hiding(*hidden), once=False)
    assert (await skopje.audit.verdict()).ok, "only a check of the whole log asks for all of it"
    report = await skopje.audit.verify()
    lost, other = unanswered(report.findings)
    sentence = f"entry {hidden[0]} was shown before, and the broker does not show it any more"
    assert (lost.what, lost.sentence) == (ENTRY, sentence)
    said = await run(skopje, "audit", "verify")
    assert (said.code, f"{lost.name}, {sentence}" in " ".join(said.out.split())) == (1, True)
    verdict = await skopje.audit.verdict()
    assert (verdict.sentence, verdict.readings) == ("NOT IN ORDER: 2 problems", before)

    await skopje.audit.acknowledge(lost.name, WORDS)
    verdict = await skopje.audit.verdict()
    assert [one.subject for one in unanswered(verdict.findings)] == [other.subject]
    await skopje.audit.acknowledge(other.name, WORDS)
    for found in (await skopje.audit.verdict(), await skopje.audit.verify()):
        assert found.ok
        assert {one.subject for one in found.findings} == {lost.subject, other.subject}
    said = await run(skopje, "audit", "verify")
    assert (said.code, f"KNOWN {lost.name}, entry: {sentence}" in " ".join(said.out.split())) == (
        0, True,
    )  # fmt: skip
    assert (await skopje.audit.verdict()).readings == before, "it is here, and proved"
    honest(skopje)
    assert (await skopje.audit.verify()).findings == ()
    assert (await skopje.audit.verdict()).findings == ()


async def test_attack_one_more_that_is_shown_no_more_was_explained_by_nobody(place: Site) -> None:
    skopje, _ = await story(place)
    rows = await skopje.audit.list(wanted=Filter(op="all", case=CHANNEL, node=BELGRADE))
    *_, other, hidden = [row.index for row in rows]
    spoil(skopje, "audit", hiding(hidden), once=False)
    (lost,) = unanswered((await skopje.audit.verify()).findings)
    await skopje.audit.acknowledge(lost.name, WORDS)
    honest(skopje)
    spoil(skopje, "audit", hiding(other, hidden), once=False)
    report = await skopje.audit.verify()
    assert not report.ok
    (more,) = unanswered(report.findings)
    assert more.sentence.startswith(f"entry {other} was shown before")
    honest(skopje)
    spoil(skopje, "audit", hiding(hidden), once=False)
    assert (await skopje.audit.verdict()).ok, "what is shown again is asked for, and known no more"
