"""``seefen case``: what belongs together, and who is in it."""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client import Client
from seefen.client.cli import referring, sending
from seefen.client.cli.arguments import (
    CaseName,
    NodeNames,
    Original,
    Ref,
    Reference,
    UsageError,
    case_name,
    distinct,
    existing_file,
    node_name,
    reference,
)
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.conditions import Accept, Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.conditions import reason as reason_text
from seefen.client.cli.paint import warn
from seefen.client.cli.screen import Report
from seefen.client.cli.session import opened
from seefen.client.cli.views import cases, emergencies, objects
from seefen.client.emergencies import EmergencyView
from seefen.client.values import Sent
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import Message

group = typer.Typer(help="Cases: members, messages, files.")
_TITLE_LIMIT = 200


Again = Annotated[bool, typer.Option("--again", help="Though it was done before.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="case")


def _title(text: str) -> str:
    if not text.strip() or len(text) > _TITLE_LIMIT:
        raise UsageError("a title has 1 to 200 characters", "--title 'Tabanovce, 12 pistols'")
    return text.strip()


def _case_or_object(text: str) -> Reference:
    """Return what is to be shown; number 0 is the case as a whole."""
    return reference(text) if "#" in text else Reference(case_name(text), 0)


@group.command("open")
def open_(
    context: typer.Context,
    title: Annotated[
        str, typer.Option(parser=_title, metavar="TEXT", help="Only members can read it.")
    ],
    from_alert: Annotated[
        Reference | None,
        typer.Option(parser=reference, metavar="REF", help="The alert it grows out of."),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(parser=node_name, metavar="NODE", help="May be given often."),
    ] = None,
    again: Again = False,
) -> None:
    """Open a case: seefen case open --title M57 --from-alert seefen-border#1 --member NODE."""
    members = distinct(member, "member")
    alert = None if from_alert is None else str(from_alert)
    with opened(context) as session:
        made = session.do(lambda client: client.cases.open(title, members, alert, again=again))
        session.screen.show(made, cases.opened)


@group.command("list")
def list_(context: typer.Context) -> None:
    """List the cases of your node."""
    with opened(context, glance=True) as session:
        lead = session.do(lambda client: "lead" in client.roles)
        session.screen.show(
            session.do(lambda client: client.cases.list()),
            lambda views: cases.case_list(views, lead=lead),
        )


@group.command()
def show(
    context: typer.Context,
    case: Annotated[
        Reference,
        typer.Argument(
            parser=_case_or_object, metavar="CASE[#n]", help="A case, or what is in it."
        ),
    ],
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
    accept: Accept = False,
) -> None:
    """Show a case, or with #n open one message in it: seefen case show SF-2026-SKP-00418#3."""
    given = Conditions(purpose, basis, reason, accept)
    with opened(context) as session:
        if not case.number:
            found = session.do(lambda client: client.cases.show(case.case))
            session.screen.show(found, lambda value: cases.whole(value, session.screen.lang))
            return
        read = under(
            session,
            given,
            lambda client, terms: client.read(
                str(case),
                purpose=terms.purpose,
                basis=terms.basis,
                reason=terms.reason,
                accept=terms.accept,
            ),
            str(case),
        )
        ours = read.view.sender == session.do(lambda client: client.node)
        lang = session.screen.lang
        session.screen.show(read, lambda value: objects.opened(value, ours=ours, lang=lang))


@group.command()
def send(
    context: typer.Context,
    case: CaseName,
    text: Annotated[
        str, typer.Option("--text", "-t", help="A note; '-' reads it from stdin.")
    ] = "",
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", parser=existing_file, metavar="FILE", help="May be given often."),
    ] = None,
    form: Annotated[
        Path | None,
        typer.Option(
            "--form", parser=existing_file, metavar="FILE.json", help="A notice, a bulletin, ..."
        ),
    ] = None,
    original: Original = False,
) -> None:
    """Send a note or files: seefen case send SF-2026-SKP-00418 --text 'See annex' --file a.pdf."""
    files = distinct(file, "file")
    note = sending.note(text)
    filled = None if form is None else referring.filled(form)
    if filled is not None and note:
        raise UsageError("a form has its own text", "leave --text out, or the form")
    if filled is None and not note and not files:
        raise UsageError("there is nothing to send", "give --text, --file, --form or several")

    async def send(client: Client, message: Message | None, report: Report) -> Sent:
        if message is not None:
            return await client.cases.publish(case, message, files, report, original=original)
        return await client.cases.send(case, note, files, report, original=original)

    with opened(context) as session:
        message = None if filled is None else filled.placed(session)
        with session.screen.progress() as report:
            sent = session.do(lambda client: send(client, message, report))
        sending.finish(session, sent)


@group.command()
def forward(
    context: typer.Context,
    ref: Ref,
    case: CaseName,
    text: Annotated[str, typer.Option("--text", "-t", help="Why it goes there.")] = "",
    ask: Annotated[
        str, typer.Option(metavar="WHY", help="Ask its author for permission; nothing goes yet.")
    ] = "",
    purpose: Purpose = None,
    basis: Basis = None,
    again: Again = False,
) -> None:
    """Take a message into another case: seefen case forward seefen-border#1 CASE."""
    words = sending.note(text)
    if ask and words:
        raise UsageError("ask first, or forward it?", "leave out --text, or --ask")

    async def send(client: Client) -> Sent:
        if ask:
            return await client.onward.ask(str(ref), case, ask, purpose or "", basis or "")
        return await client.onward.forward(str(ref), case, words, again=again)

    with opened(context) as session:
        sending.finish(session, session.do(send))
        newer = session.do(lambda client: client.cases.look(str(ref))).corrected_by
        if newer:
            session.screen.say(warn(f"{ref} was corrected by {newer}: that goes on after it."))


@group.command()
def add(context: typer.Context, case: CaseName, nodes: NodeNames) -> None:
    """Let nodes read from now on: seefen case add SF-2026-SKP-00418 sarajevo-lab."""
    chosen = distinct(nodes, "node", least=1)
    with opened(context) as session:
        changed = session.do(lambda client: client.cases.add(case, chosen))
        session.screen.show(changed, lambda view: cases.added(view, chosen))


@group.command()
def remove(context: typer.Context, case: CaseName, nodes: NodeNames) -> None:
    """Take nodes out: seefen case remove SF-2026-SKP-00418 sarajevo-lab."""
    chosen = distinct(nodes, "node", least=1)
    with opened(context) as session:
        changed = session.do(lambda client: client.cases.remove(case, chosen))
        session.screen.show(changed, lambda view: cases.removed(view, chosen))


@group.command("break-glass")
def break_glass(
    context: typer.Context,
    case: CaseName,
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Wait for a keyholder's client [30].")
    ] = 30,
    again: Annotated[bool, typer.Option("--again", help="Ask once more after a refusal.")] = False,
) -> None:
    """Open a case in an emergency, not assigned: seefen case break-glass CASE --purpose trace."""
    given = Conditions(purpose or "", basis or "", reason)
    if not (given.purpose and given.basis):
        raise UsageError(
            "an emergency has a purpose and a basis", "--purpose trace --basis pcc-see"
        )

    async def ask(client: Client) -> EmergencyView:
        asking = client.duty.emergencies
        try:
            await asking.ask(
                case,
                purpose=given.purpose or "",
                basis=given.basis or "",
                reason=reason,
                again=again,
            )
        except (OutOfTurnError, RefusedError):
            if all(view.case != case for view in asking.list()):
                raise  # else it was asked before: the same command goes on
        return await asking.wait(case, wait)

    with opened(context) as session:
        view = session.do(ask)
        session.screen.show(view, emergencies.asked)
        if view.state == "refused":
            raise typer.Exit(REFUSED)


@group.command()
def reason(
    context: typer.Context,
    case: CaseName,
    text: Annotated[str, typer.Argument(parser=reason_text, metavar="TEXT", help="Why you did.")],
) -> None:
    """Say why you opened a case in an emergency: seefen case reason CASE 'lorry at the ramp'."""
    with opened(context) as session:
        entry = session.do(lambda client: client.duty.emergencies.reason(case, text))
        session.screen.show({"case": case, "entry": entry}, emergencies.given)


@group.command()
def assign(
    context: typer.Context,
    case: CaseName,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Officer, or start of the id.")],
) -> None:
    """Hand a case to a device of your node: seefen case assign SF-2026-SKP-00418 o-7f31."""
    with opened(context) as session:
        changed = session.do(lambda client: client.cases.assign(case, device))
        session.screen.show(changed, cases.assigned)
