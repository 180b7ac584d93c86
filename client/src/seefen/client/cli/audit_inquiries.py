"""``seefen audit show, case, register, sample, flags``: what an auditor asks next."""

from collections.abc import Sequence
from typing import Annotated

import typer

from seefen.client import Client
from seefen.client.audit.sampling import MOST
from seefen.client.cli.arguments import INDEX, CaseName, Of
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.session import Session, opened
from seefen.client.cli.views import audits, inquiries
from seefen.client.findings import AuditRow, CaseAudit

Month = Annotated[str, typer.Option("--month", metavar="2026-03", help="One month; else all.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command()(show)
    group.command()(case)
    group.command("register")(register_)
    group.command()(sample)
    group.command()(flags)


def require_proved(rows: Sequence[AuditRow], problems: Sequence[str] = ()) -> None:
    """End as a verdict that is not in order does, where what was shown is not proved or not all."""
    if problems or not all(row.proved for row in rows):
        raise typer.Exit(REFUSED)


def require_whole(session: Session) -> None:
    """End so, too, where something is not proved and nobody can tell whether it belongs here.

    What is counted, drawn or named is what is proved: a broker that spoils an entry would else
    take it out of a page without a word.
    """
    unproved = session.do(lambda client: client.audit.unproved)
    if unproved:
        session.screen.say(audits.left_out(unproved))
        raise typer.Exit(REFUSED)


def show(
    context: typer.Context,
    entry: Annotated[int, typer.Argument(min=0, max=INDEX, metavar="N", help="Number.")],
    of: Of = None,
) -> None:
    """Show one entry whole, its proof and who may know what: seefen audit show 43118."""
    with opened(context) as session:
        found = session.do(
            lambda client: (client.audit if of is None else client.audit.view(of)).show(entry)
        )
        session.screen.show(found, inquiries.entry)
    require_proved([found.row])


def case(
    context: typer.Context,
    case: CaseName,
    after: Annotated[
        int, typer.Option(min=-1, max=INDEX, metavar="N", help="Behind entry N.")
    ] = -1,
) -> None:
    """Say who saw what of a case, and when: seefen audit case SF-2026-SKP-00418."""

    async def found(client: Client) -> CaseAudit:
        return await client.audit.case(case, after=after)

    with opened(context) as session:
        shown = session.do(found)
        session.screen.show(shown, inquiries.case)
    require_proved(shown.rows, shown.problems)


def register_(
    context: typer.Context,
    month: Month = "",
    processing: Annotated[
        bool, typer.Option("--processing", help="The record of processing of your node.")
    ] = False,
) -> None:
    """Say what was disclosed, node by node: seefen audit register --month 2026-03."""
    with opened(context) as session:
        if processing:
            record = session.do(lambda client: client.audit.processing(month))
            session.screen.show(record, inquiries.processing)
        else:
            lines = session.do(lambda client: client.audit.register(month))
            session.screen.show(lines, inquiries.register)
        require_whole(session)


def sample(
    context: typer.Context,
    count: Annotated[int, typer.Argument(min=1, max=MOST, metavar="N", help="How many.")],
    month: Month = "",
    anew: Annotated[
        bool, typer.Option("--anew", help="Another one, of the log as it is now.")
    ] = False,
) -> None:
    """Draw readings that nobody can choose: seefen audit sample 10 --month 2026-03."""
    with opened(context) as session:
        found = session.do(lambda client: client.audit.sample(count, month, anew=anew))
        root = session.do(lambda client: client.root.show())
        behind = root.quorum, len(root.witnesses)
        session.screen.show(found, lambda made: inquiries.sample(made, *behind))
        require_whole(session)


def flags(context: typer.Context, month: Month = "") -> None:
    """List what is worth a question, with its rule: seefen audit flags --month 2026-03."""
    with opened(context) as session:
        found = session.do(lambda client: client.audit.flags(month))
        session.screen.show(found, inquiries.flags)
        require_whole(session)
