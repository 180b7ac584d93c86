"""``seefen audit report``: the statement of a month, on the screen, as CSV, or as PDF."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from seefen.client.audit.reporting import Statement
from seefen.client.cli.arguments import UsageError, new_file
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.paint import dim, safe
from seefen.client.cli.saving import save
from seefen.client.cli.session import opened
from seefen.client.cli.views import inquiries

_KINDS: Final = (".csv", ".pdf")


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command()(report)


def report(
    context: typer.Context,
    month: Annotated[str, typer.Argument(metavar="2026-03", help="A month, by UTC.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", parser=new_file, metavar="FILE", help="A new file, .csv or .pdf."
        ),
    ] = None,
) -> None:
    """Print the statement of a month (Article 25): seefen audit report 2026-03 -o march.pdf."""
    if output is not None and output.suffix.lower() not in _KINDS:
        raise UsageError(f"'{safe(output.name)}' is no file of a statement", "name it .csv or .pdf")
    with opened(context) as session:
        made = session.do(lambda client: client.audit.report(month))
        if output is None:
            session.screen.show(made, inquiries.statement)
        else:
            save(output, _written(output.suffix.lower(), made))
            session.screen.say(dim(f"{output}: what could not be checked is printed on it, too."))
    if not made.ok:
        raise typer.Exit(REFUSED)


def _written(kind: str, made: Statement) -> bytes:
    # Drawing a page takes half a second to import: no other command pays for it.
    module = import_module("seefen.client.statements")
    write: Callable[[Statement], str | bytes]
    write = module.statement_pdf if kind == ".pdf" else module.statement_csv
    data = write(made)
    return data if isinstance(data, bytes) else data.encode("utf-8-sig")
