"""JSON Schemas of the message types, for whoever writes or reads our JSON without our code."""

import re
from typing import Any, Final, cast

import msgspec

from seefen.protocol.messages.catalogue import CATALOGUE
from seefen.protocol.messages.shape import UNKNOWN

# Docstrings speak to whoever reads the code: :class:`~a.b.Flash` and ``flash`` are Flash and flash.
_MARKUP: Final = re.compile(r"(?::[a-z]+:)?`{1,2}~?(?:[\w.]*\.)?([^`]*)`{1,2}")
_BY_NAME: Final = {type_.TYPE: type_ for type_ in CATALOGUE}
# msgspec writes bytes as base64 and says so by length; ours are hex.
_HEX_LENGTHS: Final = {24: 32, 44: 64}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a message type; unknown fields are allowed.

    Raises:
        ValueError: There is no such type.
    """
    if name not in _BY_NAME:
        raise ValueError(f"no such message: {name}")
    made = cast("dict[str, Any]", _ours(msgspec.json.schema(_BY_NAME[name])))
    whole = made["$defs"][name]
    whole["properties"] = {"type": {"const": name}, **whole["properties"]}
    required = {"type", "v", *whole.get("required", [])}
    if "message_id" in whole["properties"]:
        required.add("message_id")
    whole["required"] = sorted(required)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **made}


def _ours(value: object) -> object:
    """Return a schema with hex for bytes, ECMA anchors and without the place of ``extra``."""
    if isinstance(value, list | tuple):
        return [_ours(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    given = cast("dict[str, Any]", value)
    if given.get("contentEncoding") == "base64":
        return _hex(given)
    made = {k: _ours(v) for k, v in given.items() if k not in (UNKNOWN, "default")}
    if isinstance(said := made.get("description"), str):
        made["description"] = _MARKUP.sub(r"\1", said)
    if isinstance(pattern := made.get("pattern"), str):
        made["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return made


def _hex(given: dict[str, Any]) -> dict[str, Any]:
    shortest = _HEX_LENGTHS.get(given.get("minLength", 0), 0)
    longest = _HEX_LENGTHS.get(given["maxLength"], 0)
    notes = {k: v for k, v in given.items() if k == "description"}
    if not longest:  # neither an id nor a hash
        return {"type": "string", "pattern": "^([0-9a-f]{2})*$", **notes}
    pattern = f"^([0-9a-f]{{{longest}}})" + ("$" if shortest else "?$")
    return {"type": "string", "pattern": pattern, **notes}
