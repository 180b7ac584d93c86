"""``seefen found``: the root statement of a new network, signed by several people's keys.

``seefen witness`` comes before it: the statement names the witnesses by their keys.
"""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client import founding, witnessing
from seefen.client.cli import passphrases
from seefen.client.cli.arguments import UsageError, existing_file, folder
from seefen.client.cli.screen import Screen
from seefen.client.cli.views import joining as views
from seefen.protocol.ledger.quorum import witness_name

MOST_KEYS = 16
MOST_WITNESSES = 32


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(witness)
    app.command()(found)


def witness(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", parser=folder, metavar="DIR", help="[witness, in --home]"),
    ] = None,
) -> None:
    """Make the key of a witness, on the machine that will run it: seefen witness -o witness."""
    card = founding.make_witness(out or context.obj.home / witnessing.FOLDER)
    name = witness_name("", founding.read_witness(card))  # of which network is not known yet
    said = {"card": str(card), "id": name.rpartition("/")[2]}
    Screen.of(context).show(said, views.witness)


def found(
    context: typer.Context,
    broker: Annotated[
        Path,
        typer.Argument(
            parser=existing_file, metavar="BROKER_JSON", help="From seefen-server init."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of the network [broker's].")
    ] = None,
    keys: Annotated[int, typer.Option(min=1, max=MOST_KEYS, help="Root keys to make.")] = 3,
    threshold: Annotated[int, typer.Option(min=1, max=MOST_KEYS, help="How many must sign.")] = 2,
    witness: Annotated[
        list[Path] | None,
        typer.Option(parser=existing_file, metavar="FILE", help="From seefen witness; each once."),
    ] = None,
    quorum: Annotated[
        int | None,
        typer.Option(min=0, max=MOST_WITNESSES, help="How many must cosign [half, and one]."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", parser=folder, metavar="DIR", help="New folder for the keys."),
    ] = Path("root"),
) -> None:
    """Found a network: seefen found broker.json --name seefen --keys 3 --threshold 2 -o root."""
    witnesses = witness or []
    if quorum is not None and quorum > len(witnesses):
        raise UsageError(
            f"{quorum} of {len(witnesses)} witnesses can never sign",
            "name each with --witness FILE, and a quorum of at most as many",
        )
    if threshold > keys:
        raise UsageError(
            f"{threshold} of {keys} keys can never sign", "take a threshold of at most --keys"
        )
    screen = Screen.of(context)
    passphrase = passphrases.new(context, "New passphrase for the root keys")
    made = founding.found(
        broker, out, passphrase,
        keys=keys, threshold=threshold, name=name, witnesses=witnesses, quorum=quorum,
    )  # fmt: skip
    screen.show(made, views.founded)
