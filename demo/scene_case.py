"""Scene 3: a case: request, files, answer; a node comes later, a device is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo import case_a
from demo.material import hashes, write_form
from demo.screen import expect, scene, told

if TYPE_CHECKING:
    from demo.story import Play

TERMS = ("--purpose", "trace", "--basis", "pcc-see")


async def play(play: Play) -> None:
    """Open the case, ask, answer, add Sarajevo, lose a telephone in Belgrade."""
    scene(3, "a case, a trace request and its answer")
    await _open(play)
    request = await _ask(play)
    await _reply(play, request)
    await _add_node(play)
    await _lose_device(play)


async def _open(play: Play) -> None:
    skopje = play["skopje-border"]
    opened = await skopje.run(
        "case", "open", "--from-alert", play.alert, "--title", case_a.TITLE,
        "--member", "belgrade-ffp",
    )  # fmt: skip
    play.case = next((word.strip(".,:") for word in opened.out.split() if word[:3] == "SF-"), "")
    expect(play.case, "the case got no number")


async def _ask(play: Play) -> str:
    form = write_form(play.folder / "request.json", case_a.trace_request())
    files = [word for name in play.material.names for word in ("--file", name)]
    sent = await play["skopje-border"].run(
        "trace",
        "ask",
        play.case,
        "--form",
        form,
        *files,
        "--original",
        patience=play.material.patience,
    )
    request = _reference(sent.out, play.case)
    belgrade = play["belgrade-ffp"]
    await belgrade.until("due", words=("trace request",))
    due = await belgrade.run("due")
    expect(play.case in due.out, "the request is not among what is due")
    shown = await belgrade.run("case", "show", request, *TERMS)
    expect("Милош Трајанов" in shown.out, "Belgrade cannot read the request")
    await _fetch(play, request)
    await belgrade.run("check", "C-84417", *TERMS)
    return request


async def _fetch(play: Play, request: str) -> None:
    belgrade = play["belgrade-ffp"]
    case = await belgrade.json("case", "show", play.case)
    files = [one["ref"] for one in case["objects"] if one["file"] and one["reply_to"] == request]
    expect(len(files) == len(play.material.names), "not all files arrived")
    for ref in files:
        await belgrade.run(
            "file", "get", ref, "-o", "fetched", *TERMS, show=ref == files[0],
            patience=play.material.patience,
        )  # fmt: skip
    same = hashes(play.folder, play.material.names)
    expect(hashes(play.folder / "fetched") == same, "a file did not arrive byte for byte")
    told(f"All {len(files)} files arrived byte for byte.")


async def _reply(play: Play, request: str) -> None:
    form = write_form(play.folder / "reply.json", case_a.trace_reply())
    belgrade, skopje = play["belgrade-ffp"], play["skopje-border"]
    sent = await belgrade.run("trace", "answer", request, "--form", form)
    reply = _reference(sent.out, play.case)
    await skopje.until("case", "show", play.case, words=("trace reply",))
    shown = await skopje.run("case", "show", reply, *TERMS)
    expect("1992" in shown.out, "Skopje cannot read the reply")
    # The import mark is Bulgarian, and there is no node in Sofia: it is asked elsewhere.
    await skopje.run("ref", "add", request, "siena:1234567")
    await skopje.run("request", "close", request, "solved", "--use", "3")
    done = await belgrade.until("request", "show", request, words=("closed",))
    belgrade.show(("request", "show", request), done)


async def _add_node(play: Play) -> None:
    skopje, sarajevo = play["skopje-border"], play["sarajevo-lab"]
    await skopje.run("case", "add", play.case, "sarajevo-lab")
    sent = await skopje.run(
        "case", "send", play.case, "--text", "Tragovi na bloku: molimo uporedbu."
    )
    newest = _reference(sent.out, play.case)
    await sarajevo.until("case", "show", play.case, words=(newest.partition("#")[2],))
    shown = await sarajevo.run("case", "show", newest, "--purpose", "laboratory", *TERMS[2:])
    expect("uporedbu" in shown.out, "the added node cannot read what came after")
    before = await sarajevo.run("case", "show", f"{play.case}#2", *TERMS, may_fail=True)
    expect(before.code != 0, "the added node can read what came before")
    told("Sarajevo reads from now on, and nothing of what came before.")


async def _lose_device(play: Play) -> None:
    belgrade, field = play["belgrade-ffp"], play["belgrade-field"]
    devices = await belgrade.rows("device", "list")
    lost = next((one["officer"] for one in devices if one["roles"] == ["field"]), "")
    expect(lost, "Belgrade does not see the telephone of its officer")
    await belgrade.run("case", "assign", play.case, lost)
    await field.until("case", "list", words=(play.case,))
    sent = await play["skopje-border"].run(
        "case", "send", play.case, "--text", "Za terensku ekipu: vozilo je zadržano."
    )
    held = _reference(sent.out, play.case)
    await field.until("case", "show", play.case, words=(held.partition("#")[2],))
    shown = await field.run("case", "show", held, *TERMS)
    expect("terensku" in shown.out, "the assigned device cannot read")
    await belgrade.run("device", "revoke", lost, "--lost", "--yes")
    after = await play["skopje-border"].run(
        "case", "send", play.case, "--text", "Nakon gubitka telefona: novi ključ."
    )
    newest = _reference(after.out, play.case)
    refused = await field.run("case", "show", newest, *TERMS, may_fail=True)
    expect(refused.code != 0, "the lost device still reads")
    await belgrade.until("case", "show", play.case, words=(newest.partition("#")[2],))
    shown = await belgrade.run("case", "show", newest, *TERMS)
    expect("novi ključ" in shown.out, "the rest of the node cannot read any more")
    told("The lost telephone reads nothing from now on; its node reads on under a new key.")


def _reference(text: str, case: str) -> str:
    """Return the first reference ``CASE#n`` in a text."""
    found = [word for word in text.replace(",", " ").split() if word.startswith(f"{case}#")]
    expect(found, "what was sent got no reference")
    return found[0].rstrip(".:;")
