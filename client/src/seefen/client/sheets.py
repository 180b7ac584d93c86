"""Tables for spreadsheets and i2 iBase: exports as CSV, and CSV as the things of a form.

A cell that begins like a formula is one, for a spreadsheet: ``=HYPERLINK(...)`` in a serial
number would run on the desk of whoever opens the table (OWASP, CSV injection). It gets an
apostrophe in front, after each separator inside as well: which of them the reader splits at
depends on the country. Reading takes exactly these apostrophes off again.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from seefen.client.exporting import Export, ExportedCover, ExportedMessage
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import message_from_form, to_json
from seefen.protocol.messages.firearm import NUMBER

Cells: TypeAlias = dict[str, str]
Fields: TypeAlias = Mapping[str, Any]

_ITEM: Final = (
    "n", "qty", "unit", "kind", "category", "make", "model", "variant", "confidence", "country",
    "year", "calibre", "calibre_original", "calibre_as_read", "serial_as_read", "serial_state",
    "component_serials", "markings", "technical_state", "conversion", "functional", "loaded",
    "legal_status", "legal_status_claim", "headstamp_as_read", "headstamp_maker", "projectile",
    "lot", "mass_g", "state", "thing_text",
)  # fmt: skip
_MESSAGE: Final = (
    "status", "occurred_at", "recovered_at", "since", "place", "recovered_in", "setting", "bcp",
    "direction", "transport", "moving", "urgency", "purpose", "basis", "offence", "illicit_nature",
    "outcome", "notice", "national_ref", "lang", "exercise",
)  # fmt: skip
_VEHICLE: Final = ("state", "make", "model", "colour", "plate", "trailer_plate", "vin")
COLUMNS: Final = (
    "ref", "date", "node", "officer", "type", "subject", "open", "handling", "handling_text",
    "conditions", "tlp", "evaluation", "reply_to", "corrected_by", "corrected_was", "corrected_now",
    "thing", *_ITEM, *_MESSAGE, "route",
    "concealment", "other_channels", *(f"vehicle_{name}" for name in _VEHICLE), "persons", "text",
)  # fmt: skip
# Where the things stand in a form, and what a row of each kind is called.
_THINGS: Final = {
    "weapon": "items",
    "ammunition": "ammunition",
    "explosive": "explosives",
    "part": "parts",
}
_TRACE: Final = "trace"  # of a laboratory: a cartridge case, a bullet; no thing that was found
_LISTS: Final = {"markings": "kind", "component_serials": "part"}
_NUMBERS: Final = frozenset({"n", "qty", "year", "mass_g"})
_ROWS: Final = 1000
_BYTES: Final = 4 << 20

_FORMULA: Final = r"(?=[ '\"\u00a0]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
_OPENS: Final = re.compile(rf"(\A|[;,|\t\r\n]){_FORMULA}")
_OPENED: Final = re.compile(rf"(\A|[;,|\t\r\n])'{_FORMULA}")


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return _OPENS.sub(r"\1'", cell)


def restored(cell: str) -> str:
    """Return the cell that :func:`neutral` was given."""
    return _OPENED.sub(r"\1", cell)


def as_csv(export: Export) -> str:
    """Return an export as CSV (RFC 4180): a row for each thing, message without one, or cover."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for cells in _rows(export):
        writer.writerow([neutral(cells.get(name, "")) for name in COLUMNS])
    return out.getvalue()


def as_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under a head as CSV, written as an export is."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([neutral(str(cell)) for cell in row] for row in rows)
    return out.getvalue()


def _rows(export: Export) -> Iterator[Cells]:
    for message in export.messages:
        own = _of_message(message)
        things = [*_things(message)] or [{}]
        yield from ({**own, **thing} for thing in things)
    for cover in export.covers:
        yield _of_cover(cover)


def _of_cover(cover: ExportedCover | ExportedMessage) -> Cells:
    return {
        "ref": cover.ref,
        "date": datetime.fromtimestamp(cover.recorded_at, UTC).isoformat(timespec="seconds"),
        "node": cover.sender,
        "officer": cover.officer,
        "type": cover.type,
        "subject": cover.subject,
        "open": "no" if isinstance(cover, ExportedCover) else "yes",
        "handling": cover.handling,
        "handling_text": cover.handling_text,
        "reply_to": cover.reply_to,
        "exercise": _cell(cover.exercise),
    }


def _of_message(one: ExportedMessage) -> Cells:
    said = one.message
    vehicle = cast("Fields", said.get("vehicle", {}))
    channels = cast("list[Fields]", said.get("other_channels", []))
    route = cast("list[Fields]", said.get("route", []))
    return {
        **_of_cover(one),
        **({"node": one.original_of, "officer": ""} if one.original_of else {}),
        "conditions": one.conditions,
        "tlp": one.tlp,
        "evaluation": one.evaluation,
        "corrected_by": _joined(said.ref for said in one.corrections),
        "corrected_was": _joined(said.was for said in one.corrections),
        "corrected_now": _joined(said.now for said in one.corrections),
        **{name: _cell(said[name]) for name in _MESSAGE if name in said},
        **{f"vehicle_{name}": _cell(vehicle[name]) for name in _VEHICLE if name in vehicle},
        "concealment": _cell(said.get("concealment", "")),
        "route": _joined(f"{leg.get('role', '')}:{leg.get('place', '')}" for leg in route),
        "other_channels": _joined(f"{c['channel']}:{c.get('ref', '')}" for c in channels),
        "persons": json.dumps(said["persons"], ensure_ascii=False) if "persons" in said else "",
        "text": _cell(said.get("text", "")),
    }


def _things(message: ExportedMessage) -> Iterator[Cells]:
    said = message.message
    for thing, name in _THINGS.items():
        found = cast("list[Fields]", said.get(name, []))
        if thing == "weapon" and "item" in said:
            found = [cast("Fields", said["item"])]
        of_lab = thing == "weapon" and message.type == "BallisticRequest"
        kind = _TRACE if of_lab else thing
        for one in found:
            cells = {field: _cell(one[field]) for field in _ITEM if field in one}
            cells["thing_text"] = _cell(one.get("text", ""))
            lists = {field: _pairs(one[field], of) for field, of in _LISTS.items() if field in one}
            row = {"thing": kind, "qty": "1", **cells, **lists}
            # A number alone is on a weapon of another row: a sum over the table is of weapons.
            yield row | {"qty": ""} if cells.get("kind") == NUMBER else row


def _pairs(value: list[Fields], of: str) -> str:
    """Return marks as ``property@frame:TEXT``."""
    where = [f"@{mark['place']}" if mark.get("place") else "" for mark in value]
    said = zip(value, where, strict=True)
    return _joined(f"{mark.get(of, '')}{place}:{mark.get('text', '')}" for mark, place in said)


def _joined(parts: Iterable[str]) -> str:
    """Return parts with ``|`` between them; one inside a part is escaped."""
    return " | ".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return _joined(str(part) for part in cast("list[object]", value))
    return str(value)


# --- the other way ------------------------------------------------------------------


def things_from_csv(data: bytes) -> dict[str, Any]:
    """Return ``items``, ``ammunition``, ``explosives`` and ``parts`` of a form from a table.

    Columns are the fields of the thing; those of an export that say something else are passed
    over. A column ``thing`` says what a row is; without it each is a weapon. Rows of an export
    that hold no thing are passed over as well.

    Raises:
        RefusedError: What does not fit, and in which row; the head is row 1.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for number, cells in _read(data):
        thing = cells.pop("thing", "" if "ref" in cells else "weapon")
        if thing in ("", _TRACE) and "ref" in cells:
            continue  # a message of an export that names no thing that was found
        name = _THINGS.get(thing)
        if name is None:
            raise _misfit(number, f"thing: write one of {', '.join(_THINGS)}, not {thing}")
        found.setdefault(name, []).append(_thing(number, name, cells))
    if not found:
        raise RefusedError("there is no thing in this table", rule="table")
    return found


def _read(data: bytes) -> Iterator[tuple[int, Cells]]:
    """Yield the rows that are not empty, with their numbers, by the names of the columns."""
    rows = _split(data)
    _, head = next(rows, (1, list[str]()))
    head = [restored(cell).strip() for cell in head]
    _check_head(head)
    if "ref" not in head:  # in an export it is the text of the message
        head = ["thing_text" if name == "text" else name for name in head]
    for number, row in rows:
        if number > _ROWS + 1:
            raise RefusedError(f"the table has more than {_ROWS} rows: split it", rule="table")
        if not any(row):
            continue
        if len(row) != len(head):
            raise _misfit(number, f"{len(row)} cells under {len(head)} columns")
        yield number, {k: restored(v) for k, v in zip(head, row, strict=True) if v}


def _split(data: bytes) -> Iterator[tuple[int, list[str]]]:
    if len(data) > _BYTES:
        raise RefusedError(f"the table has more than {_BYTES >> 20} MiB: split it", rule="table")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError("the table is no UTF-8: save it as 'CSV UTF-8'", rule="table") from None
    # A spreadsheet saves with the separator of its country.
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        yield from enumerate(reader, 1)
    except csv.Error as err:
        raise RefusedError(f"the table is no CSV: {err}", rule="table") from None


def _check_head(head: list[str]) -> None:
    unknown = [name for name in head if name not in COLUMNS]
    known = ", ".join(("thing", *_ITEM, "text"))
    if not any(head):
        raise _misfit(1, f"it is empty: it names the columns, some of {known}")
    twice = {name for name in head if head.count(name) > 1}
    if twice:
        raise _misfit(1, f"the column {min(twice)} stands twice")
    if unknown:
        raise _misfit(1, f"no field of a thing is called '{', '.join(unknown)}'; known: {known}")


def _thing(number: int, name: str, cells: Cells) -> dict[str, Any]:
    fields = {field: cells[field] for field in _ITEM if field in cells}
    one: dict[str, object] = {f: _value(number, f, cell) for f, cell in fields.items()}
    if "thing_text" in one:
        one["text"] = one.pop("thing_text")
    try:
        made = message_from_form("SeizureAlert", {"place": "-", name: [one]})
    except RefusedError as err:
        raise _misfit(number, str(err).replace(f"{name}[0].", "").replace("[...]", "")) from None
    return cast("dict[str, Any]", json.loads(to_json(made))[name][0])


def _value(number: int, field: str, cell: str) -> object:
    if field in _NUMBERS:
        if not (cell.isascii() and cell.isdecimal() and len(cell) < 12):
            raise _misfit(number, f"{field}: write a whole number, not {cell}")
        return int(cell)
    if field == "loaded":
        if cell not in ("yes", "no"):
            raise _misfit(number, f"loaded: write yes or no, not {cell}")
        return cell == "yes"
    if field == "conversion":
        return _parts(cell)
    if field in _LISTS:
        return [_mark(number, field, part) for part in _parts(cell)]
    return cell


def _mark(number: int, field: str, part: str) -> dict[str, str]:
    what, colon, text = part.partition(":")
    kind, _, place = what.partition("@")
    if not colon:
        raise _misfit(number, f"{field}: write KIND:TEXT, several with | between them")
    return {_LISTS[field]: kind, "text": text, **({"place": place} if place else {})}


def _parts(cell: str) -> list[str]:
    # One that stands in a text has a backslash, and no blank, before it.
    return [re.sub(r"\\([\\|])", r"\1", part) for part in cell.split(" | ")]


def _misfit(number: int, why: str) -> RefusedError:
    return RefusedError(f"row {number}: {why}", rule="table")
