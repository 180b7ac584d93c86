"""The body of a message: what was filled in, field by field, codes in words.

A new type of message needs nothing here: names of fields are its labels.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

import msgspec

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, alarm, bold, dim, line, stack, warn
from seefen.client.labels import ENGLISH, label
from seefen.protocol.messages import Form, Message
from seefen.protocol.messages.shape import put_together, recoded, shape

# These are shown in the lines about use, or are for machines.
_ABOUT: Final = frozenset(field.name for field in msgspec.structs.fields(Message)) | {"*"}
_FIRST: Final = ("outcome", "answer", "status", "bcp", "place", "direction", "occurred_at")
_LAST: Final = ("text",)
# Fields whose value says by itself what it is; the others stand behind their names.
_SPEAKING: Final = frozenset((
    "category", "make", "model", "variant", "calibre", "plate", "colour", "place", "role", "name",
    "text", "event", "date", "actor", "actor_type", "channel", "years", "medium", "kind", "unit",
    "claim", "script", "scheme", "technical_state", "functional", "part",
))  # fmt: skip
_NAMED: Final = {"serial_as_read": "serial", "calibre_original": "made for", "evaluation": ""}
_THING: Final = frozenset(("category", "kind"))  # a group with one is a thing found
# What is so nearly always, and would only stand in the way.
_SILENT: Final = {
    ("kind", "object_kind", "firearm"), ("kind", "name_kind", "real"),
    ("serial_state", "serial_state", "present"), ("confidence", "confidence", "sure"),
    ("script", "script", "Latn"), ("scheme", "scheme", "original"), ("asked", "asked", "unknown"),
}  # fmt: skip
# They steer, and state nothing that could be evaluated: that nobody evaluated it is no news.
_STEERING: Final = frozenset((
    "ActionDay", "ActionReport", "Answer", "Closing", "CodelistUpdate", "EmergencyAsk",
    "EmergencyOpened", "EmergencyRefused", "ErasureConfirm", "Extension", "Flash", "Handover",
    "NodeStatus", "OnwardDecision", "OnwardRequest", "PairPolicy", "Presets", "Recall", "Roster",
    "Tally",
))  # fmt: skip
_UNEVALUATED: Final = "X4"
_DECADES: Final = 12  # powers of ten that are written out
_Silent: TypeAlias = frozenset[tuple[str, str]]
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def body(message: Form, lang: str = ENGLISH, *, beside: Iterable[tuple[str, str]] = ()) -> Painted:
    """Return the fields that were filled in, coded values in a language.

    ``beside`` are rows below them that stand in no field.
    """
    rows = Grid("", "")
    written = _with_ratio(_written(message, lang))
    silent = frozenset((name, label(lang, table, code)) for name, table, code in _SILENT)
    for name in _ordered(written):
        for place, text in enumerate(_lines(written[name], silent)):
            rows.row("" if place else dim(f"  {_label(name)}"), text)
    for name, text in beside:
        rows.row(dim(f"  {name}") if name else "", text)
    return stack(rows.painted(), _unknown(message.extra))


def terms(message: Form, lang: str = ENGLISH) -> Painted | None:
    """Return under which conditions a message may be used, with the sentences."""
    if not isinstance(message, Message):
        return None
    reason = message.urgency_reason
    urgency = label(lang, "urgency_reason", reason) if reason else ""
    return stack(
        alarm("EXERCISE: nothing of this is real.") if message.exercise else None,
        bold(codes.handling(message.handling, lang)),
        line("  conditions: ", message.conditions) if message.conditions else None,
        line(
            f"{message.tlp}{_evaluation(message, lang)} · {message.urgency}",
            f" ({urgency})" if urgency else "",
        ),
    )


def _evaluation(message: Message, lang: str) -> str:
    value = message.source_eval + message.info_eval
    if value == _UNEVALUATED and message.TYPE in _STEERING:
        return ""
    return f" · {codes.evaluation(value, lang)}"


def _written(message: Form, lang: str) -> dict[str, Any]:
    fields = msgspec.to_builtins(message, builtin_types=(bytes,))
    known = shape(type(message))
    in_words = recoded(known, fields, lambda _field, table, code: label(lang, table, code))
    written = cast("dict[str, Any]", put_together(known, in_words))
    extra = message.extra
    # Ids and hashes mean something to machines alone.
    return {
        name: value
        for name, value in written.items()
        if name not in _ABOUT and name not in extra and name != "v" and not isinstance(value, bytes)
    }


def _with_ratio(written: dict[str, Any]) -> dict[str, Any]:
    """Return fields with the decades of a likelihood ratio as the numbers a laboratory writes."""
    decades = [written[name] for name in ("lr_from", "lr_to") if written.get(name) is not None]
    if not decades:
        return written
    band = " to ".join(map(_power, dict.fromkeys(decades)))
    return {
        "likelihood_ratio" if name in ("lr_from", "lr_to") else name: value
        for name, value in {**written, "lr_from": band, "lr_to": band}.items()
    }


def _power(decade: int) -> str:
    if abs(decade) > _DECADES:
        return f"10^{decade}"  # whoever writes a number with a million zeros stops no screen
    number = f"{10 ** abs(decade):,}".replace(",", " ")
    return number if decade >= 0 else f"1/{number}"


def _unknown(extra: dict[str, Any]) -> Painted | None:
    """Say that there is more than this version knows, and show it as it came."""
    if not extra:
        return None
    rows = Grid("", "")
    for name, value in extra.items():
        rows.row(dim(f"  {_label(name)}"), _flat(value))
    return stack(warn("  Fields this version of seefen does not know:"), rows.painted())


def _ordered(names: Iterable[str]) -> list[str]:
    known = list(names)
    first = [name for name in _FIRST if name in known]
    last = [name for name in _LAST if name in known]
    return first + [name for name in known if name not in (*first, *last)] + last


def _label(name: str) -> str:
    return name.replace("_", " ")


def _lines(value: Any, silent: _Silent) -> Iterator[str]:
    """Yield a value as lines: a list of groups has one line for each."""
    parts = cast("list[object]", value) if isinstance(value, list) else []
    if any(isinstance(part, dict) for part in parts):
        for place, part in enumerate(parts, 1):
            # By the number its author gave it, by which it is asked about; else by its place.
            number = cast("dict[str, Any]", part).get("n") if isinstance(part, dict) else 0
            yield f"{number or place}. {_flat(part, silent)}"
    elif isinstance(value, str) and _MOMENT.fullmatch(value):
        at = datetime.fromisoformat(value)
        yield f"{times.moment(at, times.now())} ({times.zone(times.local(at))})"
    elif isinstance(value, str):
        yield from value.splitlines() or [""]
    else:
        yield _flat(value, silent)


def _flat(value: Any, silent: _Silent = frozenset()) -> str:
    if isinstance(value, dict):
        return _group(cast("dict[str, Any]", value), silent)
    if isinstance(value, list | tuple):
        parts = cast("list[Any]", value)
        gap = "; " if any(isinstance(part, dict) for part in parts) else ", "
        return gap.join(_flat(part, silent) for part in parts)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _group(fields: dict[str, Any], silent: _Silent) -> str:
    """Return a group as one line: what speaks for itself alone, the rest behind its name."""
    if "lat_e5" in fields and "lon_e5" in fields:
        return _position(fields)
    parts: list[str] = []
    many = f"{fields['qty']} x " if fields.get("qty", 1) != 1 else ""
    for name, value in fields.items():
        text = _flat(value, silent)
        if name in {"n", "*", "qty"} or (name, text) in silent:
            continue
        if name == "calibre_as_read" and _squeezed(text) == _squeezed(fields.get("calibre", "")):
            continue
        if name == "fact":
            parts.append("known" if value else "assessed")
        elif name in _SPEAKING:
            parts.append(text)
        else:
            parts.append(f"{_named(name, fields)} {text}".strip())
    return many + " · ".join(parts)


def _named(name: str, fields: dict[str, Any]) -> str:
    """Return how a field is called: the reference of a thing is its row in the list of arms."""
    if name == "ref" and fields.keys() & _THING:
        return "listed as"
    return _NAMED.get(name, _label(name))


def _position(fields: dict[str, Any]) -> str:
    latitude, longitude = fields["lat_e5"] / 1e5, fields["lon_e5"] / 1e5
    return f"{latitude:.5f}, {longitude:.5f} within {fields.get('radius_m', '?')} m"


def _squeezed(text: str) -> str:
    return text.lower().replace(" ", "").removesuffix("tok.")
