"""``seefen audit person``: a person asks what is kept of him; a keyholder and an auditor answer."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from seefen.client.audit.persons import PACK_LIMIT, read_pack
from seefen.client.cli.arguments import UsageError, existing_file, new_file
from seefen.client.cli.audit_inquiries import require_whole
from seefen.client.cli.saving import save
from seefen.client.cli.session import opened
from seefen.client.cli.views import persons
from seefen.protocol.errors import RefusedError


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command()(person)


def person(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="For a keyholder: who asks about himself.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", parser=new_file, metavar="FILE", help="References, for the auditor."
        ),
    ] = None,
    found: Annotated[
        Path | None,
        typer.Option(
            "--found", parser=existing_file, metavar="FILE", help="For the auditor: that file."
        ),
    ] = None,
) -> None:
    """Answer a person: a keyholder finds, an auditor says who saw: seefen audit person NAME."""
    if bool(name.strip()) == (found is not None):
        raise UsageError(
            "either a keyholder looks for a name, or an auditor takes up what was found",
            'seefen audit person "NAME" -o person.json, then --found person.json by the auditor',
        )
    if found is not None:
        data = _read(found)
        with opened(context) as session:
            pack = read_pack(data)
            sought = session.do(lambda client: client.audit.person_sought(pack))
            session.screen.say(persons.sought(sought))
            if session.screen.can_ask and not session.screen.confirm("Is that who asks?"):
                raise RefusedError("nothing was answered", rule="other-person")
            answer = session.do(lambda client: client.audit.person_seen(pack))
            session.screen.show(answer, persons.answer)
            require_whole(session)
        return
    if output is None:
        raise UsageError("where the references go is missing", "-o person.json")
    with opened(context) as session:
        made = session.do(lambda client: client.audit.person_found(name))
        save(output, msgspec.json.format(msgspec.json.encode(made)))
        session.screen.show(made, lambda pack: persons.found(pack, name))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PACK_LIMIT + 1)
