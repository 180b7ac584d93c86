"""What an auditor is shown of searches: what for, where he may know it, and when it was made."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from seefen.client import findings, values
from seefen.client.alarms import Kept
from seefen.client.audit.breach import Breach
from seefen.client.audit.emergencies import SEALED
from seefen.client.audit.flags import Flag
from seefen.client.audit.persons import Pack
from seefen.client.audit.register import Disclosed, Processing
from seefen.client.audit.reporting import NOT_LOOKED_FOR, Statement
from seefen.client.audit.sampling import Sample
from seefen.client.audit.vouching import Checked
from seefen.client.cli import times
from seefen.client.cli.plain import encode_json
from seefen.client.cli.views import audits, breaches, duty, inquiries, persons
from tests.client.cli.hostile import HOSTILE, obeyed_in
from tests.client.cli.test_views import one, printed
from tests.client.cli.values import filled

ROW: dict[str, Any] = {
    "index": 12, "at": 1_773_452_829, "node": "belgrade-ffp", "officer": "o-4f2a", "device": "ab",
    "what": "searched", "ref": "", "case": "", "type": "", "purpose": "trace", "basis": "pcc-see",
    "reason": None, "emergency": False, "proved": True, "size": 14, "scope": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("search", "shown"),
    [
        (
            findings.SearchView(
                ROW["at"], False, 1, "", (findings.SoughtView(0, "mark", "C-84417", 2),)
            ),
            'searched: mark "C-84417" (2 found)  trace',
        ),
        (
            findings.SearchView(
                ROW["at"] - 7200, False, 1, "", (findings.SoughtView(0, "words", "milosh", 0),)
            ),
            'searched: words "milosh" (0 found), made ',
        ),
        (
            findings.SearchView(ROW["at"], False, 1, None, None),
            "searched (what for: not sealed to this device)",
        ),
        (
            findings.SearchView(
                ROW["at"], True, 5, "", (findings.SoughtView(0, "cross-check", "CASE#1", 1),) * 5
            ),
            "cross-checked 5, automated: CASE#1 (1 found), CASE#1 (1 found), CASE#1 (1 found)",
        ),
    ],
    ids=["officer", "later", "sealed", "many"],
)
def test_a_search_is_shown_to_who_may_see_it(search: findings.SearchView, shown: str) -> None:
    assert shown in printed(audits.listed([findings.AuditRow(**ROW, search=search)], 0))


def test_an_officer_is_told_where_his_search_stands_or_that_it_waits() -> None:
    for entry, said in ((812, "Entry 812 recorded"), (None, "its entry leaves when the broker")):
        found = values.Found((), (), more=False, searched=3, closed=0, entry=entry)
        checked = values.CheckResult((), (), (), 3, (), "C84417", entry)
        assert said in printed(duty.found(found))
        assert said in printed(duty.checked("C-84417", checked))


VIEWS: list[tuple[Callable[[Any], Any], Any]] = [
    (inquiries.page, findings.AuditPage),
    (inquiries.entry, findings.EntryView),
    (inquiries.case, findings.CaseAudit),
    (inquiries.register, tuple[Disclosed, ...]),
    (inquiries.processing, Processing),
    (lambda value: inquiries.sample(value, 0), Sample),
    (inquiries.flags, tuple[Flag, ...]),
    (inquiries.statement, Statement),
    (inquiries.vouched, Checked),
    (lambda value: persons.found(value, value.node), Pack),
    (persons.sought, findings.PersonSought),
    (persons.answer, findings.PersonAnswer),
    (breaches.breaches, tuple[Breach, ...]),
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("view", "type_"), VIEWS)
def test_attack_52_no_page_of_an_auditor_prints_what_a_terminal_obeys(
    view: Callable[[Any], Any], type_: Any, text: str
) -> None:
    value = filled(type_, text)
    assert obeyed_in(printed(view(value), 60)) == set()
    assert obeyed_in(encode_json(value)) == set()
    json.loads(encode_json(value))


def test_a_reading_shows_what_cover_and_assignments_say() -> None:
    seen: dict[str, Any] = {
        "what": "opened", "ref": "CASE#7", "type": "TraceRequest", "offence": "trafficking",
        "urgency": "URGENT", "assigned": "no", "request": "open",
    }  # fmt: skip
    row = findings.AuditRow(**ROW | seen)
    shown = printed(audits.listed([row], 0))
    assert "opened CASE#7 (trace request · trafficking · URGENT · NOT ASSIGNED · request open)" in (
        " ".join(shown.split())
    )


def test_an_emergency_is_named_with_its_case_and_a_reason_that_is_missing_in_red() -> None:
    at = int(times.now().timestamp())
    opened = findings.EmergencyCase("CASE", "own", "o-7f31", at - 60, 3, at + 60, None)

    def shown(**fields: Any) -> str:
        verdict = one(findings.Verdict, emergencies=(dataclasses.replace(opened, **fields),))
        return " ".join(printed(audits.verdict(verdict)).split())

    assert "EMERGENCY o-7f31 own CASE since" in shown()
    assert "3 readings: no reason yet, due" in shown()
    assert "NO REASON GIVEN, overdue" in shown(due_at=at - 7200)
    assert "NO REASON" not in shown(due_at=at - 7200, reason_at=at - 30)
    assert SEALED in shown(due_at=at - 7200, unknown=SEALED)


def test_an_empty_page_of_an_officer_says_whose_it_is() -> None:
    page = one(findings.AuditPage, rows=(), own=True)
    assert "the auditors of your node" in printed(inquiries.page(page))
    assert "more" not in printed(inquiries.page(page)).lower()


def test_an_empty_page_under_a_view_says_whose_it_is() -> None:
    for of, whose in (("skopje-border", "skopje-border"), ("", "the network")):
        page = findings.AuditPage((), None, 5, 0, asked="everything", of=of)
        shown = printed(inquiries.page(page))
        assert f"Nobody has opened anything of {whose} that you may see." in shown
        assert f"'seefen audit --of {of or 'all'}' gives the verdict" in shown
    own = printed(inquiries.page(findings.AuditPage((), None, 5, 0, asked="everything")))
    assert "anything that your node may see" in own
    assert "'seefen audit' gives the verdict over the whole log" in own


def test_a_page_says_how_to_go_on_and_that_the_broker_is_away() -> None:
    row = findings.AuditRow(**ROW)
    shown = printed(inquiries.page(findings.AuditPage((row,), 12, 14, 0, fresh=False)))
    assert "--after 12" in shown
    assert "The broker is away" in shown


def test_a_sample_that_is_not_drawn_names_its_seed() -> None:
    made = Sample(10, 0, 400, 416, 401, "", (), 402, 380)
    shown = " ".join(printed(inquiries.sample(made, 0)).split())
    assert "the root of the log at 416, which is not known yet (14 entries to go)" in shown
    assert "380 readings, entries 0 to 399; the rule is entry 401" in shown
    every = dataclasses.replace(made, of=10)
    assert "Fixed: all 10 readings" in " ".join(printed(inquiries.sample(every, 0)).split())


def test_an_empty_log_has_no_first_entry() -> None:
    none = one(findings.Verdict, entries=0, proved=0, head=0, first=0, last=0)
    assert "the log is empty" in printed(audits.verdict(none))
    others = dataclasses.replace(none, head=219)
    assert "no entry for your node yet" in printed(audits.verdict(others))
    some = dataclasses.replace(others, entries=3, first=4, last=40)
    assert "log 4-40" in printed(audits.verdict(some))


def test_a_statement_says_once_what_it_could_not_check() -> None:
    nobody = findings.Cosigned(0, 0, 0, 0, 0, 15)
    made = one(Statement, cosigned=nobody, unchecked=(findings.NO_WITNESS,), sections=())
    assert printed(inquiries.statement(made)).count(findings.NO_WITNESS) == 1


def test_what_a_person_asked_is_listed_without_the_hash_that_binds_the_answer() -> None:
    sought = findings.SoughtView(0, "data-subject", f"Ѓорѓи | references {'3f9a1c20' * 8}", 1)
    row = _row(ROW, search=findings.SearchView(ROW["at"], False, 1, "", (sought,)))
    shown = printed(audits.listed([row], 0))
    assert 'searched: data-subject "Ѓорѓи | references 3f9a1c20…" (1 found)' in shown


def test_a_flag_is_called_a_question() -> None:
    shown = printed(inquiries.flags([filled(Flag, "x")]))
    assert "A flag is a question, and no verdict on anybody." in shown
    assert "No flag" in printed(inquiries.flags([]))


def test_a_filter_that_finds_nothing_says_so_and_not_that_nobody_opened_anything() -> None:
    page = one(findings.AuditPage, rows=(), own=False, head=59, asked="basis x", behind=9)
    assert "No entry fits: basis x, behind #9. The log ends at #58." in printed(
        inquiries.page(page)
    )
    none = dataclasses.replace(page, asked="everything", behind=-1)
    assert "Nobody has opened anything" in printed(inquiries.page(none))


def test_an_alarm_stands_against_what_a_guest_is_shown() -> None:
    fork = Kept("two roots at one size", 1_773_452_829)
    page = one(findings.ViewVerdict, problems=(), alarms=(fork,), findings=())
    assert (page.ok, page.sentence) == (False, "NOT IN ORDER: 1 alarm")
    shown = printed(audits.viewed(page))
    assert "NOT IN ORDER: 1 alarm" in shown
    assert f"{fork.name}, 2026-03-14 01:47Z: two roots at one size" in shown
    explained = Kept(fork.sentence, fork.at, acknowledged=fork.at, why="a backup", entry=7)
    assert one(findings.ViewVerdict, problems=(), alarms=(explained,)).ok


def test_an_alarm_stands_on_the_page_with_its_date_and_its_answer() -> None:
    rung = Kept("the log was rewound", 1_795_718_626)
    page = one(findings.Verdict, ok=False, alarms=(rung,), problems=(), gaps=())
    shown = printed(audits.verdict(page))
    assert "NOT IN ORDER: 1 alarm" in shown
    assert f"ALARM    {rung.name}, 2026-11-26 18:43Z: the log was rewound" in shown
    assert "audit acknowledge" in shown
    answered = Kept(rung.sentence, rung.at, 1_795_720_000, "an old backup", 140)
    shown = printed(audits.verdict(dataclasses.replace(page, ok=True, alarms=(answered,))))
    assert "acknowledged 2026-11-26 19:06Z, entry 140: an old backup" in " ".join(shown.split())
    assert "audit acknowledge" not in shown


def _row(usual: dict[str, Any], **fields: Any) -> findings.AuditRow:
    return findings.AuditRow(**{**usual, **fields})


@pytest.mark.parametrize("case", ["SF-2026-SKP-00001", "Белград-Ниш-Скопље-0001"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_reference_is_broken_across_lines(case: str, width: int) -> None:
    long: dict[str, Any] = ROW | {
        "node": "skopje-border",
        "purpose": "border-control",
        "what": "acknowledged",
    }
    rows = [_row(long, ref=f"{case}#{n}", case=case) for n in (7, 41)]
    shown = printed(audits.listed(rows, 0), width)
    assert all(f"{case}#{n}" in shown for n in (7, 41))
    assert max(map(len, shown.splitlines())) <= width
    one_line = Disclosed("skopje-border", "belgrade-ffp", 9, 9, 9, 1, 1_795_718_626, (case,) * 5, 3)
    shown = printed(inquiries.register([one_line]), width)
    assert shown.count(case) == 5
    assert max(map(len, shown.splitlines())) <= width


def test_the_table_of_one_case_does_not_repeat_its_name() -> None:
    row = _row(ROW, what="opened", ref="CASE-1#4", case="CASE-1")
    shown = printed(audits.listed([row], 0, within="CASE-1"))
    assert "opened #4" in shown
    assert "CASE-1" not in shown


def test_a_case_without_a_date_is_not_to_be_erased_in_1970() -> None:
    record = one(
        Processing, cases=3, endless=1, earliest_end=1_795_718_626, latest_end=1_800_000_000
    )
    assert inquiries.ends(record) == (
        "; to be erased from 2026-11-26 to 2027-01-15; 1 case has no date for erasure"
    )
    none = one(Processing, cases=3, endless=3, earliest_end=0, latest_end=0)
    assert inquiries.ends(none) == "; 3 cases have no date for erasure"


def test_what_no_rule_looks_for_is_named_beside_the_flags() -> None:
    for found in ([], [filled(Flag, "x")]):
        assert all(text in printed(inquiries.flags(found)) for text in NOT_LOOKED_FOR)


def test_the_clock_of_72_hours_ends_on_a_day_in_a_zone() -> None:
    value = one(Breach, due_at=1_795_718_626 + 72 * 3600)
    assert "2026-11-29 18:43Z" in printed(breaches.breaches([value]))
