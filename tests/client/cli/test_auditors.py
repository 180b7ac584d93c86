"""A guest and a network auditor at the command line, from being let look to the end of it."""

import json
import os
from pathlib import Path

import pytest

from tests.client.cli.stage import PASSPHRASE, stage

pytestmark = pytest.mark.timeout(300)
SKOPJE, BOARD = "skopje-border", "oversight-board"
ADMIN = "its-admin"


def test_a_guest_and_a_network_auditor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SEEFEN_PASSPHRASE", PASSPHRASE)
    with stage(tmp_path) as made:
        key = tmp_path / "root" / "root-2.key"
        invites = {node: made.wait(made.broker.invite(node)) for node in (SKOPJE, BOARD)}
        invites = {SKOPJE: invites[SKOPJE], ADMIN: invites[BOARD]}
        made.join(invites, "--root-key", key)
        run = made.ok
        run(ADMIN, "officer", "add", "--role", "auditor", "-o", tmp_path / "auditor.invite")
        made.join({BOARD: tmp_path / "auditor.invite"}, by=ADMIN)
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
        assert [(one["of"], one["node"], one["whole"]) for one in listed] == [
            (SKOPJE, BOARD, False)
        ]
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
