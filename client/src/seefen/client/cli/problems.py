"""All that is wrong with a form, named at once: a rule stops at the first thing it finds.

Where a rule refuses a field, something that may stand there is put in its place, and the form
is tried again. What is refused then, whatever was put there, is a problem of its own. What
depends on it is not named, it might be no problem at all: so all is tried several times, with
other things in the places, always the same ones for the same form.
"""

import re
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, Final, cast

from msgspec import inspect

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import CATALOGUE, TABLES, checked, message_from_form
from seefen.protocol.messages.catalogue import unknown_field
from seefen.protocol.messages.shape import shape, strangers

MOST: Final = 40  # problems, and values that are tried for one
_TRIES: Final = 4
_FIELD: Final = re.compile(r"([a-z_][\w.\[\]]*(?:, [a-z_][\w.\[\]]*)*): ")
_STEP: Final = re.compile(r"[^.\[\]]+")
_TEXTS: Final = (
    "-", "2026-03-14", "2026-03-14T02:00+01:00", "2026-03-14T03:00+01:00", "B3", "o-7f31",
    "belgrade-ffp", "",
)  # fmt: skip
_ABSENT: Final = object()
_PRESET: Final = "; or your node's presets fill it in"
_TYPES: Final = {type_.TYPE: type_ for type_ in CATALOGUE}


def problems(name: str, form: dict[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with the form of a message, a sentence each; none if it is right."""
    tries = [_found(name, form, Random(seed)) for seed in range(_TRIES)]  # noqa: S311
    return tuple(one for one in tries[0] if all(one in other for other in tries))


def _found(name: str, form: dict[str, Any], chance: Random) -> tuple[str, ...]:
    fields = _copy(form)
    known = shape(_TYPES[name])
    unknown = list(strangers(known, fields))
    found = [unknown_field(name, path, near) for path, near in unknown]
    for path, _ in unknown:
        _put(fields, path, _ABSENT)
    said, named = _tried(name, fields), True
    for _ in range(MOST):
        if not said:
            break
        if named:
            found.append(said)
        said, named = _without(name, fields, said, chance)
    return tuple(dict.fromkeys((*found, *(_unfilled(name, fields, form) if found else ()))))


def _tried(name: str, fields: dict[str, Any]) -> str:
    try:
        message_from_form(name, _copy(fields))
    except RefusedError as err:
        return str(err)
    return ""


def _without(name: str, fields: dict[str, Any], said: str, chance: Random) -> tuple[str, bool]:
    """Mend what was refused; return what is refused next, and whether it is one of its own."""
    paths, said, named = _fields_of(said), "", False
    for path in paths:
        outcomes = _outcomes(name, fields, path, chance)
        if not outcomes:
            return "", False
        times = Counter(refused for refused, _ in outcomes)
        next_ = "" if "" in times else times.most_common(1)[0][0]
        _put(fields, path, dict(reversed(outcomes))[next_])
        said, named = next_, 2 * times[next_] > times.total()
    return said, named


def _outcomes(
    name: str, fields: dict[str, Any], path: str, chance: Random
) -> list[tuple[str, object]]:
    """Return what is refused next for each value that mends a field, and the value."""
    found = list[tuple[str, object]]()
    for value in _values(_type_at(shape(_TYPES[name]), path), chance):
        mended = _copy(fields)
        if _put(mended, path, value) and path not in _fields_of(refused := _tried(name, mended)):
            found.append((refused, value))
    return found


def _unfilled(name: str, fields: dict[str, Any], form: dict[str, Any]) -> Iterator[str]:
    """Yield what this form, otherwise mended, still lacks where no presets are laid down."""
    try:
        message = message_from_form(name, _copy(fields))
    except RefusedError:
        return
    try:
        checked(message)
    except RefusedError as err:
        if not form.get("purpose") or not form.get("basis"):
            yield str(err) + _PRESET


def _fields_of(said: str) -> tuple[str, ...]:
    match = _FIELD.match(said)
    return tuple(match[1].split(", ")) if match else ()


def _type_at(info: inspect.Type, path: str) -> inspect.Type:
    for step in _STEP.findall(path):
        bare = info.type if isinstance(info, inspect.Metadata) else info
        if isinstance(bare, inspect.VarTupleType):
            info = bare.item_type
        elif isinstance(bare, inspect.StructType):
            types = [one.type for one in bare.fields if one.encode_name == step]
            info = types[0] if types else inspect.AnyType()
    return info


def _values(info: inspect.Type, chance: Random) -> list[object]:
    """Return what may stand in a field, as JSON has it; to leave it out is one of these."""
    found = [*list(_plain(info))[:MOST], _ABSENT]
    chance.shuffle(found)
    return found


def _plain(info: inspect.Type) -> Iterator[object]:
    if isinstance(info, inspect.Metadata):
        notes = cast("dict[str, str]", info.extra or {})  # pyright: ignore[reportUnknownMemberType]
        table = notes.get("codes", "")
        yield from _coded(info.type, table) if table else _plain(info.type)
    elif isinstance(info, inspect.StrType):
        yield from _TEXTS
    elif isinstance(info, inspect.IntType):
        yield from (1, 2, 0)
    elif isinstance(info, inspect.BytesType):
        yield from ("00" * 16, "00" * 32, "")
    elif isinstance(info, inspect.VarTupleType):
        yield from ([one] for one in _plain(info.item_type))
    elif isinstance(info, inspect.StructType):
        needed = [one for one in info.fields if one.required]
        yield {one.encode_name: next(_plain(one.type), "-") for one in needed}
    elif isinstance(info, inspect.BoolType):
        yield from (True, False)


def _coded(info: inspect.Type, table: str) -> Iterator[object]:
    if isinstance(info, inspect.DictType):
        yield from ({code: 1} for code in TABLES[table])
    else:
        yield from TABLES[table]


def _put(fields: dict[str, Any], path: str, value: object) -> bool:
    """Put a value at a path, where what stands around it is there; say whether it was."""
    *outer, last = _STEP.findall(path)
    place: Any = fields
    try:
        for step in outer:
            place = place[int(step) if isinstance(place, list) else step]
        if isinstance(place, list):
            place[int(last)] = None if value is _ABSENT else _copy(value)
        elif value is _ABSENT:
            place.pop(last, None)
        else:
            place[last] = _copy(value)
    except (AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_copy(one) for one in cast("list[object]", value)]
    return value
