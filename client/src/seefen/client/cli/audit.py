"""``seefen audit``: who opened what, when and why, and whether the log is whole."""

from datetime import datetime
from typing import Annotated, Final

import typer

from seefen.client import Client
from seefen.client.alarms import Kept
from seefen.client.audit.filters import OPERATIONS, Filter, this_month
from seefen.client.cli import (
    audit_export,
    audit_inquiries,
    audit_name,
    audit_person,
    audit_report,
    times,
)
from seefen.client.cli.arguments import (
    INDEX,
    Of,
    UsageError,
    case_name,
    day_end,
    day_start,
    node_name,
)
from seefen.client.cli.audit_inquiries import require_proved
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.paint import safe
from seefen.client.cli.session import opened
from seefen.client.cli.views import audits, inquiries
from seefen.client.explained import Finding
from seefen.client.findings import AuditPage

MOST: Final = 1000

group = typer.Typer(
    invoke_without_command=True,
    help="Audit: a verdict on one page, or each reading with its proof.",
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    audit_inquiries.register(group)
    audit_report.register(group)
    audit_person.register(group)
    audit_name.register(group)
    app.add_typer(group, name="audit")
    audit_export.register(app, group)


@group.callback()
def verdict(
    context: typer.Context,
    month: Annotated[
        str, typer.Option(metavar="2026-03", help="What is counted; else this month.")
    ] = "",
    of: Of = None,
) -> None:
    """Say in one page whether every reading is proved: seefen audit."""
    if context.invoked_subcommand is not None:
        return
    if of is not None:
        if month:
            raise UsageError("a view is judged whole", "leave out --month: its period is shown")
        _viewed(context, of)
        return
    chosen = month or this_month(int(times.now().timestamp()))
    with opened(context) as session:
        found = session.do(lambda client: client.audit.verdict(chosen))
        session.screen.show(found, audits.verdict)
    if not found.ok:
        raise typer.Exit(REFUSED)


def _viewed(context: typer.Context, of: str) -> None:
    with opened(context) as session:
        found = session.do(lambda client: client.audit.view(of).verdict())
        session.screen.show(found, audits.viewed)
    if not found.ok:
        raise typer.Exit(REFUSED)


def _operation(text: str) -> str:
    if text not in ("all", *OPERATIONS):
        raise UsageError(
            f"'{safe(text)}' is not an operation", f"one of: {', '.join(OPERATIONS)}, all"
        )
    return text


def _some(text: str) -> str:
    """Refuse nothing at all: a variable of a script that is empty would list everything."""
    if not text.strip():
        raise UsageError("a filter is empty", "leave the option out, or say what is wanted")
    return text.strip()


@group.command("list")
def list_(
    context: typer.Context,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from", parser=day_start, metavar="DAY", help="From this day or time on, UTC."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", parser=day_end, metavar="DAY", help="This day is the last, UTC."),
    ] = None,
    case: Annotated[
        str | None, typer.Option(parser=case_name, metavar="CASE", help="One case alone.")
    ] = None,
    node: Annotated[
        str | None, typer.Option(parser=node_name, metavar="NODE", help="Readers of one node.")
    ] = None,
    officer: Annotated[
        str | None, typer.Option(parser=_some, metavar="OFFICER", help="One officer, o-7f31.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(parser=_some, metavar="ID", help="One device: the beginning of its id."),
    ] = None,
    op: Annotated[
        str | None,
        typer.Option(parser=_operation, metavar="OP", help="consult, disclose, ..., or all."),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(parser=_some, metavar="RULE", help="ok, denied, or the rule that refused."),
    ] = None,
    basis: Annotated[
        str | None, typer.Option(parser=_some, metavar="CODE", help="A legal basis, by its code.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(parser=node_name, metavar="NODE", help="A node that received.")
    ] = None,
    emergency: Annotated[bool, typer.Option("--emergency", help="Emergencies alone.")] = False,
    after: Annotated[
        int, typer.Option(min=-1, max=INDEX, metavar="N", help="Behind entry N.")
    ] = -1,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most so many.")] = 100,
    of: Of = None,
) -> None:
    """List readings, each with its proof: seefen audit list --case SF-2026-SKP-00418."""
    wanted = Filter(
        since=None if since is None else int(since.timestamp()),
        until=None if until is None else int(until.timestamp()),
        node=node, officer=officer, device=device, case=case, op=op or "", outcome=outcome or "",
        basis=basis or "", to=to, emergency=emergency,
    )  # fmt: skip

    async def found(client: Client) -> AuditPage:
        if of is not None:
            return await client.audit.view(of).page(wanted, after=after, limit=limit)
        return await client.audit.page(wanted, after=after, limit=limit)

    with opened(context) as session:
        page = session.do(found)
        session.screen.show(page, inquiries.page)
    require_proved(page.rows)


@group.command()
def manifest(context: typer.Context) -> None:
    """Publish what each node must have been shown, as network auditor: seefen audit manifest."""
    with opened(context) as session:
        made = session.do(lambda client: client.audit.manifests.publish())
        session.screen.show(made, audits.published)


@group.command()
def acknowledge(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Eight digits: of an alarm, a gap, a problem.")
    ],
    why: Annotated[str, typer.Option(help="What explains it; other auditors can read it.")],
    of: Of = None,
) -> None:
    """Say what explains an alarm, gap or problem: seefen audit acknowledge 3f9a1c20 --why ..."""
    if not why.strip():
        raise UsageError("what explains it is missing", '--why "an old backup was put back"')

    async def said(client: Client) -> Kept | Finding:
        looking = client.audit if of is None else client.audit.view(of)
        return await looking.acknowledge(name, why)

    with opened(context) as session:
        kept = session.do(said)
        session.screen.show(kept, audits.acknowledged)


@group.command()
def verify(context: typer.Context) -> None:
    """Check every entry of the log against its checkpoint: seefen audit verify."""
    with opened(context) as session:
        with session.screen.progress(counted=True) as progress:
            report = session.do(lambda client: client.audit.verify(progress))
        session.screen.show(report, audits.verified)
    if not report.ok:
        raise typer.Exit(REFUSED)
