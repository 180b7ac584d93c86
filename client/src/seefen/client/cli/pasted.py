"""One message as plain text, in the order of a SIENA or I-24/7 form, for pasting there.

How it may be used stands first; then who, what, when, where, and thing by thing.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from seefen.client.cli import codes, times
from seefen.client.cli.paint import safe
from seefen.client.exporting import ExportedMessage
from seefen.protocol.messages import CATALOGUE, TABLES, Form, Message, label
from seefen.protocol.messages.shape import recoded, shape

_TYPES: Final[dict[str, type[Form]]] = {type_.TYPE: type_ for type_ in CATALOGUE}
_WIDTH: Final = 24  # columns of the names
_ABOUT: Final = frozenset(Message.__struct_fields__) | {"type", "v"}
_WHO: Final = ("persons", "persons_count", "victims", "perpetrators", "owner_type")
_WHEN: Final = (
    "occurred_at", "recovered_at", "since", "happened_from", "happened_until", "valid_until",
    "expected", "until",
)  # fmt: skip
_WHERE: Final = (
    "setting", "place", "recovered_in", "bcp", "direction", "position", "transport", "moving",
    "vehicle", "concealment", "route",
)  # fmt: skip
_THINGS: Final = ("item", "items", "ammunition", "explosives", "parts")
_WORDS: Final = ("circumstances", "text")


def text(one: ExportedMessage, *, with_persons: bool) -> str:
    """Return the text; nothing in it is obeyed by a terminal."""
    return "".join(f"{safe(row)}\n" for row in _text(one, with_persons=with_persons))


def _text(one: ExportedMessage, *, with_persons: bool) -> Iterator[str]:
    type_ = _TYPES[one.type]
    written = recoded(shape(type_), one.message, lambda _field, table, code: label(table, code))
    said = cast("dict[str, Any]", written)
    yield from _wrong(one)
    yield from _use(one)
    yield ""
    yield from _about(one, said)
    placed = {*_ABOUT, *_WHO, *_WHEN, *_WHERE, *_THINGS, *_WORDS}
    what = [name for name in said if name not in placed]
    for head, names in (("WHO", _WHO), ("WHAT", what), ("WHEN", _WHEN), ("WHERE", _WHERE)):
        yield from _section(head, {name: said[name] for name in names if name in said})
    for name in _THINGS:
        if name in said:
            yield from _each(name, said[name])
    yield from _section("IN WORDS", {name: said[name] for name in _WORDS if name in said})
    if one.left_out_fields and not with_persons:
        yield ""
        yield f"Not in this text: {', '.join(one.left_out_fields)}."


def _wrong(one: ExportedMessage) -> Iterator[str]:
    """Say first what its author has corrected: below stands what was sent."""
    for said in one.corrections:
        was = said.was or "what is right"
        what = f"{was} is {said.now}" if said.now else "what is right is not in this text"
        yield f"CORRECTED BY ITS AUTHOR ({said.ref}): {what}"


def _use(one: ExportedMessage) -> Iterator[str]:
    if one.exercise:
        yield "EXERCISE: nothing of this is real."
    yield _row("HANDLING CODE", codes.handling(one.handling))
    yield from _rows("CONDITIONS", one.conditions or "none")
    tlp = TABLES["tlp"].get(one.tlp)
    yield _row("TLP", f"{one.tlp}: {tlp}" if tlp else one.tlp)
    yield _row("EVALUATION", codes.evaluation(one.evaluation))


def _about(one: ExportedMessage, said: dict[str, Any]) -> Iterator[str]:
    coded = cast("dict[str, str]", one.message)
    yield _row("FORM", codes.message_type(one.type))
    sent = f"{one.sender} ({one.officer})"
    yield _row("FROM", f"{one.original_of}, forwarded by {sent}" if one.original_of else sent)
    yield _row("REFERENCE", one.ref)
    rows = {
        "THEIR OWN REFERENCE": said.get("national_ref"),
        "ANSWERS": one.reply_to,
        "SENT": times.deadline(one.created_at),  # read elsewhere, on another day, in another zone
        "URGENCY": f"{coded.get('urgency', '')}: {said.get('urgency', '')}",
        "REASON FOR URGENCY": said.get("urgency_reason"),
        "PURPOSE": said.get("purpose"),
        "LEGAL BASIS": said.get("basis"),
        "OFFENCE": said.get("offence"),
        "OTHER CHANNELS": "; ".join(map(_flat, said.get("other_channels", ()))),
    }
    yield from (_row(name, value) for name, value in rows.items() if value)


def _section(head: str, fields: dict[str, Any]) -> Iterator[str]:
    if not fields:
        return
    yield ""
    yield head
    for name, value in fields.items():
        yield from _rows(_name(name), value)


def _each(name: str, value: Any) -> Iterator[str]:
    found = cast("list[dict[str, Any]]", value if isinstance(value, list) else [value])
    single = {"items": "item", "explosives": "explosive", "parts": "part"}.get(name, name)
    for place, fields in enumerate(found, 1):
        number = f" {place}" if len(found) > 1 else ""
        yield from _section(f"{_name(single).upper()}{number}", fields)


def _rows(name: str, value: Any) -> Iterator[str]:
    parts = cast("list[object]", value) if isinstance(value, list) else []
    if any(isinstance(part, dict) for part in parts):
        lines = [_flat(part) for part in parts]
    else:
        lines = _flat(cast("object", value)).splitlines() or [""]
    yield _row(name, lines[0])
    yield from (_row("", more) for more in lines[1:])


def _row(name: str, value: object) -> str:
    return f"{name + ':' if name else '':<{_WIDTH}}{value}"


def _flat(value: object) -> str:
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return ", ".join(f"{_name(name)} {_flat(one)}" for name, one in pairs)
    if isinstance(value, list):
        return ", ".join(_flat(one) for one in cast("list[object]", value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _name(field: str) -> str:
    return field.replace("_", " ")
