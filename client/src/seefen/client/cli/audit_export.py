"""``seefen audit export`` and ``seefen evidence check``: what others verify without us."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from seefen.client import Client
from seefen.client.bundling import Exported
from seefen.client.cli import saving
from seefen.client.cli.arguments import INDEX, Of, UsageError, case_name, existing_file, new_file
from seefen.client.cli.complaints import REFUSED
from seefen.client.cli.paint import Painted, alarm, bold, dim, line, stack, whole
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import opened
from seefen.client.standalone import verify
from seefen.client.wording import counted
from seefen.protocol.errors import RefusedError

SHOWN: Final = 20  # findings
_TOLD: Final = ("entries", "size", "log_key", "net", "findings", "later", "cosigned", "erased")
group = typer.Typer(help="Evidence: what the log signed against itself, kept in DIR/evidence.")


@group.callback()
def evidence() -> None:
    """Make a group of it, with one command."""


def register(app: typer.Typer, audit: typer.Typer) -> None:
    """Add the commands."""
    audit.command("export")(export)
    app.add_typer(group, name="evidence")


def export(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=new_file, metavar="FILE.zip", help="New file.")
    ],
    case: Annotated[
        str | None, typer.Option(parser=case_name, metavar="CASE", help="One case alone.")
    ] = None,
    of: Of = None,
) -> None:
    """Export entries with all that proves them: seefen audit export -o march.zip."""
    if of is not None and case is not None:
        raise UsageError("a view shows no name of a case", "leave out --case: all of it is written")

    async def exported(client: Client) -> Exported:
        if of is not None:
            return await client.audit.export_view(of)
        return await client.audit.export(case=case)

    with opened(context) as session:
        made = session.do(exported)
        saving.save(output, made.data)
        said = {name: getattr(made, name) for name in _TOLD} | {"file": str(output)}
        session.screen.show(said, lambda _: _summary(made, output))
    if made.findings:
        raise typer.Exit(REFUSED)


@group.command()
def check(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(parser=existing_file, metavar="FILE.json ...", help="Of one log."),
    ],
    log_key: Annotated[
        str, typer.Option("--log-key", metavar="HEX", help="The log's key as you know it.")
    ] = "",
) -> None:
    """Say what files prove against the log: seefen evidence check fork.json theirs.json."""
    try:
        key = bytes.fromhex(log_key) if log_key else None
    except ValueError:
        hint = "64 digits of hex, as seefen audit export prints it"
        raise UsageError("this is no key of a log", hint) from None
    try:
        found = verify.check_evidence(files, key)
    except verify.WrongError as err:
        raise RefusedError(str(err), rule="evidence") from None
    screen = Screen.of(context)
    screen.show({"proved": found.good, "lines": found.lines}, _evidence)
    if not found.good:
        raise typer.Exit(REFUSED)


@group.command()
def save(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=new_file, metavar="FILE.json", help="New file.")
    ],
    at: Annotated[
        int | None,
        typer.Option("--at", min=1, max=INDEX, metavar="N", help="Prove the root at this size."),
    ] = None,
) -> None:
    """Save what the log signed for this device, for others: seefen evidence save -o ours.json."""
    with opened(context) as session:
        found = session.do(lambda client: client.audit.shown(at))
        saving.save(output, f"{json.dumps(found, indent=1)}\n".encode())
        session.screen.show({"file": str(output)}, _saved)


def _saved(said: dict[str, str]) -> Painted:
    return stack(
        line(bold(f"Saved the newest heads that this device was shown to {said['file']}.")),
        line("Give it to a node that was shown another log; with both files it runs"),
        line("  seefen evidence check theirs.json ours.json"),
    )


def _evidence(found: dict[str, Any]) -> Painted:
    return stack(*(line(one) for one in found["lines"]))


def _summary(made: Exported, output: Path) -> Painted:
    found = made.findings
    return stack(
        line(bold(f"Exported {counted(made.entries, 'entry', 'entries')} to {output}.")),
        None if found else line(f"  each proved in checkpoint {made.size}, {_cosigned(made)}"),
        line(f"  {made.later} newer ones are left out: no quorum of witnesses has seen them yet")
        if made.later
        else None,
        line(f"  {len(made.erased)} readings are left out: their text was erased")
        if made.erased
        else None,
        *(line(alarm("  NOT PROVED  ", finding)) for finding in found[:SHOWN]),
        line(f"  and {len(found) - SHOWN} more: python3 verify.py {output}")
        if len(found) > SHOWN
        else None,
        line("Whoever gets it runs, without seefen: unzip it, then"),
        line("  python3 verify.py . \\"),
        whole(f"    --log-key {made.log_key} \\"),
        whole(f"    --net {made.net}"),
        dim("  Give key and network by another way than the file: on the telephone, say."),
    )


def _cosigned(made: Exported) -> str:
    count, of, needed = made.cosigned
    if not needed:
        return "no witness required" if of else "no witness"
    return f"cosigned by {count} of {of} witnesses"
