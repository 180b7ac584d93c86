"""Bending valid input, by bytes and by the values inside: more than the first check is met."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import cbor2

Step = tuple[str, int, int]  # what, where, with what
BYTES: Final = ("flip", "set", "cut", "drop", "twice", "insert", "swap")
VALUES: Final = ("value", "without", "again", "deeper")
STEPS: Final = (*BYTES, *VALUES)
# Values at which parsers break: limits, other types, text that is not one text.
POOL: Final[tuple[Any, ...]] = (
    0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**64), True, False, None, b"", bytes(16), bytes(32),
    "", "a\0", "e\u0301", "\u202e", "x" * 300, [], [[]], {}, {"a": 1}, 1.5, float("nan"),
    "01", "+5", " 5", "root", "../..", "٣",
)  # fmt: skip


def bend(data: bytes, steps: Sequence[Step]) -> bytes:
    """Return ``data`` after ``steps``; a step that does not apply changes nothing."""
    for what, where, how in steps:
        data = _bytes(data, what, where, how) if what in BYTES else _value(data, what, where, how)
    return data


def _bytes(data: bytes, what: str, where: int, how: int) -> bytes:
    at = where % (len(data) + 1)
    before, rest = data[:at], data[at:]
    match what:
        case "flip":
            return before + bytes([rest[0] ^ (1 << how % 8)]) + rest[1:] if rest else data
        case "set":
            return before + bytes([how % 256]) + rest[1:]
        case "cut":
            return before
        case "drop":
            return before + rest[1 + how % 8 :]
        case "twice":
            return before + rest[: 1 + how] + rest
        case "insert":
            return before + bytes([how % 256]) * (1 + how % 3) + rest
        case _:
            return rest + before


def _value(data: bytes, what: str, where: int, how: int) -> bytes:
    try:
        whole: Any = cbor2.loads(data)
        places = [*_places(whole)]
        if not places:
            return data
        holder, key = places[where % len(places)]
        match what:
            case "value":
                holder[key] = POOL[how % len(POOL)]
            case "without":
                del holder[key]
            case "again" if isinstance(key, int):
                holder.insert(key, holder[key])
            case _:
                holder[key] = [holder[key]]
        return cbor2.dumps(whole)
    except Exception:  # not CBOR, or no longer: then the bytes stay
        return data


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in nested lists and maps, as (holder, key)."""
    keys: list[Any] = []
    if type(value) is list:
        keys = list(range(len(value)))  # pyright: ignore[reportUnknownArgumentType]
    elif type(value) is dict:
        keys = list(value)  # pyright: ignore[reportUnknownArgumentType]
    for key in keys:
        yield value, key
        yield from _places(value[key])
