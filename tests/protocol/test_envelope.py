"""Envelopes: what is signed, by exactly whom, and every half that is missing."""

import base64
import json
from itertools import combinations

import pytest
from msgspec.structs import replace

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import (
    POWER_KINDS,
    Envelope,
    Quorum,
    Signature,
    add_signature,
    check_signed_by,
    check_signed_by_quorums,
    claims,
    open_envelope,
    sign,
    signing_message,
)
from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.protocol.login import check_assertion, check_proof, jkt, make_assertion, make_proof
from seefen.protocol.statements import Ack, Suspend, decode_statement
from seefen.protocol.suite import PlainKey, SigningKey, sha256, verify, verify_plain
from tests.protocol.builder import flips, refused
from tests.support.specs import spec
from tests.support.vectors import own

VECTORS = own("statements/envelopes.json")
KEY = SigningKey.from_secret(bytes.fromhex(VECTORS["secret"]))
PLAIN, POWER = VECTORS["cases"]
ACK = decode_statement(bytes.fromhex(PLAIN["payload"]), "ack")
SUSPEND = decode_statement(bytes.fromhex(POWER["payload"]), "suspend")
KEYS = [SigningKey.generate() for _ in range(4)]


def _raw(envelope: bytes, kind: str) -> Envelope:
    opened = open_envelope(envelope, kind)
    return Envelope(opened.payload, opened.signatures)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["kind"]))
def test_an_envelope_is_this(case: dict[str, str]) -> None:
    envelope, payload = bytes.fromhex(case["envelope"]), bytes.fromhex(case["payload"])
    opened = open_envelope(envelope, case["kind"])
    assert opened.payload == payload
    assert opened.hash == sha256(envelope)
    assert opened.signers == {KEY.key_id}
    message = signing_message(opened.kind, opened.statement.net, payload)
    assert message.hex() == case["message"]
    check_signed_by(opened, KEY.public)


def test_the_worked_example_is_the_vector() -> None:
    assert sign(ACK, KEY).hex() == PLAIN["envelope"]
    assert PLAIN["envelope"] in spec("envelope.md")
    assert PLAIN["message"] in spec("envelope.md")


def test_signatures_are_sorted_and_unique() -> None:
    envelope = sign(SUSPEND, *KEYS[:3])
    raw = _raw(envelope, "suspend")
    ids = [s.key_id for s in raw.signatures]
    assert ids == sorted(key.key_id for key in KEYS[:3])
    for bent in (raw.signatures[::-1], (*raw.signatures, raw.signatures[-1])):
        with refused("signatures", MalformedError):
            open_envelope(encode(Envelope(raw.payload, tuple(bent))), "suspend")


def test_a_second_hand_signs_what_the_first_signed() -> None:
    envelope = add_signature(sign(SUSPEND, KEYS[0]), "suspend", KEYS[1])
    check_signed_by(open_envelope(envelope, "suspend"), KEYS[0].public, KEYS[1].public)
    with refused("signed-twice", MalformedError):
        add_signature(envelope, "suspend", KEYS[0])


def test_exactly_the_keys_that_are_needed() -> None:
    for count in range(4):
        opened = open_envelope(sign(ACK, *KEYS[:count]), "ack")
        for needed in range(4):
            publics = [key.public for key in KEYS[:needed]]
            if count == needed:
                check_signed_by(opened, *publics)
            else:
                with refused("wrong-signers", UntrustedError):
                    check_signed_by(opened, *publics)
    with refused("wrong-signers", UntrustedError):
        check_signed_by(open_envelope(sign(ACK, KEYS[0]), "ack"), KEYS[1].public)


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_a_quorum_is_reached_by_exactly_its_threshold(threshold: int) -> None:
    quorum = Quorum([key.public for key in KEYS[:3]], threshold)
    for count in range(5):
        for signers in combinations(KEYS, count):
            opened = open_envelope(sign(ACK, *signers), "ack")
            inside = sum(key in KEYS[:3] for key in signers)
            if inside == count == threshold:
                check_signed_by_quorums(opened, quorum)
            else:
                rule = "quorum" if inside < threshold else "wrong-signers"
                with refused(rule, UntrustedError):
                    check_signed_by_quorums(opened, quorum)


def test_two_quorums_may_share_a_key_and_none_is_idle() -> None:
    first = Quorum([key.public for key in KEYS[:3]], 2)
    second = Quorum([KEYS[2].public], 1)
    passing = {frozenset({0, 2}), frozenset({1, 2})}
    for count in range(5):
        for chosen in combinations(range(4), count):
            opened = open_envelope(sign(ACK, *(KEYS[n] for n in chosen)), "ack")
            if frozenset(chosen) in passing:
                check_signed_by_quorums(opened, first, second)
                continue
            with pytest.raises(UntrustedError):
                check_signed_by_quorums(opened, first, second)


def test_a_quorum_counts_signatures_and_not_names() -> None:
    # Whoever knows the public keys can write their ids under anything.
    quorum = Quorum([key.public for key in KEYS[:3]], 2)
    raw = _raw(sign(ACK, *KEYS[:2]), "ack")
    forged = tuple(replace(s, value=bytes(len(s.value))) for s in raw.signatures)
    for signatures in (forged, (raw.signatures[0], forged[1]), (forged[0], raw.signatures[1])):
        opened = open_envelope(encode(Envelope(raw.payload, signatures)), "ack")
        with refused("signature", UntrustedError):
            check_signed_by_quorums(opened, quorum)


def test_what_was_opened_keeps_its_bytes() -> None:
    envelope = sign(ACK, KEY)
    opened = open_envelope(envelope, "ack")
    assert (opened.envelope, opened.hash) == (envelope, sha256(envelope))


def test_any_bit_changed_is_noticed() -> None:
    for kind, statement in (("ack", ACK), ("suspend", SUSPEND)):
        envelope = sign(statement, KEY)
        for bent in flips(envelope, 7):
            with pytest.raises(SeefenError):
                check_signed_by(open_envelope(bent, kind), KEY.public)


def test_a_signature_holds_in_one_network() -> None:
    assert isinstance(ACK, Ack)
    moved = encode(replace(ACK, net=bytes(32)))
    stolen = encode(Envelope(moved, open_envelope(sign(ACK, KEY), "ack").signatures))
    with refused("signature", UntrustedError):
        check_signed_by(open_envelope(stolen, "ack"), KEY.public)


def test_attack_22_a_login_is_no_statement_and_back() -> None:
    """The login key's bytes as a statement's signature, and a statement's as a login."""
    auth = PlainKey.from_secret(KEY.secret[:32])  # the worst case: one Ed25519 key for both
    device, nonce, at = "44" * 16, "nonce", 1_790_000_000
    assertion = make_assertion(auth, device, "https://broker.example", nonce, jkt(auth.public), at)
    proof = make_proof(auth, "GET", "https://broker.example/", nonce, at)
    for token in (assertion, proof):
        text, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        verify_plain(auth.public, text.encode(), raw)
        for payload in (text.encode(), encode(ACK)):
            offered = encode([payload, [Signature(KEY.key_id, raw)]])
            with pytest.raises(SeefenError):
                check_signed_by(open_envelope(offered, "ack"), KEY.public)
    message = signing_message("ack", ACK.net, encode(ACK))
    signed = KEY.sign(message, power=False)
    verify(KEY.public, message, signed, power=False)
    header = base64.urlsafe_b64encode(json.dumps({"alg": "EdDSA"}).encode()).rstrip(b"=").decode()
    for text in (message.hex(), f"{header}.{message.hex()}", message.decode("latin-1")):
        token = f"{text}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"
        with pytest.raises(SeefenError):
            check_assertion(token, lambda _: auth.public, "https://broker.example", [nonce], at)
        with pytest.raises(SeefenError):
            check_proof(token, "GET", "https://broker.example/", [nonce])


@pytest.mark.parametrize("kind", sorted(POWER_KINDS))
def test_fault_59_what_needs_ml_dsa_is_not_believed_with_ed25519_alone(kind: str) -> None:
    """The length is fixed by the kind, not by what was sent: there is nothing to downgrade."""
    assert isinstance(SUSPEND, Suspend)
    payload = encode(replace(SUSPEND, kind=kind))
    message = signing_message(kind, SUSPEND.net, payload)
    plain = KEY.sign(message, power=False)
    verify(KEY.public, message, plain, power=False)  # by itself it is right
    with refused("signatures", MalformedError):
        open_envelope(encode([payload, [[KEY.key_id, plain]]]), kind)
    with pytest.raises(UntrustedError):
        verify(KEY.public, message, plain, power=True)


def test_attack_25_no_half_of_a_power_signature_will_do() -> None:
    assert isinstance(SUSPEND, Suspend)
    raw = _raw(sign(SUSPEND, KEY), "suspend")
    (good,) = raw.signatures
    ed25519, mldsa = good.value[:64], good.value[64:]
    other = _raw(sign(replace(SUSPEND, reason="other"), KEY), "suspend").signatures[0].value
    cut = [ed25519, mldsa, good.value[:-1], mldsa + ed25519[:63]]
    for value in cut:
        with pytest.raises(MalformedError):
            open_envelope(encode([raw.payload, [[good.key_id, value]]]), "suspend")
    swapped = [
        bytes(64) + mldsa,
        ed25519 + bytes(3309),
        mldsa + ed25519,
        other[:64] + mldsa,
        ed25519 + other[64:],
    ]
    for value in swapped:
        opened = open_envelope(encode([raw.payload, [[good.key_id, value]]]), "suspend")
        with refused("signature", UntrustedError):
            check_signed_by(opened, KEY.public)
    # The other way round: a power signature under what needs none.
    long = Signature(KEY.key_id, KEY.sign(b"", power=True))
    with refused("signatures", MalformedError):
        open_envelope(encode(Envelope(encode(ACK), (long,))), "ack")


def test_what_will_be_verified_is_known_ahead() -> None:
    opened = open_envelope(sign(SUSPEND, *KEYS[:3]), "suspend")
    message = signing_message("suspend", SUSPEND.net, opened.payload)
    values = {signature.key_id: signature.value for signature in opened.signatures}
    for known in (KEYS[:3], KEYS[1:], KEYS[3:]):
        found = claims(opened, {key.key_id: key.public for key in known})
        assert sorted(found) == sorted(
            (key.public, message, values[key.key_id]) for key in known if key in KEYS[:3]
        )
        for public, said, value in found:
            verify(public, said, value, power=True)
