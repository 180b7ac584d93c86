"""``seefen audit report``: the statement of a month, on the screen, as CSV, or as PDF."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from seefen.client.audit.reporting import Statement
from seefen.client.audit.vouching import LIMIT, SUFFIX
from seefen.client.cli.arguments import UsageError, existing_file, new_file
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.paint import Painted, dim, safe, stack
from seefen.client.cli.saving import save
from seefen.client.cli.session import opened
from seefen.client.cli.views import inquiries

_KINDS: Final = (".csv", ".pdf")


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command()(report)


def report(
    context: typer.Context,
    month: Annotated[str, typer.Argument(metavar="2026-03", help="A month, by UTC.")] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", parser=new_file, metavar="FILE", help="A new file, .csv or .pdf."
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check", parser=existing_file, metavar="FILE", help="Is it as its maker signed it?"
        ),
    ] = None,
) -> None:
    """Print the statement of a month (Article 25): seefen audit report 2026-03 -o march.pdf."""
    if bool(month) == (check is not None) or (check and output):
        raise UsageError(
            "either a month is stated, or a statement is checked",
            "seefen audit report 2026-03 -o march.pdf, or seefen audit report --check march.pdf",
        )
    if check is not None:
        _check(context, check)
        return
    signed = None if output is None else _beside(output)
    with opened(context) as session:
        made = session.do(lambda client: client.audit.report(month))
        if output is None or signed is None:
            session.screen.show(made, inquiries.statement)
        else:
            data = _written(output.suffix.lower(), made)
            digest = session.do(lambda client: client.audit.vouch(made, output.name, data))
            save(output, data)
            save(signed, digest)
            said = {"file": str(output), "signed": str(signed), "ok": made.ok,
                    "verdict": made.verdict, "size": made.head}  # fmt: skip
            session.screen.show(said, lambda _: _said(output, signed))
    if not made.ok:
        raise typer.Exit(REFUSED)


def _beside(output: Path) -> Path:
    """Return where the signed digest of a new statement goes."""
    if output.suffix.lower() not in _KINDS:
        raise UsageError(f"'{safe(output.name)}' is no file of a statement", "name it .csv or .pdf")
    return new_file(f"{output}{SUFFIX}")


def _said(output: Path, signed: Path) -> Painted:
    return stack(
        dim(f"{output}: what could not be checked is printed on it, too."),
        dim(f"{signed}: its digest, signed. Keep both; 'seefen audit report --check {output}'."),
    )


def _check(context: typer.Context, path: Path) -> None:
    signed = existing_file(f"{path}{SUFFIX}")
    with signed.open("rb") as file:
        note = file.read(LIMIT + 1)
    data = path.read_bytes()
    with opened(context) as session:
        found = session.do(lambda client: client.audit.vouched(data, note))
        session.screen.show(found, inquiries.vouched)
    if found.problems or found.open:  # a script must not take for checked what was not
        raise typer.Exit(REFUSED)


def _written(kind: str, made: Statement) -> bytes:
    # Drawing a page takes half a second to import: no other command pays for it.
    module = import_module("seefen.client.statements")
    write: Callable[[Statement], str | bytes]
    write = module.statement_pdf if kind == ".pdf" else module.statement_csv
    data = write(made)
    return data if isinstance(data, bytes) else data.encode("utf-8-sig")
