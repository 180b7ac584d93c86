"""Scene 1: a network is founded, a broker starts, four nodes and two more devices join."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from demo.recorder import Recorder
from demo.screen import StoryError, expect, listed, scene, told
from demo.stage import Answer, Prompt, together

if TYPE_CHECKING:
    from demo.story import Play

NODES = ("skopje-border", "belgrade-ffp", "pristina-ffp", "sarajevo-lab")
LATE = "sarajevo-lab"
# A second officer in Belgrade, whose telephone will be lost, and Skopje's auditor.
OFFICERS = (("belgrade-field", "belgrade-ffp", "field"), ("auditor", "skopje-border", "auditor"))
ADMIN, HOLDERS = "broker", "root holders"
_WORDS = re.compile(r"[a-z]+(?: · [a-z]+){5}")


async def play(play: Play) -> None:
    """Found, start, join; all of it with the commands that people type."""
    scene(1, "a network is founded, nodes join")
    await _raise_curtain(play)
    await _found(play)
    await _serve(play)
    await _admit_nodes(play)
    await _admit_officers(play)


async def _raise_curtain(play: Play) -> None:
    """Start everybody's process at once: loading takes longest, and is no part of the story."""
    stage = play.stage
    devices = (*NODES, *(name for name, _, _ in OFFICERS))
    prompts = await together(
        stage.terminal(ADMIN, "seefen-server"),
        stage.terminal(HOLDERS, "seefen"),
        *(stage.device(name, play.home(name)) for name in devices),
    )
    play.prompts.update({prompt.name: prompt for prompt in prompts})


async def _found(play: Play) -> None:
    admin, holders = play[ADMIN], play[HOLDERS]
    address = f"127.0.0.1:{play.port}"
    command = (
        "init", "--data", "broker", "--address", address, "--name", "seefen-demo",
        "--listen", f"127.0.0.1:{play.inner_port}",
    )  # fmt: skip
    made = await admin.run(*command, show=False)
    admin.show(command, made.only("next"))  # not the whole certificate
    await holders.run(
        "found", "broker/broker.json", "--name", "seefen-demo",
        "--keys", "3", "--threshold", "2", "-o", "root-keys",
    )  # fmt: skip
    keys = list((play.folder / "root-keys").glob("*.key"))
    expect(len(keys) == 3, "the network was not founded with three root keys")
    await admin.run("init", "--data", "broker", "--root", "root-keys/root.statement")


async def _serve(play: Play) -> None:
    await play.stage.broker(play.broker_data, play.broker_log)
    play.recorder = Recorder(
        listen=play.port,
        broker=play.inner_port,
        certificate=play.broker_data / "server.pem",
        key=play.broker_data / "server.key",
        to=play.traffic,
    )
    try:
        await play.recorder.start()
    except OSError:
        raise StoryError(f"port {play.port} was taken by somebody else meanwhile") from None
    told("The broker runs: TLS 1.3, embedded PostgreSQL. A recorder writes down all it sees.")


async def _admit_nodes(play: Play) -> None:
    for node in NODES:
        command = ("invite", node, "--data", "broker", "--out", f"{node}.invite")
        made = await play[ADMIN].run(*command, show=False)
        play[ADMIN].show(command, made if node == NODES[0] else made.only("nothing more"))
    invites = [f"{node}.invite" for node in NODES]
    roots = ("--root-key", "root-keys/root-1.key", "--root-key", "root-keys/root-2.key")
    admitted, *joined = await together(
        play[HOLDERS].run("admit", *invites, *roots, "--wait", "60", "--yes", show=False),
        *(_join(play, node) for node in NODES),
    )
    play[NODES[0]].show(("join", invites[0]), joined[0])
    play[HOLDERS].show(("admit", *invites, *roots), admitted)
    spoken = {node: _spoken(answer) for node, answer in zip(NODES, joined, strict=True)}
    heard = _WORDS.findall(admitted.text)
    _compare(spoken, heard)
    # Sarajevo's machine is switched off for now: somebody must be the one who is not reached.
    await play[LATE].switch_off()
    await together(*(play[node].switch_on() for node in NODES if node != LATE))


async def _admit_officers(play: Play) -> None:
    done = await together(*(_admit_officer(play, *officer) for officer in OFFICERS))
    for (name, node, role), answers in zip(OFFICERS, done, strict=True):
        invited, joined, admitted = answers
        play[node].show(("officer", "add", "--role", role, "-o", f"{name}.invite"), invited)
        play[node].show(("admit", f"{name}.invite"), admitted)
        _compare({name: _spoken(joined)}, _WORDS.findall(admitted.text))
    processes = ", ".join((*NODES, *(name for name, _, _ in OFFICERS)))
    told(f"Each device is a process of its own with its vault and key file: {processes}.")


async def _admit_officer(play: Play, name: str, node: str, role: str) -> list[Answer]:
    invite = f"{name}.invite"
    admin: Prompt = play[node]
    invited = await admin.run("officer", "add", "--role", role, "-o", invite, show=False)
    joined, admitted = await together(
        _join(play, name), admin.run("admit", invite, "--wait", "60", "--yes", show=False)
    )
    await play[name].switch_on()
    return [invited, joined, admitted]


async def _join(play: Play, name: str) -> Answer:
    return await play[name].run("join", f"{name}.invite", show=False)


def _spoken(answer: Answer) -> str:
    found = _WORDS.search(answer.text)
    expect(found, "a device that joins does not show six words")
    return found[0] if found else ""


def _compare(spoken: dict[str, str], heard: list[str]) -> None:
    """Show both sides of the telephone call; every word must be the same."""
    expect(len(set(spoken.values())) == len(spoken), "two devices show the same six words")
    expect(sorted(spoken.values()) == sorted(heard), "the spoken words differ")
    told("Read out on the telephone, and the same six words on both sides:")
    listed(spoken.items())


async def switch_on_late(play: Play) -> None:
    """Switch Sarajevo's machine on."""
    play.prompts[LATE] = await play.stage.device(LATE, play.home(LATE))
    await play[LATE].switch_on()
