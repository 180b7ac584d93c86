"""One small valid value of a msgspec type: the seed from which a fuzzer begins."""

from re import search
from typing import Any

from msgspec import Struct, inspect

# What fits the patterns of the formats; the first that does is taken.
_WORDS = (
    "a", "field", "lost", "expired", "activity", "case", "delivered", "members", "object",
    "skopje-border", "H1", "SKP", "o-7f31", "SF-2026-SKP-00001", "tracing", "national-law",
    "https://a", "0" * 32, "0" * 64, "device", "a/b", "name",
)  # fmt: skip


def example(type_: type[Struct]) -> list[Any]:
    """Return the fields of a small value of an array-like struct, as plain lists."""
    info = inspect.type_info(type_)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{type_} is no struct")
    return [_value(field.type) for field in info.fields]


def _value(info: Any) -> Any:  # noqa: C901 - a row for each type there is
    match info:
        case inspect.StructType():
            return [_value(field.type) for field in info.fields]
        case inspect.IntType():
            return 1 if info.ge is None else info.ge
        case inspect.BytesType():
            return bytes(info.min_length or 0)
        case inspect.BoolType():
            return False
        case inspect.VarTupleType():
            return [_value(info.item_type) for _ in range(info.min_length or 0)]
        case inspect.UnionType():
            return _value(info.types[0])
        case inspect.StrType():
            return next(word for word in _WORDS if _fits(word, info))
        case inspect.Metadata():
            return _value(info.type)
        case inspect.NoneType():
            return None
        case _:
            raise TypeError(f"no example of {info}")


def _fits(word: str, info: inspect.StrType) -> bool:
    longest = info.max_length or len(word)
    shortest = info.min_length or 0
    return shortest <= len(word) <= longest and search(info.pattern or "", word) is not None
