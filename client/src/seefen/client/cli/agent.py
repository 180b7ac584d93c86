"""``seefen agent``: the node's process that is always there."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from seefen.client import Client, witnessing
from seefen.client.agent import Agent
from seefen.client.agent.agent import FOLDER
from seefen.client.agent.alarms import read
from seefen.client.agent.own_keys import OwnKeys
from seefen.client.cli import passphrases
from seefen.client.cli.arguments import distinct, new_file, role
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import opened
from seefen.client.cli.settings import settings
from seefen.client.cli.unlock import require_device
from seefen.client.cli.views import agents, joining

group = typer.Typer(help="The agent: mirrors both logs and raises alarms, day and night.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="agent")


@group.command()
def run(context: typer.Context) -> None:
    """Mirror, watch and raise alarms until stopped: seefen agent run --passphrase-file FILE."""
    screen = Screen.of(context)
    home = settings(context).home
    require_device(home)
    asyncio.run(_run(screen, home, passphrases.existing(context, "Passphrase")))


@group.command()
def invite(
    context: typer.Context,
    roles: Annotated[
        list[str] | None,
        typer.Option("--role", parser=role, metavar="ROLE", help="[auditor]; more sees more."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", parser=new_file, metavar="FILE", help="NODE-agent.invite."),
    ] = None,
) -> None:
    """Write an invite for the agent's machine: seefen agent invite -o agent.invite."""
    chosen = distinct(roles, "role") or ("auditor",)
    with opened(context) as session:
        path = out or new_file(f"{session.do(lambda client: client.node)}-agent.invite")
        made = session.do(lambda client: client.devices.invite(chosen, path, agent=True))
        alone = session.do(lambda client: client.devices.opens_alone(chosen))
        shown = {"invite": made, "roles": chosen, "agent": True, "opens_names_alone": alone}
        session.screen.show(shown, joining.invited)


@group.command()
def alarms(context: typer.Context) -> None:
    """Show the alarms that the agent of this machine has raised, the newest last."""
    home = settings(context).home
    Screen.of(context).show(read(home / FOLDER / "alarms.jsonl"), agents.alarms)


@group.command()
def expect(
    context: typer.Context,
    minutes: Annotated[
        int, typer.Option(min=0, max=480, help="How long; 0 ends it.", metavar="MINUTES")
    ] = 60,
) -> None:
    """Let devices in or out without an alarm for a while: seefen agent expect --minutes 30."""
    home = settings(context).home
    require_device(home)
    until = int(time.time()) + minutes * 60 if minutes else 0
    OwnKeys(home / FOLDER, "").expect(until)
    Screen.of(context).show({"expected_until": until}, agents.expected)


async def _run(screen: Screen, home: Path, passphrase: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A terminal that closes would end it, and systemd takes that for an end in order.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Client.open(home, passphrase) as client:
        agent = Agent(client, home / FOLDER, witness=home / witnessing.FOLDER)
        screen.say(agents.begins(client, agent))
        await agent.run(stop)
    screen.say(agents.ended())
