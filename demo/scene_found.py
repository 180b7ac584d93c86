"""Scene 1: a network is founded, a broker starts, four nodes and two more devices join."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from demo.recorder import Recorder
from demo.screen import expect, scene, shown, told, typed
from demo.stage import Answer

if TYPE_CHECKING:
    from demo.story import Play

NODES = ("skopje-border", "belgrade-ffp", "pristina-ffp", "sarajevo-lab")
PASSPHRASE = "invented words for this demonstration only"  # noqa: S105 - of nobody
# A second officer in Belgrade, whose telephone will be lost, and Skopje's auditor.
OFFICERS = (("belgrade-field", "belgrade-ffp", "field"), ("auditor", "skopje-border", "auditor"))


async def play(play: Play) -> None:
    """Found, start, join; all of it with the commands that people type."""
    scene(1, "a network is founded, nodes join")
    await _found(play)
    await _serve(play)
    await _admit_nodes(play)
    await _admit_officers(play)


async def _found(play: Play) -> None:
    data, folder = str(play.broker_data), play.folder
    address = f"127.0.0.1:{play.port}"
    await _server(play, "init", "--data", data, "--address", address, "--name", "seefen-demo")
    _listen_behind_recorder(play)
    keys = folder / "root-keys"
    answer = await _seefen(
        play, "coordinator", "found", str(play.broker_data / "broker.json"),
        "--name", "seefen-demo", "--keys", "3", "--threshold", "2", "-o", str(keys),
    )  # fmt: skip
    expect(len(list(keys.glob("*.key"))) == 3, "the network was not founded with three root keys")
    shown(answer.out)
    await _server(play, "init", "--data", data, "--root", str(keys / "root.statement"))


def _listen_behind_recorder(play: Play) -> None:
    """Let the broker wait one port further: the recorder takes its address."""
    config = play.broker_data / "seefen.toml"
    text = config.read_text()
    listen = f'listen = "127.0.0.1:{play.port}"'
    expect(listen in text, "the broker's settings do not say where it listens")
    config.write_text(text.replace(listen, f'listen = "127.0.0.1:{play.port + 1}"'))


async def _serve(play: Play) -> None:
    await play.stage.broker(play.broker_data, play.broker_log)
    play.recorder = Recorder(
        listen=play.port,
        broker=play.port + 1,
        certificate=play.broker_data / "server.pem",
        key=play.broker_data / "server.key",
        to=play.traffic,
    )
    await play.recorder.start()
    told("The broker runs: TLS 1.3, embedded PostgreSQL. A recorder writes down all it sees.")


async def _admit_nodes(play: Play) -> None:
    invites = [play.folder / f"{node}.invite" for node in NODES]
    for node, invite in zip(NODES, invites, strict=True):
        data = str(play.broker_data)
        await _server(play, "invite", node, "--data", data, "--out", str(invite), show=False)
    joins = [
        asyncio.create_task(_join(play, node, str(invite)))
        for node, invite in zip(NODES, invites, strict=True)
    ]
    keys = sorted((play.folder / "root-keys").glob("*.key"))[:2]
    roots = [word for key in keys for word in ("--root-key", str(key))]
    answer = await _seefen(
        play, "root holders", "admit", *map(str, invites), *roots, "--wait", "30", "--yes"
    )
    shown(answer.out)
    words = [await join for join in joins]
    for joined in words:
        line = next((ln for ln in joined.out.splitlines() if " · " in ln), "")
        expect(line and line.split(": ")[-1].strip() in answer.out, "the spoken words differ")
    told("Each joining device showed the same six words as the holders of the root keys.")
    # Sarajevo's machine stays off for now: somebody must be the one who is not reached.
    await asyncio.gather(*(open_device(play, node) for node in NODES[:-1]))


async def _admit_officers(play: Play) -> None:
    for name, node, role in OFFICERS:
        invite = str(play.folder / f"{name}.invite")
        await play[node].run("officer", "add", "--role", role, "-o", invite)
        join = asyncio.create_task(_join(play, name, invite))
        await play[node].run("admit", invite, "--wait", "30", "--yes")
        await join
        await open_device(play, name)
    names = ", ".join(sorted(play.devices))
    told(f"Each device is a process of its own with its vault and key file: {names}.")


async def _join(play: Play, name: str, invite: str) -> Answer:
    return await _seefen(play, name, "--home", str(play.home(name)), "join", invite, show=False)


async def open_device(play: Play, name: str) -> None:
    """Switch a device on."""
    play.devices[name] = await play.stage.device(name, play.home(name), PASSPHRASE)


async def _seefen(play: Play, who: str, *argv: str, show: bool = True) -> Answer:
    if show:
        typed(who, "seefen " + " ".join(argv).replace(str(play.folder) + "/", ""))
    return await play.stage.command("seefen.client", *argv, passphrase=PASSPHRASE)


async def _server(play: Play, *argv: str, show: bool = True) -> Answer:
    if show:
        typed("broker", "seefen-server " + " ".join(argv).replace(str(play.folder) + "/", ""))
    return await play.stage.command("seefen.server", *argv)
