"""Objects: covers, bodies and content keys, and who tries to pass them off as his own."""

from itertools import pairwise

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seefen.protocol import objects
from seefen.protocol.bundle import Content
from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.protocol.ledger.tree import leaf_hash, root_of
from seefen.protocol.statements import Case, Object, decode_statement
from seefen.protocol.suite import P, new_id, random_bytes, seal, unseal
from tests.protocol.builder import flips, refused
from tests.protocol.salamander import two_keys_one_ciphertext
from tests.support.specs import spec
from tests.support.vectors import own

VECTOR = own("objects/message.json")
PARTS = own("objects/parts.json")
TITLE = own("objects/title.json")


def _hex(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def _object() -> Object:
    statement = decode_statement(_hex("object"), "object")
    assert isinstance(statement, Object)
    return statement


OBJECT, KEY = _object(), _hex("case_key")
BARE = replace(OBJECT, cover=b"", body_size=0, body_root=bytes(32))


def _sealed(body: bytes = b"a body", **changes: object) -> tuple[Object, Content]:
    bare = replace(BARE, nonce=new_id(), object=new_id(), **changes)
    return objects.seal_message(bare, KEY, cover=b"a cover", body=body)


def test_what_is_bound_is_this() -> None:
    page = spec("objects.md")
    assert objects.context(OBJECT).hex() == VECTOR["context"]
    assert objects.body_context(OBJECT).hex() == VECTOR["body_context"]
    assert objects._cover_context(OBJECT).hex() == VECTOR["cover_context"]
    assert objects._key_context(OBJECT).hex() == VECTOR["key_context"]
    assert VECTOR["context"] in page
    assert VECTOR["key_context"] in page


def test_the_message_of_the_vector_opens() -> None:
    assert objects.open_cover(OBJECT, KEY) == _hex("cover")
    content_key = objects.unwrap_content_key(OBJECT, KEY, _hex("wrapped_key"))
    assert content_key == _hex("content_key")
    assert objects.open_message(OBJECT, content_key, _hex("sealed_body")) == _hex("body")


def test_numbers_and_generation_may_change_before_signing() -> None:
    """A refusal "this number is taken" costs a signature, not a gigabyte of sealing."""
    later = replace(OBJECT, device_n=99, case_n=98, prev=bytes([1]) * 32, gen=7)
    assert objects.context(later) == objects.context(OBJECT)
    content_key = _hex("content_key")
    wrapped = objects.wrap_content_key(later, KEY, content_key)
    assert objects.unwrap_content_key(later, KEY, wrapped) == content_key
    with pytest.raises(UntrustedError):  # but the wrapped key is of its generation
        objects.unwrap_content_key(OBJECT, KEY, wrapped)


@given(st.binary(max_size=3000), st.binary(max_size=500))
def test_what_is_sealed_unseals(body: bytes, cover: bytes) -> None:
    obj, content = objects.seal_message(BARE, KEY, cover=cover, body=body)
    assert len(content.key) == 104
    assert objects.open_cover(obj, KEY) == cover
    content_key = objects.unwrap_content_key(obj, KEY, content.key)
    assert objects.open_message(obj, content_key, content.body) == body


def test_the_cover_of_a_file_is_sealed_as_that_of_a_message() -> None:
    file = replace(BARE, object=new_id(), file=True)
    sealed = replace(file, cover=objects.seal_cover(file, KEY, b"a cover"))
    assert objects.open_cover(sealed, KEY) == b"a cover"
    with pytest.raises(UntrustedError):
        objects.open_cover(replace(sealed, file=False), KEY)
    with pytest.raises(UntrustedError):
        objects.open_cover(sealed, random_bytes(32))


def test_a_content_names_its_object() -> None:
    obj, content = _sealed()
    assert content.object == obj.object


def test_the_length_of_a_short_body_does_not_show() -> None:
    lengths = {len(_sealed(bytes(n))[1].body) for n in range(0, 1000, 50)}
    assert len(lengths) == 1


def test_any_bit_changed_is_noticed() -> None:
    obj, content = _sealed()
    content_key = objects.unwrap_content_key(obj, KEY, content.key)
    for bent in flips(content.body, 13):
        with refused("body", UntrustedError):
            objects.open_message(obj, content_key, bent)
    for bent in flips(content.key, 3):
        with pytest.raises(UntrustedError):
            objects.unwrap_content_key(obj, KEY, bent)
    for bent in flips(obj.cover, 3):
        with pytest.raises(UntrustedError):
            objects.open_cover(replace(obj, cover=bent), KEY)
    with pytest.raises(UntrustedError):
        objects.open_cover(obj, random_bytes(32))


def test_a_body_has_the_size_that_was_signed() -> None:
    obj, content = _sealed()
    for size in (0, obj.body_size - 1, obj.body_size + 1):
        with refused("body", UntrustedError):
            objects.check_body(replace(obj, body_size=size), content.body)


def test_what_was_padded_wrongly_is_no_message() -> None:
    content_key = random_bytes(32)
    body = seal(content_key, objects.body_context(BARE), b"not padded")
    obj = replace(BARE, body_size=len(body), body_root=leaf_hash(body))
    with pytest.raises(MalformedError):
        objects.open_message(obj, content_key, body)


def test_a_title_is_of_one_version_of_a_case() -> None:
    case = decode_statement(bytes.fromhex(TITLE["case"]), "case")
    assert isinstance(case, Case)
    assert objects._title_context(case).hex() == TITLE["context"]
    assert TITLE["context"] in spec("objects.md")
    key = bytes.fromhex(TITLE["case_key"])
    assert objects.open_title(case, key).decode() == TITLE["title"]
    again = objects.seal_title(case, key, b"another")
    assert objects.open_title(again, key) == b"another"
    assert len(again.title) == len(case.title)
    bent = [replace(again, version=3), replace(again, case=new_id()), replace(again, title=b"")]
    for other in bent:
        with pytest.raises(UntrustedError):
            objects.open_title(other, key)
    with pytest.raises(UntrustedError):
        objects.open_title(again, random_bytes(32))


def test_attack_06_a_ciphertext_opens_under_one_key() -> None:
    """Two keys for one ciphertext: AES-GCM alone lets it pass, our sealing does not."""
    first, second = random_bytes(32), random_bytes(32)
    nonce = bytes(12)
    forged = two_keys_one_ciphertext(first, second, nonce, blocks=3)
    for key in (first, second):  # the control: this is a real attack
        assert AESGCM(key).decrypt(nonce, forged, None)
    with pytest.raises(InvalidTag):
        AESGCM(random_bytes(32)).decrypt(nonce, forged, None)
    honest = [seal(key, objects.body_context(BARE), bytes(48)) for key in (first, second)]
    header = 56
    candidates = [*honest, *(sealed[:header] + forged for sealed in honest)]
    candidates += [honest[0][:header] + honest[1][header:], honest[0][:24] + honest[1][24:]]
    for sealed in candidates:
        opens = 0
        for key in (first, second):
            try:
                unseal(key, objects.body_context(BARE), sealed)
                opens += 1
            except UntrustedError:
                continue
        assert opens <= 1


def test_attack_17_a_header_with_another_body_is_refused() -> None:
    """Every pair of 50 objects: body and wrapped key of one under the other."""
    sealed = [_sealed(bytes([n])) for n in range(50)]
    for n, (obj, content) in enumerate(sealed):
        for m, (_, other) in enumerate(sealed):
            if n == m:
                objects.check_body(obj, content.body)
                continue
            with refused("body", UntrustedError):
                objects.check_body(obj, other.body)
    for (obj, _), (_, other) in pairwise(sealed):
        with pytest.raises(UntrustedError):
            objects.unwrap_content_key(obj, KEY, other.key)


def test_attack_18_nobody_passes_a_ciphertext_off_as_his() -> None:
    """A member of the case, with every key, signs another's ciphertext as his own."""
    obj, content = _sealed()
    content_key = objects.unwrap_content_key(obj, KEY, content.key)
    for changes in (
        {"device": new_id()},
        {"node": "tirana-lab"},
        {"object": new_id()},
        {"nonce": new_id()},
        {"created_at": obj.created_at + 1},
        {"file": True},
    ):
        thief = replace(obj, **changes)
        rewrapped = objects.wrap_content_key(thief, KEY, content_key)
        assert objects.unwrap_content_key(thief, KEY, rewrapped) == content_key
        objects.check_body(thief, content.body)
        with pytest.raises(UntrustedError):
            objects.open_message(thief, content_key, content.body)
        with pytest.raises(UntrustedError):
            objects.open_cover(thief, KEY)


def test_attack_19_nobody_carries_an_object_into_another_case() -> None:
    """A member of two cases wraps the content key under the other case's key."""
    obj, content = _sealed()
    other_key = random_bytes(32)
    content_key = objects.unwrap_content_key(obj, KEY, content.key)
    moved = replace(obj, case=new_id())
    rewrapped = objects.wrap_content_key(moved, other_key, content_key)
    assert objects.unwrap_content_key(moved, other_key, rewrapped) == content_key
    with pytest.raises(UntrustedError):
        objects.open_message(moved, content_key, content.body)
    with pytest.raises(UntrustedError):  # nor the wrapped key as it is
        objects.unwrap_content_key(moved, KEY, content.key)


def test_attack_20_parts_swapped_cut_or_added_are_refused() -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(9)]
    root = objects.parts_root(leaves)
    assert root == root_of(leaves)
    bent = [leaves[:-1], leaves[1:], [*leaves, leaves[0]], leaves[::-1], [leaves[0]] * 9]
    bent += [[*leaves[:n], leaves[n + 1], leaves[n], *leaves[n + 2 :]] for n in range(8)]
    for other in bent:
        assert objects.parts_root(other) != root
    # With size and root patched by a member, the seal still tells.
    content_key = random_bytes(32)
    body = seal(content_key, objects.body_context(BARE), bytes(100_000))
    chunk = 16_384 + 16
    head, chunks = body[:56], [body[n : n + chunk] for n in range(56, len(body), chunk)]
    bent_bodies = [body[:-1], body[:56], body + b"\0", head + b"".join(chunks[::-1])]
    bent_bodies += [head + b"".join(chunks[:n] + chunks[n + 1 :]) for n in range(len(chunks))]
    bent_bodies += [head + b"".join([*chunks[:n], chunks[n], *chunks[n:]]) for n in range(6)]
    for other_body in bent_bodies:
        patched = replace(BARE, body_size=len(other_body), body_root=leaf_hash(other_body))
        objects.check_body(patched, other_body)
        with pytest.raises(SeefenError):
            objects.open_message(patched, content_key, other_body)


def test_parts() -> None:
    for size, count in PARTS["counts"]:
        assert objects.part_count(size) == count
    leaves = [bytes.fromhex(leaf) for leaf in PARTS["leaves"]]
    assert objects.parts_root(leaves).hex() == PARTS["root"]
    assert PARTS["root"] in spec("objects.md")
    assert P in objects.body_context(OBJECT)
