"""Values as JSON: what ``--json`` prints.

A dataclass or a message becomes an object with the names of its fields, bytes become
hex, an aware time becomes ISO 8601. Nothing is added and nothing left out, except fields
whose name begins with an underscore.
"""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import cast

import msgspec

from seefen.client.cli.paint import safe
from seefen.protocol.messages import Form, to_json


def plain(value: object) -> object:
    """Return a value in the terms of JSON.

    Raises:
        TypeError: JSON has no way to say this.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    return _composed(value)


def _composed(value: object) -> object:
    if isinstance(value, Form):
        # As a form says it: what is printed here can be given back with --form.
        return json.loads(to_json(value))
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {_key(key): plain(item) for key, item in pairs}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[object]", value)]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in cast("set[object]", value)), key=repr)
    if isinstance(value, msgspec.Struct):
        return _fields(value, value.__struct_fields__)
    if dataclasses.is_dataclass(value):
        return _fields(value, tuple(field.name for field in dataclasses.fields(value)))
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def _key(key: object) -> str:
    return str(plain(key))


def _fields(value: object, names: tuple[str, ...]) -> dict[str, object]:
    shown = (name for name in names if not name.startswith("_"))
    return {name: plain(getattr(value, name)) for name in shown}


def encode_json(value: object, *, indent: int | None = 2) -> str:
    """Return a value as JSON text that is safe to look at in a terminal."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    # JSON lets bidi marks and the like stand as they are; a terminal obeys them.
    return "".join(c if c == "\n" or safe(c) == c else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]
