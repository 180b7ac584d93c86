"""Scene 5: two witnesses; then the broker keeps a second log for one node, and is found out.

The second log is a real one: another broker process on a copy of the database, with the same
keys. Whoever owns the machine can do that, and send one node's connection there.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

from demo import database
from demo.scene_found import ADMIN, HOLDERS
from demo.screen import StoryError, expect, scene, told
from demo.stage import SHORT, Answer, together

if TYPE_CHECKING:
    from demo.stage import Prompt
    from demo.story import Play

WITNESSES = ("tirana-lab", "podgorica-border")
VICTIM, HONEST = "pristina-ffp", "skopje-border"
ROOT_KEYS = ("--root-key", "root-keys/root-1.key", "--root-key", "root-keys/root-2.key")
SECOND = "second_book"  # name of the second database
TRIES = 5  # to make both logs equally long
STILL = 3  # looks, half a second apart, at which nothing has changed


async def play(play: Play) -> None:
    """Name witnesses, split the view, see who finds out, prove it to everybody."""
    scene(5, "a split view, and who has never met the victim")
    agents = await _join_witnesses(play)
    await _name_witnesses(play)
    told(
        "Both are in no case and no channel: they have never met Pristina. Now whoever owns the "
        "broker keeps a second book: another broker on a copy, with the same keys, for Pristina "
        "alone."
    )
    dsn = await _second_book(play)
    await _diverge(play, dsn)
    await _found_out(play, agents[0])


async def _join_witnesses(play: Play) -> list[Prompt]:
    """Let two nodes join; on the machine of each a witness is made first."""
    for node in WITNESSES:
        command = ("invite", node, "--data", "broker", "--out", f"{node}.invite")
        await play[ADMIN].run(*command, show=False)
    prompts = await together(*(play.stage.device(node, play.home(node)) for node in WITNESSES))
    play.prompts.update({prompt.name: prompt for prompt in prompts})
    made = await together(*(prompt.run("witness", show=False) for prompt in prompts))
    prompts[0].show(("witness",), made[0].only("Card"))
    invites = [f"{node}.invite" for node in WITNESSES]
    await together(
        play[HOLDERS].run("admit", *invites, *ROOT_KEYS, "--wait", "60", "--yes", show=False),
        *(play[node].run("join", f"{node}.invite", show=False) for node in WITNESSES),
    )
    told("Tirana and Podgorica have joined, each with a witness on its machine.")
    for node in WITNESSES:
        play.pids[node] = await play.stage.agent(node, play.home(node))
    return prompts


async def _name_witnesses(play: Play) -> None:
    cards = [
        word for node in WITNESSES for word in ("--witness", f"devices/{node}/witness/witness.json")
    ]
    await play[HONEST].run("root", "change", *cards, "--quorum", "2", *ROOT_KEYS, typed_in=("y",))
    status = await play[HONEST].until("status", words=("log witnessed", "2 witnesses must sign"))
    play[HONEST].show(("status",), status.only("Network"))


async def _second_book(play: Play) -> str:
    """Copy the broker and start the copy; send Pristina's connection there."""
    data = play.folder / "second"
    data.mkdir(mode=0o711)
    # The mark first: what is copied after it can only be longer.
    for name in ("high-water", "log.key", "ca.key", "ca.pem", "server.key", "server.pem"):
        shutil.copy(play.broker_data / name, data / name)
    settings = (play.broker_data / "seefen.toml").read_text()
    port = play.free_port()
    (data / "seefen.toml").write_text(settings.replace(f":{play.inner_port}", f":{port}"))
    dumped = play.folder / "second.dump"
    await database.dump(play.dsn, dumped, custom=True)
    dsn = await database.load(play.dsn, SECOND, dumped)
    await play.stage.second_broker(data, play.folder / "second.log", SEEFEN_DATABASE_URL=dsn)
    play.divert(play[VICTIM].pid, port)
    play.second_port = port
    return dsn


async def _diverge(play: Play, dsn: str) -> None:
    """Let both logs grow, each without the other, until they are equally long."""
    await play[HONEST].run("case", "send", play.case, "--text", "novi trag", show=False)
    send = ("alert", "send", "--channel", "seefen-border", "--form", "alert.json")
    sent = await play[VICTIM].run(*send)
    expect("recorded" in sent.text.lower(), "Pristina's alert was not recorded")
    sizes = await _sizes(play, dsn)
    for _ in range(TRIES):
        if sizes[0] == sizes[1]:
            break
        for _ in range(sizes[0] - sizes[1]):
            await play[VICTIM].run(*send, show=False)
        if sizes[0] < sizes[1]:
            await play[HONEST].run("case", "send", play.case, "--text", "novi trag", show=False)
        sizes = await _sizes(play, dsn)
    expect(sizes[0] == sizes[1], f"the two logs have {sizes} entries, and the story needs equal")
    told(
        f"Pristina reads that its alert is recorded. Nobody else has it: both logs have {sizes[0]} "
        "entries, and from the copy on other ones. Within a day Pristina wants to see that the "
        "witnesses have signed its log, so theirs are led to the second book, Tirana first."
    )


async def _sizes(play: Play, dsn: str) -> tuple[int, int]:
    """Return how long both logs are, once nobody acknowledges anything any more."""
    before, still = (-1, -1), 0
    for _ in range(SHORT):
        sizes = (await database.size(play.dsn), await database.size(dsn))
        still = still + 1 if sizes == before else 0
        if still == STILL:
            return sizes
        before = sizes
        await asyncio.sleep(0.5)
    raise StoryError("the logs do not come to rest")


async def _found_out(play: Play, witness: Prompt) -> None:
    play.divert(play.pids[WITNESSES[0]], play.second_port)
    alarms = await witness.until("agent", "alarms", words=("critical: fork",))
    witness.show(("agent", "alarms"), _last(alarms))
    folder = f"devices/{WITNESSES[0]}/evidence"
    kept = sorted((play.folder / folder).glob("activity-fork-*.json"))
    expect(kept, "Tirana has kept no evidence")
    known = json.loads((play.broker_data / "broker.json").read_text())["log_key"]
    check = ("evidence", "check", f"{folder}/{kept[0].name}", "--log-key", known)
    proved = await play[HONEST].run(*check)
    expect("PROVED FORK" in " ".join(proved.out.split()), "the evidence proves nothing")
    told(
        "Tirana's witness signs nothing of it, its agent calls, and the two heads are proof to "
        "everybody who has the log's key: no word of Tirana need be believed."
    )
    await play.stage.end_second()


def _last(alarms: Answer) -> Answer:
    """Return the alarm of the fork alone: what came before is about its own devices."""
    lines = alarms.out.splitlines()
    first = next(n for n, line in enumerate(lines) if "critical: fork" in line)
    return Answer(alarms.code, alarms.out, alarms.err, "\n".join(lines[first:]))
