"""``seefen export`` and ``seefen items``: out to other programs, and back into a form."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer

from seefen.client.cli import pasted
from seefen.client.cli.arguments import (
    Reference,
    UsageError,
    case_name,
    existing_file,
    new_file,
    reference,
)
from seefen.client.cli.conditions import Accept, Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.paint import Painted, bold, dim, line, stack, warn
from seefen.client.cli.saving import save
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import opened
from seefen.client.exporting import SHIFT_OVER, Export, as_json
from seefen.client.sheets import as_csv, things_from_csv

_KINDS: Final = ("csv", "json", "text")
_MARK: Final = "\ufeff"  # tells a spreadsheet that this is UTF-8; programs read a pipe


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(export)
    app.command()(items)


def _case_or_object(text: str) -> Reference:
    return reference(text) if "#" in text else Reference(case_name(text), 0)


def _kind(text: str) -> str:
    if text not in _KINDS:
        raise UsageError("this is no form of an export", f"one of: {', '.join(_KINDS)}")
    return text


def export(
    context: typer.Context,
    what: Annotated[
        Reference,
        typer.Argument(
            parser=_case_or_object, metavar="CASE[#n]", help="A case, a channel, or one message."
        ),
    ],
    as_: Annotated[
        str | None,
        typer.Option(
            "--as", parser=_kind, metavar="csv|json|text", help="Text: one message [csv]."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", parser=new_file, metavar="FILE", help="A new file, else printed."
        ),
    ] = None,
    with_persons: Annotated[
        bool, typer.Option("--with-persons", help="Also persons, plates and free text.")
    ] = False,
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
    accept: Accept = False,
) -> None:
    """Export what was opened here: seefen export SF-2026-SKP-00418 --as csv -o case.csv."""
    screen = Screen.of(context)
    if screen.machine and output is None and as_ not in (None, "json"):
        raise UsageError(f"--json prints JSON, and --as {as_} does not", "leave one of them out")
    kind = as_ or ("json" if screen.machine and output is None else "csv")
    if kind == "text" and not what.number:
        raise UsageError("as text one message is exported", "write CASE#number --as text")
    name = str(what) if what.number else what.case
    given = Conditions(purpose, basis, reason, accept)
    with opened(context) as session:
        made = under(
            session,
            given,
            lambda client, terms: client.export.make(
                name,
                with_persons=with_persons,
                purpose=terms.purpose,
                basis=terms.basis,
                reason=terms.reason,
                accept=terms.accept,
            ),
            name,
        )
    written = _written(made, kind)
    if output is None:
        sys.stdout.write(written)
    else:
        save(output, ((_MARK if kind == "csv" else "") + written).encode())
        screen.answer(_told(made, output))
    # What was exported may go through a pipe: what is to be known of it never does.
    Screen(machine=True).say(_summary(made, output))


def items(
    context: typer.Context,
    table: Annotated[
        Path, typer.Argument(parser=existing_file, metavar="FILE.csv", help="Weapons, row by row.")
    ],
) -> None:
    """Print the things of a table as JSON for a form: seefen items found.csv > items.json."""
    del context  # it needs no device
    print(json.dumps(things_from_csv(table.read_bytes()), ensure_ascii=False, indent=1))


def _written(made: Export, kind: str) -> str:
    if kind == "csv":
        return as_csv(made)
    if kind == "json":
        return as_json(made)
    return pasted.text(made.messages[0], with_persons=made.with_persons)


def _corrected(made: Export) -> Painted | None:
    wrong = [one.ref for one in made.messages if one.corrections]
    return warn(f"  corrected by their authors: {', '.join(wrong)}") if wrong else None


def _told(made: Export, output: Path) -> dict[str, object]:
    """Return for a program what was written, and what not."""
    counts = {
        "open": len(made.messages),
        "covers": len(made.covers),
        "left_out": len(made.left_out),
    }
    return {"file": str(output), **counts}


def _summary(made: Export, output: Path | None) -> Painted:
    closed = Counter(cover.why for cover in made.covers)
    left = Counter(out.why for out in made.left_out)
    where = f" to {output}" if output else ""
    return stack(
        line(bold(f"Exported {len(made.messages)} open message(s){where}.")),
        _corrected(made),
        *(line(f"  covers only: {n}, {why}") for why, n in closed.items()),
        *(line(f"  left out: {n}, {why}") for why, n in left.items()),
        dim("  --purpose trace --basis pcc-see (or yours) opens again what an earlier shift opened")
        if closed[SHIFT_OVER]
        else None,
        None if made.with_persons else dim("  without persons, plates and free text"),
        line(made.notice),
    )
