"""Scene 2: an alert at 02:47, seen, opened and answered; the sender sees how far it got."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from demo import case_a
from demo.material import hashes, write_form
from demo.scene_found import LATE, switch_on_late
from demo.screen import expect, scene, told

if TYPE_CHECKING:
    from demo.story import Play

CHANNEL = "seefen-border"
SENDER = "skopje-border"
OTHERS = ("belgrade-ffp", "pristina-ffp", LATE)
ANSWERS = ("taken", "taken", "not-ours")
WATCH = ("--purpose", "border-control", "--basis", "pcc-see", "--reason", "night shift")
LABORATORY = ("--purpose", "laboratory", "--basis", "pcc-see")


async def play(play: Play) -> None:
    """Open the channel, go on watch, send the alert, answer it, see the answers."""
    scene(2, "a seizure alert at 02:47")
    await play[SENDER].run("channel", "open", CHANNEL, *OTHERS)
    for node in OTHERS[:-1]:
        await play[node].run("watch", "on", *WATCH)
    told("Sarajevo's machine is switched off.")
    await _send(play)
    await _reach(play, delivered=OTHERS[:-1])
    told("Sarajevo was not reached: the sender sees it. Its machine is switched on now.")
    await switch_on_late(play)
    await _reach(play, delivered=OTHERS)
    for node, answer in zip(OTHERS, ANSWERS, strict=True):
        await _answer(play, node, answer)
    told("Belgrade and Pristina opened it under their watch, Sarajevo under an entry of its own.")
    await _look(play)
    await _correct(play)


async def _send(play: Play) -> None:
    form = write_form(play.folder / "alert.json", case_a.alert_at_night())
    photographs = [word for name in play.material.photographs for word in ("--photo", name)]
    sent = await play[SENDER].run(
        "alert", "send", "--channel", CHANNEL, "--form", form, *photographs,
        patience=play.material.patience,
    )  # fmt: skip
    play.alert = f"{CHANNEL}#1"
    expect(play.alert in sent.text, "the alert was not recorded with a reference")


async def _reach(play: Play, delivered: tuple[str, ...]) -> None:
    """Show to the sender how far the alert got: to these nodes, and to no other."""
    command = ("alert", "reach", play.alert)
    for node in delivered:
        await play[node].run("alert", "list", show=False)  # it has come once it is listed
    await play[SENDER].until(*command, words=("delivered",) * len(delivered))
    rows = await play[SENDER].rows(*command)
    reached = {row["node"] for row in rows if row["delivered_at"]}
    expect({row["node"] for row in rows} == set(OTHERS), "the sender does not see every node")
    expect(reached == set(delivered), f"the sender sees as reached: {', '.join(reached)}")
    expect(not any(row["read_at"] for row in rows), "the sender sees as read what nobody read")
    await play[SENDER].run(*command)


async def _answer(play: Play, node: str, answer: str) -> None:
    device, first = play[node], node == OTHERS[0]
    listed = await device.run("alert", "list")
    expect("12 pistols, 340 rounds" in listed.out, f"{node} does not see the cover")
    expect("С-84417" not in listed.out, "a list shows a serial number")  # noqa: RUF001
    terms = (*LABORATORY, "--accept") if node == LATE else ()  # the others are on watch
    command = ("alert", "show", play.alert, *terms)
    opened = await device.run(*command, show=first)
    expect("С-84417" in opened.out, f"{node} cannot read the alert")  # noqa: RUF001
    if first:
        await _fetch(play, node)
    else:
        play[node].show(command, opened.only("Your reading"))
    await device.run("alert", "answer", play.alert, answer)


async def _fetch(play: Play, node: str) -> None:
    """Fetch the photographs that came with the alert."""
    count = len(play.material.photographs)
    for number in range(2, 2 + count):
        await play[node].run(
            "file", "get", f"{CHANNEL}#{number}", "-o", "photographs", show=number == 2,
            patience=play.material.patience,
        )  # fmt: skip
    if count:
        material = play.material
        same = sorted(sha256(material.cleaned(name)).digest() for name in material.photographs)
        expect(hashes(play.folder / "photographs") == same, "a photograph arrived changed")
        told(
            f"{count} photographs arrived, pixel for pixel and without the place, time and device "
            "that telephones write into them."
        )


async def _correct(play: Play) -> None:
    """By day the headstamp turns out to be Cyrillic: each node that has the alert is told."""
    said = ("--was", case_a.MISREAD, "--now", case_a.HEADSTAMP, "--why", "misread")
    sent = await play[SENDER].run("correct", play.alert, *said)
    number = sent.out.partition("#")[2].split()[0]
    for node in OTHERS[:-1]:
        await play[node].until("alert", "list", words=("corrected by", f"{CHANNEL}#{number}"))
    opened = await play[OTHERS[0]].run("alert", "show", play.alert, show=False)
    play[OTHERS[0]].show(("alert", "show", play.alert), opened.only("Corrected"))
    expect(case_a.HEADSTAMP in opened.out, "Belgrade does not see what is right")


async def _look(play: Play) -> None:
    command = ("alert", "reach", play.alert)
    answer = await play[SENDER].until(*command, words=("taken", "not ours"))
    rows = {row["node"]: row for row in await play[SENDER].rows(*command)}
    expect(set(rows) == set(OTHERS), "the sender does not see every node")
    expect(all(rows[node]["read_at"] for node in OTHERS), "the sender does not see who read it")
    for node, given in zip(OTHERS, ANSWERS, strict=True):
        seen = rows[node]["answer"]
        expect(seen == given.replace("-", "_"), f"the sender does not see the answer of {node}")
    play[SENDER].show(command, answer)
