"""What the pages say of witnesses: none, one, two; and of a log that nobody has seen."""

import dataclasses
from typing import Any

from seefen.client import findings, values
from seefen.client.cli.views import audits, inquiries, joining, objects, state
from seefen.client.founding import Founded
from tests.client.cli.test_views import one, printed

NOBODY = findings.Cosigned(0, 0, 2, 0, 0, 9)


def test_one_witness_is_not_two() -> None:
    alone = findings.Cosigned(9, 1, 1, 1, 1, 9)
    for shown in (
        audits.verdict(one(findings.Verdict, cosigned=alone)),
        audits.listed([], 1),
        audits.verified(one(findings.VerifyReport, cosigned=alone)),
        state.page(one(state.Status, quorum=1)),
        joining.founded(one(Founded, quorum=1)),
    ):
        assert "the broker together can split views" in printed(shown)


def test_witnesses_that_are_named_and_not_required_are_not_called_none() -> None:
    row: Any = one(findings.AuditRow, needed=0, witnesses=2, proved=True, search=None)
    for shown in (
        audits.verdict(one(findings.Verdict, cosigned=NOBODY)),
        audits.listed([row], 0, 2),
        audits.verified(one(findings.VerifyReport, cosigned=NOBODY)),
        inquiries.page(one(findings.AuditPage, rows=(), quorum=0, named=2, own=False)),
        state.page(one(state.Status, quorum=0, named=2)),
        joining.founded(one(Founded, quorum=0, witnesses=2)),
    ):
        said = printed(shown)
        assert "2 witnesses named, none required: split views possible" in said
        assert "no witness" not in said.replace("no witness required", "")


def test_with_witnesses_it_says_how_many() -> None:
    names = tuple(f"seefen/witness/{digit * 16}" for digit in "abcd")
    some = findings.Cosigned(9, 3, 4, 1_795_718_626, 2, 15, names[:3], names[3:])
    for shown in (
        printed(audits.verdict(one(findings.Verdict, cosigned=some)), 120),
        printed(audits.verified(one(findings.VerifyReport, cosigned=some)), 120),
    ):
        assert "cosigned up to 9 by 3 of 4 witnesses, 2026-11-26 18:43Z" in shown
        assert "entries 9 to 14 by nobody yet" in shown
        assert f"signed by   {', '.join(names[:3])}" in shown
        assert f"not signed  {names[3]}" in shown
        assert "one broker" not in shown


def test_a_check_says_what_was_checked_and_how_old_it_is() -> None:
    report = findings.VerifyReport((), 68, 68, (), NOBODY, None)
    shown = printed(audits.verified(report))
    assert "OK  68 records in checkpoint 68; entries are for the auditors" in shown
    shown = printed(audits.verified(dataclasses.replace(report, entries=40)))
    assert "OK  68 records in checkpoint 68; 40 entries of your node checked" in shown
    old = dataclasses.replace(report, stale="no quorum for 50 h")
    assert not old.ok
    shown = printed(audits.verified(old))
    assert "NOT FRESH" in shown
    assert "no quorum for 50 h" in shown
    assert "OK" not in shown


def test_who_founds_a_network_without_witnesses_is_told_so() -> None:
    assert "split views possible" in printed(joining.founded(one(Founded, quorum=0)))
    shown = printed(joining.founded(one(Founded, quorum=2, witnesses=3)))
    assert "2 of 3 witnesses must see the log" in shown
    assert "split" not in shown


def test_a_log_that_nobody_has_seen_yet() -> None:
    shown = printed(state.page(one(state.Status, quorum=2, checkpoint_at=0)))
    assert "not witnessed yet" in shown
    assert "log witnessed" in printed(state.page(one(state.Status, quorum=2)))


def test_an_alert_that_left_unwitnessed_says_so_before_its_words() -> None:
    read: Any = one(values.Opened)
    for mark in (True, False):
        view = dataclasses.replace(read.view, unwitnessed=mark)
        shown = printed(objects.opened(dataclasses.replace(read, view=view)))
        assert ("Unwitnessed" in shown) is mark


def test_a_witness_is_told_where_its_card_goes() -> None:
    shown = printed(joining.witness({"card": "w/witness.json", "id": "74a5ed138db56325"}))
    assert ".../witness/74a5ed138db56325" in shown
    assert "--witness w/witness.json" in shown
