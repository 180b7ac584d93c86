"""``seefen root``: what the root statement says, and its next version."""

from pathlib import Path
from typing import Annotated, Final

import typer

from seefen.client.cli.arguments import UsageError, device_at, distinct, existing_file
from seefen.client.cli.found import MOST_WITNESSES
from seefen.client.cli.join import root_keys
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import opened
from seefen.client.cli.views import grants
from seefen.client.cli.views import roots as views
from seefen.client.granting import AUDITOR_DAYS
from seefen.protocol.errors import RefusedError

HOUR: Final = 3600  # seconds
group = typer.Typer(help="The root statement: who witnesses, how many must, how old is too old.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="root")


@group.command()
def show(context: typer.Context) -> None:
    """Show the root statement in force: seefen root show."""
    with opened(context, glance=True) as session:
        session.screen.show(session.do(lambda client: client.root.show()), views.shown)


@group.command()
def change(
    context: typer.Context,
    root_key: Annotated[
        list[Path],
        typer.Option("--root-key", parser=existing_file, metavar="FILE", help="As many as needed."),
    ],
    witness: Annotated[
        list[Path] | None,
        typer.Option(parser=existing_file, metavar="FILE", help="To add; from seefen witness."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A witness to take out.")
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(min=0, max=MOST_WITNESSES, help="How many must cosign.")
    ] = None,
    max_stale: Annotated[
        int | None,
        typer.Option(min=1, max=720, metavar="HOURS", help="Then nobody sends but alerts."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="All signers have seen the change.")] = False,
) -> None:
    """Change it: seefen root change --quorum 2 --root-key root-1.key --root-key root-2.key."""
    screen = Screen.of(context)
    seconds = None if max_stale is None else max_stale * HOUR
    files = distinct(root_key, "root key")
    with opened(context) as session:
        proposal = session.do(
            lambda client: client.root.propose(
                witnesses=distinct(witness, "witness"),
                without=distinct(without, "witness"),
                quorum=quorum,
                max_stale=seconds,
            )
        )
        screen.say(views.proposed(proposal.now, proposal.then))
        if not yes and not _signed(screen):
            raise RefusedError("nothing was signed", rule="root-unsigned")
        keys = root_keys(context, files)
        done = session.do(lambda client: client.root.change(proposal, keys))
        screen.show(done, views.shown)


@group.command()
def auditor(
    context: typer.Context,
    device: Annotated[
        str, typer.Argument(parser=device_at, metavar="NODE/DEVICE", help="Of an auditor.")
    ],
    root_key: Annotated[
        list[Path],
        typer.Option("--root-key", parser=existing_file, metavar="FILE", help="As many as needed."),
    ],
    days: Annotated[
        int, typer.Option(min=1, max=AUDITOR_DAYS, help="For how long.")
    ] = AUDITOR_DAYS,
    remove: Annotated[bool, typer.Option("--remove", help="Not any more, from now on.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="All signers have seen it.")] = False,
) -> None:
    """Name who sees every core: seefen root auditor oversight-board/o-2b9f --root-key FILE."""
    screen = Screen.of(context)
    files = distinct(root_key, "root key")
    with opened(context) as session:
        screen.say(grants.asked(device, days, remove=remove))
        if not yes and not _signed(screen):
            raise RefusedError("nothing was signed", rule="root-unsigned")
        keys = root_keys(context, files)
        if remove:
            done = session.do(lambda client: client.root.views.take_back(device, keys))
        else:
            done = session.do(
                lambda client: client.root.views.name_auditor(device, keys, days=days)
            )
        screen.show(done, grants.given)


def _signed(screen: Screen) -> bool:
    if not screen.can_ask:
        raise UsageError("nobody is there to look at the change", "--yes, if all have seen it")
    return screen.confirm("Sign this with the root keys?")
