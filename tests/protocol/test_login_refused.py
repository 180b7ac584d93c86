"""Login: tables of bad assertions and proofs, each with its one fault."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.encoding import decode, encode, peek_kind
from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.protocol.login import (
    Claims,
    Proof,
    check_assertion,
    check_proof,
    jkt,
    make_proof,
    nonces_at,
)
from seefen.protocol.suite import P, PlainKey, SigningKey, verify
from tests.support.vectors import own

SMALL_ORDER = own("suite/small-order.json")["cases"]
AT = 1_780_000_000
URL = "https://broker.example"
SOCKET = f"{URL}/v1/socket"
TOKEN = "k1hZ0qKcPpWmJmFz"
DEVICE = "00112233445566778899aabbccddeeff"
OTHER = "ff" * 16
SECRET = bytes(range(32))
NONCES = nonces_at(SECRET, AT)
AUTH = PlainKey.from_secret(b"a" * 32)
DPOP = PlainKey.from_secret(b"d" * 32)
THIEF = PlainKey.from_secret(b"t" * 32)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def login_key(device: bytes) -> bytes:
    if device.hex() != DEVICE:
        raise UntrustedError("no such device", rule="unknown-device")
    return AUTH.public


def read_assertion(token: str, at: int = AT) -> Claims:
    return check_assertion(token, login_key, URL, NONCES, at)


def read_proof(token: str) -> Proof:
    return check_proof(token, "GET", SOCKET, NONCES, TOKEN)


HEADER = {"typ": "seefen-auth+jwt", "alg": "EdDSA", "kid": DEVICE}
CLAIMS = {
    "iss": DEVICE,
    "sub": DEVICE,
    "aud": URL,
    "iat": AT,
    "exp": AT + 60,
    "jti": b64(bytes(16)),
    "nonce": NONCES[0],
    "cnf": {"jkt": jkt(DPOP.public)},
}
JWK = {"crv": "Ed25519", "kty": "OKP", "x": b64(DPOP.public)}
PROOF_HEADER = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": JWK}
PROOF_CLAIMS = {
    "jti": b64(bytes(16)),
    "htm": "GET",
    "htu": SOCKET,
    "iat": AT,
    "nonce": NONCES[0],
    "ath": "",
}
PROOF_CLAIMS["ath"] = json.loads(
    base64.urlsafe_b64decode(
        make_proof(DPOP, "GET", SOCKET, NONCES[0], AT, TOKEN).split(".")[1] + "=="
    )
)["ath"]

Fields = dict[str, Any]


def signed(header: str, claims: str, key: PlainKey) -> str:
    start = f"{b64(header.encode())}.{b64(claims.encode())}"
    return f"{start}.{b64(key.sign(start.encode()))}"


def assertion(header: Fields | None = None, claims: Fields | None = None, **how: Any) -> str:
    """A token that is good but for what is given; ``without`` leaves a field out."""
    return _token(HEADER | (header or {}), CLAIMS | (claims or {}), AUTH, **how)


def proof(header: Fields | None = None, claims: Fields | None = None, **how: Any) -> str:
    return _token(PROOF_HEADER | (header or {}), PROOF_CLAIMS | (claims or {}), DPOP, **how)


def _token(
    header: Fields,
    claims: Fields,
    key: PlainKey,
    *,
    without: str = "",
    edit: Callable[[str], str] = str,
    by: PlainKey | None = None,
) -> str:
    header = {name: value for name, value in header.items() if name != without}
    claims = {name: value for name, value in claims.items() if name != without}
    return signed(json.dumps(header), edit(json.dumps(claims)), by or key)


def test_the_tables_start_from_what_is_good() -> None:
    read_assertion(assertion())
    read_proof(proof())


def _start(text: str) -> Callable[[str], str]:
    """Put ``text`` in front of the fields: a name that stands twice, the good one last."""
    return lambda claims: "{" + text + ", " + claims[1:]


def _jkt_twice(claims: str) -> str:
    return claims.replace('{"jkt"', '{"jkt": "A", "jkt"')


STRANGE = assertion()[:-86] + assertion(claims={"exp": AT + 59})[-86:]

BAD_ASSERTIONS: list[tuple[str, str, type[SeefenError]]] = [
    ("alg none", assertion({"alg": "none"}), MalformedError),
    ("alg none, unsigned", assertion({"alg": "none"}).rpartition(".")[0] + ".", MalformedError),
    ("alg HS256", assertion({"alg": "HS256"}), MalformedError),
    ("alg ES256", assertion({"alg": "ES256"}), MalformedError),
    ("alg eddsa", assertion({"alg": "eddsa"}), MalformedError),
    ("typ JWT", assertion({"typ": "JWT"}), MalformedError),
    ("typ of a proof", assertion({"typ": "dpop+jwt"}), MalformedError),
    ("no typ", assertion(without="typ"), MalformedError),
    ("no kid", assertion(without="kid"), MalformedError),
    ("kid climbs", assertion({"kid": "../../../../dev/null"}), MalformedError),
    ("kid with a quote", assertion({"kid": "' OR 1=1 --"}), MalformedError),
    ("kid in capitals", assertion({"kid": DEVICE.upper()}), MalformedError),
    ("kid with a line end", assertion({"kid": DEVICE + "\n"}), MalformedError),
    ("kid of another device", assertion({"kid": OTHER}), UntrustedError),
    ("jwk in the header", assertion({"jwk": JWK}), MalformedError),
    ("jku in the header", assertion({"jku": "https://evil.example/keys"}), MalformedError),
    ("x5u in the header", assertion({"x5u": "https://evil.example/cert"}), MalformedError),
    ("x5c in the header", assertion({"x5c": ["AA"]}), MalformedError),
    ("crit in the header", assertion({"crit": ["exp"]}), MalformedError),
    ("b64 false", assertion({"b64": False}), MalformedError),
    ("iss of another device", assertion(claims={"iss": OTHER}), UntrustedError),
    ("sub of another device", assertion(claims={"sub": OTHER}), UntrustedError),
    ("another audience", assertion(claims={"aud": "https://evil.example"}), UntrustedError),
    ("audience with a slash", assertion(claims={"aud": URL + "/"}), UntrustedError),
    ("two audiences", assertion(claims={"aud": [URL, "https://evil.example"]}), MalformedError),
    ("exp as text", assertion(claims={"exp": str(AT + 60)}), MalformedError),
    ("exp as a float", assertion(claims={"exp": AT + 60.0}), MalformedError),
    ("exp true", assertion(claims={"exp": True}), MalformedError),
    ("exp NaN", assertion(claims={"exp": float("nan")}), MalformedError),
    ("exp infinite", assertion(claims={"exp": float("inf")}), MalformedError),
    ("exp of 1000 digits", assertion(claims={"exp": 10**1000}), MalformedError),
    ("no exp", assertion(without="exp"), MalformedError),
    ("no nonce", assertion(without="nonce"), MalformedError),
    ("no jti", assertion(without="jti"), MalformedError),
    ("no cnf", assertion(without="cnf"), MalformedError),
    ("lives 61 seconds", assertion(claims={"exp": AT + 61}), UntrustedError),
    ("ends as it begins", assertion(claims={"exp": AT}), UntrustedError),
    ("ends before it begins", assertion(claims={"exp": AT - 1}), UntrustedError),
    (
        "of another day",
        assertion(claims={"iat": AT - 86_401, "exp": AT - 86_400}),
        UntrustedError,
    ),
    ("nonce of two minutes ago", assertion(claims={"nonce": "x" * 22}), UntrustedError),
    ("nonce empty", assertion(claims={"nonce": ""}), UntrustedError),
    ("jti short", assertion(claims={"jti": "abc"}), MalformedError),
    ("cnf with a key", assertion(claims={"cnf": {"jkt": "A" * 43, "jwk": JWK}}), MalformedError),
    ("cnf empty", assertion(claims={"cnf": {}}), MalformedError),
    ("a claim more", assertion(claims={"nbf": AT}), MalformedError),
    ("aud twice", assertion(edit=_start('"aud": "https://evil.example"')), MalformedError),
    ("jkt twice", assertion(edit=_jkt_twice), MalformedError),
    ("claims no object", signed(json.dumps(HEADER), "[]", AUTH), MalformedError),
    ("claims not JSON", signed(json.dumps(HEADER), "{", AUTH), MalformedError),
    ("claims 1,000 deep", signed(json.dumps(HEADER), "[" * 1500, AUTH), MalformedError),
    ("header no object", signed("1", json.dumps(CLAIMS), AUTH), MalformedError),
    ("signed by a thief", assertion(by=THIEF), UntrustedError),
    ("signature of another token", STRANGE, UntrustedError),
    ("signature missing", assertion()[:-86], MalformedError),
    ("signature cut", assertion()[:-2], UntrustedError),
    ("padded base64", assertion() + "==", MalformedError),
    ("two parts", ".".join(assertion().split(".")[:2]), MalformedError),
    ("four parts", assertion() + ".AA", MalformedError),
    ("a blank in front", " " + assertion(), MalformedError),
    ("a line end behind", assertion() + "\n", MalformedError),
    ("another alphabet", assertion().replace("e", "é", 1), MalformedError),
    ("nothing", "", MalformedError),
    ("too long", assertion() + "A" * 4096, MalformedError),
    ("a proof", proof(), MalformedError),
]  # fmt: skip


@pytest.mark.parametrize(("why", "token", "error"), BAD_ASSERTIONS, ids=lambda v: str(v)[:40])
def test_a_bad_assertion_is_refused(why: str, token: str, error: type[SeefenError]) -> None:
    with pytest.raises(error):
        read_assertion(token)


def test_an_assertion_may_live_a_second() -> None:
    read_assertion(assertion(claims={"exp": AT + 1}))


def _of_length(length: int) -> str:
    """Return an assertion that blanks have made so long: 0 to 2 in its header, the rest after."""
    for header in range(3):
        for claims in range(length):
            start = f"{b64((json.dumps(HEADER) + ' ' * header).encode())}."
            start += b64((json.dumps(CLAIMS) + " " * claims).encode())
            if len(start) + 1 + 86 == length:
                return f"{start}.{b64(AUTH.sign(start.encode()))}"
    raise ValueError(length)


def test_a_token_has_at_most_4096_characters() -> None:
    read_assertion(_of_length(4096))
    with pytest.raises(MalformedError):
        read_assertion(_of_length(4097))


def test_the_last_character_of_base64_has_one_spelling() -> None:
    good = assertion()
    # 64 bytes end in two bits that count and four that do not.
    assert good[-1] in "AQgw"
    for letter in "BCRSTUhixyz":
        with pytest.raises(MalformedError):
            read_assertion(good[:-1] + letter)


@pytest.mark.parametrize(
    ("token", "rule"),
    [
        (assertion(claims={"nonce": "old"}), "stale-nonce"),
        (assertion(claims={"iat": AT - 10**6, "exp": AT - 10**6 + 60}), "clock"),
        (assertion(claims={"aud": "https://evil.example"}), "login"),
        (assertion({"kid": OTHER}), "unknown-device"),
    ],
    ids=["nonce", "clock", "audience", "device"],
)
def test_a_refusal_names_its_rule(token: str, rule: str) -> None:
    with pytest.raises(UntrustedError) as raised:
        read_assertion(token)
    assert raised.value.rule == rule


def _jwk(**other: Any) -> Fields:
    return {"jwk": JWK | other}


BAD_PROOFS: list[tuple[str, str, type[SeefenError]]] = [
    ("typ JWT", proof({"typ": "JWT"}), MalformedError),
    ("typ of an assertion", proof({"typ": "seefen-auth+jwt"}), MalformedError),
    ("alg none", proof({"alg": "none"}), MalformedError),
    ("alg HS256", proof({"alg": "HS256"}), MalformedError),
    ("no jwk", proof(without="jwk"), MalformedError),
    ("jwk with its secret", proof(_jwk(d=b64(DPOP.secret))), MalformedError),
    ("jwk with a kid", proof(_jwk(kid="1")), MalformedError),
    ("jwk X25519", proof(_jwk(crv="X25519")), MalformedError),
    ("jwk EC", proof(_jwk(kty="EC")), MalformedError),
    ("jwk oct", proof({"jwk": {"kty": "oct", "k": "AAAA"}}), MalformedError),
    ("jwk short", proof(_jwk(x=b64(DPOP.public[:31]))), MalformedError),
    ("jwk other spelling", proof(_jwk(x=JWK["x"][:-1] + "B")), MalformedError),
    ("jwk of another", proof(_jwk(x=b64(THIEF.public))), UntrustedError),
    ("kid in the header", proof({"kid": DEVICE}), MalformedError),
    ("crit in the header", proof({"crit": ["htu"]}), MalformedError),
    ("another method", proof(claims={"htm": "POST"}), UntrustedError),
    ("method in small letters", proof(claims={"htm": "get"}), UntrustedError),
    ("another path", proof(claims={"htu": f"{URL}/v1/token"}), UntrustedError),
    ("another host", proof(claims={"htu": "https://evil.example/v1/socket"}), UntrustedError),
    ("plain HTTP", proof(claims={"htu": SOCKET.replace("https", "http")}), UntrustedError),
    ("a query", proof(claims={"htu": SOCKET + "?x=1"}), UntrustedError),
    ("another token", proof(claims={"ath": "A" * 43}), UntrustedError),
    ("no token", proof(without="ath"), UntrustedError),
    ("token null", proof(claims={"ath": None}), MalformedError),
    ("old nonce", proof(claims={"nonce": "x" * 22}), UntrustedError),
    ("no nonce", proof(without="nonce"), MalformedError),
    ("no jti", proof(without="jti"), MalformedError),
    ("no iat", proof(without="iat"), MalformedError),
    ("iat as text", proof(claims={"iat": str(AT)}), MalformedError),
    ("a claim more", proof(claims={"exp": AT}), MalformedError),
    ("htu twice", proof(edit=_start('"htu": "https://evil.example"')), MalformedError),
    ("signed by another", proof(by=THIEF), UntrustedError),
    ("an assertion", assertion(), MalformedError),
]


@pytest.mark.parametrize(("why", "token", "error"), BAD_PROOFS, ids=lambda v: str(v)[:40])
def test_a_bad_proof_is_refused(why: str, token: str, error: type[SeefenError]) -> None:
    with pytest.raises(error):
        read_proof(token)


def test_a_proof_for_a_token_does_not_serve_without() -> None:
    for token in (proof(), proof(claims={"ath": "A" * 43})):
        with pytest.raises(UntrustedError):
            check_proof(token, "GET", SOCKET, NONCES)


def test_any_text_in_the_place_of_a_token_has_a_proof_and_no_other() -> None:
    strange = "\udcff"  # what a header with bytes that are no UTF-8 becomes
    token = make_proof(DPOP, "GET", SOCKET, NONCES[0], AT, strange)
    assert check_proof(token, "GET", SOCKET, NONCES, strange).jkt == jkt(DPOP.public)
    with pytest.raises(UntrustedError):
        check_proof(proof(), "GET", SOCKET, NONCES, strange)


@pytest.mark.parametrize("case", SMALL_ORDER, ids=lambda case: str(case["why"]))
def test_a_proof_key_of_small_order_is_refused(case: dict[str, Any]) -> None:
    # Under the identity point this signature verifies for every token.
    start = proof(_jwk(x=b64(bytes.fromhex(case["public"])))).rpartition(".")[0]
    always = b64((1).to_bytes(32, "little") + bytes(32))
    with pytest.raises(UntrustedError) as raised:
        read_proof(f"{start}.{always}")
    assert raised.value.rule == "unusable-key"


def test_a_token_is_no_statement_and_a_statement_no_token() -> None:
    token = assertion()
    for data in (token.encode(), *(part.encode() for part in token.split("."))):
        with pytest.raises(MalformedError):
            peek_kind(data)
        with pytest.raises(MalformedError):
            decode(data, list[Any])
    statement = encode([1, bytes(32), "object", bytes(16)])
    for text in (statement.hex(), b64(statement), statement.decode("latin-1")):
        with pytest.raises(MalformedError):
            read_assertion(text)
        with pytest.raises(MalformedError):
            read_proof(text)


def test_a_signature_of_one_is_worth_nothing_under_the_other() -> None:
    both = SigningKey.from_secret(AUTH.secret + bytes(32))  # the same Ed25519 key for both
    start, _, signature = assertion().rpartition(".")
    message = P + b"sig/object\0" + bytes(32) + encode([1, bytes(32), "object", bytes(16)])
    with pytest.raises(UntrustedError):
        read_assertion(f"{start}.{b64(both.sign(message, power=False))}")
    jws = base64.urlsafe_b64decode(signature + "==")
    with pytest.raises(UntrustedError):
        verify(both.public, message, jws, power=False)
    assert not start.encode().startswith(P[:1])


@given(st.text(max_size=80) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
def test_random_text_is_malformed(text: str) -> None:
    for read in (read_assertion, read_proof):
        with pytest.raises(MalformedError):
            read(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_value_of_any_claim_is_refused_or_good(value: Any) -> None:
    for name in CLAIMS:
        try:
            read_assertion(assertion(claims={name: value}))
        except (MalformedError, UntrustedError):
            continue
        assert name in ("exp", "iat", "jti")
