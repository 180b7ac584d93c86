"""``seefen audit``: who opened what, when and why, and whether the log is whole."""

from typing import Annotated

import typer

from seefen.client.cli import audit_export
from seefen.client.cli.arguments import case_name, node_name
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.session import opened
from seefen.client.cli.views import audits

group = typer.Typer(
    invoke_without_command=True,
    help="Audit: a verdict on one page, or each reading with its proof.",
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="audit")
    audit_export.register(app, group)


@group.callback()
def verdict(context: typer.Context) -> None:
    """Say in one page whether every reading is proved: seefen audit."""
    if context.invoked_subcommand is not None:
        return
    with opened(context) as session:
        found = session.do(lambda client: client.audit.verdict())
        session.screen.show(found, audits.verdict)
    if not found.ok:
        raise typer.Exit(REFUSED)


@group.command("list")
def list_(
    context: typer.Context,
    case: Annotated[
        str | None, typer.Option(parser=case_name, metavar="CASE", help="One case alone.")
    ] = None,
    node: Annotated[
        str | None, typer.Option(parser=node_name, metavar="NODE", help="Readers of one node.")
    ] = None,
    officer: Annotated[str | None, typer.Option(help="One officer, o-7f31.")] = None,
) -> None:
    """List readings, each with its proof: seefen audit list --case SF-2026-SKP-00418."""
    with opened(context) as session:
        rows = session.do(lambda client: client.audit.list(case=case, node=node, officer=officer))
        session.screen.show(rows, lambda found: audits.listed(found, session.client.quorum))


@group.command()
def verify(context: typer.Context) -> None:
    """Check every entry of the log against its checkpoint: seefen audit verify."""
    with opened(context) as session:
        report = session.do(lambda client: client.audit.verify())
        session.screen.show(report, audits.verified)
    if report.problems:
        raise typer.Exit(REFUSED)
