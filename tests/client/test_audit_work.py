"""The auditor's day, on one broker: he finds by any filter, shows, samples, and is seen himself."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client, alarms
from seefen.client.audit.filters import Filter, this_month
from seefen.client.audit.persons import read_pack
from seefen.client.cli.views import persons
from seefen.client.findings import AuditRow
from seefen.client.wording import stamp
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import Note, message_from_form
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
REF = f"{CHANNEL}#1"


def naming(*names: str) -> Note:
    """Return a note about two people of no case."""
    persons = [{"names": [{"text": name}], "category": "other", "claim": "fact",
                "source": "invented"} for name in names]  # fmt: skip
    form = {"text": "two invented people", "persons": persons, "to": [BELGRADE]}
    made = message_from_form("Note", {**form, **WHY, "offence": "trafficking"})
    assert isinstance(made, Note)
    return made


class Story(NamedTuple):
    place: Site
    skopje: Client
    belgrade: Client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    folder: Path = tmp_path_factory.mktemp("audit")
    async with site(folder, SKOPJE, BELGRADE) as place:
        await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        await until(belgrade.alerts.list, belgrade)
        await belgrade.alerts.show(REF, **WHY, reason="a call from Skopje")
        await until(lambda: skopje.alerts.reach(REF)[0].read_at, skopje, belgrade)
        yield Story(place, skopje, belgrade)


def only(**wanted: Any) -> Filter:
    return Filter(op="all", **wanted)


async def test_each_filter_finds_what_it_names_and_nothing_else(story: Story) -> None:
    skopje, belgrade = story.skopje, story.belgrade
    everything = await skopje.audit.list(wanted=only())
    cut = everything[3].at

    tried: list[tuple[Filter, Callable[[AuditRow], bool]]] = [
        (only(node=BELGRADE), lambda r: r.node == BELGRADE),
        (only(officer=belgrade.officer), lambda r: r.officer == belgrade.officer),
        (only(device=belgrade.device_hex[:12]), lambda r: r.device == belgrade.device_hex),
        (only(case=CHANNEL), lambda r: r.case == CHANNEL),
        (only(basis="pcc-see"), lambda r: r.basis == "pcc-see"),
        (only(to=BELGRADE), lambda r: BELGRADE in r.to),
        (only(since=cut), lambda r: r.at >= cut),
        (only(until=cut), lambda r: r.at < cut),
        (Filter(op="disclose"), lambda r: r.op == "disclose"),
        (Filter(op="disclose", to=BELGRADE, node=SKOPJE),
         lambda r: r.op == "disclose" and BELGRADE in r.to and r.node == SKOPJE),
        (only(emergency=True), lambda r: r.emergency),
        (only(outcome="refused"), lambda r: r.outcome != "ok"),
    ]  # fmt: skip
    for wanted, fits in tried:
        found = {row.index for row in await skopje.audit.list(wanted=wanted)}
        right = {row.index for row in everything if fits(row)}
        # Looks of the auditor himself came after the first list; they are not in it.
        assert {index for index in found if index <= everything[-1].index} == right, wanted


async def test_pages_follow_the_log_and_end(story: Story) -> None:
    audit, seen, after = story.skopje.audit, list[int](), -1
    whole = [row.index for row in await audit.list(wanted=only(case=CHANNEL))]
    while True:
        page = await audit.page(only(case=CHANNEL), after=after, limit=2)
        seen += [row.index for row in page.rows]
        if page.after is None:
            break
        assert len(page.rows) == 2
        after = page.after
    assert seen == whole == sorted(whole)


async def test_what_there_is_not_is_refused_by_name(story: Story) -> None:
    for wanted, rule in (
        (Filter(case="SF-2026-XXX-00001"), "unknown-case"),
        (Filter(device="ffffffff"), "unknown-device"),
        (Filter(op="eat"), "audit-filter"),
        (Filter(basis="pcc-sea"), "audit-filter"),
        (Filter(outcome="refuzed"), "audit-filter"),
        (Filter(since=10, until=10), "audit-filter"),
        (Filter(officer="o-zzzz"), "unknown-officer"),
        (Filter(node="belgrad"), "unknown-node"),
        (Filter(to="belgrad"), "unknown-node"),
    ):
        with pytest.raises(RefusedError) as caught:
            await story.skopje.audit.page(wanted)
        assert caught.value.rule == rule
    with pytest.raises(RefusedError, match=r"known are: .*pcc-see"):
        await story.skopje.audit.page(Filter(basis="pcc-sea"))
    for index in (100_000, 2**63, 10**20):
        with pytest.raises(RefusedError, match="the log ends at"):
            await story.skopje.audit.show(index)


async def test_fault_57_who_looks_into_the_audit_stands_in_it(story: Story) -> None:
    skopje = story.skopje
    before = (await skopje.audit.verdict()).audits
    await skopje.audit.list(node=BELGRADE)
    await skopje.audit.case(CHANNEL)
    rows = [r for r in await skopje.audit.list() if r.purpose == "audit" and r.search]
    said = [one.query for row in rows if row.search for one in row.search.sought or ()]
    assert f"list: node {BELGRADE}" in said
    assert f"case {CHANNEL}" in said
    assert {row.officer for row in rows} == {skopje.officer}
    verdict = await skopje.audit.verdict()
    assert (verdict.ok, verdict.searches) == (True, 0), "a look into the audit is no search"
    assert verdict.audits >= before + 3
    # The other node, whose auditors see all else in the channel, hears of none.
    theirs = await story.belgrade.audit.list()
    assert not [row for row in theirs if row.officer == skopje.officer and row.purpose == "audit"]


async def test_nothing_is_shown_that_could_not_be_entered(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise RefusedError("the vault cannot be written", rule="disk")

    monkeypatch.setattr(story.skopje.journal, "_write", full)
    audit = story.skopje.audit
    for look in (audit.list, audit.verdict, audit.register, audit.flags, audit.processing):
        with pytest.raises(RefusedError) as caught:
            await look()
        assert caught.value.rule == "disk"


async def test_an_entry_whole_with_its_proof_and_who_may_know(story: Story) -> None:
    skopje = story.skopje
    (row,) = await skopje.audit.list(node=BELGRADE)
    shown = await skopje.audit.show(row.index)
    assert shown.row.reason == "a call from Skopje"
    assert shown.fields["purpose"] == WHY["purpose"]
    assert shown.proof
    knows = dict(shown.knows)
    assert knows[f"auditors of {SKOPJE}"] == knows[f"auditors of {BELGRADE}"] == "the reason"
    assert "nothing of it" in knows["every node"]


async def test_a_case_says_who_saw_what(story: Story) -> None:
    found = await story.skopje.audit.case(CHANNEL)
    assert (BELGRADE, story.belgrade.officer, 1) in found.readers
    assert found.owner == SKOPJE
    assert all(row.proved for row in found.rows)


async def test_the_register_names_what_went_where(story: Story) -> None:
    (line,) = [one for one in await story.skopje.audit.register() if one.to == BELGRADE]
    assert (line.node, line.objects) == (SKOPJE, 1)
    assert line.cases == (CHANNEL,)
    record = await story.belgrade.audit.processing()
    assert (WHY["purpose"], 1) in record.purposes
    assert record.recipients == (SKOPJE,)
    assert record.missing


async def test_an_officer_sees_his_own_accesses_and_no_others(story: Story) -> None:
    async with story.place.briefly(SKOPJE, nth=1) as officer:
        assert await officer.audit.list() == []
        await officer.alerts.show(REF, **WHY, reason="my own")
        page = await officer.audit.page()
        assert page.own
        assert [(row.ref, row.reason, row.officer) for row in page.rows] == [
            (REF, "my own", officer.officer)
        ]
        with pytest.raises(RefusedError) as caught:
            await officer.audit.page(Filter(officer="o-0000"))
        assert caught.value.rule == "not-an-auditor"
        audit = officer.audit
        for look in (audit.verdict, audit.register, audit.flags, audit.processing):
            with pytest.raises(UntrustedError) as refused:
                await look()  # an empty store must not pass for a log in order
            assert refused.value.rule == "not-an-auditor"


async def test_after_a_restart_only_what_is_new_is_asked_for(story: Story) -> None:
    audit = story.skopje.audit
    await audit.list()
    asked: list[int] = []
    connection: Any = story.skopje._engine.connection
    real: Callable[..., Any] = connection.request

    async def watched(verb: str, body: Any, *rest: Any) -> Any:
        if verb == "audit":
            asked.append(body.start)
        return await real(verb, body, *rest)

    connection.request = watched
    try:
        await audit.list()
    finally:
        del connection.__dict__["request"]
    assert asked
    assert min(asked) >= audit.head - 5


async def test_the_statement_of_a_month_says_what_could_not_be_checked(story: Story) -> None:
    skopje = story.skopje
    month_ = this_month(skopje._engine.now())
    made = await skopje.audit.report(month_)
    assert made.ok
    lines = {name: text for part in made.sections for name, text in part.lines}
    assert int(lines["consultation, with searches"]) >= 1
    assert int(lines["disclosure, with transfers and keys"]) >= 1
    assert lines[BELGRADE] == "1 by 1 officer"
    assert lines["readings are kept to the end of the year"] == "no end"
    assert lines["readings erased under retention"] == "none"
    assert f"{WHY['purpose']} · {WHY['basis']}" in lines
    assert any("split views" in text for text in made.unchecked)
    assert len(made.root) == 64
    with pytest.raises(RefusedError):
        await skopje.audit.report("March")


async def test_an_alarm_stands_in_verdict_and_statement_until_it_is_acknowledged_by_an_entry(
    story: Story,
) -> None:
    skopje, audit = story.skopje, story.skopje.audit
    skopje._engine.alarm("the log was rewound")
    (rung,) = (await audit.verdict()).alarms
    month_ = this_month(skopje._engine.now())
    made = await audit.report(month_)
    assert made.verdict == "NOT IN ORDER: 1 alarm"
    said = [line for part in made.sections for line in part.lines if line[0].startswith("alarm ")]
    assert said == [(f"alarm {rung.name}, {stamp(rung.at)}",
                     "the log was rewound (not acknowledged)")]  # fmt: skip
    for name, why, rule in (("ffffffff", "x", "unknown-alarm"), (rung.name, " ", "form")):
        with pytest.raises(RefusedError) as caught:
            await audit.acknowledge(name, why)
        assert caught.value.rule == rule
    answered = await audit.acknowledge(rung.name, "a backup of last week was put back")
    row = next(row for row in await audit.list() if row.index == answered.entry)
    assert row.search is not None
    assert row.search.sought is not None
    (sought,) = row.search.sought
    assert sought.query.startswith(f"acknowledged alarm {rung.name}: a backup of last week")
    verdict = await audit.verdict()
    assert (verdict.ok, verdict.alarms, skopje.alarms) == (True, (answered,), ())
    with pytest.raises(RefusedError):
        await audit.acknowledge(rung.name, "once more")
    skopje._engine.vault.run("DELETE FROM setting WHERE name = 'alarms'")


async def test_attack_two_alarms_that_begin_alike_are_never_acknowledged_together(
    story: Story,
) -> None:
    """A broker that has a word in what an alarm says tries until its eight digits are right."""
    audit, vault = story.skopje.audit, story.skopje._engine.vault
    seen: dict[str, str] = {}
    for n in range(1 << 20):
        one = alarms.Kept(f"the broker says {n}", 0)
        if (other := seen.setdefault(one.name, one.sentence)) != one.sentence:
            break
    else:
        pytest.fail("a million of them, and no two alike")
    for sentence in (one.sentence, other):
        alarms.keep(vault, sentence)
    with pytest.raises(RefusedError, match="more than one begins with") as caught:
        await audit.acknowledge(one.name, "it is nothing")
    assert one.subject in str(caught.value)
    await audit.acknowledge(one.subject, "it is nothing")
    assert alarms.unanswered(vault) == (other,)
    vault.run("DELETE FROM setting WHERE name = 'alarms'")


async def test_one_count_has_one_number_in_verdict_and_statement(story: Story) -> None:
    audit = story.skopje.audit
    month_ = this_month(story.skopje._engine.now())
    verdict, made = await audit.verdict(month_), await audit.report(month_)
    lines = {name: text for part in made.sections for name, text in part.lines}
    assert lines["disclosure, with transfers and keys"] == str(verdict.disclosures)
    assert lines["readings"] == str(verdict.readings)
    exported = await audit.export()
    found = [one.results for row in await audit.list() if row.search
             for one in row.search.sought or () if one.query == "export"]  # fmt: skip
    assert found == [exported.entries]


# --- a person asks what is kept of him ---------------------------------------------------------


async def test_a_keyholder_and_an_auditor_answer_a_person(story: Story) -> None:
    skopje, place = story.skopje, story.place
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",)))
    case = await skopje.cases.open("An invented case", [BELGRADE])
    state = skopje._engine.trust.require_state(skopje._engine.named(case.number) or b"")
    named = await skopje._messaging.send(state, naming("Zoran Invented", "Somebody Else"))
    assert named.ref
    pack = await skopje.audit.person_found("ЗОРАН invented")  # noqa: RUF001
    assert [(one.ref, one.others) for one in pack.found] == [(named.ref, 1)]
    assert "Zoran" not in msgspec.json.encode(pack).decode()
    with pytest.raises(UntrustedError) as caught:
        await skopje.audit.person_seen(pack)
    assert caught.value.rule == "two-persons"
    async with place.briefly(SKOPJE, "auditor", nth=1) as auditor:
        assert auditor.roles == ("auditor",)
        sought = await auditor.audit.person_sought(pack)
        assert (sought.name, sought.found) == ("ЗОРАН invented", 1)  # noqa: RUF001
        assert sought.words == ("ЗОРАН", "invented")  # noqa: RUF001
        answer = await auditor.audit.person_seen(pack)
        assert [one.ref for one in answer.seen] == [named.ref]
        assert answer.sought.entry.officer == skopje.officer
        for shown in (printed(persons.sought(sought)), printed(persons.answer(answer))):
            assert '"ЗОРАН invented"' in shown  # noqa: RUF001
        # Nothing was found of somebody else: the answer names him, too, or nobody sees a slip.
        nobody = await skopje.audit.person_found("Nobody Here")
        answer = await auditor.audit.person_seen(nobody)
        assert answer.sought.name == "Nobody Here"
        assert 'has the name "Nobody Here"' in printed(persons.answer(answer))
        # A file that says anything else than what the search found is none.
        (one,) = pack.found
        for other in (
            replace(pack, found=()), replace(pack, entry=0), replace(pack, searched=1),
            replace(pack, closed=7), replace(pack, officer="o-0000"),
            *(replace(pack, found=(replace(one, **change),)) for change in (
                {"object": "00" * 16}, {"ref": f"{CHANNEL}#1"}, {"sender": "nobody"},
                {"others": 0}, {"type": "Alert"},
            )),
        ):  # fmt: skip
            with pytest.raises((UntrustedError, RefusedError)) as refused:
                await auditor.audit.person_seen(other)
            assert refused.value.rule in ("other-search", "unknown-entry")
        # Nor is an object that this device does not know: nobody could say who read it.
        auditor._engine.vault.run("DELETE FROM object WHERE object = ?", bytes.fromhex(one.object))
        with pytest.raises(RefusedError) as unknown:
            await auditor.audit.person_seen(pack)
        assert unknown.value.rule == "unknown-object"
        with pytest.raises(UntrustedError) as role:
            await auditor.audit.person_found("Zoran")
        assert role.value.rule == "role"
        said = [one.query for row in await auditor.audit.list() if row.search
                for one in row.search.sought or ()]  # fmt: skip
        assert f"person: search at entry {pack.entry} of {skopje.officer}" in said


async def test_a_file_that_is_no_pack_is_refused() -> None:
    whole = b'{"node": "n", "officer": "o-1", "entry": 7, "searched": 1, "closed": 0, "found": []}'
    assert read_pack(whole).format == "seefen-person"
    other = (
        whole.replace(b'"node"', b'"format": "x", "node"'),
        whole.replace(b"7", b"9223372036854775808"),
        whole.replace(b"7", b"-1"),
    )
    for data in (b"", b"{}", b"\xff", b'{"format": "x"}', *other):
        with pytest.raises(RefusedError) as caught:
            read_pack(data)
        assert caught.value.rule == "audit-file"
