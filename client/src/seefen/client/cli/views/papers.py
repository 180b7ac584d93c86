"""Papers of the own node: what is in force, since when, and who laid it down."""

from collections.abc import Sequence
from dataclasses import dataclass

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, bold, dim, line, stack, warn
from seefen.client.cli.views import messages
from seefen.client.house import Said
from seefen.client.values import Sent
from seefen.protocol.messages import Paper


@dataclass(frozen=True, slots=True)
class InForce:
    """A paper that is in force, and where it stands in the house."""

    paper: str
    version: int
    ref: str
    officer: str
    at: int


def listed(found: Sequence[InForce]) -> Painted:
    """Return the papers that are in force."""
    if not found:
        return stack(
            line("No paper is laid down: forms say their own values, and no pair is barred."),
            dim("An admin lays one down: seefen house lay FILE.json"),
        )
    rows = Grid("PAPER", "VERSION", "REF", "BY", "SINCE", keep=(0,))
    for one in found:
        when = times.moment(one.at, times.now())
        rows.row(bold(one.paper), str(one.version), one.ref, one.officer, when)
    return rows.painted()


def whole(laid: Said[Paper]) -> Painted:
    """Return a paper, row by row."""
    when = times.moment(laid.at, times.now())
    return stack(
        bold(f"{codes.message_type(laid.message.TYPE)}, version {laid.message.version}"),
        dim(f"{laid.ref}, by {laid.officer}, {when}"),
        messages.body(laid.message),
    )


def none_yet(name: str) -> Painted:
    """Return that there is no such paper, and where to begin."""
    return stack(
        line(f"No {codes.message_type(name)} laid down yet."),
        dim(f"docs/cli.md has an example; 'seefen schema {name}' says what may stand in it."),
    )


def laid(name: str, sent: Sent) -> Painted:
    """Return that a paper was laid down."""
    what = codes.message_type(name)
    if sent.ref is None:
        return warn(f"Queued: the {what} binds nobody before it is recorded.")
    return stack(
        line(f"Laid down as {sent.ref}: {what}."),
        dim("Each device of your node opens it by itself, and keeps to it from then on."),
    )


def nothing(_: object) -> Painted:
    """Return an empty line."""
    return line("")
