"""Records and cores: 89 bytes for ever, and one text that a court can hash."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.record import Core, Record, decode_core, encode_core
from tests.support.vectors import own

RECORD = Record(7, bytes(range(16)), bytes(range(32)), bytes(range(32, 64)))
CORE = Core(
    act="access", at=1_767_225_600_000, op="consult", node="belgrade-ffp", device="0a" * 16,
    officer="o-4f2a", case="0b" * 16, case_n=4, device_n=17, object="", n=0, to=(),
    purpose="tracing", basis="dir-2016-680.8", emergency=0, req="0c" * 32, under=(), outcome="ok",
)  # fmt: skip


def test_a_record_has_89_bytes_and_is_read_back() -> None:
    assert len(RECORD.encode()) == 89
    assert RECORD.encode()[:9] == b"\x01" + (7).to_bytes(8, "big")
    assert Record.decode(RECORD.encode()) == RECORD


@given(st.binary(min_size=85, max_size=93), st.booleans())
def test_only_malformed_leaves_the_decoder_of_records(data: bytes, ours: bool) -> None:
    data = b"\x01" + data[1:] if ours else data
    try:
        record = Record.decode(data)
    except MalformedError:
        assert len(data) != 89 or data[0] != 1
    else:
        assert record.encode() == data


@pytest.mark.parametrize("first", [0, 2, 255])
def test_fault_60_a_record_of_another_version_is_refused(first: int) -> None:
    with pytest.raises(MalformedError) as caught:
        Record.decode(bytes([first]) + RECORD.encode()[1:])
    assert caught.value.rule == "record"


def test_a_record_with_a_short_part_is_not_written() -> None:
    with pytest.raises(ValueError, match="16, 32 and 32"):
        Record(7, bytes(15), bytes(32), bytes(33)).encode()


def test_a_core_is_json_with_sorted_keys_and_no_spaces() -> None:
    text = encode_core(CORE)
    plain = json.dumps(msgspec.to_builtins(CORE), sort_keys=True, separators=(",", ":"))
    assert text.decode("ascii") == plain
    assert decode_core(text) == CORE


def test_a_core_of_the_largest_case_can_be_written() -> None:
    # A limit that a lawful case could reach would let nothing be recorded in it.
    largest = msgspec.structs.replace(
        CORE, to=("n" * 40,) * 256, under=(2**53 - 1,) * 256, purpose="p" * 40, basis="b" * 40
    )
    assert decode_core(encode_core(largest)) == largest


@pytest.mark.parametrize(
    "change",
    [{"act": "read"}, {"op": "delete"}, {"node": "Belgrade"}, {"device": "0a"}, {"req": ""},
     {"emergency": 2}, {"at": -1}, {"n": 2**53}, {"officer": "Petar"},
     {"purpose": "two words"}, {"v": 2}, {"outcome": "ok\n"}, {"to": ("a",) * 257},
     {"op": "collect"}, {"op": "disclose"}, {"outcome": "role"}, {"outcome": ""},
     {"act": "denied"}, {"act": "object"}, {"act": "erased"}],
    ids=str,
)  # fmt: skip
def test_a_core_that_breaks_a_rule_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        encode_core(msgspec.structs.replace(CORE, **change))


@pytest.mark.parametrize(
    "change",
    [{"node": "a\no-0fd0", "officer": ""}, {"node": "", "officer": "o-0fd0\n"},
     {"act": "object\nalter", "op": ""}, {"device": "0" * 32 + "\n" + "1" * 32, "case": ""},
     {"device": "\n", "case": "", "object": ""}, {"purpose": "a\nb", "basis": ""},
     {"outcome": "", "req": "ok\n" + "0" * 64}, {"outcome": "\n"}, {"purpose": "p" * 41},
     {"node": "a" * 41}, {"officer": "o-123"}, {"req": "0" * 65}, {"req": "A" * 64},
     {"basis": "\u0131"}, {"device": "\u0660" * 32}, {"act": ""}, {"op": ""}],
    ids=str,
)  # fmt: skip
def test_a_text_of_a_core_does_not_reach_into_the_next(change: dict[str, Any]) -> None:
    spoiled = msgspec.structs.replace(CORE, **change)
    with pytest.raises(ValueError, match="cannot be written"):
        encode_core(spoiled)
    text = json.dumps(msgspec.to_builtins(spoiled), separators=(",", ":"), sort_keys=True)
    with pytest.raises(MalformedError, match="no core"):
        decode_core(text.encode())


@pytest.mark.parametrize(
    "to", [("A",), ("a-",), ("",), ("a", ""), ("a\nb",), ("a\n", "b"), ("a", "\nb"), ("a\nb", "")]
)
def test_a_recipient_is_one_name(to: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="name of a node"):
        encode_core(msgspec.structs.replace(CORE, to=to))
    text = encode_core(msgspec.structs.replace(CORE, to=("belgrade-ffp",)))
    was, becomes = b'["belgrade-ffp"]', json.dumps(to, separators=(",", ":")).encode()
    assert was in text
    with pytest.raises(MalformedError, match="name of a node"):
        decode_core(text.replace(was, becomes))


@pytest.mark.parametrize("case", own("ledger/core.json"), ids=lambda case: case["why"])
def test_own_core_vectors(case: dict[str, str]) -> None:
    text = case["core"].encode()
    if case["expect"] == "accepted":
        assert encode_core(decode_core(text)) == text
    else:
        with pytest.raises(MalformedError) as caught:
            decode_core(text)
        assert caught.value.rule == "core"


@given(st.binary(max_size=80), st.integers(0, 400), st.integers(0, 40))
def test_only_malformed_leaves_the_decoder_of_cores(data: bytes, at: int, cut: int) -> None:
    good = encode_core(CORE)
    for text in (data, good[:at] + data + good[at + cut :]):
        try:
            core = decode_core(text)
        except MalformedError:
            continue
        assert encode_core(core) == text


def test_a_core_is_measured_before_it_is_parsed() -> None:
    with pytest.raises(MalformedError, match="too long") as caught:
        decode_core(b"[" * 16_385)
    assert caught.value.rule == "core"


@pytest.mark.parametrize(
    "text", [b"[" * 16_000, b'{"x":' + b"[" * 16_000, b'{"to":' + b"[" * 16_000]
)
def test_a_core_nested_without_end_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_core(text)
    assert caught.value.rule == "core"
