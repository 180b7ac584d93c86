"""Walks over the fields of forms: unknown fields kept, empty ones left out, codes and text checked.

A form is read by types that may be older than it. What they do not know is moved into
``extra`` of the group it stands in, at any depth, and put back when the form is written:
an old client passes a new form on whole.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from typing import Final, cast

import msgspec
from msgspec import inspect

from seefen.protocol.errors import RefusedError

UNKNOWN: Final = "*"  # where ``extra`` stands between reading and converting; no field is called so
OUTSIDE: Final = ("type", "v", "message_id")  # said of a form, and no fields of it to fill in
_BEGINS: Final = 3  # letters by which a field that is cut short is known: ammo, ammunition
_FIELD: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
_STEP: Final = re.compile(r"\.([a-z0-9_]+)|\[(\d+|\.\.\.)\]")
# Not shown at all, or they turn the order of what follows: with them one serial number
# is made to look like another.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")


@cache
def shape(type_: type[msgspec.Struct]) -> inspect.StructType:
    """Return the fields of a form or a group of fields."""
    return cast("inspect.StructType", inspect.type_info(type_))


@cache
def _types(type_: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    fields = shape(type_).fields
    return {field.encode_name: field.type for field in fields if field.encode_name != UNKNOWN}


@cache
def _groups(type_: type[msgspec.Struct]) -> frozenset[str]:
    """Return the fields that may hold groups of fields: only in those is there more to look for."""
    return frozenset(name for name, info in _types(type_).items() if _holds_group(info))


def _holds_group(info: inspect.Type) -> bool:
    info, _ = _bare(info)
    if isinstance(info, inspect.VarTupleType):
        return _holds_group(info.item_type)
    return isinstance(info, inspect.StructType)


def set_apart(info: inspect.Type, value: object) -> object:
    """Return decoded fields with all that ``info`` does not know moved under ``*``.

    Raises:
        ValueError: A field has a name that no form may use.
    """
    info, _ = _bare(info)
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        return _set_apart_fields(info.cls, cast("dict[object, object]", value))
    if isinstance(info, inspect.VarTupleType) and isinstance(value, list | tuple):
        return [set_apart(info.item_type, item) for item in cast("list[object]", value)]
    return value


def _set_apart_fields(type_: type[msgspec.Struct], given: dict[object, object]) -> object:
    types = _types(type_)
    if not given.keys() <= types.keys():
        unknown = given.keys() - types.keys()
        if not all(isinstance(name, str) and _FIELD.match(name) for name in unknown):
            raise ValueError("a field has a name that no form may use")
        rest = {k: v for k, v in given.items() if k in unknown}
        made = {**{k: v for k, v in given.items() if k not in unknown}, UNKNOWN: rest}
    else:
        made = given
    fields = cast("dict[str, object]", made)
    groups = [name for name in _groups(type_) if name in fields]
    return {**fields, **{k: set_apart(types[k], fields[k]) for k in groups}} if groups else fields


def put_together(info: inspect.Type, value: object) -> object:
    """Return the fields as they are written: unknown ones back in, empty ones left out.

    Only what is empty is left out: a condition that is written nowhere would change its
    meaning with the default of whoever reads it.
    """
    info, _ = _bare(info)
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        given = cast("dict[str, object]", value)
        known = {
            field.encode_name: written
            for field in info.fields
            if field.encode_name != UNKNOWN and field.encode_name in given
            if not _is_empty(field, written := put_together(field.type, given[field.encode_name]))
        }
        return {**cast("dict[str, object]", given.get(UNKNOWN, {})), **known}
    if isinstance(info, inspect.VarTupleType):
        return [put_together(info.item_type, item) for item in cast("list[object]", value)]
    return value


def _is_empty(field: inspect.Field, value: object) -> bool:
    if value or field.required:
        return False
    # Not loaded is something else than not looked whether it is loaded.
    return value is not False or field.default is False


def hexed(value: object) -> object:
    """Return fields as JSON can hold them: bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: hexed(v) for k, v in cast("dict[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [hexed(item) for item in cast("list[object]", value)]
    return value


def unhexed(info: inspect.Type, value: object) -> object:
    """Return fields of JSON with hex turned to bytes where bytes are meant.

    Raises:
        ValueError: No hex where there should be.
    """
    info, _ = _bare(info)
    if isinstance(info, inspect.BytesType) and isinstance(value, str):
        return bytes.fromhex(value)
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        types = _types(info.cls)
        given = cast("dict[str, object]", value)
        return {k: unhexed(types[k], v) if k in types else v for k, v in given.items()}
    if isinstance(info, inspect.VarTupleType) and isinstance(value, list):
        return [unhexed(info.item_type, item) for item in cast("list[object]", value)]
    return value


Choose = Callable[[str, str, str], str]


def recoded(info: inspect.Type, value: object, choose: Choose, path: str = "") -> object:
    """Return fields with each code replaced by ``choose(field, table, code)``.

    Args:
        choose: May raise: so it checks codes, too. It is not asked about empty fields.
    """
    info, notes = _bare(info)
    table = notes.get("codes")
    if table is not None and isinstance(value, dict):  # codes are the keys: counts by role
        counts = cast("dict[str, object]", value)
        return {choose(path, table, key): count for key, count in counts.items()}
    if table is not None and isinstance(value, str) and value:
        return choose(path, table, value)
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        types = _types(info.cls)
        return {
            name: recoded(types[name], item, choose, f"{path}.{name}" if path else name)
            if name in types
            else item
            for name, item in cast("dict[str, object]", value).items()
        }
    if isinstance(info, inspect.VarTupleType) and isinstance(value, list | tuple):
        items = enumerate(cast("list[object]", value))
        return [recoded(info.item_type, item, choose, f"{path}[{n}]") for n, item in items]
    return value


def written(info: inspect.Type, value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of all that a person wrote, and not what he read from metal."""
    info, notes = _bare(info)
    if isinstance(value, str) and "as_read" not in notes:
        yield path, value
    elif isinstance(info, inspect.StructType) and isinstance(value, dict):
        types = _types(info.cls)
        for name, item in cast("dict[str, object]", value).items():
            inner = f"{path}.{name}" if path else name
            yield from written(types.get(name, inspect.AnyType()), item, inner)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, object]", value).items():
            yield path, name
            yield from written(inspect.AnyType(), item, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        item_type = info.item_type if isinstance(info, inspect.VarTupleType) else inspect.AnyType()
        for n, item in enumerate(cast("list[object]", value)):
            yield from written(item_type, item, f"{path}[{n}]")


def strangers(
    info: inspect.Type, value: object, path: str = ""
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the path of each field of a filled-in form that its form does not have.

    With it come the names, at most three, that its writer may have meant.
    """
    info, _ = _bare(info)
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        types = _types(info.cls)
        for name, item in cast("dict[str, object]", value).items():
            inner = f"{path}.{name}" if path else name
            if name in types:
                yield from strangers(types[name], item, inner)
            elif path or name not in OUTSIDE:
                yield inner, _meant(name, types)
    elif isinstance(info, inspect.VarTupleType) and isinstance(value, list | tuple):
        for n, item in enumerate(cast("list[object]", value)):
            yield from strangers(info.item_type, item, f"{path}[{n}]")


def _meant(name: str, known: Iterable[str]) -> tuple[str, ...]:
    written = name.lower()
    near = get_close_matches(written, known, 3, 0.6)
    begun = [one for one in known if one[:_BEGINS] == written[:_BEGINS]]
    return tuple(dict.fromkeys((*near, *begun)))[:3]


def hint(info: inspect.Type, path: str) -> str:
    """Return what to write in the field at ``path``, where its type says it; else nothing."""
    for step in _STEP.finditer(path):
        info, _ = _bare(info)
        if isinstance(info, inspect.VarTupleType):
            info = info.item_type
        elif isinstance(info, inspect.StructType):
            found = [f.type for f in info.fields if f.encode_name == step[1]]
            if not found:
                return ""
            info = found[0]
    return _bare(info)[1].get("hint", "")


def check_texts(value: object, path: str = "") -> None:
    """Check that no text hides something from whoever reads it.

    Raises:
        RefusedError: Control, invisible or direction characters, or combining marks.
    """
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            _check_text(key, path)
            check_texts(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for n, item in enumerate(cast("list[object]", value)):
            check_texts(item, f"{path}[{n}]")


def _check_text(text: str, path: str) -> None:
    if text.isascii() and text.isprintable():
        return
    for char in text.replace("\n", ""):
        if unicodedata.category(char) in _HIDDEN or char in _BLANK or _is_selector(char):
            raise RefusedError(
                f"{path} holds an invisible character (U+{ord(char):04X}), which can make one "
                "text look like another: delete it and type the text again",
                rule="hidden-character",
            )
    if not unicodedata.is_normalized("NFC", text):
        # The text is kept as it was read, so it is not mended here.
        raise RefusedError(
            f"{path} holds a letter and its accent as two characters: type it as one letter",
            rule="not-nfc",
        )


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _bare(info: inspect.Type) -> tuple[inspect.Type, dict[str, str]]:
    """Return a type without its notes, and the notes."""
    if isinstance(info, inspect.Metadata):
        return info.type, cast("dict[str, str]", info.extra or {})  # pyright: ignore[reportUnknownMemberType]
    return info, {}
