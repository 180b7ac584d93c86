"""Deterministic CBOR: one value has one encoding, and every other one is refused.

What is signed are CBOR arrays, typed by msgspec structs; the bodies of messages are
CBOR maps. Whatever is decoded is encoded again and compared, so that a signature never
covers bytes with two readings. Decoders raise :class:`MalformedError` and nothing else.

The format is ``docs/spec/encoding.md``; its vectors are ``tests/vectors/encoding``.
There are no floats, no tags and no indefinite lengths: nothing signed needs them.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any, Final, NoReturn, TypeVar, cast

import cbor2
import msgspec
from msgspec import Struct

from seefen.protocol.errors import MalformedError

STATEMENT_LIMIT: Final = 256 * 1024
BUNDLE_LIMIT: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 8

T = TypeVar("T")

_MIN_INT: Final = -(2**64)
_MAX_INT: Final = 2**64 - 1


def encode(value: object) -> bytes:
    """Return the one encoding of an array-like struct, a sequence or a plain value.

    Raises:
        ValueError: The value holds something else than int, bytes, bool, None, sequences,
            array-like structs and text in NFC, or is nested deeper than ``MAX_DEPTH``.
    """
    return cbor2.dumps(_arrays_only((value,), -1)[0])


def decode(data: bytes, type_: type[T], *, limit: int = STATEMENT_LIMIT) -> T:
    """Return the value that ``data`` is the one encoding of.

    Raises:
        MalformedError: ``data`` is longer than ``limit`` bytes, is not the encoding of a
            ``type_``, or is another encoding of it than ours.
    """
    value = _loads(data, limit)
    try:
        made = msgspec.convert(value, type=type_, strict=True)
        # msgspec reads text as base64 where bytes are wanted: encoding what was made,
        # not what was read, is what refuses that. encode() would walk through it once more to
        # find what it must not hold; that was seen in what was read.
        _check_read((value,))
        again = cbor2.dumps(msgspec.to_builtins(made, builtin_types=(bytes,)))
    except ValueError as err:  # msgspec.ValidationError is one
        raise MalformedError(f"this does not have the form of a {type_.__name__}") from err
    if again != data:
        raise MalformedError(_TWO_READINGS)
    return made


def peek_kind(payload: bytes) -> str:
    """Return the kind that a statement claims to be: to route by, never to trust."""
    fields = _loads(payload, STATEMENT_LIMIT)
    if not isinstance(fields, list):
        raise MalformedError("a statement is an array")
    fields = cast("list[object]", fields)
    kind = fields[2] if len(fields) > 2 else None
    if not isinstance(kind, str):
        raise MalformedError("a statement names its kind in its third field")
    try:
        again = encode(fields)
    except ValueError as err:
        raise MalformedError(f"a statement cannot hold this: {err}") from err
    if again != payload:
        raise MalformedError(_TWO_READINGS)
    return kind


def encode_map(value: dict[str, Any]) -> bytes:
    """Return the one encoding of a map with text keys, sorted as RFC 8949, 4.2.1 says.

    Raises:
        ValueError: It holds something else than int, bytes, bool, None, text in NFC,
            sequences and such maps, or is nested deeper than ``MAX_DEPTH``.
    """
    if type(value) is not dict:
        raise ValueError("a message body is a map")
    # "canonical" sorts keys by length first. For text keys that is the order of their
    # encoded bytes too, because the length stands in front.
    return cbor2.dumps(_with_maps(value, 0), canonical=True)


def decode_map(data: bytes, limit: int = STATEMENT_LIMIT) -> dict[str, Any]:
    """Return the map that ``data`` is the one encoding of. Unknown keys are kept.

    Raises:
        MalformedError: ``data`` is too long, no map, or not its one encoding.
    """
    value = _loads(data, limit)
    try:
        if type(value) is not dict:
            raise ValueError("a message body is a map")
        read = cast("dict[str, Any]", value)
        # Its keys are in order, so writing them as they were read is writing them sorted.
        _check_maps(read, 0)
        again = cbor2.dumps(read)
    except ValueError as err:
        raise MalformedError(f"a message body cannot hold this: {err}") from err
    if again != data:
        raise MalformedError(_TWO_READINGS)
    return read


_TWO_READINGS: Final = "this is not the deterministic encoding of what it says"


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("tags are not allowed")


# cbor2 acts on these tags while it reads: shared references make cyclic lists, a regular
# expression is compiled, a decimal of twelve bytes has two billion digits. The comparison
# at the end refuses every tag, but only after that; so these are stopped as they are met.
_ACTIVE_TAGS: Final = (
    *(0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100),
    *(256, 258, 260, 261, 1004, 43000, 55799),
)
_REFUSALS: Final = dict.fromkeys(_ACTIVE_TAGS, _refuse_tag)


def _loads(data: bytes, limit: int) -> object:
    if type(data) is not bytes:
        raise MalformedError("this is not bytes")
    if len(data) > limit:
        raise MalformedError(f"this is longer than {limit} bytes")
    try:
        return cbor2.loads(
            data,
            tag_hook=_refuse_tag,
            semantic_decoders=_REFUSALS,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    except Exception as err:
        # Whatever a foreign parser makes of hostile bytes, our callers know one answer.
        raise MalformedError("this is not CBOR as seefen writes it") from err


def _arrays_only(items: Iterable[object], depth: int) -> list[object]:
    if depth >= MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    made: list[object] = []
    for item in items:
        kind = type(item)  # exact: bool is an int, an enumeration is text, neither is meant
        if kind is bytes or kind is bool or item is None:
            made.append(item)  # first what is most: everything sent passes here
        elif kind is tuple or kind is list:
            made.append(_arrays_only(cast("tuple[object, ...]", item), depth + 1))
        elif _is_scalar(item):
            made.append(item)
        elif _is_array(item):
            fields = msgspec.structs.astuple(cast("Struct", item))
            made.append(_arrays_only(fields, depth + 1))
        else:
            raise ValueError(f"{kind.__name__} has no place in what is signed")
    return made


def _check_read(items: Iterable[object]) -> None:
    """Check that lists hold, all the way down, what :func:`encode` could have written."""
    for item in items:
        kind = type(item)
        if kind is str:
            _check_text(cast("str", item))
        elif kind is list:
            _check_read(cast("list[object]", item))
        elif kind not in _READ:
            raise ValueError(f"{kind.__name__} has no place in what is signed")


def _check_maps(value: object, depth: int) -> None:
    """Check that what was read holds only what :func:`encode_map` writes, with keys in order."""
    kind = type(value)
    if kind is str:
        _check_text(cast("str", value))
    elif kind is dict or kind is list:
        if depth == MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if kind is dict:
            _check_keys(cast("dict[object, object]", value))
        fields = cast("dict[str, object]", value)
        for item in fields.values() if kind is dict else fields:
            _check_maps(item, depth + 1)
    elif kind not in _READ:
        raise ValueError(f"{kind.__name__} has no place in a message body")


def _check_keys(keys: Iterable[object]) -> None:
    before = (-1, b"")
    for key in keys:
        if type(key) is not str:
            raise ValueError("the keys of a map are text")
        _check_text(key)
        written = key.encode()
        # By length first: the length stands in front of the text (RFC 8949, 4.2.1).
        if (len(written), written) <= before:
            raise ValueError("the keys are not in order")
        before = (len(written), written)


_READ: Final = frozenset((bytes, int, bool, type(None)))


def _is_array(item: object) -> bool:
    # Not isinstance() first: structs ask an abstract class, at each item of each message.
    config = getattr(type(item), "__struct_config__", None)
    return config is not None and isinstance(item, Struct) and config.array_like


def _with_maps(value: object, depth: int) -> object:
    if _is_scalar(value):
        return value
    if depth == MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    kind = type(value)
    if kind is tuple or kind is list:
        items = cast("tuple[object, ...]", value)
        return [_with_maps(item, depth + 1) for item in items]
    if kind is dict:
        fields = cast("dict[object, object]", value)
        for key in fields:
            if type(key) is not str:
                raise ValueError("the keys of a map are text")
            _check_text(key)
        return {key: _with_maps(item, depth + 1) for key, item in fields.items()}
    raise ValueError(f"{kind.__name__} has no place in a message body")


def _is_scalar(value: object) -> bool:
    kind = type(value)  # exact: bool is an int, an enumeration is text, and neither is meant
    if kind is bytes or kind is bool or value is None:
        return True
    if kind is int:
        if not _MIN_INT <= cast("int", value) <= _MAX_INT:
            raise ValueError("a number has at most 64 bits")
        return True
    if kind is str:
        _check_text(cast("str", value))
        return True
    return False


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("text must not hold NUL")  # PostgreSQL cannot store it
    if text.isascii():
        return
    # Two texts that look alike must be one sequence of bytes, or names and serial numbers
    # could differ where nobody sees it.
    if not unicodedata.is_normalized("NFC", text):
        raise ValueError("text must be in Unicode form NFC")
    text.encode("utf-8")  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
