import pytest

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.complaints import EndedError, StoppedError, explain, kept_back
from seefen.client.connection import UnreachableError
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    UntrustedError,
)


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (RefusedError("no", rule="not-a-reader"), 1, "ask the case's owner"),
        (UntrustedError("no", rule="something new"), 1, "nothing of it was stored"),
        (OutOfTurnError("no"), 1, "run the command again"),
        (MalformedError("no"), 1, "dropped"),
        (RefusedError("no"), 1, "seefen status"),
        (RefusedError("offence", rule="no-basis"), 1, "seefen schema purpose"),
        (RefusedError("form", rule="unknown-code"), 1, "seefen schema TABLE"),
        (OutOfTurnError("o-1 has answered", rule="answered"), 1, "another answer replaces it"),
        (RefusedError("no alert", rule="no-alert"), 1, "seefen alert show REF"),
        (RefusedError("not open", rule="not-opened"), 1, "seefen alert show REF"),
        (RefusedError("short", rule="short"), 1, "parts of words"),
        (RefusedError("long", rule="long"), 1, "one or two words"),
        (RefusedError("as read", rule="mark"), 1, "? for a character"),
        (StoppedError(), 130, "seefen queue list"),
        (EndedError(), 2, "option"),
        (UntrustedError("no house", rule="no-house"), 1, "device list"),
        (RefusedError("U+202E", rule="hidden-character"), 1, "rename"),
        (RefusedError("no such file", rule="file"), 1, "path"),
        (RefusedError("No space left on device", rule="file"), 1, "room on its disk"),
        (RefusedError("full", rule="disk"), 1, "df -h"),
        (RefusedError("3 days", rule="not-urgent"), 1, "--days 14"),
        (RefusedError("row 1", rule="table"), 1, "seefen items"),
        (OutOfTurnError("jad is taken", rule="case-number"), 1, "channel list"),
        (UntrustedError("auditors", rule="not-an-auditor"), 1, "audit case CASE"),
        (RefusedError("short", rule="person-name"), 1, "as the person writes it"),
        (RefusedError("to come", rule="aware"), 1, "--aware 2026-03-14T18:00"),
        (RefusedError("9999", rule="view-period"), 1, "--until DAY"),
        (UnreachableError("no", rule="broker"), 3, "NOT done and is not queued"),
        (UnreachableError("no", rule="on-its-way"), 3, "may be done already"),
        (UsageError("no", "do this"), 2, "do this"),
        (EOFError(), 2, "option"),
        (FileNotFoundError(2, "No such file", "a.jpg"), 1, "path"),
        (OSError("odd"), 1, "disk"),
        (KeyError("x"), 1, "SEEFEN_DEBUG"),
    ],
)
def test_each_error_has_a_code_and_says_what_to_do(
    error: BaseException, code: int, hint: str
) -> None:
    complaint = explain(error)
    assert complaint.message
    assert complaint.code == code
    assert hint in complaint.hint


def test_what_is_kept_back_says_why_in_words_and_what_to_do() -> None:
    said = kept_back("(d) this device holds no key of SF-2026-SKP-00001 [d-no-key]")
    assert said.message == "this device holds no key of SF-2026-SKP-00001"
    assert "case assign" in said.hint
    assert kept_back("the broker does not answer").message == "the broker does not answer"
    assert explain(RefusedError("(d) no key", rule="d-no-key")).message == "no key"
    hints = {
        "other-request": "a new one", "other-bytes": "tell your administrator",
        "other-invite": "the same command again", "other-size": "sends it anew",
    }  # fmt: skip
    for rule, hint in hints.items():
        assert hint in explain(OutOfTurnError("another", rule=rule)).hint
