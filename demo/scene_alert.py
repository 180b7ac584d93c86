"""Scene 2: an alert at 02:47, seen, opened and answered; the sender sees how far it got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo import case_a
from demo.material import material, write_form
from demo.scene_found import open_device
from demo.screen import expect, scene, told

if TYPE_CHECKING:
    from demo.story import Play

CHANNEL = "seefen-border"
OTHERS = ("belgrade-ffp", "pristina-ffp", "sarajevo-lab")
WATCH = ("--purpose", "border-control", "--basis", "pcc-see", "--reason", "night shift")


async def play(play: Play) -> None:
    """Open the channel, go on watch, send the alert, answer it, see the answers."""
    scene(2, "a seizure alert at 02:47")
    skopje = play["skopje-border"]
    await skopje.run("channel", "open", CHANNEL, *OTHERS)
    for node in ("belgrade-ffp", "pristina-ffp"):
        await play[node].run("watch", "on", *WATCH)
    told("Sarajevo's machine is switched off.")
    await _send(play)
    reach = await skopje.run("alert", "reach", play.alert)
    missing = [line for line in reach.out.splitlines() if "not delivered" in line]
    expect(
        len(missing) == 1 and "sarajevo-lab" in missing[0],
        "the sender does not see who was not reached",
    )
    await open_device(play, "sarajevo-lab")
    told("Sarajevo was not reached; its machine is switched on now and finds what it missed.")
    await _answer(play)
    await _look(play)


async def _send(play: Play) -> None:
    form = write_form(play.folder / "alert.json", case_a.alert())
    photos = [str(path) for path in material(play).photographs]
    options = [word for photo in photos for word in ("--photo", photo)]
    skopje = play["skopje-border"]
    sent = await skopje.run("alert", "send", "--channel", CHANNEL, "--form", str(form), *options)
    play.alert = f"{CHANNEL}#1"
    expect(play.alert in sent.text, "the alert was not recorded with a reference")


async def _answer(play: Play) -> None:
    for node, answer in zip(OTHERS, ("taken", "taken", "not-ours"), strict=True):
        device = play[node]
        listed = await device.run("alert", "list")
        expect("12 pistols, 340 rounds" in listed.out, f"{node} does not see the cover")
        expect("С-84417" not in listed.out, "a list shows a serial number")  # noqa: RUF001
        terms = () if node != "sarajevo-lab" else ("--purpose", "laboratory", "--basis", "pcc-see")
        shown = await device.run("alert", "show", play.alert, *terms, show=node == OTHERS[0])
        expect("С-84417" in shown.out, f"{node} cannot read the alert")  # noqa: RUF001
        await device.run("alert", "answer", play.alert, answer)
    told("Belgrade and Pristina opened it under their watch, Sarajevo under an entry of its own.")


async def _look(play: Play) -> None:
    skopje = play["skopje-border"]
    await skopje.until("alert", "reach", play.alert, words=("taken", "not ours"))
    reach = await skopje.json("alert", "reach", play.alert)
    rows = {row["node"]: row for row in reach} if isinstance(reach, list) else {}
    expect(set(rows) == set(OTHERS), "the sender does not see every node")
    expect(all(rows[node]["read_at"] for node in OTHERS), "the sender does not see who read it")
    expect(rows["sarajevo-lab"]["answer"] == "not_ours", "the sender does not see the answer")
    await skopje.run("alert", "reach", play.alert)
