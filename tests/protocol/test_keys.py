"""Wraps, links and commitments: the right key, for whom and by whom it was meant."""

import pytest
from msgspec.structs import replace

from seefen.protocol import keys
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.keys import CASE_DEVICE, CASE_NODE
from seefen.protocol.statements import CaseKey, DeviceWrap, Mailbox, decode_statement
from seefen.protocol.suite import KemKey, P, key_commitment, random_bytes, sha256, tag, wrap
from tests.protocol.builder import flips, refused
from tests.support.specs import spec
from tests.support.vectors import own

VECTOR = own("statements/keys.json")


def _hex(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def _mailbox() -> Mailbox:
    statement = decode_statement(_hex("mailbox"), "mailbox")
    assert isinstance(statement, Mailbox)
    return statement


def _casekey() -> CaseKey:
    statement = decode_statement(_hex("casekey"), "casekey")
    assert isinstance(statement, CaseKey)
    return statement


MAILBOX, CASEKEY = _mailbox(), _casekey()
HOLDER = KemKey.from_secret(_hex("holder_secret"))
SEED, CASE_KEY, AUTHOR = _hex("mailbox_seed"), _hex("case_key"), _hex("author")
BOX = KemKey.from_secret(SEED)
NAMED = tuple(w.hash for w in CASEKEY.mailboxes)


def _unwrap_node(wrapped: bytes, casekey: CaseKey = CASEKEY, ours: KemKey = BOX) -> bytes:
    return keys.unwrap_case_key(
        wrapped, ours, casekey, purpose=CASE_NODE, author=AUTHOR, named=(sha256(wrapped),)
    )


def test_what_is_bound_is_this() -> None:
    page = spec("keys.md")
    assert keys.mailbox_scope("skopje-border", "case").hex() == VECTOR["mailbox_scope"]
    assert keys._mailbox_info(HOLDER.public, MAILBOX).hex() == VECTOR["mailbox_info"]
    assert keys._case_info(BOX.public, CASEKEY, CASE_NODE, AUTHOR).hex() == VECTOR["node_info"]
    assert keys._mailbox_link(MAILBOX).hex() == VECTOR["mailbox_link_context"]
    assert keys._case_link(CASEKEY).hex() == VECTOR["case_link_context"]
    for name in ("mailbox_scope", "mailbox_info", "node_info", "case_link_context"):
        assert VECTOR[name] in page
    scope = _hex("mailbox_scope")
    assert key_commitment(SEED, MAILBOX.net, scope, 2) == MAILBOX.key_id
    assert key_commitment(CASE_KEY, CASEKEY.net, CASEKEY.case, 2) == CASEKEY.key_id
    assert MAILBOX.key_id.hex() in page
    assert CASEKEY.key_id.hex() in page


def test_tags_are_these() -> None:
    tags = VECTOR["tags"]
    assert tag(CASE_KEY, "object", CASEKEY.case, AUTHOR, 6).hex() == tags["object"]
    assert tag(_hex("previous_key"), "casekey", CASEKEY.case, b"", 2).hex() == tags["casekey"]
    assert tags["object"] in spec("keys.md")


def test_the_wraps_of_the_vector_open() -> None:
    assert keys.unwrap_mailbox_seed(_hex("mailbox_wrap"), HOLDER, MAILBOX) == SEED
    assert keys.previous_seed(SEED, MAILBOX, _previous()) == _hex("previous_seed")
    assert _unwrap_node(_hex("node_wrap")) == CASE_KEY
    assert keys.next_key(_hex("previous_key"), CASEKEY) == CASE_KEY
    given = keys.unwrap_case_key(
        _hex("device_wrap"),
        HOLDER,
        CASEKEY,
        purpose=CASE_DEVICE,
        author=AUTHOR,
        named=(sha256(_hex("device_wrap")),),
    )
    assert given == CASE_KEY


def _previous() -> Mailbox:
    """Return the generation before the vector's, as its statement would commit to it."""
    seed, scope = _hex("previous_seed"), _hex("mailbox_scope")
    return replace(
        MAILBOX,
        version=1,
        kem=KemKey.from_secret(seed).public,
        key_id=key_commitment(seed, MAILBOX.net, scope, 1),
    )


def test_attack_04_a_wrap_nobody_named_is_not_opened() -> None:
    """The broker wraps its own key to a node: it has all public keys, and no signature."""
    own_key = random_bytes(32)
    planted = keys.wrap_case_key(own_key, BOX.public, CASEKEY, purpose=CASE_NODE, author=AUTHOR)
    with refused("wrap-not-named", UntrustedError):
        keys.unwrap_case_key(planted, BOX, CASEKEY, purpose=CASE_NODE, author=AUTHOR, named=NAMED)
    seed = keys.wrap_mailbox_seed(own_key, HOLDER.public, MAILBOX)
    with refused("wrap-not-named", UntrustedError):
        keys.unwrap_mailbox_seed(seed, HOLDER, MAILBOX)


def test_attack_05_different_keys_for_two_members_are_found() -> None:
    """The owner names a wrap of another key: the commitment tells the second member."""
    other = random_bytes(32)
    wrapped = keys.wrap_case_key(other, BOX.public, CASEKEY, purpose=CASE_NODE, author=AUTHOR)
    with refused("key-id", UntrustedError):
        _unwrap_node(wrapped)
    named = replace(MAILBOX, wraps=())
    seed = keys.wrap_mailbox_seed(other, HOLDER.public, named)
    wraps = (DeviceWrap(MAILBOX.device, sha256(seed)),)
    with refused("key-id", UntrustedError):
        keys.unwrap_mailbox_seed(seed, HOLDER, replace(MAILBOX, wraps=wraps))


def test_a_seed_gives_the_public_key_it_was_announced_with() -> None:
    lying = replace(MAILBOX, kem=HOLDER.public)
    seed = keys.wrap_mailbox_seed(SEED, HOLDER.public, lying)
    wraps = (DeviceWrap(MAILBOX.device, sha256(seed)),)
    with refused("key-id", UntrustedError):
        keys.unwrap_mailbox_seed(seed, HOLDER, replace(lying, wraps=wraps))


def test_a_seed_is_the_one_committed_to_in_both_ways() -> None:
    lying = replace(MAILBOX, key_id=bytes(32))
    seed = keys.wrap_mailbox_seed(SEED, HOLDER.public, lying)
    wraps = (DeviceWrap(MAILBOX.device, sha256(seed)),)
    with refused("key-id", UntrustedError):
        keys.unwrap_mailbox_seed(seed, HOLDER, replace(lying, wraps=wraps))


def test_a_wrap_opens_for_nothing_else_than_it_was_made_for() -> None:
    wrapped = _hex("node_wrap")
    other = bytes(16)
    for casekey in (
        replace(CASEKEY, case=other),
        replace(CASEKEY, gen=3),
        replace(CASEKEY, net=bytes(32)),
        replace(CASEKEY, key_id=bytes(32)),
    ):
        with pytest.raises(UntrustedError):
            _unwrap_node(wrapped, casekey)
    for purpose, author, ours in (
        (CASE_DEVICE, AUTHOR, BOX),
        (CASE_NODE, other, BOX),
        (CASE_NODE, AUTHOR, HOLDER),
    ):
        with pytest.raises(UntrustedError):
            keys.unwrap_case_key(
                wrapped, ours, CASEKEY, purpose=purpose, author=author, named=NAMED
            )
    named = (sha256(_hex("mailbox_wrap")),)
    with pytest.raises(UntrustedError):
        keys.unwrap_case_key(
            _hex("mailbox_wrap"), HOLDER, CASEKEY, purpose=CASE_NODE, author=AUTHOR, named=named
        )


def test_a_mailbox_wrap_opens_for_its_box_and_generation_only() -> None:
    wrapped = _hex("mailbox_wrap")
    for mailbox in (
        replace(MAILBOX, box="alert"),
        replace(MAILBOX, node="tirana-lab"),
        replace(MAILBOX, version=3),
        replace(MAILBOX, device=bytes(16)),
    ):
        with pytest.raises(UntrustedError):
            keys.unwrap_mailbox_seed(wrapped, HOLDER, mailbox)


def test_links_lead_where_the_statements_say() -> None:
    with pytest.raises(UntrustedError):
        keys.next_key(CASE_KEY, CASEKEY)  # nobody walks on from elsewhere
    with pytest.raises(UntrustedError):
        keys.previous_seed(_hex("previous_seed"), MAILBOX, _previous())  # nobody walks forward
    for link in (b"", *flips(CASEKEY.link, 9)):
        with pytest.raises(UntrustedError):
            keys.next_key(_hex("previous_key"), replace(CASEKEY, link=link))
    with pytest.raises(UntrustedError):
        keys.next_key(_hex("previous_key"), replace(CASEKEY, gen=3))
    # A link to a key that was not committed to.
    other = keys.link_next_key(_hex("previous_key"), random_bytes(32), CASEKEY)
    with refused("key-id", UntrustedError):
        keys.next_key(_hex("previous_key"), replace(CASEKEY, link=other))
    seed = keys.link_previous_seed(SEED, random_bytes(32), MAILBOX)
    with refused("key-id", UntrustedError):
        keys.previous_seed(SEED, replace(MAILBOX, link=seed), _previous())


def test_attack_28_a_revoked_device_opens_no_newer_wrap() -> None:
    """All wraps of a new generation, with every key a lost device ever held."""
    lost, older = HOLDER, BOX  # its own key and the mailbox seed it had
    fresh_seed, key = random_bytes(32), random_bytes(32)
    fresh = KemKey.from_secret(fresh_seed)
    scope = keys.mailbox_scope("skopje-border", "case")
    commitment = key_commitment(fresh_seed, MAILBOX.net, scope, 3)
    bare = replace(MAILBOX, version=3, kem=fresh.public, key_id=commitment, wraps=())
    bare = replace(bare, link=keys.link_previous_seed(fresh_seed, SEED, bare))
    remaining = KemKey.from_secret(random_bytes(32))
    seed_wrap = keys.wrap_mailbox_seed(fresh_seed, remaining.public, bare)
    mailbox = replace(bare, wraps=(DeviceWrap(bytes(16), sha256(seed_wrap)),))
    key_id = key_commitment(key, CASEKEY.net, CASEKEY.case, 3)
    casekey = replace(CASEKEY, gen=3, key_id=key_id, link=b"")
    node_wrap = keys.wrap_case_key(key, fresh.public, casekey, purpose=CASE_NODE, author=AUTHOR)
    for ours in (lost, older):
        with pytest.raises(UntrustedError):
            keys.unwrap_mailbox_seed(seed_wrap, ours, mailbox)
        with pytest.raises(UntrustedError):
            _unwrap_node(node_wrap, casekey, ours)
    with pytest.raises(UntrustedError):
        keys.next_key(CASE_KEY, casekey)
    # Who remains reads on, and back.
    assert keys.unwrap_mailbox_seed(seed_wrap, remaining, mailbox) == fresh_seed
    assert keys.previous_seed(fresh_seed, mailbox, MAILBOX) == SEED
    assert _unwrap_node(node_wrap, casekey, fresh) == key


def test_attack_51_others_still_get_their_wrap() -> None:
    """One poisoned key is told apart from the rest before anything is sent."""
    poisoned = BOX.public[:1184] + bytes(32)
    with refused("unusable-key", RefusedError):
        keys.wrap_case_key(CASE_KEY, poisoned, CASEKEY, purpose=CASE_NODE, author=AUTHOR)
    wrapped = keys.wrap_case_key(CASE_KEY, BOX.public, CASEKEY, purpose=CASE_NODE, author=AUTHOR)
    assert _unwrap_node(wrapped) == CASE_KEY


def test_a_wrap_for_another_use_does_not_open() -> None:
    stranger = wrap(CASE_KEY, BOX.public, P + b"other use")
    with pytest.raises(UntrustedError):
        _unwrap_node(stranger)
