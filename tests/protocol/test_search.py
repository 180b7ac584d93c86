"""Searches: an entry each, an account for the own auditors, and nothing for anybody else."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol import search as searches
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.padding import pad
from seefen.protocol.search import (
    ACCOUNT_LIMIT,
    MOST,
    QUERY_LIMIT,
    Account,
    Sought,
    check_search,
    fits,
    open_account,
    seal_account,
)
from seefen.protocol.statements import Head, Mailbox, SealedReason, Search, decode_statement
from seefen.protocol.suite import commit, new_id, random_bytes, wrap
from tests.protocol.builder import flips, forge, here, read, refused, twin
from tests.support import casework
from tests.support.network import Network
from tests.support.specs import spec
from tests.support.vectors import own

VECTOR = own("objects/search.json")
FOUNDED = Network.founded("skopje-border", "belgrade-ffp")


def _hex(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def _statements() -> tuple[Search, Mailbox]:
    given = decode_statement(_hex("search"), "search")
    mailbox = decode_statement(_hex("mailbox"), "mailbox")
    assert isinstance(given, Search)
    assert isinstance(mailbox, Mailbox)
    return given, mailbox


SEARCH, MAILBOX = _statements()
SEED = _hex("seed")


def _sought(query: str = "milosh", results: int = 0) -> Sought:
    return Sought(SEARCH.made_at, "words", query, results)


def _given(account: Account, **changes: Any) -> Search:
    detail, reasons = seal_account(account, device=SEARCH.device, audit=MAILBOX)
    fields = {"detail": detail, "reasons": reasons, "count": len(account.sought)}
    return replace(SEARCH, **(fields | changes))


# --- the account ------------------------------------------------------------------


def test_the_account_of_the_vector_opens() -> None:
    account = open_account(SEARCH, MAILBOX, SEED)
    assert encode(account) == _hex("account")
    assert [account.reason, [[s.at, s.what, s.query, s.results] for s in account.sought]] == (
        VECTOR["fields"]
    )
    assert commit(_hex("salt"), _hex("account")).hex() == SEARCH.detail.hex() == VECTOR["detail"]
    info = searches._info(MAILBOX, SEARCH.device, SEARCH.detail)
    assert info.hex() == VECTOR["info"]
    for name in ("account", "detail", "info"):
        assert VECTOR[name] in spec("access.md")


@pytest.mark.parametrize(
    "account",
    [
        Account("", (_sought(""),)),
        Account("x" * 2000, (_sought("я" * QUERY_LIMIT),)),
        Account("", tuple(_sought(f"CASE#{n}", n) for n in range(MOST))),
    ],
    ids=["nothing", "long", "many"],
)
def test_what_is_sealed_opens_and_is_not_too_long(account: Account) -> None:
    assert fits(account)
    given = _given(account)
    assert decode_statement(encode(given), "search") == given
    assert open_account(given, MAILBOX, SEED) == account


def test_an_account_that_is_too_long_does_not_fit() -> None:
    long = Account("", tuple(_sought("x" * 300) for _ in range(20)))
    assert len(encode(long)) > ACCOUNT_LIMIT
    assert not fits(long)
    assert not fits(Account("", (_sought(),) * (MOST + 1)))
    length = len(encode(Account("x" * 300, (_sought("x" * 300),) * 11)))
    most = Account("x" * (300 + ACCOUNT_LIMIT - length), (_sought("x" * 300),) * 11)
    assert len(encode(most)) == ACCOUNT_LIMIT
    assert fits(most)


def test_attack_34_neither_length_nor_log_tells_what_was_looked_for() -> None:
    """Every likely query, and every number of hits, misses the commitment; the length is one."""
    likely = [Account("", (_sought(f"C-{n}", hits),)) for n in range(200) for hits in (0, 1)]
    given = [seal_account(a, device=SEARCH.device, audit=MAILBOX)[0] for a in likely * 2]
    assert len(set(given)) == len(given)
    for salt in (bytes(32), SEARCH.device * 2, SEARCH.detail):
        assert SEARCH.detail not in {commit(salt, encode(account)) for account in likely}
    lengths = {len(_given(a).reasons[0].sealed) for a in (likely[0], likely[1], likely[-1])}
    assert len(lengths) == 1


def test_auditors_of_another_box_cannot_open_it() -> None:
    for other in (replace(MAILBOX, node="tirana-lab"), replace(MAILBOX, version=3)):
        with refused("not-sealed-to-us", RefusedError):
            open_account(SEARCH, other, SEED)
    with pytest.raises(UntrustedError):
        open_account(SEARCH, MAILBOX, random_bytes(32))
    with pytest.raises(UntrustedError):
        open_account(replace(SEARCH, device=new_id()), MAILBOX, SEED)


def test_attack_33_what_was_looked_for_is_not_changed_afterwards() -> None:
    """Another account under the old commitment, one that says another count, or another time."""
    account = Account("", (_sought(), _sought("other")))
    mislaid = [
        replace(_given(account), detail=SEARCH.detail),
        _given(account, count=1),
        _given(account, count=3),
        _given(account, made_at=SEARCH.made_at + 1),
    ]
    for given in mislaid:
        with pytest.raises(UntrustedError):
            open_account(given, MAILBOX, SEED)
    plain = encode(account)
    info = searches._info(MAILBOX, SEARCH.device, SEARCH.detail)
    for inside in (random_bytes(32) + pad(plain), _hex("salt") + pad(plain), b"x", b""):
        sealed = SealedReason(MAILBOX.node, MAILBOX.version, wrap(inside, MAILBOX.kem, info))
        with refused("mis-sealed", UntrustedError):
            open_account(replace(SEARCH, reasons=(sealed,)), MAILBOX, SEED)
    for bent in flips(SEARCH.reasons[0].sealed, 101):
        reasons = (replace(SEARCH.reasons[0], sealed=bent),)
        with pytest.raises(UntrustedError):
            open_account(replace(SEARCH, reasons=reasons), MAILBOX, SEED)


# --- the statement ----------------------------------------------------------------


def _check(network: Network, envelope: bytes, **place: int) -> Search:
    return check_search(
        open_envelope(envelope, "search"), network.directory, here(network, **place)
    )


def test_a_search_passes_and_so_does_a_batch_of_automated_ones() -> None:
    network = twin(FOUNDED)
    by = network.of("skopje-border")
    for bundle in (
        casework.search(network, by),
        casework.search(network, by, "CASE#1", "CASE#2", automated=True),
        casework.search(network, by, made_at=0),  # a journal may come late, from a wrong clock
        casework.search(network, by, made_at=network.at + 10**6),
    ):
        found = _check(network, bundle.statements[0].envelope)
        audit = network.directory.mailbox("skopje-border", "audit")
        assert audit is not None
        if found.made_at == network.at:
            seed = network.seeds["skopje-border", "audit", 1]
            assert len(open_account(found, audit, seed).sought) == found.count
        network.take(bundle)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("net", {"net": bytes(32)}),
    ("wrong-node", {"node": "belgrade-ffp"}),
    ("unknown-device", {"device": bytes(16)}),
    ("fork", {"authority": Head(3, bytes(32))}),
    ("fork", {"authority": Head(999, bytes(32))}),
    ("fork", {"activity": Head(999, bytes(32))}),
    ("count", {"count": 2}),
    ("reasons", {"reasons": ()}),
]


@pytest.mark.parametrize(("rule", "changes"), WRONG, ids=lambda value: str(value)[:30])
def test_each_rule_of_a_search_holds(rule: str, changes: dict[str, Any]) -> None:
    network = FOUNDED
    by = network.of("skopje-border")
    bundle = casework.search(network, by, **changes)
    with refused(rule, SeefenError):
        _check(network, bundle.statements[0].envelope)


def test_only_its_own_device_signs_it_and_only_in_force() -> None:
    network = twin(FOUNDED)
    by = network.of("skopje-border")
    bundle = casework.search(network, by)
    stranger = network.of("belgrade-ffp")
    with refused("wrong-signers", UntrustedError):
        _check(network, forge(bundle, stranger.sign))
    network.take(network.enrol("skopje-border", ("field",)))
    officer = network.of("skopje-border", nth=1)
    bundle = casework.search(network, officer)
    _check(network, bundle.statements[0].envelope)
    network.take(network.revoke(officer))
    with refused("revoked", UntrustedError):
        _check(network, bundle.statements[0].envelope)


def test_it_is_sealed_to_the_own_auditors_and_to_nobody_else() -> None:
    network = FOUNDED
    by = network.of("skopje-border")
    theirs = network.directory.mailbox("belgrade-ffp", "audit")
    assert theirs is not None
    given = read(casework.search(network, by), Search)
    (sealed,) = given.reasons
    for reasons in ((replace(sealed, node="belgrade-ffp"),), (replace(sealed, gen=2),)):
        with refused("reasons", RefusedError):
            _check(network, sign(replace(given, reasons=reasons), by.sign))


def test_it_is_sealed_to_the_auditors_whom_its_author_knew() -> None:
    network = twin(FOUNDED)
    bundle = casework.search(network, network.of("skopje-border"))
    then = network.directory.size
    network.take(network.renew("skopje-border", "audit"))
    _check(network, bundle.statements[0].envelope, authority_size=then)


def test_a_node_without_auditors_has_nobody_to_seal_to() -> None:
    network = Network.founded()
    network.take(network.admit("tirana-lab", machines=(("admin", "field", "keyholder", "lead"),)))
    bundle = casework.search(network, network.of("tirana-lab"))
    assert _check(network, bundle.statements[0].envelope).reasons == ()


def test_another_kind_is_no_search() -> None:
    network = twin(FOUNDED)
    _, bundle = casework.open_case(network, network.of("skopje-border"))
    opened = open_envelope(bundle.statements[0].envelope, "case")
    with refused("unknown-kind", UntrustedError):
        check_search(opened, network.directory, here(network))
