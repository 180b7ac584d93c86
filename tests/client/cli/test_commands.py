"""Each argument of each command: what is not right ends with 2 and says what would be."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seefen.client.cli import main
from seefen.client.cli.app import app
from seefen.client.cli.arguments import day_end, day_start
from tests.client.cli.hostile import obeyed_in
from tests.client.cli.stage import Said, command

COMMANDS = (
    "found", "witness", "join", "unlock", "lock", "admit", "officer add", "watch on", "watch off",
    "watch list", "watch hand-over", "watch take-over", "channel open", "channel list",
    "channel add", "channel remove",
    "alert send", "alert list", "alert show",
    "alert answer", "alert confirm", "alert replace", "alert reach", "correct", "recall", "erase",
    "case open", "case list", "case show", "case send", "case add", "case remove", "case assign",
    "request list", "request show", "request ask", "request answer", "request query",
    "request clarify", "request interim", "request extend", "request pass-on", "request refuse",
    "request take", "request not-ours", "request reject", "request withdraw", "request close",
    "schema", "trace ask", "trace answer", "file get", "due", "check", "search", "tail",
    "device list", "device revoke", "audit", "audit list", "audit verify", "audit show",
    "audit case", "audit register", "audit sample", "audit flags", "audit report",
    "audit person", "audit name", "audit acknowledge", "audit manifest", "breach",
    "status", "export",
    "items", "ref add", "house lay", "house show", "case forward",
    "request permit", "queue list", "queue drop",
    "card", "nodes",
    "case break-glass", "case reason", "action-day open", "action-day tally", "action-day list",
    "action-day show", "action-day close", "codelist list", "codelist adopt",
    "alert flash", "alert ring",
    "agent run", "agent invite", "agent alarms", "agent expect",
    "root show", "root change", "root auditor", "guest add", "guest remove", "guest list",
    "audit export", "evidence check", "evidence save",
)  # fmt: skip
CASE, REF = "SF-2026-SKP-00418", "SF-2026-SKP-00418#3"
BAD_REFS = ("SF-2026-SKP-00418", "x#0", "#3", "a#b", "SF\u202e#1", "")
BAD_CASES = ("", "x", "a b", REF, "\x1b[2J")
BAD_NODES = ("", "ab", "Belgrade", "belgrade_ffp", "белград")


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEEFEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEEFEN_PASSPHRASE", raising=False)
    monkeypatch.chdir(tmp_path)


def refused(*argv: object, code: int = 2) -> Said:
    """Run a command that must be refused, and return what it said."""
    said = command(*argv)
    assert said.code == code, (argv, said)
    assert said.out == ""
    first, *rest = said.err.splitlines()
    assert first.startswith("seefen: error: ")
    assert rest[0].startswith("seefen: hint: ")
    assert obeyed_in(said.err) == set()
    assert "Traceback" not in said.err
    return said


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_how_it_is_written(name: str) -> None:
    said = command(*name.split(), "--help")
    assert said.code == 0
    assert f"Usage: seefen {name}" in said.out


def test_no_command_is_without_this_list() -> None:
    groups = [(f"{g.name} ", g.typer_instance) for g in app.registered_groups]
    found = {"audit"}
    for prefix, commands in [("", app), *groups]:
        assert commands is not None
        named = (
            c.name or getattr(c.callback, "__name__", "") for c in commands.registered_commands
        )
        found |= {f"{prefix}{name}" for name in named}
    assert found == set(COMMANDS)


@pytest.mark.parametrize("bad", BAD_REFS)
@pytest.mark.parametrize(
    "argv",
    [
        ["alert", "show", "@"],
        ["alert", "answer", "@", "taken"],
        ["alert", "reach", "@"],
        ["trace", "answer", "@", "--form", "form.json"],
        ["ref", "add", "@", "siena:1"],
        ["file", "get", "@"],
        ["case", "open", "--title", "T", "--from-alert", "@"],
    ],
)
def test_what_is_no_reference(argv: list[str], bad: str, tmp_path: Path) -> None:
    (tmp_path / "form.json").write_text("{}")
    said = refused(*(bad if word == "@" else word for word in argv))
    assert "CASE#number" in said.err


def test_an_alarm_is_acknowledged_with_a_reason() -> None:
    assert "an old backup" in refused("audit", "acknowledge", "3f9a1c20", "--why", " ").err


def test_a_breach_is_of_something_and_known_since_a_time() -> None:
    assert "breach o-2b9f" in refused("breach", " ").err
    for bad in ("yesterday", "", "2026-13-01", "10000-01-01"):
        assert "2026-03-14T18:00" in refused("breach", "o-2b9f", "--aware", bad).err


@pytest.mark.parametrize("bad", BAD_CASES)
@pytest.mark.parametrize(
    "argv",
    [
        ["case", "send", "@", "--text", "x"],
        ["case", "add", "@", "belgrade-ffp"],
        ["case", "remove", "@", "belgrade-ffp"],
        ["case", "assign", "@", "o-7f31"],
        ["channel", "open", "@", "belgrade-ffp"],
        ["channel", "add", "@", "belgrade-ffp"],
        ["channel", "remove", "@", "belgrade-ffp"],
        ["watch", "on", "@"],
        ["alert", "send", "--channel", "@", "--where", "x", "--carrying", "1 rifle"],
        ["trace", "ask", "@"],
        ["audit", "list", "--case", "@"],
    ],
)
def test_what_is_no_case(argv: list[str], bad: str) -> None:
    refused(*(bad if word == "@" else word for word in argv))


@pytest.mark.parametrize("bad", BAD_NODES)
@pytest.mark.parametrize(
    "argv",
    [
        ["case", "add", CASE, "@"],
        ["case", "remove", CASE, "@"],
        ["case", "open", "--title", "T", "--member", "@"],
        ["channel", "open", "seefen-border", "@"],
        ["channel", "add", "seefen-border", "@"],
        ["channel", "remove", "seefen-border", "@"],
        ["audit", "list", "--node", "@"],
    ],
)
def test_what_is_no_node(argv: list[str], bad: str) -> None:
    assert "belgrade-ffp" in refused(*(bad if word == "@" else word for word in argv)).err


@pytest.mark.parametrize("bad", ["", "none.jpg", ".", "photo\x1b.jpg"])
@pytest.mark.parametrize(
    "argv",
    [
        ["found", "@"],
        ["join", "@"],
        ["admit", "@"],
        ["alert", "send", "--photo", "@"],
        ["alert", "send", "--form", "@"],
        ["case", "send", CASE, "--file", "@"],
        ["trace", "ask", CASE, "--form", "@"],
        ["trace", "ask", CASE, "--file", "@"],
        ["trace", "answer", REF, "--form", "@"],
        ["status", "--passphrase-file", "@"],
    ],
)
def test_what_is_no_file(argv: list[str], bad: str) -> None:
    refused(*(bad if word == "@" else word for word in argv))


@pytest.mark.parametrize(
    "argv",
    [
        ["officer", "add", "--role", "boss"],
        ["officer", "add"],
        ["officer", "add", "--role", "field", "--role", "field"],
        ["officer", "add", "--role", "field", "-o", "nowhere/at/all.invite"],
        ["watch", "on", "--purpose", "curiosity"],
        ["watch", "on", "--basis", "because"],
        ["watch", "on", "--reason", "x" * 2001],
        ["watch", "on", "a-channel", "a-channel"],
        ["channel", "open", "seefen-border"],
        ["channel", "open", "seefen-border", "belgrade-ffp", "belgrade-ffp"],
        ["alert", "send", "--handling", "H4"],
        ["alert", "send", "--until", "72"],
        ["alert", "send", "--until", "0h"],
        ["alert", "confirm", REF, "--until", "367d"],
        ["alert", "send"],
        ["alert", "send", "--where", "Merdare"],
        ["alert", "send", "--carrying", "1 rifle"],
        ["alert", "send", "--where", "Merdare", "--carrying", "1 rifle", "--handling", "H3"],
        ["alert", "send", "--where", "Merdare", "--carrying", "1 rifle", "--serials", "M57: A1"],
        ["alert", "answer", REF, "accepted"],
        ["alert", "answer", REF],
        ["alert", "answer", REF, "rejected"],
        ["alert", "answer", REF, "passed-on", "--cause", " "],
        ["case", "open"],
        ["case", "open", "--title", " "],
        ["case", "open", "--title", "x" * 201],
        ["case", "open", "--title", "T", "--member", "a-ffp", "--member", "a-ffp"],
        ["case", "send", CASE],
        ["case", "send", CASE, "--text", " "],
        ["case", "send", CASE, "--text", "x" * 8001],
        ["case", "show"],
        ["check", ""],
        ["check", "x" * 81],
        ["check"],
        ["tail", "--seconds", "soon"],
        ["tail", "--seconds", "-1"],
        ["device", "revoke", "o-2b9f"],
        ["device", "revoke", "o-2b9f", "--why", "bored"],
        ["device", "revoke", "o-2b9f", "--lost", "--why", "left"],
        ["device", "revoke", "o-2b9f", "--lost", "--since", "-1"],
        ["due", "extra"],
        ["ref", "add", REF, "siena"],
        ["ref", "add", REF, "siena:"],
        ["ref", "add", REF, "fax:1"],
        ["ref", "add", REF, "siena:Милош Трајанов"],
        ["ref", "add", REF, "i247:Miloš Trajanov"],
        ["ref", "add", REF, "siena:Trajanov 1980"],
        ["ref", "add", REF, f"siena:{'1' * 201}"],
        ["due", "--unknown"],
        ["due", "--home"],
        ["nonsense"],
        ["case", "nonsense"],
        ["cas"],
        ["\x1b[2J"],
    ],
)
def test_what_no_command_takes(argv: list[str]) -> None:
    assert command(*argv).code in {1, 2}
    if argv[:2] != ["alert", "send"] or len(argv) > 2:
        refused(*argv)


def test_more_must_sign_than_there_are(tmp_path: Path) -> None:
    card = tmp_path / "broker.json"
    card.write_text("{}")
    assert "3 of 2" in refused("found", card, "--keys", "2", "--threshold", "3").err
    refused("found", card, "--keys", "0")
    refused("found", card, "--keys", "17")
    refused("found", card, "-o", card)
    assert "2 of 1" in refused("found", card, "--witness", card, "--quorum", "2").err
    assert "1 of 0" in refused("found", card, "--quorum", "1").err


def test_an_alert_twice_over(tmp_path: Path) -> None:
    form = tmp_path / "form.json"
    form.write_text(json.dumps({"place": "x", "items": [{"category": "rifle"}]}))
    assert "twice" in refused("alert", "send", "--form", form, "--where", "Merdare").err


def test_a_wrong_field_in_a_form_is_refused_before_a_passphrase_is_asked_for(
    tmp_path: Path,
) -> None:
    form = tmp_path / "form.json"
    form.write_text(json.dumps({"place": "x", "items": [{"category": "bazooka"}]}))
    assert "category" in refused("alert", "send", "--form", form, code=1).err


def test_what_is_no_invite_is_refused_before_a_passphrase_is_asked_for(tmp_path: Path) -> None:
    invite = tmp_path / "x.invite"
    invite.write_text("{}")
    assert "not an invite" in refused("join", invite, code=1).err
    assert "not an invite" in refused("admit", invite, code=1).err


@pytest.mark.parametrize("name", ["status", "due", "alert list", "case list", "audit", "watch on"])
def test_without_a_device_it_says_how_to_join(name: str) -> None:
    assert "seefen join FILE" in refused(*name.split(), code=1).err


def test_a_short_passphrase(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    card = tmp_path / "broker.json"
    card.write_text("{}")
    monkeypatch.setenv("SEEFEN_PASSPHRASE", "short")
    assert "at least 12" in refused("found", card).err


def test_no_command_shows_what_there_is() -> None:
    said = command()
    assert said.code == 0
    assert "alert" in said.out
    assert "audit" in said.out


@pytest.mark.parametrize("group", ["alert", "case", "channel", "device", "file", "trace", "watch"])
def test_a_group_alone_is_no_command(group: str) -> None:
    assert f"seefen {group} --help" in refused(group).err


def test_version() -> None:
    said = command("--version")
    assert (said.code, said.out.split()[0]) == (0, "seefen")


def test_a_mistyped_command_is_guessed() -> None:
    assert "status" in refused("statis").err


def test_the_module_is_the_command(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "seefen.client", "--home", str(tmp_path / "none"), "status"]
    run = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False, env=os.environ)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("seefen: error: there is no device in ")


def test_letters_that_a_console_lacks_are_escaped() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "seefen.client", "case", "add", "SF-2026-SKP-00001", "белград"],
        capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert run.returncode == 2
    assert b"\\u0431" in run.stderr


def test_main_returns_and_never_exits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main(["nonsense"]) == 2
    assert "seefen: error:" in capsys.readouterr().err


def test_numbers_and_days_at_the_end_of_all_are_refused_or_taken_and_never_a_failure() -> None:
    for argv in (("show", 10**20), ("list", "--after", 10**20), ("case", CASE, "--after", 2**63)):
        refused("audit", *argv)
    for text in ("9999-12-31", "9999-12-31T23:59+00:00", "0001-01-01"):
        assert day_end(text) >= day_start(text)
    assert day_start("2026-12-01") == datetime(2026, 12, 1, tzinfo=UTC), "a month begins once"
    assert day_end("2026-11-30") == day_start("2026-12-01")
