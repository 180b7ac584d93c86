"""``seefen file``: fetch a file of a case."""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client.cli.arguments import Ref, folder
from seefen.client.cli.conditions import Accept, Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.session import opened
from seefen.client.cli.views import objects

group = typer.Typer(help="Files of cases and alerts.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="file")


@group.command()
def get(
    context: typer.Context,
    ref: Ref,
    out: Annotated[
        Path, typer.Option("-o", "--out", parser=folder, metavar="DIR", help="Folder, made if new.")
    ] = Path(),
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
    accept: Accept = False,
) -> None:
    """Fetch, check and open a file: seefen file get SF-2026-SKP-00418#4 -o annexes."""
    given = Conditions(purpose, basis, reason, accept)
    with opened(context) as session, session.screen.progress() as report:
        path = under(
            session,
            given,
            lambda client, terms: client.files.get(
                str(ref),
                out,
                purpose=terms.purpose,
                basis=terms.basis,
                reason=terms.reason,
                progress=report,
                accept=terms.accept,
            ),
            str(ref),
        )
    # After the bar has gone, so that the two do not write over each other.
    session.screen.show({"ref": str(ref), "path": path}, objects.fetched)
