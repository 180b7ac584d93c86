"""Values of the library, filled with one text in every place where a text can be."""

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any

import msgspec

from seefen.protocol.messages import Form, Message, SeizureAlert


def filled(type_: Any, text: str) -> Any:
    """Return a value of a type; every string in it is ``text``."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Annotated:
        return filled(arguments[0], text)
    if origin in (typing.Union, types.UnionType):
        return filled(arguments[0], text)
    if origin is tuple:
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        return (
            (filled(arguments[0], text),) * 2 if many else tuple(filled(a, text) for a in arguments)
        )
    if origin is dict:
        return {text: filled(arguments[1], text)}
    return _plain(type_, text)


def _plain(type_: Any, text: str) -> Any:
    if type_ in (str, Any):
        return text
    known = {int: 1_773_452_829, bool: True, bytes: b"\x01", float: 1.0, Path: Path(text)}
    if type_ in known:
        return known[type_]
    if type_ in (Form, Message):
        return filled(SeizureAlert, text)
    hints = typing.get_type_hints(type_, include_extras=True)
    if dataclasses.is_dataclass(type_):
        names = [field.name for field in dataclasses.fields(type_)]
        # A value that holds more of its own kind ends here.
        made: Any = type_
        return made(**{n: () if _own(hints[n], type_) else filled(hints[n], text) for n in names})
    if issubclass(type_, msgspec.Struct):
        names = [field.name for field in msgspec.structs.fields(type_)]
        return type_(**{name: filled(hints[name], text) for name in names})
    raise TypeError(type_)


def _own(hint: Any, type_: Any) -> bool:
    return type_ in typing.get_args(hint)
