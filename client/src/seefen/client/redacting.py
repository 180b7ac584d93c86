"""What of a form leaves the vault without an officer's word: no persons, no free text.

A field passes because it is known to name nobody: a code, a number, a date, what stands on
metal. A text field that is not listed here stays back, and so does whatever a newer form
has that this version does not know.
"""

from typing import Any, Final, TypeAlias, cast

from msgspec import inspect

from seefen.protocol.messages import Form
from seefen.protocol.messages.shape import shape

Fields: TypeAlias = dict[str, Any]

_SHORT: Final = 40  # characters: dates, countries, evaluations, names of nodes
_AS_READ: Final = 80  # characters: what stands on metal
# A plate or a chassis number leads to a person as surely as a name does.
_OF_PERSONS: Final = frozenset({"plate", "trailer_plate", "vin", "number", "persons"})
_LINES: Final = frozenset((
    "make", "model", "variant", "calibre_as_read", "colour", "headstamp_maker", "place",
    "recovered_in", "national_ref", "ref", "our_ref", "report_ref", "name", "years", "start",
    "end", "crossing", "scale_name",
))  # fmt: skip
# Under which conditions it may be used goes with it, whatever else stays.
_ALWAYS: Final = frozenset({"conditions", "type", "v"})


def without_persons(type_: type[Form], fields: Fields) -> tuple[Fields, tuple[str, ...]]:
    """Return the fields of a form, as JSON, that name nobody; and the paths of the others."""
    left: list[str] = []
    kept = _kept(shape(type_), fields, "", left)
    return cast("Fields", kept), tuple(dict.fromkeys(left))


def _kept(info: inspect.Type, value: object, path: str, left: list[str]) -> object:
    info = _bare(info)
    if isinstance(info, inspect.UnionType):
        structs = [one for one in info.types if isinstance(one, inspect.StructType)]
        return _kept(structs[0], value, path, left) if structs and value else value
    if isinstance(info, inspect.VarTupleType) and isinstance(value, list):
        inner = info.item_type
        return [_kept(inner, one, path, left) for one in cast("list[object]", value)]
    if not isinstance(info, inspect.StructType) or not isinstance(value, dict):
        return value
    types = {field.encode_name: field.type for field in info.fields}
    made: Fields = {}
    for name, item in cast("Fields", value).items():
        below = f"{path}.{name}" if path else name
        if name in _ALWAYS or (name in types and _names_nobody(types[name], name)):
            made[name] = _kept(types[name], item, below, left) if name in types else item
        else:
            left.append(below)
    return made


def _names_nobody(info: inspect.Type, name: str) -> bool:
    if name in _OF_PERSONS:
        return False
    if isinstance(info, inspect.Metadata) and "codes" in (info.extra or {}):  # pyright: ignore[reportUnknownMemberType]
        return True
    bare = _bare(info)
    if isinstance(bare, inspect.VarTupleType):
        return _names_nobody(bare.item_type, name)
    if not isinstance(bare, inspect.StrType):
        return True
    longest = bare.max_length or 0
    return 0 < longest <= _SHORT or longest == _AS_READ or name in _LINES


def _bare(info: inspect.Type) -> inspect.Type:
    return info.type if isinstance(info, inspect.Metadata) else info
