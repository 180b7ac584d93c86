"""Auditors at the command line: a guest, a network auditor, and what two persons answer."""

import json
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.protocol.suite import sha256
from tests.client.cli.stage import PASSPHRASE, Stage, stage

pytestmark = pytest.mark.timeout(300)
SKOPJE, BOARD = "skopje-border", "oversight-board"
ADMIN = "its-admin"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """A node, and another with an admin, who is its keyholder, and an auditor."""
    folder = tmp_path_factory.mktemp("auditors")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(os.environ, "SEEFEN_PASSPHRASE", PASSPHRASE)
        made = stack.enter_context(stage(folder))
        invites = {node: made.wait(made.broker.invite(node)) for node in (SKOPJE, BOARD)}
        invites = {SKOPJE: invites[SKOPJE], ADMIN: invites[BOARD]}
        made.join(invites, "--root-key", folder / "root" / "root-2.key")
        made.ok(ADMIN, "officer", "add", "--role", "auditor", "-o", folder / "auditor.invite")
        made.join({BOARD: folder / "auditor.invite"}, by=ADMIN)
        yield made


async def rung(client: Client) -> None:
    """Raise an alarm on a device."""
    client._engine.alarm("two roots at one size")


def test_a_guest_and_a_network_auditor(made: Stage, tmp_path: Path) -> None:
    run, key = made.ok, made.folder / "root" / "root-2.key"
    guest = f"{BOARD}/{made.clients[BOARD].officer}"
    assert "case" in run(SKOPJE, "case", "open", "--title", "Pistols")
    none = "names no network auditor"
    assert none in run(SKOPJE, "guest", "list")
    assert none in run(SKOPJE, "root", "show")
    assert none in run(SKOPJE, "audit")
    refused = made.run(BOARD, "audit", "--of", SKOPJE)
    assert refused.code == 1
    assert f"no view of {SKOPJE}" in refused.err
    assert "seefen guest add" in refused.err

    # A guest.
    period = ("--from", "2026-01-01", "--until", "2030-12-31")
    shown = run(SKOPJE, "guest", "add", guest, *period, "--days", 9)
    assert f"{guest} may look at the entries of {SKOPJE}, 2026-01-01 to 2030-12-31" in shown
    listed = json.loads(run(SKOPJE, "guest", "list", "--json"))
    assert [(one["of"], one["node"], one["whole"]) for one in listed] == [(SKOPJE, BOARD, False)]
    made.wait(made.clients[BOARD].sync())
    assert "IN ORDER" in run(BOARD, "audit", "--of", SKOPJE)
    shown = run(BOARD, "audit", "list", "--of", SKOPJE, "--op", "all")
    assert "changed the case" in shown
    assert "Cores only" in shown
    assert "Pistols" not in shown
    empty = run(BOARD, "audit", "list", "--of", SKOPJE, "--outcome", "denied")
    assert f"'seefen audit --of {SKOPJE}' gives the verdict" in empty
    assert "under a view with --of" in made.run(BOARD, "audit", "show", 999, "--of", SKOPJE).err
    page = json.loads(run(BOARD, "audit", "list", "--of", SKOPJE, "--op", "all", "--json"))
    shown = run(BOARD, "audit", "show", page["rows"][0]["index"], "--of", SKOPJE)
    assert f"{made.clients[BOARD].officer} of {BOARD}, guest" in shown
    of = ("--of", SKOPJE)
    taken = ("audit", "export", *of, "-o", tmp_path / "skopje.zip")
    assert "each proved in checkpoint" in run(BOARD, *taken)
    one = ("--case", "SF-2026-SKP-00001", "-o", tmp_path / "case.zip")
    assert "no name of a case" in made.run(BOARD, *taken[:4], *one).err
    for name in ("--officer", "--device", "--basis", "--outcome"):
        said = made.run(BOARD, "audit", "list", name, " ")
        assert (said.code, "a filter is empty" in said.err) == (2, True), name
    assert "a view is judged whole" in made.run(BOARD, *taken[:1], *of, "--month", "2026-03").err
    made.wait(rung(made.clients[BOARD]))  # what this device was told stands against it, too
    said = made.run(BOARD, "audit", *of, "--json")
    assert said.code == 1
    alarm = json.loads(said.out)["alarms"][-1]
    run(BOARD, "audit", "acknowledge", sha256(alarm["sentence"].encode()).hex()[:8], "--why", "x")
    assert "IN ORDER" in run(BOARD, "audit", *of)
    assert "no more, from now on" in run(SKOPJE, "guest", "remove", guest)
    made.wait(made.clients[BOARD].sync())
    assert made.run(BOARD, "audit", "list", "--of", SKOPJE).code == 1

    # A network auditor.
    signed = ("root", "auditor", guest, "--root-key", key)
    assert "nothing was signed" in made.run(SKOPJE, *signed, typed=["n"]).err
    shown = run(SKOPJE, *signed, "--yes")
    assert "no content, no reasons, no searches" in shown
    assert f"{guest} may look at the entries of the whole network" in shown
    assert f"Sees every core: {guest}, until 2" in run(SKOPJE, "root", "show")
    made.wait(made.clients[BOARD].sync())
    assert "every entry of the log is shown" in run(BOARD, "audit", "--of", "all")
    shown = run(BOARD, "audit", "manifest")
    assert SKOPJE in shown
    assert BOARD in shown
    assert f"manifests of {made.clients[BOARD].officer} of {BOARD} compared up to entry" in run(
        SKOPJE, "audit"
    )
    month = json.loads(run(SKOPJE, "audit", "--json"))["month"]
    assert "nothing differs" in run(SKOPJE, "audit", "report", month)
    assert "published a manifest for" in run(SKOPJE, "audit", "list")
    run(SKOPJE, *signed, "--yes", "--remove")
    made.wait(made.clients[BOARD].sync())
    assert made.run(BOARD, "audit", "manifest").code == 1
    assert "names no network auditor any more" in run(SKOPJE, "audit")


def test_an_auditor_sees_whom_a_keyholder_looked_for(made: Stage, tmp_path: Path) -> None:
    """The auditor is shown whom the keyholder looked for, before he answers and with the answer."""
    file = tmp_path / "person.json"
    assert '"Nobody Here"' in made.ok(ADMIN, "audit", "person", "Nobody Here", "-o", file)
    found = ("audit", "person", "--found", file)
    said = made.run(BOARD, *found, typed=["n"])
    assert (said.code, '"Nobody Here"' in said.out) == (1, True)
    assert "Answer about" not in said.out
    assert "nothing was answered" in said.err
    assert "let the keyholder look again" in said.err
    assert made.ok(BOARD, *found, typed=["y"]).count("Nobody Here") == 3
    shown = made.ok(BOARD, *found)
    assert 'Looked for "Nobody Here", as parts of words' in shown
    assert 'Answer about "Nobody Here"' in shown
    answer = json.loads(made.ok(BOARD, *found, "--json"))
    assert (answer["sought"]["name"], answer["seen"]) == ("Nobody Here", [])


def test_a_name_is_written_over_when_that_is_asked_for(made: Stage, tmp_path: Path) -> None:
    """A name is written over when that is asked for, and everybody is told."""
    book, half = tmp_path / "names.json", tmp_path / "half.json"
    name = ("audit", "name", made.clients[BOARD].officer, "--register", book)
    assert "there is no file" in made.run(ADMIN, *name, "--is", "Tanja", "--anew").err
    made.ok(ADMIN, *name, "--is", "Tanja Izmislena")
    before = book.read_bytes()
    said = made.run(ADMIN, *name, "--is", "New Name")
    assert (said.code, "it stays" in said.err, "--anew" in said.err) == (1, True, True)
    assert book.read_bytes() == before
    made.ok(ADMIN, *name, "-o", half)
    said = made.run(ADMIN, *name, "-o", half)  # before it is entered, not after
    assert (said.code, "exists already" in said.err) == (2, True)
    assert (
        "the name that stood there is gone"
        in made.ok(ADMIN, *name, "--is", "New Name", "--anew").lower()
    )
    said = made.run(BOARD, *name, "--half", half)
    assert (said.code, "not of the name that stands under" in said.err) == (1, True)
    assert "gives his half again" in said.err
    assert "written anew" in made.ok(BOARD, "audit", "list")
    assert "--is is missing" in made.run(ADMIN, *name, "-o", tmp_path / "h2.json", "--anew").err


def test_with_json_one_document_also_where_a_file_is_made(made: Stage, tmp_path: Path) -> None:
    """With --json each of them prints one document, also where a file is what it makes."""
    month = json.loads(made.ok(BOARD, "audit", "--json"))["month"]
    for argv, suffix in (
        (("audit", "export"), "zip"), (("audit", "report", month), "csv"),
        (("evidence", "save"), "json"),
    ):  # fmt: skip
        file = tmp_path / f"made.{suffix}"
        said = made.run(BOARD, "--json", *argv, "-o", file)
        assert (said.code, said.err) == (0, "")
        assert json.loads(said.out)["file"] == str(file)
        assert file.stat().st_size


def test_what_is_refused_says_what_to_do(made: Stage, tmp_path: Path) -> None:
    for argv, hint in (
        (("audit", "person", "ab", "-o", tmp_path / "ab.json"), "as the person writes it"),
        (("breach", made.clients[BOARD].officer, "--aware", "2199-01-01"), "not later than now"),
    ):
        said = made.run(ADMIN, *argv)
        assert (said.code, hint in said.err, "seefen schema" in said.err) == (1, True, False)


def test_a_check_that_leaves_something_open_is_seen_by_a_script(
    made: Stage, tmp_path: Path
) -> None:
    """A statement on paper, on a device of another node; the broker is away in the end."""
    paper = tmp_path / "paper.csv"
    month = json.loads(made.ok(SKOPJE, "audit", "--json"))["month"]
    made.run(SKOPJE, "audit", "report", month, "-o", paper)
    made.wait(made.clients[ADMIN].sync())
    check = ("audit", "report", "--check", paper)
    assert made.ok(ADMIN, *check).startswith("GOOD")
    made.wait(made.broker.stop())
    said = made.run(ADMIN, *check)
    assert "UNCHANGED, and not all was checked" in said.out
    assert said.code == 1
    paper.write_bytes(paper.read_bytes() + b"\n")
    assert "WRONG" in made.run(ADMIN, *check).out
