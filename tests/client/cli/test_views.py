# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import dataclasses
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from seefen.client import findings, values
from seefen.client.admitting import Request
from seefen.client.cli import times
from seefen.client.cli.plain import encode_json
from seefen.client.cli.views import (
    alerts,
    audits,
    cases,
    devices,
    due,
    duty,
    inquiries,
    joining,
    messages,
    objects,
    requests,
    sent,
    state,
    traces,
)
from seefen.client.founding import Founded
from seefen.client.joining import JoinedView
from seefen.protocol.messages import (
    CATALOGUE,
    SeizureAlert,
    TraceReply,
    TraceRequest,
    message_from_form,
)
from tests.client.cli.hostile import HOSTILE, obeyed_in
from tests.client.cli.values import filled

NOW = int(times.now().timestamp())


def printed(painted: Any, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, markup=False, emoji=False, highlight=False, width=width).print(painted)
    return out.getvalue()


def one(type_: Any, **fields: Any) -> Any:
    return dataclasses.replace(filled(type_, "Трајанов"), **fields)


NOBODY = findings.Cosigned(0, 0, 0, 0, 0, 15)
OBJECT = one(
    values.ObjectView,
    ref="seefen-border#1",
    number=1,
    type="SeizureAlert",
    created_at=NOW,
    recorded_at=NOW,
    due_at=None,
    handling="H2",
    sender="skopje-border",
    officer="o-7f31",
    urgency="URGENT",
    items="12 pistols, 340 rounds",
    answer="",
    superseded_by="",
    recalled_by="",
    corrected_by="",
    file=False,
    cover_open=True,
)
CASE = one(
    values.CaseView,
    form="case",
    number="SF-2026-SKP-00418",
    title="Табановце, 12 pistols",
    owner="skopje-border",
    members=("skopje-border", "belgrade-ffp"),
    generation=2,
    left_out=(),
    objects=(OBJECT,),
)
VIEWS: list[tuple[Callable[[Any], Any], Any]] = [
    (objects.opened, values.Opened),
    (objects.files, tuple[values.ObjectView, ...]),
    (objects.fetched, objects.Fetched),
    (objects.all_fetched, tuple[objects.Fetched, ...]),
    (alerts.listed, tuple[values.ObjectView, ...]),
    (alerts.before_sending, SeizureAlert),
    (alerts.not_yet, str),
    (lambda rows: alerts.reached(rows[0].node, rows), tuple[values.Reach, ...]),
    (cases.opened, values.CaseView),
    (cases.case_list, tuple[values.CaseView, ...]),
    (lambda views: cases.channel_list(views, {}), tuple[values.CaseView, ...]),
    (cases.whole, values.CaseView),
    (lambda view: cases.added(view, view.members), values.CaseView),
    (lambda view: cases.removed(view, view.members), values.CaseView),
    (cases.assigned, values.CaseView),
    (sent.sent, values.Sent),
    (lambda value: sent.sent(dataclasses.replace(value, problem=None)), values.Sent),
    (lambda value: sent.sent(dataclasses.replace(value, problem=None, queued=False)), values.Sent),
    (duty.on_watch, tuple[values.WatchView, ...]),
    (due.page, due.Due),
    (lambda result: duty.checked(result.key, result), values.CheckResult),
    (duty.found, values.Found),
    (duty.event, values.Event),
    (devices.listed, tuple[values.DeviceView, ...]),
    (devices.warning, str),
    (lambda text: devices.ends(text, ["admin", "field"]), str),
    (lambda text: devices.revoked(text, text), str),
    (joining.joined, JoinedView),
    (lambda text: joining.read_aloud([text]), str),
    (joining.compare, Request),
    (lambda text: joining.invited({"invite": text}), str),
    (joining.admitted, tuple[joining.Admitted, ...]),
    (joining.founded, Founded),
    (audits.verdict, findings.Verdict),
    (lambda rows: audits.listed(rows, 0), tuple[findings.AuditRow, ...]),
    (audits.verified, findings.VerifyReport),
    (state.page, state.Status),
    (requests.listed, tuple[values.RequestView, ...]),
    (lambda view: requests.shown(view, node=view.asker), values.RequestView),
    (traces.before_sending, TraceRequest),
    (traces.before_sending, TraceReply),
    *((messages.body, type_) for type_ in CATALOGUE),
    *((messages.terms, type_) for type_ in CATALOGUE),
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("view", "type_"), VIEWS)
def test_attack_52_no_view_prints_what_a_terminal_obeys(
    view: Callable[[Any], Any], type_: Any, text: str
) -> None:
    value = filled(type_, text)
    for width in (60, 160):
        assert obeyed_in(printed(view(value), width)) == set()
    assert obeyed_in(encode_json(value)) == set()
    json.loads(encode_json(value))


def test_nothing_is_read_as_markup() -> None:
    shown = printed(objects.opened(filled(values.Opened, "[bold]x[/bold] [/]")))
    assert "[bold]x[/bold] [/]" in shown


@pytest.mark.parametrize(
    ("shown", "advice"),
    [
        (alerts.listed([]), "seefen tail"),
        (cases.case_list([]), "seefen case open"),
        (cases.case_list([], lead=False), "A lead of your node opens one"),
        (cases.channel_list([], {}), "seefen channel open"),
        (due.page(due.Due()), "seefen alert list"),
        (duty.on_watch([]), "seefen watch on"),
        (devices.listed([]), "seefen officer add"),
        (inquiries.page(one(findings.AuditPage, rows=(), own=False)), "seefen audit"),
    ],
)
def test_an_empty_list_says_what_to_do_next(shown: Any, advice: str) -> None:
    assert advice in printed(shown)


@pytest.mark.parametrize(
    "shown",
    [
        audits.verdict(one(findings.Verdict, cosigned=NOBODY)),
        audits.verdict(one(findings.Verdict, cosigned=NOBODY, ok=False)),
        audits.listed([filled(findings.AuditRow, "x")], 0),
        inquiries.page(one(findings.AuditPage, rows=(), quorum=0, named=0, own=False)),
        audits.verified(one(findings.VerifyReport, cosigned=NOBODY)),
        audits.verified(one(findings.VerifyReport, cosigned=NOBODY, problems=())),
        state.page(one(state.Status, quorum=0, named=0)),
    ],
)
def test_without_witnesses_every_verdict_says_so(shown: Any) -> None:
    assert "one broker, no witness: split views possible" in printed(shown)


def test_an_alert_in_a_list() -> None:
    shown = printed(alerts.listed([OBJECT]))
    for part in (
        "seefen-border#1",
        "skopje-border",
        "URGENT",
        "12 pistols, 340 rounds",
        "H2, ask before",
    ):
        assert part in shown


def test_a_sealed_cover_says_so() -> None:
    sealed = dataclasses.replace(OBJECT, cover_open=False, items="")
    assert "sealed" in printed(alerts.listed([sealed]))


def test_an_opened_alert_says_how_to_answer_and_what_its_codes_mean() -> None:
    alert = message_from_form(
        "SeizureAlert",
        {
            "place": "Табановце > Preševo",
            "items": [{"category": "pistol", "serial_as_read": "С-84417"}],
            "conditions": "Прашај пред споделување",
            "handling": "H3",
            "source_eval": "B",
            "info_eval": "3",
        },
    )
    assert isinstance(alert, SeizureAlert)
    read = values.Opened(
        OBJECT, alert, 44230, (dataclasses.replace(OBJECT, file=True, name="serial.jpg"),)
    )
    shown = printed(objects.opened(read))
    for part in (
        "Табановце > Preševo",
        "С-84417",
        "Прашај пред споделување",
        "H3: Other restrictions",
        "B3: source mostly reliable; information not known personally",
        "entry 44230",
        "seefen alert answer seefen-border#1",
        "serial.jpg",
        "seefen file get seefen-border#1",
    ):
        assert part in shown


def test_a_size_is_about_until_the_file_is_open() -> None:
    photo = one(values.ObjectView, file=True, name="", items="photograph", size=31_000)
    assert "about 31 KB" in printed(objects.files([photo]))
    opened = dataclasses.replace(photo, name="scan.x3p", size=29_567)
    assert "about" not in printed(objects.files([opened]))
    assert objects.size_of([photo, opened]) == "about 61 KB"


def test_unknown_fields_are_shown_as_such() -> None:
    alert = SeizureAlert(place="x", extra={"drone": {"height_m": 40}})
    assert "does not know" in printed(messages.body(alert))
    assert "height m 40" in printed(messages.body(alert))


def test_how_far_it_got() -> None:
    rows = [
        one(
            values.Reach,
            node="a-read",
            left_out=None,
            read_at=NOW,
            answer="taken",
            answered_by="o-77aa",
        ),
        one(
            values.Reach,
            node="b-delivered",
            left_out=None,
            read_at=None,
            delivered_at=NOW,
            answer=None,
        ),
        one(
            values.Reach,
            node="c-waiting",
            left_out=None,
            read_at=None,
            delivered_at=None,
            recorded_at=NOW - 3600,
            since=None,
            phone="+000",
        ),
        one(values.Reach, node="d-out", left_out="suspended", delivered_at=None, phone=""),
    ]
    lines = printed(alerts.reached("seefen-border#1", rows)).splitlines()
    said = {part.split()[0]: part for part in lines[1:]}
    assert "taken by o-77aa" in said["a-read"]
    assert "delivered" in said["b-delivered"]
    assert "NOT REACHED since" in said["c-waiting"]
    assert "call +000" in said["c-waiting"]
    assert "NOT REACHED: suspended by the network" in said["d-out"]
    assert lines[1].split()[0] in {"c-waiting", "d-out"}
    fresh = dataclasses.replace(rows[2], recorded_at=int(times.now().timestamp()))
    assert "not delivered yet" in printed(alerts.reached("seefen-border#1", [fresh]))
    assert "no other node" in printed(alerts.reached("seefen-border#1", []))


def test_a_case_as_a_whole() -> None:
    shown = printed(cases.whole(CASE))
    for part in (
        "SF-2026-SKP-00418",
        "Табановце",
        "skopje-border (owner)",
        "belgrade-ffp",
        "key 2",
        "#1",
    ):
        assert part in shown


def test_who_is_left_out_stands_on_every_screen() -> None:
    left = dataclasses.replace(CASE, left_out=(("tirana-border", "unusable-key"),))
    views = (
        cases.whole(left),
        cases.case_list([left]),
        cases.channel_list([left], {}),
        cases.opened(left),
        cases.added(left, ["a"]),
        cases.removed(left, ["a"]),
        sent.sent(one(values.Sent, left_out=left.left_out)),
    )
    for view in views:
        assert "tirana-border: its key does not encrypt" in printed(view)


def test_what_was_sent() -> None:
    done = values.Sent("seefen-border#1", False, None, 3100, index=7, recorded_at=NOW)
    assert "seefen-border#1  3.1 KB recorded" in printed(sent.sent(done))
    queued = dataclasses.replace(done, ref=None, queued=True)
    assert "Queued, NOT acknowledged (3.1 KB)" in printed(sent.sent(queued))
    waits = dataclasses.replace(done, ref=None, queued=True, problem="no")
    assert "Not sent: no" in printed(sent.sent(waits, online=True))
    assert "Queued, NOT acknowledged (3.1 KB): no. It leaves by itself" in printed(sent.sent(waits))
    photos = (done, dataclasses.replace(done, ref=None, queued=True))
    assert "files 1/2, 6.2 KB" in printed(sent.sent(dataclasses.replace(done, files=photos)))


def test_what_a_serial_number_says() -> None:
    hit = one(values.Hit, ref="SF-2025-BEG-00291#1", sender="belgrade-ffp")
    found = values.CheckResult((), (hit,), (), 3104, ("Cyrl",), "C84417")
    shown = printed(duty.checked("С-84417", found))
    for part in (
        "Cyrillic С",
        "also matched as C-84417",
        "Exact: nothing.",
        "SF-2025-BEG-00291#1",
        "3104 records",
    ):
        assert part in shown
    nothing = values.CheckResult((), (), (), 0, ("Latn",), "X")
    assert "seefen trace ask" in printed(duty.checked("X", nothing))


def test_what_is_due_and_overdue() -> None:
    later = int(times.now().timestamp()) + 6 * 86_400 + 18 * 3600 + 60
    rows = [
        one(values.DueView, due_at=later, used=3, ours="free", waits_for_us=True),
        one(
            values.DueView, due_at=NOW - 7200, used=104, ours="taken", officer="o-77aa",
            waits_for_us=True,
        ),
        one(values.DueView, due_at=later, used=62, waits_for_us=False),
        one(values.DueView, due_at=None, used=0, waits_for_us=False),
    ]  # fmt: skip
    shown = printed(due.page(due.Due(tuple(rows[:2]), tuple(rows[2:]))))
    ours, _, theirs = shown.partition("Others owe your node")
    for part in ("Waits for your node", "in 6 d 18 h", "overdue 2 h", "taken by o-77aa"):
        assert part in ours
    for part in ("(62 %)", "not there yet"):
        assert part in theirs
    assert "Nothing waits for you." in printed(due.page(due.Due(owed=tuple(rows[2:]))))


def test_a_revoked_device_and_this_one() -> None:
    mine = one(values.DeviceView, device="ab" * 16, officer="o-7f31", revoked="", ours=True)
    lost = one(values.DeviceView, device="cd" * 16, officer="", revoked="lost", revoked_at=NOW)
    shown = printed(devices.listed([mine, lost]))
    assert "abababab" in shown
    assert "this device" in shown
    assert "agent" in shown
    assert "lost" in shown


def test_a_problem_in_the_log_is_loud() -> None:
    problem, unseen = ("entry 7 was changed",), ("a hidden tail",)
    report = findings.VerifyReport(problem, 48_233, 48_233, unseen, NOBODY)
    shown = printed(audits.verified(report))
    assert "THE LOG IS NOT IN ORDER: 1 problem" in shown
    assert "entry 7 was changed" in shown
    assert "a hidden tail" in shown
    row = one(findings.AuditRow, proved=False, problem="no proof")
    assert "NOT PROVED: no proof" in printed(audits.listed([row], 0), 400)


def test_state_of_the_network() -> None:
    nodes = (values.NodeView("tirana-border", "Tirana", "suspended", 0),)
    status = one(
        state.Status,
        online=False,
        alarms=("rewound",),
        queued=(values.Sent(None, True, None, 3100),) * 2,
        nodes=nodes,
        watches=(),
    )
    shown = printed(state.page(status))
    said = ("ALARM  rewound", "NOT reachable", "2 queued", "suspended by the network", "Off watch")
    assert all(part in shown for part in said)
