"""``seefen device``: the machines of a node."""

from typing import Annotated

import typer

from seefen.client.cli.arguments import UsageError, loss
from seefen.client.cli.session import opened
from seefen.client.cli.views import devices

group = typer.Typer(help="Devices: list them, end one at once.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="device")


@group.command("list")
def list_(context: typer.Context) -> None:
    """List the devices of your node."""
    with opened(context, glance=True) as session:
        session.screen.show(session.do(lambda client: client.devices.list()), devices.listed)


@group.command()
def revoke(
    context: typer.Context,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Officer, or start of the id.")],
    lost: Annotated[bool, typer.Option("--lost", help="Short for --why lost.")] = False,
    why: Annotated[
        str | None,
        typer.Option(parser=loss, metavar="WHY", help="lost, compromised, left or replaced."),
    ] = None,
    since: Annotated[
        int | None, typer.Option(min=0, help="Entry from which on it is doubted.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """End a device at once: seefen device revoke o-2b9f --lost."""
    if lost and why not in (None, "lost"):
        raise UsageError("--lost and --why say different things", "give one of them")
    reason = "lost" if lost else why
    if reason is None:
        raise UsageError(
            "why it is revoked is missing", "--lost, or --why compromised|left|replaced"
        )
    with opened(context) as session:
        # Also with --yes: a stolen device goes at once, and nobody finds out in the morning.
        last = devices.ends(device, session.do(lambda client: client.devices.ends_with(device)))
        if last is not None:
            session.screen.say(last)
        if session.screen.can_ask and not yes:
            session.screen.say(devices.warning(device))
            if not session.screen.confirm(f"Revoke {device} for ever?"):
                raise typer.Abort
        gone = session.do(lambda client: client.devices.revoke(device, reason, since=since))
        session.screen.show(
            gone, lambda view: devices.revoked(view.officer or view.device[:8], reason)
        )
