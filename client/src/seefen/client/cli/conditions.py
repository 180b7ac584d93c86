"""Purpose and legal basis: stated once per case and shift, the same screen for all commands.

Options give them for scripts. At a terminal Enter takes what is usual; a body opens only
after its entry stands in the log.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeVar

import typer

from seefen.client import Client
from seefen.client.accepting import ConditionsError
from seefen.client.cli import codes
from seefen.client.cli.answers import choose
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import bold, dim, line, safe, stack
from seefen.client.cli.session import Session
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES

T = TypeVar("T")
_REASON_LIMIT: Final = 2000  # bytes
USUAL_PURPOSE: Final = "trace"
WATCH_PURPOSE: Final = "border-control"
USUAL_BASIS: Final = "pcc-see"


def purpose_code(text: str) -> str:
    """Return a purpose: its code, or its words."""
    return _chosen(TABLES["purpose"], text, "purpose")


def basis_code(text: str) -> str:
    """Return a legal basis: ``PCC SEE`` is ``pcc-see``."""
    return _chosen(TABLES["basis"], text, "legal basis")


def _chosen(table: Mapping[str, str], text: str, what: str) -> str:
    code = choose(table, text)
    if not code:
        raise UsageError(
            f"'{safe(text)}' is not a {what}",
            f"one of: {', '.join(table)}; the story itself goes into --reason",
        )
    return code


def reason(text: str) -> str:
    """Return a reason, which only the auditors of both nodes can read."""
    if len(text.encode()) > _REASON_LIMIT:
        raise UsageError("a reason has at most 2,000 bytes", "shorten it")
    return text


Purpose = Annotated[
    str | None,
    typer.Option(
        "--purpose", parser=purpose_code, metavar="CODE", help="What for: trace, detection, ..."
    ),
]
Basis = Annotated[
    str | None,
    typer.Option(
        "--basis", parser=basis_code, metavar="CODE", help="Legal basis: pcc-see, un-iti, ..."
    ),
]
Reason = Annotated[
    str,
    typer.Option("--reason", parser=reason, metavar="TEXT", help="Free text, for the auditors."),
]


Accept = Annotated[
    bool, typer.Option("--accept", help="Accept the conditions that its author names.")
]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which somebody reads. Without a purpose, what he stated before holds on."""

    purpose: str | None = None
    basis: str | None = None
    reason: str = ""
    accept: bool = False


def under(
    session: Session,
    given: Conditions,
    read: Callable[[Client, Conditions], Coroutine[Any, Any, T]],
    name: str = "",
) -> T:
    """Return what ``read`` returns, asking for purpose and basis when they are missing.

    Conditions in words are shown, and have to be accepted, before anything else of a message.

    Args:
        name: What is opened, ``CASE`` or ``CASE#n``: the node may have presets for it.
    """
    try:
        return _accepted(session, given, read)
    except RefusedError as refused:
        if refused.rule != "purpose-needed" or not session.screen.can_ask:
            raise
    preset = session.do(lambda client: client.presets.opening_of(name))
    if "#" in name:
        # Before it is opened: who goes on has accepted it.
        handling = session.do(lambda client: client.cases.look(name)).handling
        session.screen.say(bold(codes.handling(handling, session.screen.lang)))
    return _accepted(session, _asked(session, given, *preset), read)


def _accepted(
    session: Session,
    given: Conditions,
    read: Callable[[Client, Conditions], Coroutine[Any, Any, T]],
) -> T:
    try:
        return session.do(lambda client: read(client, given))
    except ConditionsError as refused:
        if not session.screen.can_ask:
            raise
        session.screen.say(
            stack(
                bold(codes.handling(refused.handling, session.screen.lang)),
                line("  conditions: ", refused.conditions),
            )
        )
    if session.screen.ask("[Enter] accept and read   [q] leave it").lower().startswith("q"):
        raise KeyboardInterrupt
    agreed = replace(given, accept=True)
    return session.do(lambda client: read(client, agreed))


def _asked(session: Session, given: Conditions, purpose: str, basis: str) -> Conditions:
    purpose = given.purpose or purpose or USUAL_PURPOSE
    basis = given.basis or basis or USUAL_BASIS
    session.screen.say(
        line(
            "Purpose: ",
            purpose,
            " · basis: ",
            basis,
            dim("  (Enter = open under these, c = change)"),
        )
    )
    if session.screen.ask(">").lower() not in {"c", "change"}:
        return replace(given, purpose=purpose, basis=basis)
    return Conditions(
        purpose_code(session.screen.ask("Purpose:", purpose)),
        basis_code(session.screen.ask("Legal basis:", basis)),
        reason(session.screen.ask("Reason, for the auditors only (Enter = none):", given.reason)),
        given.accept,
    )
