"""Exports and what programs leave for officers, at the command line, with real devices."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import csv
import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.client.cli.hostile import obeyed_in
from tests.client.cli.stage import PASSPHRASE, Stage, command, eventually, stage

pytestmark = pytest.mark.timeout(300)
SKOPJE, BELGRADE = "skopje-border", "belgrade-ffp"
WHY = ("--purpose", "trace", "--basis", "pcc-see")
ITEM = {
    "category": "pistol", "make": "Zastava", "model": "M57", "calibre": "7.62x25",
    "serial_as_read": "-84417", "serial_state": "partly",
    "markings": [{"kind": "property", "text": "ЈНА", "place": "frame"}],
}  # fmt: skip
REQUEST = {
    "type": "TraceRequest", "offence": "trafficking", "illicit_nature": "seized",
    "item": ITEM,
    "question": ["manufacture"], "to": [BELGRADE], "handling": "H3",
    "conditions": "=only for Belgrade", "national_ref": "ГП-117/26",
    "recovered_at": "2026-03-14", "recovered_in": "Tabanovce",
    "other_channels": [{"channel": "siena", "asked": "yes", "ref": "S-1"}],
    "text": "Found in a spare wheel.",
    "persons": [{"names": [{"text": "Miloš Trajanov"}], "category": "suspect", "claim": "fact",
                 "source": "passport"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Two nodes that joined by file and words."""
    os.environ["SEEFEN_PASSPHRASE"] = PASSPHRASE
    try:
        with stage(tmp_path_factory.mktemp("network")) as made:
            invites = {node: made.wait(made.broker.invite(node)) for node in (SKOPJE, BELGRADE)}
            made.join(invites, "--root-key", made.folder / "root" / "root-2.key")
            yield made
    finally:
        del os.environ["SEEFEN_PASSPHRASE"]


@pytest.fixture(scope="module")
def ref(network: Stage) -> str:
    """Return a trace request that Belgrade was asked and has opened."""
    run = network.ok
    case = run(SKOPJE, "case", "open", "--title", "M57", "--member", BELGRADE).split()[1]
    form = network.folder / "request.json"
    form.write_text(json.dumps(REQUEST), encoding="utf-8")
    run(SKOPJE, "trace", "ask", case, "--form", form)
    run(SKOPJE, "case", "send", case, "--text", "A second one follows")
    eventually(lambda: run(BELGRADE, "case", "show", case), "trace request", "note", seconds=20)
    run(BELGRADE, "case", "show", f"{case}#1", *WHY, "--accept")
    return f"{case}#1"


def test_a_case_as_a_table_for_a_spreadsheet(network: Stage, ref: str, tmp_path: Path) -> None:
    case, table = ref.partition("#")[0], tmp_path / "case.csv"
    said = network.run(BELGRADE, "export", case, "-o", table)
    assert (said.code, said.out) == (0, "")
    for part in (
        "Exported 1 open message(s)",
        "covers only: 1, never opened on this device",
        "without persons, plates and free text",
        "Handling codes and conditions hold for this copy",
    ):
        assert part in said.err
    written = table.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    assert table.stat().st_mode & 0o077 == 0
    asked, note = csv.DictReader(written.decode("utf-8-sig").splitlines())
    assert (asked["serial_as_read"], asked["conditions"]) == ("'-84417", "'=only for Belgrade")
    assert (asked["open"], note["open"], note["type"]) == ("yes", "no", "Note")
    assert "Trajanov" not in written.decode()
    assert "spare wheel" not in written.decode()
    assert network.run(BELGRADE, "export", case, "-o", table).code == 2  # nothing is overwritten
    printed = network.ok(BELGRADE, "export", case, "--with-persons")
    assert printed.startswith('"ref",')
    assert "Trajanov" in printed
    things = command("items", table)
    (item,) = json.loads(things.out)["items"]
    assert item == {"qty": 1, "kind": "firearm", **ITEM}


def test_a_message_as_text_for_another_channel(network: Stage, ref: str) -> None:
    shown = network.ok(BELGRADE, "export", ref, "--as", "text", "--with-persons")
    lines = shown.splitlines()
    assert lines[0] == "HANDLING CODE:          H3: Other restrictions: see the conditions."
    assert lines[1] == "CONDITIONS:             =only for Belgrade"
    assert lines[2].startswith("TLP:                    TLP:AMBER: Need to know")
    assert lines[3].startswith("EVALUATION:             X4: source cannot be assessed")
    heads = [line for line in lines if line.isupper() and ":" not in line]
    assert heads == ["WHO", "WHAT", "WHEN", "WHERE", "ITEM", "IN WORDS"]
    for part in ("Miloš Trajanov", "suspect", "ГП-117/26", "Europol SIENA", "-84417", ref,
                 "property mark", "ЈНА", "2026-03-14", "Tabanovce", "spare wheel",
                 "International Tracing Instrument"):  # fmt: skip
        assert part in shown
    assert obeyed_in(shown) == set()
    bare = network.ok(BELGRADE, "export", ref, "--as", "text")
    assert "Trajanov" not in bare
    assert "Not in this text: " in bare
    assert "persons" in bare.splitlines()[-1]


def test_a_case_as_json_with_its_schema(network: Stage, ref: str) -> None:
    case = ref.partition("#")[0]
    document = json.loads(network.ok(BELGRADE, "export", case, "--as", "json", "--with-persons"))
    (asked,) = document["messages"]
    assert asked["message"]["persons"][0]["names"][0]["text"] == "Miloš Trajanov"
    assert asked["handling_text"] == "Other restrictions: see the conditions."
    schema = json.loads(command("schema", "export").out)
    assert set(document) == set(schema["$defs"]["Export"]["properties"])


def test_what_cannot_be_exported_says_why(network: Stage, ref: str, tmp_path: Path) -> None:
    case = ref.partition("#")[0]
    for argv, said in (
        (("export", f"{case}#2", "--as", "text"), "never opened here"),
        (("export", case, "--as", "text"), "CASE#number"),
        (("export", case, "--as", "xlsx"), "csv, json, text"),
        (("export", ref, "-o", tmp_path / "no" / "x.csv"), "no folder"),
    ):
        found = network.run(BELGRADE, *argv)
        assert found.code != 0
        assert said in found.err
    table = tmp_path / "x.csv"
    table.write_text("category,qty\npistol,two\n")
    found = command("items", table)
    assert (found.code, found.out) == (1, "")
    assert "row 2: qty" in found.err


def test_the_number_in_another_channel_stands_with_the_message(network: Stage, ref: str) -> None:
    run, case = network.ok, ref.partition("#")[0]
    shown = run(BELGRADE, "case", "show", ref)
    assert shown.partition("Other channels:")[2].split()[:3] == ["Europol", "SIENA", "S-1"]
    run(BELGRADE, "ref", "add", ref, "iarms: BG-77/26")
    said = run(BELGRADE, "case", "show", ref).partition("Other channels:")[2]
    assert "BG-77/26" in said
    assert f"{case}#3, {BELGRADE}" in said
    eventually(lambda: run(SKOPJE, "case", "show", case), "#3", seconds=20)
    assert "BG-77/26" not in run(SKOPJE, "case", "show", ref)  # its note is closed there yet
    run(SKOPJE, "case", "show", f"{case}#3", *WHY)
    assert "INTERPOL iARMS" in run(SKOPJE, "case", "show", ref)
    assert "BG-77/26" in run(SKOPJE, "case", "show", ref)
    assert "trace request" in run(BELGRADE, "due")  # it moves nothing


def test_a_draft_of_a_program_leaves_when_an_officer_has_seen_it(network: Stage, ref: str) -> None:
    client = network.clients[BELGRADE]
    reply = {
        "type": "TraceReply", "v": 1, "offence": "trafficking", "outcome": "traced_partial",
        "registers": [{"name": "military register", "years": "1960-1992"}],
        "text": "Look-alike match: row 2.", "confidence": "low",
    }  # fmt: skip
    answer = ("request", "answer", ref, "--draft")
    none = network.run(BELGRADE, *answer, typed=[""])
    assert none.code == 1
    assert "there is no draft" in none.err

    async def keep() -> None:
        client.keep_draft(f"reply/{ref}", json.dumps(reply).encode())

    network.wait(keep())
    assert f"seefen request answer {ref} --draft" in network.ok(BELGRADE, "request", "show", ref)
    unseen = network.run(BELGRADE, *answer)
    assert (unseen.code, unseen.out) == (2, "")
    assert "an officer who has seen it" in unseen.err
    both = network.run(BELGRADE, *answer, "--form", network.folder / "request.json")
    assert both.code == 2
    kept = network.run(BELGRADE, *answer, typed=["q"])
    assert kept.code == 130
    assert "request answer" in network.ok(BELGRADE, "request", "show", ref)
    assert "asked" in network.ok(SKOPJE, "request", "show", ref)
    shown = network.ok(BELGRADE, *answer, typed=[""])
    for part in (
        "Nobody has checked it",
        "Look-alike match: row 2.",
        "1960-1992",
        "H3",  # as the question
        "recorded",
    ):
        assert part in shown
    eventually(lambda: network.ok(SKOPJE, "request", "show", ref), "answered", seconds=20)
    assert "--draft" not in network.ok(BELGRADE, "request", "show", ref)


def test_conditions_are_accepted_before_the_rest_is_shown(network: Stage, tmp_path: Path) -> None:
    run = network.ok
    case = run(SKOPJE, "case", "open", "--title", "Terms", "--member", BELGRADE).split()[1]
    form = tmp_path / "note.json"
    form.write_text(json.dumps({
        "type": "Note", "text": "The buyer.", "handling": "H3", "conditions": "Not before Monday.",
    }))  # fmt: skip
    run(SKOPJE, "case", "send", case, "--form", form)
    eventually(lambda: run(BELGRADE, "case", "show", case), "note", seconds=20)
    show = ("case", "show", f"{case}#1")
    shown = network.run(BELGRADE, *show, typed=["", "q"])
    assert shown.code == 130
    sentence = "H3: Other restrictions: see the conditions."
    assert shown.out.index(sentence) < shown.out.index("Purpose: ")  # before it is opened
    assert "conditions: Not before Monday." in shown.out
    assert "The buyer." not in shown.out
    refused = network.run(BELGRADE, *show, "--json")
    assert refused.code == 1
    assert "Not before Monday." in refused.err
    assert "--accept" in refused.err.partition("hint: ")[2]
    read = run(BELGRADE, *show, typed=[""])
    assert "The buyer." in read
    assert "Conditions accepted here" in read
    assert json.loads(run(BELGRADE, *show, "--json"))["accepted_at"]
