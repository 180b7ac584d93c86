"""``seefen file``: fetch a file of a case."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from seefen.client.cli.arguments import Ref, folder
from seefen.client.cli.conditions import Accept, Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.screen import Report
from seefen.client.cli.session import Session, opened
from seefen.client.cli.views import objects
from seefen.client.cli.views.objects import Fetched

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
    """Fetch, check and open a file, or all of a message: seefen file get CASE#4 -o annexes."""
    given = Conditions(purpose, basis, reason, accept)
    with opened(context) as session, session.screen.progress() as report:
        refs = session.do(lambda client: client.files.of(str(ref)))
        one = refs == (str(ref),)
        done = [_fetched(session, name, out, given, report, again=one) for name in refs]
    # After the bar has gone, so that the two do not write over each other.
    lang = session.screen.lang
    if one:
        session.screen.show(done[0], partial(objects.fetched, lang=lang))
    else:
        session.screen.show(done, partial(objects.all_fetched, lang=lang))


def _fetched(
    session: Session, ref: str, out: Path, given: Conditions, report: Report, *, again: bool
) -> Fetched:
    """Fetch a file; unless ``again``, one that an earlier try brought here stays as it is."""
    path = None if again else session.do(lambda client: client.files.here(ref, out))
    if path is None:
        path = under(
            session,
            given,
            lambda client, terms: client.files.get(
                ref,
                out,
                purpose=terms.purpose,
                basis=terms.basis,
                reason=terms.reason,
                progress=report,
                accept=terms.accept,
            ),
            str(ref),
        )
    view = session.do(lambda client: client.files.view(ref))
    return Fetched(ref, path, view.name, view.surface, view.preview_of)
