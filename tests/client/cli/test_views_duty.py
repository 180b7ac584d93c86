"""What duty officers read of cards, FLASH and hand-overs; nothing in it is obeyed by a terminal."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import values
from seefen.client.actiondays import ActionDayView, HourView
from seefen.client.cards import NodeCard
from seefen.client.cli import times
from seefen.client.cli.views import (
    actions,
    alerts,
    cards,
    codelists,
    due,
    duty,
    emergencies,
    handover,
    messages,
    objects,
    papers,
    state,
)
from seefen.client.codelists import Adopted
from seefen.client.emergencies import EmergencyView
from seefen.client.handover import HandoverView
from seefen.client.house import Said
from seefen.protocol.messages import (
    BallisticResult,
    Bulletin,
    Emergencies,
    Note,
    Paper,
    Recall,
    Roster,
    RosterRow,
)
from tests.client.cli.hostile import HOSTILE, obeyed_in
from tests.client.cli.test_views import OBJECT, one, printed
from tests.client.cli.values import filled

VIEWS: list[tuple[Callable[[Any], Any], Any]] = [
    (cards.listed, tuple[NodeCard, ...]),
    (lambda text: duty.event(one(values.Event, what="flash", ref=text, text=text)), str),
    (emergencies.asked, EmergencyView),
    (lambda view: emergencies.asked(dataclasses.replace(view, state="refused")), EmergencyView),
    (emergencies.listed, tuple[EmergencyView, ...]),
    (lambda text: emergencies.given({"case": text, "entry": 7}), str),
    (actions.shown, ActionDayView),
    (actions.listed, tuple[ActionDayView, ...]),
    (lambda view: actions.exported(view, None), ActionDayView),
    (codelists.listed, tuple[Adopted, ...]),
    (handover.shown, HandoverView),
    (lambda text: papers.whole(_roster(text)), str),
    (cards.published, tuple[values.Sent, ...]),
]


def _roster(text: str) -> Said[Paper]:
    row = filled(RosterRow, text)
    row = replace(row, days=(1, 7), offences=("trafficking",))
    roster = replace(filled(Roster, text), rows=(row,))
    return Said("house#1", b"", b"", text, True, 1_790_000_000, 7, roster)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("view", "type_"), VIEWS)
def test_attack_52_no_view_of_the_watch_prints_what_a_terminal_obeys(
    view: Callable[[Any], Any], type_: Any, text: str
) -> None:
    for width in (60, 160):
        assert obeyed_in(printed(view(filled(type_, text)), width)) == set()


def test_nothing_found_says_what_was_not_looked_into() -> None:
    lies = values.Unopened(3, 1, 2, "seefen-border#15", "SF-2026-SKP-00418#3")
    result = values.CheckResult((), (), (), 0, ("Cyrl",), "C84417", unopened=lies)
    said = printed(duty.checked("C-84417", result))
    assert "Never opened here: 3 alerts and 1 message" in said
    for way in (
        "'seefen watch on'",
        "'seefen alert show seefen-border#15'",
        "show SF-2026-SKP-00418#3'",
    ):
        assert way in " ".join(said.split())
    assert "2 more cannot be opened" in said
    watched = dataclasses.replace(lies, watched=True, messages=0, message="", closed=0)
    found = values.Found((), (), more=False, searched=0, closed=3, unopened=watched)
    said = printed(duty.found(found))
    assert "Never opened here: 3 alerts;" in said
    assert "watch on" not in said
    assert "never opened" not in printed(
        duty.found(values.Found((), (), more=False, searched=0, closed=0))
    )


def test_the_status_says_how_many_alerts_lie_here_unopened() -> None:
    page = filled(state.Status, "x")
    lies = values.Unopened(2, 0, 5, "seefen-border#2", watched=True)
    said = printed(state.page(dataclasses.replace(page, unopened=lies)))
    assert "Never opened here: 2 alerts;" in said
    assert "5 more" not in said


def test_the_status_says_when_no_auditor_could_read_why() -> None:
    page = dataclasses.replace(filled(state.Status, "x"), unsealed=False)
    assert "auditor's next command" not in printed(state.page(page))
    assert "auditor's next command" in printed(state.page(dataclasses.replace(page, unsealed=True)))


def test_cards_and_nodes_that_have_none() -> None:
    open_ = NodeCard("tirana-border", "Tirana", None, "open", "+000 1", "00-24", ("sq", "en"))
    late = one(
        NodeCard, node="pristina-ffp", in_force=None, state="reduced", until="2026-05-10T07:00Z",
        telephone="+000 2", languages=("sq",),
    )  # fmt: skip
    none, gone = NodeCard("a-ffp", "A", None), NodeCard("b-ffp", "B", "suspended")
    shown = printed(cards.listed([open_, late, none, gone]), 200)
    for part in (
        "+000 1", "Albanian, English", "desk answers with delay until 2026-05-10", "+000 2",
        "no card opened here: telephone on paper", "suspended by the network", "seefen card",
    ):  # fmt: skip
        assert part in shown


def test_an_alert_that_should_ring_and_one_that_rings() -> None:
    asked = dataclasses.replace(OBJECT, flash="asked")
    rings = dataclasses.replace(OBJECT, flash="o-22bb", urgency="FLASH")
    assert "URGENT, FLASH asked" in printed(alerts.listed([asked]))
    assert "FLASH asked" not in printed(alerts.listed([rings]))
    for view, ours, part in (
        (asked, True, "seefen alert flash seefen-border#1"),
        (asked, False, "seefen alert ring seefen-border#1"),
        (rings, False, "FLASH, confirmed by o-22bb"),
    ):
        read = dataclasses.replace(filled(values.Opened, "x"), view=view)
        assert part in printed(objects.opened(read, ours=ours))
    event = values.Event(int(times.now().timestamp()), "flash", "", "a#1", "12 pistols")
    assert printed(duty.event(event)).splitlines()[0].startswith("*** FLASH  a#1")


def test_a_colleagues_word_is_a_reading_and_a_preview_is_called_one() -> None:
    read = dataclasses.replace(filled(values.Opened, "x"), entry_index=44230, written_here=False)
    assert "Your reading: entry 44230" in printed(objects.opened(read, ours=True))
    written = dataclasses.replace(read, written_here=True)
    assert "Sent: entry 44230" in printed(objects.opened(written, ours=True))
    file = objects.Fetched("a#2", Path("wheel.preview.jpg"), preview_of="ab" * 32)
    assert "PREVIEW, made small" in printed(objects.fetched(file))
    assert "abababababababab" in printed(objects.fetched(file))


def test_a_likelihood_ratio_stands_as_a_laboratory_writes_it() -> None:
    result = BallisticResult(level="confirmed", lr_from=3, lr_to=4)
    assert "likelihood ratio 1 000 to 10 000" in " ".join(printed(messages.body(result)).split())
    lower = printed(messages.body(replace(result, lr_from=-2)))
    assert "1/100 to 10 000" in lower
    assert "lr from" not in lower
    assert "10^999999999" in printed(messages.body(replace(result, lr_to=999_999_999)))
    assert "likelihood" not in printed(messages.body(replace(result, lr_from=None, lr_to=None)))


def test_a_bulletin_says_that_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = times.now().replace(year=2026, month=6, day=15, hour=12)
    monkeypatch.setattr(times, "now", lambda: moment)
    for until, over in (
        ("2026-06-15", False), ("2026-06", False), ("2026", False),
        ("2026-06-14", True), ("2026-05", True), ("2025", True),
    ):  # fmt: skip
        bulletin = Bulletin(subject="printed", description="x", valid_until=until)
        view = one(values.ObjectView, expires_at=0)
        read = one(values.Opened, view=view, message=bulletin, original=None)
        assert ("EXPIRED" in printed(objects.opened(read))) is over, until


def test_what_steers_is_not_called_unevaluated() -> None:
    assert "cannot be assessed" not in printed(
        messages.terms(Recall(of=bytes(16), recall_reason="wrong_data"))
    )
    assert "cannot be assessed" in printed(messages.terms(Note(text="x")))
    assert "mostly reliable" in printed(
        messages.terms(Recall(of=bytes(16), recall_reason="wrong_data", source_eval="B"))
    )


def test_a_hand_over_says_what_is_open_and_what_this_device_does_not_hold() -> None:
    view = one(
        HandoverView, by="o-7f31", officer="o-22bb", waiting=(OBJECT,), owed=(), done=(OBJECT,),
        sealed=(), silent=(), since=4, unknown=2, more=1,
        queued=3, drafts=0, text="Tirana calls back", taken_by="", ref="house#7",
    )  # fmt: skip
    shown = printed(handover.shown(view))
    for part in (
        "handed over by o-7f31 to o-22bb", "Tirana calls back", "seefen-border#1",
        "3 queued and 0 drafts on the machine of o-7f31 then", "2 in cases that", "1 more",
        "Not open any more:", "4 came since: seefen due",
        "seefen watch take-over",
    ):  # fmt: skip
        assert part in shown
    assert "No key" not in shown
    assert "reminds of it" not in shown
    # Below `due` the same stands already, and who gave it is not told to take it.
    short = printed(handover.shown(view, officer="o-7f31", lists=False))
    assert "Tirana calls back" in short
    assert "seefen-border#1" not in short
    assert "take-over" not in short
    # What has no line in `due` stands below it, too.
    sealed = dataclasses.replace(OBJECT, ref="SF-2026-SKP-00418#3", cover_open=False)
    silent = dataclasses.replace(OBJECT, ref="seefen-border#9")
    rest = dataclasses.replace(view, sealed=(sealed,), silent=(silent,))
    short = " ".join(printed(handover.shown(rest, officer="o-7f31", lists=False)).split())
    for part in (
        "No key for it on this device, so perhaps open still: ask o-7f31, or a keyholder",
        "SF-2026-SKP-00418#3", "Not answered by all, and nothing reminds of it now:",
        "seefen-border#9",
    ):  # fmt: skip
        assert part in short
    assert "Taken by o-22bb" in printed(
        handover.shown(dataclasses.replace(view, taken_by="o-22bb"))
    )
    # Another reads for whom it is; and both hear when he took it all the same.
    assert "It is for o-22bb" in printed(handover.shown(view, officer="o-11d0"))
    assert "take-over --instead" in printed(handover.shown(view, officer="o-11d0"))
    other = dataclasses.replace(view, taken_by="o-11d0")
    assert "Taken by o-11d0" in printed(handover.shown(other, officer="o-22bb"))
    assert "not by o-22bb" in printed(handover.shown(other, officer="o-22bb"))


def test_a_roster_as_officers_read_it() -> None:
    said = _roster("x")
    night = RosterRow(types=("TraceRequest",), days=(6, 7), start="19:00", end="07:00",
                      officers=("o-22bb",), deputies=("o-11d0",))  # fmt: skip
    roster = Roster(zone="Europe/Skopje", rows=(night, RosterRow(officers=("o-7f31",))))
    shown = printed(papers.whole(dataclasses.replace(said, message=roster)))
    for part in (
        "Hours of Europe/Skopje", "TraceRequest", "Sat, Sun 19:00-07:00", "o-11d0",
        "anything", "every day", "Emergencies: 3 a day",
    ):  # fmt: skip
        assert part in shown
    closed = replace(roster, emergencies=Emergencies(forbidden=True))
    assert "nobody opens" in printed(papers.whole(dataclasses.replace(said, message=closed)))


def test_an_emergency_and_its_reason() -> None:
    now = int(times.now().timestamp())
    opened = EmergencyView("SF-2026-SKP-00418", "opened", "", now + 7200)
    assert "seefen case reason SF-2026-SKP-00418" in printed(emergencies.asked(opened))
    late = dataclasses.replace(opened, due_at=now - 7200)
    assert "overdue 2 h" in printed(emergencies.listed([late]))
    waits = dataclasses.replace(opened, state="asked")
    assert "Call a keyholder;" in printed(emergencies.asked(waits))
    refused = dataclasses.replace(opened, state="refused", why="too often")
    assert "Refused: too often" in printed(emergencies.asked(refused))
    assert "refused: too often" in printed(emergencies.listed([refused]))


def test_what_is_due_stands_in_two_lines_each_on_an_ordinary_terminal() -> None:
    open_ = values.DueView(
        ref="SF-2026-BLG-00001#114", case="SF-2026-BLG-00001", what="SeizureAlert",
        sender="skopje-border", node="belgrade-ffp", waits_for_us=True,
        due_at=int(times.now().timestamp()) + 300_000, used=12, urgency="NORMAL", ours="free",
        officer="", subject="12 pistols, 340 rounds, Tabanovce / Preševo, preliminary",
        handling="H2",
    )  # fmt: skip
    rows = (open_, dataclasses.replace(open_, ref="a#1", what="Recall", subject="recalled"))
    shown = printed(due.page(due.Due(rows)), 98).splitlines()
    assert len(shown) == 2 + 2 * len(rows) + 1
    assert f"  {open_.subject} · H2, ask before sharing" in shown
    head, first, second = shown[1], shown[2], shown[4]
    for column, value in (("FROM", "skopje-border"), ("WHO HAS IT", "free")):
        assert head.index(column) == first.index(value) == second.index(value)


def test_an_action_day_hour_by_hour() -> None:
    hours = (
        HourView("skopje-border", 1_778_302_800, {"firearm": 3}, "jad#2"),
        HourView("belgrade-ffp", 1_778_306_400, {"round": 340}, "jad#3"),
    )
    view = ActionDayView(
        "jad#1", "Parcels", 1_778_302_800, 1_778_389_200, "belgrade-ffp",
        ("belgrade-ffp", "skopje-border", "tirana-police"), ("firearm", "round", "arrest"), True,
        hours, {"skopje-border": {"firearm": 3}}, ("tirana-police",), 1, 2, "jad#9",
    )  # fmt: skip
    shown = printed(actions.shown(view))
    for part in (
        "EXERCISE", "coordinated by belgrade-ffp", "firearm", "340", "Told nothing: tirana-police",
        "1 tally is not open here", "2 came after the report", "Closed: jad#9",
    ):  # fmt: skip
        assert part in shown
    assert "arrest" not in shown  # nobody counted any
    assert "EXERCISE, closed: jad#9" in printed(actions.listed([view]))
    assert "seefen action-day open" in printed(actions.listed([]))
    assert actions.table(view).splitlines()[2].startswith('"jad#1","2026-05-09T06:00Z","belgrade')


def test_adopted_codes_have_a_source() -> None:
    row = Adopted("calibre", "8x57", "8 x 57 IS", "C.I.P. 2026", 2)
    assert "C.I.P. 2026" in printed(codelists.listed([row]))
    assert "seefen codelist adopt" in printed(codelists.listed([]))


def test_a_hit_names_what_was_said_later_and_is_not_open_here() -> None:
    hit = values.Hit("a#1", "plate", "SK-0000-ZZ", "exact", "n", 0, "1 car", "a#2", "a#7", ("a#7",))
    shown = printed(duty.checked("SK", values.CheckResult((hit,), (), (), 3, (), "SK", 1)))
    assert "1 car, corrected by a#2, replaced by a#7" in shown
    assert "Not opened here, and may say otherwise: 'seefen case show a#7'" in shown
