"""``seefen join`` and ``seefen admit``: one file, six words on the telephone, done."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from seefen.client import Client, admitting, joining
from seefen.client.admitting import Request
from seefen.client.cli import passphrases, unlock
from seefen.client.cli.arguments import UsageError, distinct, existing_file, role
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import opened, run
from seefen.client.cli.settings import settings
from seefen.client.cli.views import joining as views
from seefen.client.invites import Invite, read_invite
from seefen.client.keyfile import NAME as KEY_FILE
from seefen.client.keyfile import read_key_file, read_root_key
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import SigningKey


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(join)
    app.command()(admit)


def join(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(parser=existing_file, metavar="FILE", help="The invite, from the admin."),
    ],
    wanted: Annotated[
        list[str] | None,
        typer.Option("--as", parser=role, metavar="ROLE", help="Stop unless the invite says so."),
    ] = None,
) -> None:
    """Make this machine a device of the network: seefen join skopje-border.invite."""
    screen = Screen.of(context)
    home = settings(context).home
    invite = read_invite(file)  # before a passphrase is asked for: is it one at all?
    _require_roles(invite, wanted or [])
    begun = (home / KEY_FILE).exists()
    choose = passphrases.existing if begun else passphrases.new
    passphrase = choose(context, "Passphrase" if begun else "New passphrase")
    asked = screen.can_ask and settings(context).passphrase() is None
    pin = unlock.new_pin(screen, optional=True) if asked else ""
    joined = run(
        joining.join(file, home, passphrase, lambda words: screen.say(views.read_aloud(words)))
    )
    screen.show(joined, views.joined)
    if pin:
        unlock.begin(screen, home, read_key_file(home / KEY_FILE, passphrase), pin)


def _require_roles(invite: Invite, wanted: list[str]) -> None:
    given = invite.roles or joining.FIRST_ROLES
    missing = [name for name in wanted if name not in given]
    if missing:
        raise RefusedError(
            f"this invite is for {', '.join(given)}, not for {', '.join(missing)}", rule="roles"
        )


def admit(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(parser=existing_file, metavar="FILE...", help="The invites.")
    ],
    root_key: Annotated[
        list[Path] | None,
        typer.Option(
            "--root-key",
            parser=existing_file,
            metavar="FILE",
            help="For a node: as many as needed.",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Wait for somebody to ask.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="The words were compared before.")] = False,
) -> None:
    """Let in who reads out the same six words: seefen admit skopje-border.invite."""
    screen = Screen.of(context)
    keys = distinct(root_key, "root key")
    requests = [run(admitting.read_request(path, wait_s=wait)) for path in distinct(files, "file")]
    for request in requests:
        screen.say(views.compare(request))
        if not yes and not _read_out(screen):
            raise RefusedError(f"{request.node} was not admitted", rule="words")
    _admit(context, requests, keys)
    done = [views.Admitted(one.node, one.kind, one.roles) for one in requests]
    screen.show(done, views.admitted)


def _read_out(screen: Screen) -> bool:
    if not screen.can_ask:
        raise UsageError("nobody is there to compare the words", "--yes, if they were compared")
    return screen.confirm("Did they read out exactly these words?")


def _admit(context: typer.Context, requests: list[Request], files: tuple[Path, ...]) -> None:
    nodes = [request for request in requests if request.kind == "node"]
    devices = [request for request in requests if request.kind == "device"]
    if nodes and not files:
        raise UsageError(
            "a node is admitted with root keys", "--root-key root-1.key --root-key root-2.key"
        )
    if nodes:
        keys = root_keys(context, files)
        for request in nodes:
            run(admitting.admit_node(request, keys))
    if devices:
        with opened(context) as session:
            for request in devices:
                session.do(partial(_admit_device, request))


async def _admit_device(request: Request, client: Client) -> None:
    await client.devices.admit(request)


def root_keys(context: typer.Context, files: Sequence[Path]) -> tuple[SigningKey, ...]:
    """Return the root keys in files; each has a passphrase of its own."""
    asked = passphrases.existing
    return tuple(
        read_root_key(path, asked(context, f"Passphrase of {path.name}")) for path in files
    )
