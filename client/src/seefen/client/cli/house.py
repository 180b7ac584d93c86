"""``seefen house``: the papers of your node, which bind all its devices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from seefen.client.cli import forms, sending
from seefen.client.cli.arguments import UsageError, existing_file
from seefen.client.cli.session import opened
from seefen.client.cli.views import papers
from seefen.client.cli.views.papers import InForce
from seefen.client.house import House
from seefen.protocol.messages import PairPolicy, Paper, Presets, Roster

group = typer.Typer(help="Papers of your node: presets, pair policy, roster.")
PAPERS: Final[Mapping[str, type[Paper]]] = {
    "presets": Presets,
    "pair-policy": PairPolicy,
    "roster": Roster,
}


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="house")


def _paper(text: str) -> str:
    name = text.strip().lower()
    if name not in PAPERS:
        raise UsageError(f"there is no paper '{text}'", f"one of: {', '.join(PAPERS)}")
    return name


def _kind(name: str) -> type[Paper]:
    return PAPERS[name]


@group.command()
def lay(
    context: typer.Context,
    form: Annotated[
        Path,
        typer.Argument(parser=existing_file, metavar="FILE.json", help="Names its type itself."),
    ],
) -> None:
    """Lay down a paper in place of the one before: seefen house lay presets.json."""
    paper = forms.message(form)
    if not isinstance(paper, Paper):
        raise UsageError(
            f"a {paper.TYPE} is no paper",
            f'"type": one of {", ".join(type_.TYPE for type_ in PAPERS.values())}',
        )
    with opened(context) as session:
        sent = session.do(lambda client: client.house.lay(paper))
        session.screen.show(sent, lambda value: papers.laid(paper.TYPE, value))
        sending.leave(session, sent)


@group.command()
def show(
    context: typer.Context,
    paper: Annotated[
        str | None,
        typer.Argument(parser=_paper, metavar="[PAPER]", help=f"{', '.join(PAPERS)}."),
    ] = None,
) -> None:
    """Show which papers are in force, or one: seefen house show presets --json > presets.json."""
    with opened(context, glance=True) as session:
        if paper is None:
            found = session.do(lambda client: _in_force(client.house))
            session.screen.show(found, papers.listed)
            return
        kind = _kind(paper)
        laid = session.do(lambda client: client.house.laid(kind))
        if session.screen.machine:  # as a form, to change and to lay down again
            session.screen.show(None if laid is None else laid.message, papers.nothing)
        elif laid is None:
            session.screen.say(papers.none_yet(kind.TYPE))
        else:
            session.screen.show(laid, papers.whole)


def _in_force(house: House) -> list[InForce]:
    laid = ((name, house.laid(type_)) for name, type_ in PAPERS.items())
    return [
        InForce(name, one.message.version, one.ref, one.officer, one.at)
        for name, one in laid
        if one is not None
    ]
