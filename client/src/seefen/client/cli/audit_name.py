"""``seefen audit name``: who is behind a pseudonym, opened by two persons."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from seefen.client.audit.naming import FILE_LIMIT, read_half, read_register
from seefen.client.cli.arguments import UsageError, existing_file
from seefen.client.cli.saving import save
from seefen.client.cli.session import opened
from seefen.client.cli.views import persons
from seefen.client.keyfile import put_file


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command()(name)


def name(
    context: typer.Context,
    officer: Annotated[str, typer.Argument(metavar="PSEUDONYM", help="o-4f2a")],
    names: Annotated[
        Path, typer.Option("--register", metavar="FILE", help="The node's register of names.")
    ],
    is_: Annotated[str, typer.Option("--is", metavar="NAME", help="For an admin: who it is.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="For a keyholder: his half."),
    ] = None,
    half: Annotated[
        Path | None,
        typer.Option(
            "--half", parser=existing_file, metavar="FILE", help="For an auditor: that file."
        ),
    ] = None,
) -> None:
    """Open a pseudonym, two persons: seefen audit name o-4f2a --register names.json."""
    if [bool(is_.strip()), output is not None, half is not None].count(True) != 1:
        raise UsageError(
            "an admin writes a name (--is), a keyholder gives his half (-o), "
            "or an auditor takes it up (--half)",
            "seefen audit name o-4f2a --register names.json -o half.json, "
            "then --half half.json by the auditor",
        )
    if not names.exists() and not is_:
        raise UsageError(f"there is no file {names}", "an admin makes it: --is NAME")
    book = read_register(_read(names)) if names.exists() else None
    with opened(context) as session:
        if is_ or book is None:
            made = session.do(lambda client: client.audit.name_put(officer, is_, book))
            put_file(names, msgspec.json.format(msgspec.json.encode(made)) + b"\n")
            session.screen.show({"officer": officer, "names": len(made.names)}, persons.put)
        elif output is not None:
            given = session.do(lambda client: client.audit.name_half(officer, book))
            save(output, msgspec.json.format(msgspec.json.encode(given)) + b"\n")
            session.screen.show({"officer": officer, "entry": given.entry}, persons.half)
        elif half is not None:
            taken = read_half(_read(half))
            if taken.officer != officer:
                raise UsageError(f"this is a half of {taken.officer}", "name that one")
            told = session.do(lambda client: client.audit.name_told(book, taken))
            session.screen.show(told, persons.told)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_LIMIT)
