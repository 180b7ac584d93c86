"""Cases in lists, and as what a search found."""

import dataclasses
import io
from typing import Any

from rich.console import Console

from seefen.client import values
from seefen.client.cli.views import cases, duty
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
