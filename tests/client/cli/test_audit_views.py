"""What an auditor is shown of searches: what for, where he may know it, and when it was made."""

from typing import Any

import pytest

from seefen.client import findings, values
from seefen.client.cli.views import audits, duty
from tests.client.cli.test_views import printed

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
            "searched (what for: sealed to its node's auditors)",
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
