"""Login: what a good assertion and a good proof say. The bad ones: test_login_refused.py."""

from typing import Any

import pytest

from seefen.protocol.login import (
    Claims,
    Proof,
    check_assertion,
    check_proof,
    jkt,
    make_assertion,
    make_nonce,
    make_proof,
    nonces_at,
)
from seefen.protocol.suite import PlainKey
from tests.support.specs import spec
from tests.support.vectors import own

GOOD = own("login/good.json")
AT = 1_780_000_000
URL = "https://broker.example"
SOCKET = f"{URL}/v1/socket"
TOKEN = "k1hZ0qKcPpWmJmFz"
DEVICE = "00112233445566778899aabbccddeeff"
SECRET = bytes(range(32))
NONCES = nonces_at(SECRET, AT)
AUTH = PlainKey.from_secret(b"a" * 32)
DPOP = PlainKey.from_secret(b"d" * 32)


def read_assertion(token: str) -> Claims:
    return check_assertion(token, lambda _: AUTH.public, URL, NONCES, AT)


def read_proof(token: str) -> Proof:
    return check_proof(token, "GET", SOCKET, NONCES, TOKEN)


def test_the_published_thumbprint() -> None:
    assert jkt(bytes.fromhex(GOOD["thumbprint"]["public"])) == GOOD["thumbprint"]["jkt"]


def test_the_nonces_of_the_vector() -> None:
    vector = GOOD["nonce"]
    assert list(nonces_at(bytes.fromhex(vector["secret"]), vector["at"])) == vector["nonces"]
    assert vector["nonces"][0] in spec("login.md")


def test_the_assertion_of_the_vector() -> None:
    vector = GOOD["assertion"]
    public = bytes.fromhex(GOOD["thumbprint"]["public"])
    nonces = GOOD["nonce"]["nonces"]
    claims = check_assertion(
        vector["token"], lambda _: public, vector["audience"], nonces, vector["at"]
    )
    assert claims == Claims(bytes.fromhex(vector["device"]), vector["jkt"], vector["jti"])
    assert vector["token"] in spec("login.md")


@pytest.mark.parametrize("vector", GOOD["proofs"], ids=lambda case: str(case["why"]))
def test_the_proofs_of_the_vector(vector: dict[str, Any]) -> None:
    nonces = GOOD["nonce"]["nonces"]
    proof = check_proof(
        vector["token"], vector["method"], vector["url"], nonces, vector["access_token"]
    )
    assert proof == Proof(vector["jkt"], vector["jti"])


def test_a_device_logs_in() -> None:
    assertion = make_assertion(AUTH, DEVICE, URL, NONCES[0], jkt(DPOP.public), AT)
    claims = read_assertion(assertion)
    assert (claims.device.hex(), claims.jkt) == (DEVICE, jkt(DPOP.public))
    first = check_proof(
        make_proof(DPOP, "POST", f"{URL}/v1/token", NONCES[1], AT),
        "POST",
        f"{URL}/v1/token",
        NONCES,
    )
    assert first.jkt == claims.jkt
    second = read_proof(make_proof(DPOP, "GET", SOCKET, NONCES[0], AT, TOKEN))
    assert second.jkt == claims.jkt
    assert len({claims.jti, first.jti, second.jti}) == 3


def test_a_nonce_is_good_for_its_minute_and_the_next() -> None:
    minute = AT // 60
    nonce = make_nonce(SECRET, minute)
    good = [at for at in range(AT - 300, AT + 300) if nonce in nonces_at(SECRET, at)]
    assert good == list(range(minute * 60, minute * 60 + 120))
    assert nonce != make_nonce(b"other" * 7, minute)


@pytest.mark.parametrize("wrong_by", [-86_400, -3600, 61, 86_400])
def test_a_laptop_with_a_wrong_clock_logs_in(wrong_by: int) -> None:
    made = AT + wrong_by
    read_assertion(make_assertion(AUTH, DEVICE, URL, NONCES[0], jkt(DPOP.public), made))
    read_proof(make_proof(DPOP, "GET", SOCKET, NONCES[0], made - 10**8, TOKEN))
