"""One value, one encoding; every other sequence of bytes is malformed and nothing worse."""

import enum
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from seefen.protocol.encoding import (
    MAX_DEPTH,
    STATEMENT_LIMIT,
    decode,
    decode_map,
    encode,
    encode_map,
    peek_kind,
)
from seefen.protocol.errors import MalformedError
from tests.support.specs import spec
from tests.support.vectors import own

GOOD = own("encoding/good.json")
BAD = own("encoding/bad.json")["cases"]


def _why(case: dict[str, Any]) -> str:
    return str(case["why"])


class Pair(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    left: int
    right: bytes


class Nest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    pairs: tuple[Pair, ...]
    note: str | None


class Chain(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    rest: "Chain | None"


class Named(Struct, frozen=True):
    left: int


class Colour(enum.StrEnum):
    RED = "red"


def from_json(value: Any) -> Any:
    """Bytes stand in the vectors as {"hex": "..."}."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if set(fields) == {"hex"}:
            return bytes.fromhex(fields["hex"])
        return {key: from_json(item) for key, item in fields.items()}
    if isinstance(value, list):
        return [from_json(item) for item in cast("Sequence[Any]", value)]
    return value


@pytest.mark.parametrize("case", GOOD["cases"], ids=_why)
def test_a_value_has_this_one_encoding(case: dict[str, Any]) -> None:
    value, data = from_json(case["value"]), bytes.fromhex(case["cbor"])
    if case["form"] == "map":
        assert encode_map(value) == data
        assert decode_map(data) == value
    else:
        assert encode(value) == data
        assert decode(data, list) == value


def test_the_worked_example_stands_in_the_specification() -> None:
    assert GOOD["worked"] in spec("encoding.md")


@pytest.mark.parametrize("case", BAD, ids=_why)
def test_bad_bytes_are_malformed(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["cbor"])
    for read in (decode_map,) if case["form"] == "map" else (decode_list, peek_kind):
        with pytest.raises(MalformedError):
            read(data)


def decode_list(data: bytes) -> list[Any]:
    return decode(data, list[Any])


def test_no_tag_is_acted_on() -> None:
    # Whatever tags a later cbor2 learns: each one must be refused, known or not.
    for tag in [*range(1200), *range(43000, 43004), 55799, 2**32, 2**64 - 1]:
        head = cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1]
        for inner in ("00", "80", "a0", "40", "60", "820101", "d81d00", "f6"):
            with pytest.raises(MalformedError):
                decode(b"\x81" + head + bytes.fromhex(inner), list)


def test_a_tag_is_stopped_before_its_meaning() -> None:
    with pytest.raises(MalformedError) as raised:
        decode(bytes.fromhex("81d8236328612b"), list)  # an unfinished regular expression
    assert "tags are not allowed" in str(raised.value.__cause__.__cause__)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [1.0, {"a": 1}, {1}, 2**64, -(2**64) - 1, bytearray(b"a"), Decimal(1), Ellipsis, Named(1)],
    ids=repr,
)
def test_what_has_no_place_is_the_callers_mistake(value: object) -> None:
    with pytest.raises(ValueError, match=r"no place|64 bits"):
        encode([value])


@pytest.mark.parametrize("text", ["e\u0301", "a\0", "\ud800", Colour.RED], ids=ascii)
def test_text_that_is_not_one_sequence_of_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"text|surrogates|no place"):
        encode([text])
    with pytest.raises(ValueError, match=r"text|surrogates|no place"):
        encode_map({"a": text})
    with pytest.raises(ValueError, match=r"text|surrogates"):
        encode_map({text: 1})


@pytest.mark.parametrize("value", [[], {1: 2}, {"a": 1.5}, {"a": {1}}, {"a": Pair(1, b"")}])
def test_a_body_is_a_map_of_plain_values(value: Any) -> None:
    with pytest.raises(ValueError, match=r"a map|text|no place"):
        encode_map(value)


def test_structs_are_arrays_and_come_back() -> None:
    nest = Nest((Pair(1, b"x"), Pair(2, b"")), "Скопје")
    assert encode(nest) == encode([[[1, b"x"], [2, b""]], "Скопје"])
    assert decode(encode(nest), Nest) == nest


@pytest.mark.parametrize(
    "value",
    [
        [1],
        [1, b"x", 2],
        [b"x", 1],
        [True, b"x"],
        [1, "YWJj"],  # msgspec alone reads this as base64
        ["1", b"x"],
        [1, None],
        7,
    ],
    ids=repr,
)
def test_another_form_is_malformed(value: object) -> None:
    with pytest.raises(MalformedError):
        decode(encode(value), Pair)


def test_depth_and_length_are_bounded_on_both_sides() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert decode(encode(deep), list) == deep
    with pytest.raises(ValueError, match="nested"):
        encode([deep])
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested"):
        encode(loop)
    with pytest.raises(ValueError, match="nested"):
        encode_map({"a": loop})
    full = encode([bytes(STATEMENT_LIMIT - 6)])
    assert len(full) == STATEMENT_LIMIT
    decode(full, list)
    with pytest.raises(MalformedError, match="longer"):
        decode(full + b"\0", list)
    with pytest.raises(MalformedError, match="longer"):
        decode_map(encode_map({"a": bytes(50)}), 50)


def test_structs_nest_as_deep_as_arrays_and_no_deeper() -> None:
    chain: Chain | None = None
    for _ in range(MAX_DEPTH):
        chain = Chain(chain)
    assert decode(encode(chain), Chain) == chain
    with pytest.raises(ValueError, match="nested"):
        encode(Chain(chain))


def test_maps_nest_as_deep_as_arrays_and_no_deeper() -> None:
    body: dict[str, Any] = {}
    for _ in range(MAX_DEPTH - 1):
        body = {"a": body}
    assert decode_map(encode_map(body)) == body
    with pytest.raises(ValueError, match="nested"):
        encode_map({"a": body})
    too_deep: tuple[dict[str, Any], ...] = (
        {"a": body}, {"a": {"a": [body]}}, {"a": [[[[[[[[]]]]]]]]},
    )  # fmt: skip
    for deep in too_deep:
        with pytest.raises(MalformedError):
            decode_map(cbor2.dumps(deep))


@pytest.mark.parametrize(
    "item",
    ["e\u0301", "a\0", 1.5, float("inf"), cbor2.undefined, cbor2.CBORSimpleValue(99)],
    ids=ascii,
)
def test_a_body_that_others_wrote_holds_what_we_write(item: object) -> None:
    for body in ({"a": item}, {"a": [1, item]}, {"a": {"b": item}}):
        with pytest.raises(MalformedError, match="cannot hold this"):
            decode_map(cbor2.dumps(body))


def test_only_bytes_are_read() -> None:
    for data in (bytearray(b"\x80"), memoryview(b"\x80"), "\x80", None):
        with pytest.raises(MalformedError):
            decode(data, list)  # type: ignore[arg-type]


def test_the_kind_is_read_to_route_by() -> None:
    for rest in ([], [bytes(16)]):
        assert peek_kind(encode([1, bytes(32), "object", *rest])) == "object"
    for value in ([1, bytes(32)], [1, 2, 3], 5, "object", [1, 2, b"object"]):
        with pytest.raises(MalformedError):
            peek_kind(encode(value))
    with pytest.raises(MalformedError):  # not minimal, though the kind could be read
        peek_kind(bytes.fromhex("831801026161"))
    with pytest.raises(MalformedError):
        peek_kind(encode([1, 2, "object"]) + b"\0")
    with pytest.raises(MalformedError):
        peek_kind(cbor2.dumps([1, 2, "object", 1.5]))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(st.characters(exclude_categories=["Cs", "Mn", "Mc"], exclude_characters="\0")).filter(
        lambda text: unicodedata.is_normalized("NFC", text)
    )
)
ARRAYS = st.lists(SCALARS | st.lists(SCALARS | st.lists(SCALARS, max_size=3), max_size=4))
MAPS = st.dictionaries(
    st.text("abcxyz", max_size=4),
    SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text("ab"), SCALARS, max_size=3),
)


@given(ARRAYS)
def test_what_is_encoded_decodes(value: list[Any]) -> None:
    data = encode(value)
    assert decode(data, list) == value
    assert data == cbor2.dumps(value, canonical=True)


@given(MAPS)
def test_what_is_encoded_as_a_map_decodes(value: dict[str, Any]) -> None:
    assert decode_map(encode_map(value)) == value
    assert encode_map(dict(reversed(value.items()))) == encode_map(value)


@given(st.binary(max_size=60))
def test_random_bytes_are_malformed_or_their_own_encoding(data: bytes) -> None:
    for read, write in ((decode_list, encode), (decode_map, encode_map)):
        try:
            value: Any = read(data)
        except MalformedError:
            continue
        assert write(value) == data


@given(ARRAYS, st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_malformed_or_another_value(
    value: list[Any], at: int, change: int
) -> None:
    data = bytearray(encode(value))
    data[at % len(data)] ^= change
    try:
        read = decode_list(bytes(data))
    except MalformedError:
        return
    assert encode(read) == bytes(data)


@given(MAPS)
def test_a_map_whose_keys_are_in_another_order_is_malformed(value: dict[str, Any]) -> None:
    turned = dict(reversed(decode_map(encode_map(value)).items()))
    for body in (turned, {"inside": turned}, {"list": [turned]}):
        if len(turned) > 1:
            with pytest.raises(MalformedError):
                decode_map(cbor2.dumps(body))
