"""``seefen audit name``: who is behind a pseudonym, opened by two persons."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from seefen.client.audit.naming import FILE_LIMIT, Register, read_half, read_register
from seefen.client.cli.arguments import UsageError, existing_file, new_file
from seefen.client.cli.saving import save
from seefen.client.cli.session import Session, opened
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
        # Asked for before his half is entered: nobody else gives it again.
        typer.Option(
            "-o", "--output", parser=new_file, metavar="FILE", help="For a keyholder: his half."
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="With --is: over the name that stands there; entered.")
    ] = False,
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
    if anew and not is_:
        raise UsageError("--anew writes a name over another: --is is missing", "--is NAME --anew")
    book = _book(names, new=bool(is_) and not anew)
    with opened(context) as session:
        if is_ or book is None:
            _write(session, names, officer, is_, book, anew=anew)
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


def _book(names: Path, *, new: bool) -> Register | None:
    """Return the register in a file; None where there is none yet, and a ``new`` one will do."""
    if names.exists():
        return read_register(_read(names))
    if not new:
        raise UsageError(f"there is no file {names}", "an admin makes it: --is NAME")
    return None


def _write(
    session: Session, names: Path, officer: str, name: str, book: Register | None, *, anew: bool
) -> None:
    if anew and book is not None:
        made, entry = session.do(lambda client: client.audit.name_anew(officer, name, book))
        said, view = {"anew": True, "entry": entry}, persons.put_anew
    else:
        made = session.do(lambda client: client.audit.name_put(officer, name, book))
        said, view = {}, persons.put
    put_file(names, msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    session.screen.show({"officer": officer, "names": len(made.names), **said}, view)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_LIMIT)
