"""``seefen ref``: the same is handled in another channel as well, and under which number."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from seefen.client.cli import sending
from seefen.client.cli.answers import choose
from seefen.client.cli.arguments import Ref, UsageError
from seefen.client.cli.paint import safe
from seefen.client.cli.session import opened
from seefen.client.labels import label
from seefen.protocol.messages import TABLES

group = typer.Typer(help="References to other channels: SIENA, iARMS, ...")
_LONGEST: Final = 200  # characters, as the form has it
# Numbers that a machine gives have no blanks; those of people (a liaison officer's file) may.
_GIVEN: Final = re.compile(r"[A-Za-z0-9./:_#-]*[0-9][A-Za-z0-9./:_#-]*", re.ASCII)
_MACHINES: Final = ("siena", "iarms", "sis", "etrace")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="ref")


@dataclass(frozen=True, slots=True)
class _There:
    """A number in another channel."""

    channel: str
    number: str


def _there(text: str) -> _There:
    channel, _, number = (part.strip() for part in text.partition(":"))
    code = choose(TABLES["channel"], channel)
    if not code or not 0 < len(number) <= _LONGEST:
        raise UsageError(
            "this is no number in another channel",
            f"siena:1234567; channels: {', '.join(TABLES['channel'])}",
        )
    if not any(sign.isdecimal() for sign in number) or (
        code in _MACHINES and not _GIVEN.fullmatch(number)
    ):
        raise UsageError(
            f"{safe(number)} is no number that {label('en', 'channel', code)} gives",
            "letters A to Z, digits and . / : _ # - there; elsewhere at least one digit; "
            "a name goes to named nodes in a case",
        )
    return _There(code, number)


@group.command()
def add(
    context: typer.Context,
    ref: Ref,
    there: Annotated[
        _There, typer.Argument(parser=_there, metavar="CHANNEL:NUMBER", help="siena:1234567")
    ],
) -> None:
    """Tell the number it has in another channel: seefen ref add REF siena:1234567."""
    with opened(context) as session:
        sent = session.do(lambda client: client.cases.refer(str(ref), there.channel, there.number))
        sending.finish(session, sent)
