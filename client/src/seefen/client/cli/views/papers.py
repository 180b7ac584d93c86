"""Papers of the own node: what is in force, since when, and who laid it down."""

from collections.abc import Sequence
from dataclasses import dataclass

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, bold, dim, line, stack, warn
from seefen.client.cli.views import messages, rosters
from seefen.client.house import Said
from seefen.client.values import Sent
from seefen.protocol.messages import PairPolicy, Paper, Presets, Roster


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
        *_rows(laid.message),
    )


def _rows(paper: Paper) -> tuple[Painted, ...]:
    if isinstance(paper, PairPolicy):
        return (_pairs(paper),)
    if isinstance(paper, Presets):
        return _presets(paper)
    if isinstance(paper, Roster):
        return rosters.rows_of(paper)
    return (messages.body(paper),)


def _pairs(policy: PairPolicy) -> Painted:
    rows = Grid("ROW", "TO", "MESSAGES", "PERSONS", "ON", "UNTIL", "HOURS", keep=(0, 1))
    for row in policy.rows:
        hours = {"FLASH": row.flash_h, "URGENT": row.urgent_h, "NORMAL": row.normal_h,
                 "ROUTINE": row.routine_h}  # fmt: skip
        rows.row(
            str(row.n),
            row.to,
            _types(row.forms),
            "yes" if row.persons else "no",
            ", ".join(filter(None, (row.basis, row.ground))),
            row.until,
            ", ".join(f"{urgency} {count}" for urgency, count in hours.items() if count),
        )
    return rows.painted()


def _presets(presets: Presets) -> tuple[Painted, ...]:
    rows = Grid("MESSAGES", "HANDLING", "TLP", "EVALUATION", "PURPOSE", "BASIS", keep=(0,))
    for row in presets.rows:
        evaluation = f"{row.source_eval or '-'}{row.info_eval or '-'}".replace("--", "")
        rows.row(_types((row.form,)), row.handling, row.tlp, evaluation, row.purpose, row.basis)
    opening = Grid("OPENED", "PURPOSE", "BASIS", keep=(0,))
    for one in presets.opening:
        opening.row(_types((one.form,)), one.purpose, one.basis)
    return (rows.painted(), opening.painted())


def _types(forms: Sequence[str]) -> str:
    return ", ".join(codes.message_type(form) for form in forms if form) or "all"


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
