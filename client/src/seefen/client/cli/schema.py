"""``seefen schema``: the forms, for whoever writes or reads our JSON without our code."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from seefen.client.cli import codes
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import Grid, Painted, bold, dim, safe, stack
from seefen.client.cli.screen import Screen
from seefen.client.cli.settings import settings
from seefen.client.cli.views.objects import draft
from seefen.client.codelists import Adopted, read
from seefen.client.exporting import json_schema
from seefen.client.labels import ENGLISH, label, mark
from seefen.protocol.messages import CATALOGUE, TABLES
from seefen.protocol.messages import schema as schema_of
from seefen.protocol.messages.sources import source


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schema)


def schema(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A form, a table of codes, or export.")
    ] = "",
) -> None:
    """List the forms, or print one as JSON Schema: seefen schema TraceRequest > trace.json."""
    screen = Screen.of(context)
    types = {type_.TYPE: type_ for type_ in CATALOGUE}
    if not name:
        screen.show(tuple(types), lambda _: _list())
    elif name in types:
        print(json.dumps(schema_of(name), ensure_ascii=False, indent=2))
    elif name == "export":
        print(json.dumps(json_schema(), ensure_ascii=False, indent=2))
    elif name in TABLES:
        adopted = {row.code: row for row in read(settings(context).home) if row.table == name}
        screen.show(TABLES[name], lambda codes: _codes(name, codes, adopted, screen.lang))
    else:
        raise UsageError(
            f"there is no form and no table {safe(name)}", "'seefen schema' lists the forms"
        )


def _list() -> Painted:
    rows = Grid("", "")
    for type_ in CATALOGUE:
        rows.row(bold(f"  {type_.TYPE}"), codes.message_type(type_.TYPE))
    return stack(
        rows.painted(),
        dim("'seefen schema NAME' prints its JSON Schema, 'seefen schema export' one of exports"),
        dim("Tables of codes: " + ", ".join(TABLES)),
    )


def _codes(table: str, codes: Iterable[str], adopted: Mapping[str, Adopted], lang: str) -> Painted:
    # Whoever reads a translation is told of each string whether somebody has read it.
    rows = Grid("CODE", "MEANS", "SOURCE", *(("WORDS",) if lang != ENGLISH else ()))
    for code in codes:
        one = adopted.get(code)
        said = f"{one.source} (adopted, version {one.version})" if one else source(table, code)
        words = (mark(lang, table, code),) if lang != ENGLISH else ()
        rows.row(code, label(lang, table, code), said, *words)
    return stack(rows.painted(), draft(lang))
