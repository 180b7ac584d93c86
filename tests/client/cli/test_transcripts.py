"""An officer and an investigator at the command line; what waits, is refused, is JSON."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from seefen.client import turns
from seefen.protocol.errors import RefusedError
from tests.client.cli.hostile import obeyed_in
from tests.client.cli.stage import PASSPHRASE, SEEFEN, Stage, eventually, photograph, stage

pytestmark = pytest.mark.timeout(300)
SKOPJE, BELGRADE, SARAJEVO = "skopje-border", "belgrade-ffp", "sarajevo-lab"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Three nodes that joined by file and words."""
    os.environ["SEEFEN_PASSPHRASE"] = PASSPHRASE
    try:
        with stage(tmp_path_factory.mktemp("network")) as made:
            nodes = (SKOPJE, BELGRADE, SARAJEVO)
            invites = {node: made.wait(made.broker.invite(node)) for node in nodes}
            shown = made.join(invites, "--root-key", made.folder / "root" / "root-2.key")
            assert shown.count("Read these words to your admin") == len(nodes)
            assert f"Node  {SKOPJE}" in shown
            yield made
    finally:
        del os.environ["SEEFEN_PASSPHRASE"]


def test_a_the_duty_officer(network: Stage, tmp_path: Path) -> None:
    photo = photograph(tmp_path / "serial.jpg")
    run = network.ok
    assert "seefen alert send" in run(SKOPJE, "channel", "open", "seefen-border", BELGRADE)
    for node in (SKOPJE, BELGRADE):
        shown = run(node, "watch", "on")
        assert "seefen-border" in shown
        assert "purpose: border-control · basis: pcc-see" in shown
    typed = [
        "Tabanovce > Preševo, out", "12 pistols, 340 rounds", "VW Passat B6 grey SK-0000-ZZ", "",
        "EV-19070413, EV-1907?4??, С-84417", "", "", "",
    ]  # fmt: skip
    shown = run(SKOPJE, "alert", "send", "--photo", photo, typed=typed)
    for part in (
        "С-84417 has a Cyrillic С: kept as typed, also matched as C-84417",
        "H2, ask before sharing",
        "H2, ask before sharing · AMBER+STRICT · A1 · URGENT · preliminary",
        "seefen-border#1",
        "recorded",
        "files 1/1",
        BELGRADE,
    ):
        assert part in shown
    eventually(lambda: run(SKOPJE, "alert", "reach", "seefen-border#1"), BELGRADE, "delivered")
    assert "12 pistols, 340 rounds" in run(BELGRADE, "alert", "list")
    assert "seizure alert" in run(BELGRADE, "due")
    read = run(BELGRADE, "alert", "show", "seefen-border#1")
    for part in ("С-84417", "SK-0000-ZZ", "Not to be passed on", "seefen alert answer", "#2"):
        assert part in read
    shown = run(BELGRADE, "alert", "show", "seefen-border#1", "--lang", "mk")
    for part in ("пиштол", "Да не се проследува", "Machine draft translation (Macedonian)"):
        assert part in shown
    assert "12 × pistoletë" in run(BELGRADE, "--lang", "sq", "alert", "list")
    listed = json.loads(run(BELGRADE, "alert", "list", "--lang", "sq", "--json"))
    assert listed[0]["items"] == "12 pistols, 340 rounds"
    assert listed[0]["cover"]["what"][0]["table"] == "category"
    eventually(lambda: run(SKOPJE, "alert", "reach", "seefen-border#1"), BELGRADE, "read")
    run(BELGRADE, "alert", "answer", "seefen-border#1", "taken")
    eventually(lambda: run(SKOPJE, "alert", "reach", "seefen-border#1"), "taken by o-")
    shown = run(BELGRADE, "check", "C-84417", "--purpose", "trace", "--basis", "PCC SEE")
    assert "recorded: your node's auditors see what you looked for" in shown
    assert "Exact: nothing." in shown
    assert "С-84417" in shown.partition("Look-alike")[2]
    assert "Searched: this vault," in shown
    assert "Checked and saved" in run(
        BELGRADE, "file", "get", "seefen-border#2", "-o", tmp_path / "got"
    )
    assert (tmp_path / "got" / "serial.jpg").read_bytes() == photo.read_bytes()


def test_b_the_investigator(network: Stage, tmp_path: Path) -> None:
    run = network.ok
    shown = run(
        SKOPJE, "case", "open", "--from-alert", "seefen-border#1", "--title", "Tabanovce, pistols",
        "--member", BELGRADE,
    )  # fmt: skip
    case = shown.split()[1]
    assert case.startswith("SF-")
    annex = tmp_path / "registry.pdf"
    annex.write_bytes(b"%PDF-1.7 invented")
    form = tmp_path / "request.json"
    form.write_text(json.dumps({
        "item": {"category": "pistol", "make": "Zastava", "model": "M57", "calibre": "7.62x25",
                 "serial_as_read": "С-84417", "serial_state": "present",
                 "markings": [{"kind": "property", "text": "ЈНА"}]},
        "illicit_nature": "seized", "question": ["manufacture", "last_holder"],
        "offence": "trafficking",
    }))  # fmt: skip
    run(SKOPJE, "trace", "ask", case, "--form", form, "--file", annex)
    eventually(lambda: run(BELGRADE, "due"), "trace request", "in 6 d 23 h")
    shown = run(BELGRADE, "case", "show", case)
    assert f"Members: {SKOPJE} (owner), {BELGRADE}" in shown
    ref = next(f"{case}{line.split()[0]}" for line in shown.splitlines() if "trace request" in line)
    refused = network.run(BELGRADE, "case", "show", ref)
    assert refused.code == 1
    assert "--purpose" in refused.err
    shown = run(BELGRADE, "case", "show", ref, typed=[""])
    for part in ("Purpose: trace · basis: pcc-see", "ЈНА", "seefen trace answer", "entry"):
        assert part in shown
    answered = [
        "traced in part", "military register 1960-1992, paper", "",
        "1968 manufactured; 1969 issued to unit; 1992 written off", "post-conflict", "", "",
    ]  # fmt: skip
    shown = run(BELGRADE, "trace", "answer", ref, typed=answered)
    for part in ("H2", "military register", "1960-1992", "written off", "recorded"):
        assert part in shown
    assert "trace request" not in run(BELGRADE, "due")
    eventually(lambda: run(SKOPJE, "case", "show", case), "trace reply")
    shown = run(SKOPJE, "case", "add", case, SARAJEVO)
    assert f"{SARAJEVO} will read from now on, not what came before." in shown
    assert "New key 2, 3 nodes" in shown
    run(SKOPJE, "case", "send", case, "--text", "Сега сте тројца")
    eventually(lambda: run(SARAJEVO, "case", "show", case), "note")
    refused = network.run(SARAJEVO, "case", "show", ref, "--purpose", "trace", "--basis", "pcc-see")
    assert refused.code == 1
    assert "Сега" not in refused.out
    shown = run(SKOPJE, "case", "remove", case, SARAJEVO)
    assert "New key 3, 2 nodes" in shown


def test_c_a_request_with_its_clock(network: Stage, tmp_path: Path) -> None:
    run = network.ok
    assert "No request yet" not in run(SKOPJE, "request", "list")
    case = run(SKOPJE, "case", "open", "--title", "Makes", "--member", BELGRADE).split()[1]
    form = tmp_path / "question.json"
    form.write_text(json.dumps({
        "type": "InfoRequest", "basis": "pcc-see", "offence": "trafficking", "to": [BELGRADE],
        "about": ["weapon"], "what_is_asked": "Earlier seizures.", "facts": "Twelve pistols.",
        "why_you": "They were made in your area.",
    }))  # fmt: skip
    run(SKOPJE, "request", "ask", case, "--form", form)
    ref = f"{case}#1"
    shown = eventually(lambda: run(BELGRADE, "due"), "information request")
    assert "Waits for your node" in shown
    assert "in 6 d 23 h" in shown
    eventually(lambda: run(SKOPJE, "due"), "Others owe your node", BELGRADE, "in 6 d 23 h")
    refused = network.run(BELGRADE, "request", "clarify", ref, "--text", "nobody asked")
    assert refused.code == 1
    assert "the holder cannot 'clarify' here: the request is asked" in refused.err
    run(BELGRADE, "request", "query", ref, "--text", "Which years?")
    eventually(lambda: run(SKOPJE, "request", "show", ref), "unclear", "clock stands")
    run(SKOPJE, "request", "clarify", ref, "--text", "2020 to 2026")
    eventually(lambda: run(BELGRADE, "request", "show", ref), "taken", "(0 %)")
    run(BELGRADE, "request", "extend", ref, "--days", "14", "--why", "the register is on paper")
    shown = eventually(lambda: run(SKOPJE, "request", "show", ref), "in 13 d 23 h")
    assert "the register is on paper" in shown
    run(BELGRADE, "request", "refuse", ref, "--ground", "ongoing")
    eventually(lambda: run(SKOPJE, "request", "show", ref), "refused, ongoing investigation")
    assert "information request" not in run(BELGRADE, "due")
    run(SKOPJE, "request", "close", ref, "no_result", "--use", "0")
    eventually(lambda: run(BELGRADE, "request", "list"), "closed")
    bulletin = tmp_path / "bulletin.json"
    bulletin.write_text(json.dumps({
        "type": "Bulletin", "subject": "conversion", "description": "A new sleeve.",
        "valid_until": "2026-12-31", "exercise": True,
    }))  # fmt: skip
    run(SKOPJE, "case", "send", "seefen-border", "--form", bulletin)
    shown = eventually(lambda: run(BELGRADE, "case", "show", "seefen-border"), "bulletin")
    assert "EXERCISE" in shown


def test_presets_of_a_node(network: Stage, tmp_path: Path) -> None:
    run = network.ok
    assert "No paper is laid down" in run(BELGRADE, "house", "show")
    assert "'seefen schema Presets'" in run(BELGRADE, "house", "show", "presets")
    form = tmp_path / "presets.json"
    form.write_text(json.dumps({
        "type": "Presets", "rows": [{"form": "TraceReply", "handling": "H2", "info_eval": "2"}],
        "opening": [{"form": "Note", "purpose": "investigation", "basis": "national-law"}],
    }))  # fmt: skip
    assert "Laid down as house#1: presets." in run(BELGRADE, "house", "lay", form)
    shown = run(BELGRADE, "house", "show")
    assert "presets" in shown
    assert "house#1" in shown
    assert "trace reply" in run(BELGRADE, "house", "show", "presets")
    start = tmp_path / "again.json"
    start.write_text(run(BELGRADE, "house", "show", "presets", "--json"))
    assert json.loads(start.read_text())["version"] == 1
    run(BELGRADE, "house", "lay", start)
    assert "version 2" in run(BELGRADE, "house", "show", "presets")

    case = run(SKOPJE, "case", "open", "--title", "Presets", "--member", BELGRADE).split()[1]
    run(SKOPJE, "case", "send", case, "--text", "Twelve pistols")
    asked = tmp_path / "request.json"
    asked.write_text(json.dumps({
        "item": {"category": "pistol", "serial_as_read": "A-1"}, "illicit_nature": "seized",
        "question": ["manufacture"], "offence": "trafficking",
    }))  # fmt: skip
    run(SKOPJE, "trace", "ask", case, "--form", asked)
    eventually(lambda: run(BELGRADE, "case", "show", case), "trace request")
    shown = run(BELGRADE, "case", "show", f"{case}#1", typed=[""])
    assert "Purpose: investigation · basis: national-law" in shown
    run(BELGRADE, "case", "show", f"{case}#2")
    answered = ["not traced", "register 1960-1992, paper", "", "", "", "", "e", "amber b3", ""]
    shown = run(BELGRADE, "trace", "answer", f"{case}#2", typed=answered)
    assert "H2, ask before sharing · AMBER · A2 · trace · un-iti" in shown
    assert "H2, ask before sharing · AMBER · B3" in shown


def test_a_message_is_forwarded_by_leave_of_its_author(network: Stage) -> None:
    run = network.ok
    ours = run(SKOPJE, "case", "open", "--title", "Ours", "--member", BELGRADE).split()[1]
    run(SKOPJE, "case", "send", ours, "--text", "The buyer drives a grey Passat.")
    theirs = run(BELGRADE, "case", "open", "--title", "Theirs", "--member", SARAJEVO).split()[1]
    ref = f"{ours}#1"
    eventually(lambda: run(BELGRADE, "case", "show", ours), "note")
    closed = network.run(BELGRADE, "case", "forward", ref, theirs)
    assert "is not open here in this shift" in closed.err
    run(BELGRADE, "case", "show", ref, "--purpose", "trace", "--basis", "pcc-see")
    refused = network.run(BELGRADE, "case", "forward", ref, theirs)
    assert f"{SKOPJE} has not let it go to {SARAJEVO}" in refused.err
    assert "seefen case forward REF CASE --ask" in refused.err
    run(BELGRADE, "case", "forward", ref, theirs, "--ask", "He lives there.")
    eventually(lambda: run(SKOPJE, "due"), "request to forward")
    asked = f"{ours}#2"
    shown = run(SKOPJE, "case", "show", asked, "--purpose", "trace", "--basis", "pcc-see")
    assert f"seefen request permit {asked}" in shown
    assert f"About {ref}." in shown
    assert SARAJEVO in shown
    run(SKOPJE, "request", "permit", asked, "--conditions", "Ask before arrest.")
    eventually(lambda: run(BELGRADE, "case", "show", ours), "decision on forwarding")
    run(BELGRADE, "case", "show", f"{ours}#3", "--accept")
    run(BELGRADE, "case", "forward", ref, theirs, "--text", "As agreed")
    eventually(lambda: run(SARAJEVO, "case", "show", theirs), "forwarded message")
    terms = ("--purpose", "trace", "--basis", "pcc-see", "--accept")
    shown = run(SARAJEVO, "case", "show", f"{theirs}#1", *terms)
    for part in (
        f"Forwarded by {BELGRADE}: note", f"of {SKOPJE}, ", "permitted under: Ask before arrest.",
        "why: As agreed", "H2: Not to be passed on", "The buyer drives a grey Passat.",
    ):  # fmt: skip
        assert part in shown
    pasted = run(SARAJEVO, "export", f"{theirs}#1", "--as", "text")
    assert f"{SKOPJE}, forwarded by {BELGRADE}" in pasted
    assert "Ask before arrest." in pasted
    assert re.search(r"SENT: +\d{4}-\d\d-\d\d \d\d:\d\dZ", pasted)  # read elsewhere, another day


def test_a_pair_that_has_no_row(network: Stage, tmp_path: Path) -> None:
    run = network.ok
    case = run(SKOPJE, "case", "open", "--title", "Pairs", "--member", BELGRADE).split()[1]
    note = tmp_path / "named.json"
    note.write_text(json.dumps({
        "type": "Note", "text": "She drove.", "to": [BELGRADE], "purpose": "trace",
        "basis": "pcc-see", "offence": "trafficking",
        "persons": [{"names": [{"text": "Ana A."}], "category": "suspect", "claim": "fact",
                     "source": "passport"}],
    }))  # fmt: skip
    run(SKOPJE, "case", "send", case, "--form", note)
    policy = tmp_path / "pairs.json"
    policy.write_text(json.dumps({"type": "PairPolicy", "rows": [
        {"n": 1, "to": BELGRADE, "persons": True, "basis": "pcc-see"}, {"n": 14, "to": "*"},
    ]}))  # fmt: skip
    assert "pair policy" in run(SKOPJE, "house", "lay", policy)
    shown = run(SKOPJE, "house", "show", "pair-policy")
    assert ["14", "*", "all", "no"] in [line.split() for line in shown.splitlines()]
    refused = network.run(SKOPJE, "case", "add", case, SARAJEVO)
    assert refused.code == 1
    said = f"pair policy {SKOPJE} > {SARAJEVO} has no basis for person data (row 14)"
    assert said in refused.err
    assert "ask your lead, or send without persons" in refused.err
    run(SKOPJE, "case", "send", case, "--form", note)
    policy.write_text(json.dumps({"type": "PairPolicy", "rows": [{"n": 1, "to": "*"}]}))
    run(SKOPJE, "house", "lay", policy)
    assert "(row 1)" in network.run(SKOPJE, "case", "send", case, "--form", note).err


def test_what_cannot_be_sent_is_queued_and_leaves_later(network: Stage) -> None:
    network.wait(network.broker.stop())
    try:
        said = network.run(
            SKOPJE, "alert", "send", "--where", "Merdare, in", "--carrying", "1 rifle"
        )
        assert said.code == 3
        assert "Queued" in said.out
        assert "1 queued" in network.ok(SKOPJE, "status")
        assert "1 queued, NOT acknowledged" in network.ok(SKOPJE, "alert", "list")
    finally:
        network.wait(network.broker.start())
    eventually(lambda: network.ok(BELGRADE, "alert", "list"), "1 rifle")
    assert "queued" not in network.ok(SKOPJE, "status")


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["alert", "show", "seefen-border#999"], "seefen case show"),
        (["case", "show", "SF-2026-QQQ-00001"], "seefen case list"),
        (["case", "add", "SF-2026-QQQ-00001", "belgrade-ffp"], "seefen case list"),
        (["channel", "open", "seefen-other", "nobody-here"], "seefen status"),
        (["device", "revoke", "o-0000", "--lost"], "seefen device list"),
        (["alert", "answer", "seefen-border#1", "taken"], "seefen"),
    ],
)
def test_a_refusal_says_what_to_do(network: Stage, argv: list[str], hint: str) -> None:
    said = network.run(SKOPJE, *argv)
    assert said.code == 1
    assert said.err.startswith("seefen: error: ")
    assert hint in said.err.partition("seefen: hint: ")[2]
    assert said.out == ""


def test_json_everywhere(network: Stage) -> None:
    for argv in (
        ["status"], ["channel", "list"], ["case", "list"], ["alert", "list"], ["due"],
        ["check", "С-84417", "--purpose", "trace", "--basis", "pcc-see"], ["search", "passat"],
        ["device", "list"], ["watch", "list"], ["audit"], ["audit", "list"],
        ["audit", "verify"], ["alert", "show", "seefen-border#1"],
        ["alert", "reach", "seefen-border#1"],
    ):  # fmt: skip
        out = network.ok(SKOPJE, *argv, "--json")
        json.loads(out)
        assert obeyed_in(out) == set()


@contextmanager
def tail_of(network: Stage, device: str) -> Generator[Callable[[], str]]:
    """Let ``seefen tail`` run as a process of its own; what it has shown can be looked at.

    Another has the turn at first: until the vault is its own, it does not say that it is live.
    """
    network.close(device)
    argv = [*SEEFEN, "--home", str(network.home(device)), "tail"]
    with (path := network.folder / "tail.txt").open("w") as out:
        with turns.taken(network.home(device)):
            process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)
            time.sleep(2)
            said = path.read_text()
        try:
            assert said == ""
            yield path.read_text
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    network.open(device)


def opened(network: Stage, device: str) -> str:
    """Open a device if its vault is free."""
    with suppress(RefusedError):
        network.open(device)
    return "opened" if device in network.clients else ""


def test_commands_work_beside_a_tail_and_it_misses_nothing(network: Stage) -> None:
    assert "Live" in network.ok(SKOPJE, "tail", "--seconds", "0.2")
    with tail_of(network, BELGRADE) as shown:
        eventually(shown, "Live")
        assert network.alone(BELGRADE, "status").code == 0
        with turns.taken(network.home(BELGRADE)):
            # A command whose officer thinks for a while: what comes now, comes to it.
            eventually(lambda: opened(network, BELGRADE), "opened")
            typed = ["Tabanovce > Preševo, out", "3 grenades", "", "", "", "", "", ""]
            network.ok(SKOPJE, "alert", "send", typed=typed)
            eventually(lambda: network.ok(BELGRADE, "alert", "list"), "3 hand grenades")
            network.close(BELGRADE)
        eventually(shown, "3 hand grenades")
        assert shown().count("3 hand grenades") == 1


def test_a_vault_is_for_one_process(network: Stage) -> None:
    said = network.alone(SARAJEVO, "status")
    assert said.code == 1
    assert "end the other seefen command" in said.err


def test_a_command_opens_and_closes_a_device_by_itself(
    network: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.close(SARAJEVO)
    for _ in range(2):
        said = network.alone(SARAJEVO, "status", "--json")
        assert said.code == 0, said
        assert json.loads(said.out)["online"] is True
    monkeypatch.setenv("SEEFEN_PASSPHRASE", "not the passphrase")
    said = network.alone(SARAJEVO, "status")
    assert said.code == 1
    assert "Caps Lock" in said.err
