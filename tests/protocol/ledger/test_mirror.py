"""What a mirror keeps beside the tiles: read back as it was written, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.mirror import (
    Kept,
    bundle_path,
    decode_entries,
    decode_kept,
    encode_kept,
    merge_kept,
    pack,
    page_path,
    unpack,
)
from seefen.protocol.ledger.tiles import encode_entries, parse_bundle_path

SEEN = Kept(300, "object", bytes(89), b"core", bytes(32), b"envelope", (b"one",), b"")
FED = Kept(300, "object", bytes(89), b"core", bytes(32), b"envelope", (b"two", b"one"), b"body")


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_what_is_bundled_is_read_back(items: list[bytes]) -> None:
    assert decode_entries(encode_entries(items)) == items
    assert unpack(pack(items)) == items


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x05abc", b"\x00\x01a\x00"])
def test_a_cut_bundle_is_no_bundle(data: bytes) -> None:
    for read, cut in ((decode_entries, data), (unpack, b"\x00\x00" + data)):
        with pytest.raises(MalformedError, match=r"is cut") as caught:
            read(cut)
        assert caught.value.rule == "bundle"


def test_openings_are_read_back_and_nothing_else_is() -> None:
    large = replace(FED, body=bytes(2 << 20))
    for kept in ([SEEN, FED], [large, SEEN]):
        assert decode_kept(encode_kept(kept)) == kept
    with pytest.raises(MalformedError):
        decode_kept(pack([b"\x80"]))


def test_two_sources_are_put_together() -> None:
    merged = merge_kept(SEEN, FED)
    assert merged.wraps == (b"one", b"two")
    assert merged.body == b"body"
    assert merge_kept(FED, SEEN).body == b"body"


def test_what_opens_an_entry_comes_from_the_source_that_has_it() -> None:
    bare = Kept(0, "", bytes([1]) * 89, b"", bytes([1]) * 32, b"", (b"two",), b"body")
    both = replace(SEEN, body=b"body")
    assert merge_kept(SEEN, bare) == replace(both, wraps=(b"one", b"two"))
    assert merge_kept(bare, SEEN) == replace(both, wraps=(b"two", b"one"))
    assert merge_kept(SEEN, replace(FED, index=301)).index == SEEN.index


def test_a_page_stands_where_its_bundle_would() -> None:
    assert bundle_path(1234, 256) == "tile/entries/x001/234"
    assert page_path(1234, 7) == "pages/x001/234.p/7"
    assert parse_bundle_path(bundle_path(1234, 7)) == (1234, 7)
