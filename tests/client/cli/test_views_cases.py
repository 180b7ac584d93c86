"""Cases in lists, and as what a search found."""

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from seefen.client import values
from seefen.client.cli import times
from seefen.client.cli.views import alerts, cases, duty, requests
from tests.client.cli.values import filled


def printed(painted: Any, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, markup=False, emoji=False, highlight=False, width=width).print(painted)
    return out.getvalue()


def one(type_: Any, **fields: Any) -> Any:
    return dataclasses.replace(filled(type_, "Трајанов"), **fields)


def test_a_case_is_found_as_itself() -> None:
    case = one(values.CaseView, number="SF-2026-SKP-00418", title="Pistols", owner="skopje-border")
    shown = printed(duty.found(one(values.Found, cases=(case,), entry=7)))
    assert "SF-2026-SKP-00418" in shown
    assert "Pistols" in shown
    assert "Nothing found" not in shown


def test_a_list_of_cases_breaks_no_word_on_a_narrow_screen() -> None:
    sealed = one(
        values.CaseView, number="SF-2026-SKP-00418", owner="skopje-border",
        readable=False, lapsed=False, assigned=(), left_out=(),
    )  # fmt: skip
    shown = printed(cases.case_list([sealed, sealed]), 60).splitlines()
    assert len(shown) <= 8
    assert any("sealed: not assigned to this device" in row for row in shown)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_list_of_alerts_breaks_no_word_and_says_when_each_was_recorded(width: int) -> None:
    now = int(times.now().timestamp())
    view = one(
        values.ObjectView, ref="seefen-border#12", sender="skopje-border", urgency="URGENT",
        items="12 pistols, 340 rounds", handling="H2", state="delivered", answer="", flash="",
        created_at=now - 7 * 3600, recorded_at=now, recalled_by="", superseded_by="",
        corrected_by="", expired=False,
    )  # fmt: skip
    shown = printed(alerts.listed([view, view]), width).split()
    assert {"seefen-border#12", "skopje-border", "delivered", "pistols,"} <= set(shown)
    assert times.moment(now, times.now()).split()[-1] in shown


def test_a_request_names_its_commands_as_they_are_typed() -> None:
    def shown(**fields: Any) -> str:
        life = one(values.LifeView, node="belgrade-ffp", state="asked", word=None, officer="")
        view = one(values.RequestView, ref="seefen-border#1", lives=(life,), **fields)
        return printed(requests.shown(view, node="belgrade-ffp"))

    assert "seefen request take|answer|query|" in shown(type="InfoRequest", ours=False)
    assert "seefen request clarify|withdraw|close seefen-border#1" in shown(
        type="InfoRequest", ours=True
    )
    assert "seefen alert answer seefen-border#1 taken|passed-on|not-ours|rejected" in shown(
        type="SeizureAlert", ours=False
    )
    assert "seefen alert reach seefen-border#1" in shown(type="SeizureAlert", ours=True)
    assert "seefen erase REF" in shown(type="Recall", ours=False)
