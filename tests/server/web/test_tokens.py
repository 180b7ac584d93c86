"""Login over the wire: every bad token is 401 and says nothing; nobody is locked out."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from seefen.protocol.login import jkt, make_assertion, make_proof
from seefen.protocol.suite import PlainKey, new_id
from seefen.server.broker import Broker
from seefen.server.store import Store
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, Connect, WebDevice
from tests.support.network import Machine

CHECKPOINT = "/v1/log/authority/checkpoint"


async def test_a_device_logs_in_and_is_let_in(device: WebDevice) -> None:
    status, note = await device.request("GET", CHECKPOINT)
    assert status == 200
    assert note.startswith(b"seefen/authority\n")


async def test_a_login_says_how_long_its_token_lives(connect: Connect) -> None:
    device = connect()
    proof = await device.proof("POST", "/v1/token")
    status, document = await device.try_login(await device.assertion(), proof)
    assert status == 200
    assert (set(document), len(document["token"])) == ({"token", "expires_in"}, 43)
    assert document["expires_in"] == 600


async def test_a_login_is_logged_with_its_device(connect: Connect) -> None:
    device = connect()
    assert device.machine is not None
    with capture_logs() as said:
        await device.login()
    assert {"event": "login", "log_level": "info", "device": device.machine.device} in said


async def test_attack_39_a_stolen_token_is_worth_nothing(
    device: WebDevice, connect: Connect
) -> None:
    thief = connect()
    thief.token = device.token
    assert (await thief.request("GET", CHECKPOINT))[0] == 401
    for headers in (
        {"Authorization": f"Bearer {device.token}"},
        {"Authorization": f"DPoP {device.token}"},
        {"Authorization": f"DPoP {device.token}", "DPoP": ""},
    ):
        assert (await thief.request("GET", CHECKPOINT, headers=headers))[0] == 401


async def test_attack_40_a_proof_is_good_for_one_request(device: WebDevice) -> None:
    headers = await device.headers("GET", CHECKPOINT)
    assert (await device.request("GET", CHECKPOINT, headers=headers))[0] == 200
    assert (await device.request("GET", CHECKPOINT, headers=headers))[0] == 401
    other = await device.headers("GET", "/v1/log/activity/checkpoint")
    assert (await device.request("GET", CHECKPOINT, headers=other))[0] == 401
    other = await device.headers("POST", CHECKPOINT)
    assert (await device.request("GET", CHECKPOINT, headers=other))[0] == 401


async def test_attack_40_an_old_nonce_is_told_with_the_new_one(
    device: WebDevice, broker: LocalBroker
) -> None:
    proof = make_proof(
        device.dpop, "GET", device.url + CHECKPOINT, "A" * 22, int(time.time()), device.token
    )
    headers = {"Authorization": f"DPoP {device.token}", "DPoP": proof}
    async with device.http.get(device.url + CHECKPOINT, headers=headers) as answer:
        assert answer.status == 401
        assert (await answer.json(content_type=None))["rule"] == "stale-nonce"
        assert answer.headers["DPoP-Nonce"] == broker.services.tokens.nonce()
        assert answer.headers["WWW-Authenticate"].startswith("DPoP")


def _encode(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _forged(header: object, claims: object, sign: Callable[[bytes], bytes]) -> str:
    signed = f"{_encode(header)}.{_encode(claims)}"
    return f"{signed}.{_encode(sign(signed.encode()))}"


class Forge:
    """Makes sixty logins that are wrong in one thing each, signed with the right key."""

    def __init__(self, machine: Machine, url: str, nonce: str, thumb: str) -> None:
        device = machine.device.hex()
        self.key = machine.auth
        self.header: dict[str, Any] = {"typ": "seefen-auth+jwt", "alg": "EdDSA", "kid": device}
        now = int(time.time())
        self.claims: dict[str, Any] = {
            "iss": device, "sub": device, "aud": url, "iat": now, "exp": now + 60,
            "jti": _encode(new_id()), "nonce": nonce, "cnf": {"jkt": thumb},
        }  # fmt: skip

    def with_header(self, **changes: Any) -> str:
        header = {k: v for k, v in {**self.header, **changes}.items() if v is not None}
        return _forged(header, self.claims, self.key.sign)

    def with_claims(self, **changes: Any) -> str:
        claims = {k: v for k, v in {**self.claims, **changes}.items() if v is not None}
        return _forged(self.header, claims, self.key.sign)

    def raw_claims(self, text: str) -> str:
        return _forged(self.header, text.encode(), self.key.sign)

    def all(self) -> list[str]:
        good, other = json.dumps(self.claims), new_id().hex()
        now = self.claims["iat"]
        return [
            *(self.with_header(alg=alg) for alg in ("none", "None", "HS256", "RS256", "ES256", "")),
            *(self.with_header(typ=typ) for typ in ("JWT", "dpop+jwt", "", None, "at+jwt")),
            *(self.with_header(kid=kid) for kid in (
                other, "../../etc/passwd", "", None, "A" * 32, "'; DROP TABLE token;--", "\x00")),
            self.with_header(jku="https://evil.example/keys"),
            self.with_header(x5u="https://evil.example/cert"),
            self.with_header(crit=["exp"]),
            self.with_header(b64=False),
            self.with_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": _encode(bytes(32))}),
            *(self.with_claims(**{name: None}) for name in self.claims),
            self.with_claims(iss=other),
            self.with_claims(sub=other),
            self.with_claims(aud=[self.claims["aud"], "https://evil.example"]),
            self.with_claims(aud="https://evil.example"),
            self.with_claims(aud=self.claims["aud"] + "/"),
            self.with_claims(exp=str(now + 60)),
            self.with_claims(exp=now + 61),
            self.with_claims(exp=now),
            self.with_claims(exp=now + 60.5),
            self.with_claims(exp=10**400),
            self.with_claims(iat=now - 200_000, exp=now - 199_950),
            self.with_claims(iat=-1),
            self.with_claims(nbf=now),
            self.with_claims(admin=True),
            self.with_claims(nonce="A" * 22),
            self.with_claims(jti="short"),
            self.with_claims(cnf={"jkt": "A" * 43}),
            self.with_claims(cnf={"jkt": self.claims["cnf"]["jkt"], "jwk": {}}),
            self.raw_claims(good[:-1] + ', "aud": "https://evil.example"}'),
            self.raw_claims("{" + '"exp": 1, ' + good[1:]),
            self.raw_claims(good + " x"),
            self.raw_claims("[]"),
            self.raw_claims("null"),
            self.raw_claims('{"a":' * 2000),
            _forged(self.header, self.claims, PlainKey.generate().sign),
            _forged(self.header, self.claims, lambda _: b""),
            _forged(self.header, self.claims, lambda _: bytes(64)),
            self.with_claims() + ".x",
            self.with_claims() + "=",
            "", ".", "..", "a.b.c", "x" * 10_000,
        ]  # fmt: skip


async def test_attack_42_sixty_wrong_logins_are_401_and_a_right_one_is_not() -> None:
    async with (
        local_broker(NODE, bad_proofs_before_block=1000) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        machine, thumb = broker.network.of(NODE), jkt(device.dpop.public)
        wrong = Forge(machine, device.url, await device.nonce(), thumb).all()
        assert len(wrong) >= 60
        for number, assertion in enumerate(wrong):
            proof = await device.proof("POST", "/v1/token")
            status, document = await device.try_login(assertion, proof)
            assert status == 401, (number, document)
            assert document["rule"] in ("login", "stale-nonce", "clock"), number
        await device.login()


async def test_attack_22_a_proof_is_no_assertion_and_back(connect: Connect) -> None:
    device = connect()
    proof = await device.proof("POST", "/v1/token")
    assertion = await device.assertion()
    assert (await device.try_login(proof, proof))[0] == 401
    assert (await device.try_login(assertion, assertion))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"assertion": 1}',
        b'{"assertion": "x", "a": 1}',
        b'{"assertion": "\xff"}',
    ],
)
async def test_a_body_that_is_no_login_is_401(device: WebDevice, body: bytes) -> None:
    headers = {"DPoP": await device.proof("POST", "/v1/token")}
    status, answer = await device.request(
        "POST", "/v1/token", body, content_type="application/json", headers=headers
    )
    assert (status, json.loads(answer)["rule"]) == (401, "login")


@pytest.mark.parametrize("count", [0, 2])
async def test_attack_40_a_login_has_exactly_one_proof(connect: Connect, count: int) -> None:
    device = connect()
    proofs = [("DPoP", await device.proof("POST", "/v1/token")) for _ in range(count)]
    async with device.http.post(
        f"{device.url}/v1/token", json={"assertion": await device.assertion()}, headers=proofs
    ) as answer:
        assert answer.status == 401
        assert (await answer.json(content_type=None))["rule"] == "login"


@pytest.mark.parametrize("proofs", [0, 1])
async def test_attack_57_a_login_that_is_none_counts_as_a_bad_one(proofs: int) -> None:
    async with (
        local_broker(NODE, bad_proofs_before_block=3) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        statuses: list[int] = []
        for _ in range(4):
            sent = {"assertion": await device.assertion()} if proofs == 0 else {}
            headers = [("DPoP", await device.proof("POST", "/v1/token"))] * proofs
            url = f"{device.url}/v1/token"
            async with device.http.post(url, json=sent, headers=headers) as answer:
                statuses.append(answer.status)
        assert statuses == [401] * 3 + [429]


async def test_attack_56_an_unknown_device_hears_what_a_wrong_key_hears(connect: Connect) -> None:
    device = connect()
    assert device.machine is not None
    known, stranger = device.machine, Machine(NODE, (), "")
    answers: list[Any] = []
    for machine, key in ((stranger, stranger.auth), (known, PlainKey.generate())):
        device.machine = machine
        proof = await device.proof("POST", "/v1/token")
        answers.append(await device.try_login(await device.assertion(auth=key), proof))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_a_revoked_device_hears_why_once_it_proved_itself(
    device: WebDevice, broker: LocalBroker, connect: Connect
) -> None:
    assert device.machine is not None
    await broker.take(broker.network.enrol(NODE, ("field",)))
    field = broker.network.of(NODE, "field", nth=1)
    other = await connect(field).login()
    await broker.take(broker.network.revoke(field))
    status, answer = await other.request("GET", CHECKPOINT)
    assert (status, json.loads(answer)["rule"]) == (401, "revoked")
    proof = await other.proof("POST", "/v1/token")
    status, document = await other.try_login(await other.assertion(), proof)
    assert (status, document["rule"]) == (401, "revoked")


async def test_ten_logins_a_minute_that_prove_nothing_come_from_an_address() -> None:
    async with (
        local_broker(NODE, logins_per_minute_per_address=10) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        for _ in range(15):
            await device.login()  # who proves a device is counted by device
        for _ in range(10):
            assert (await device.try_login("x", await device.proof("POST", "/v1/token")))[0] == 401
        proof, assertion = await device.proof("POST", "/v1/token"), await device.assertion()
        async with device.http.post(
            f"{device.url}/v1/token", json={"assertion": assertion}, headers={"DPoP": proof}
        ) as answer:
            assert answer.status == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 61
        assert (await device.request("GET", CHECKPOINT))[0] == 200


async def test_sixty_logins_an_hour_are_of_a_device() -> None:
    async with (
        local_broker(NODE, logins_per_hour_per_device=3) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        for _ in range(3):
            await device.login()
        proof = await device.proof("POST", "/v1/token")
        status, document = await device.try_login(await device.assertion(), proof)
        assert (status, document["rule"]) == (429, "rate")
        await broker.take(broker.network.enrol(NODE, ("field",)))
        other = broker.network.of(NODE, "field", nth=1)
        async with WebDevice(broker.config.url, broker.ca, other) as colleague:
            await colleague.login()


async def test_attack_57_bad_logins_slow_their_address_and_never_the_device(
    broker: LocalBroker, connect: Connect
) -> None:
    device = connect()
    assert device.machine is not None
    nonce, thumb, now = await device.nonce(), jkt(device.dpop.public), int(time.time())
    bad = make_assertion(
        PlainKey.generate(), device.machine.device.hex(), device.url, nonce, thumb, now
    )
    statuses = [
        (await device.try_login(bad, await device.proof("POST", "/v1/token")))[0] for _ in range(21)
    ]
    assert statuses == [401] * 20 + [429]
    # From another address the same device logs in: it was never the one that was counted.
    broker.services.rates.require_open("198.51.100.9")
    row = await broker.services.tokens.check_login(
        await device.assertion(), await device.proof("POST", "/v1/token"), "/v1/token"
    )
    broker.services.rates.logged_in("198.51.100.9", row.device)


async def test_attack_57_the_device_logs_in_from_another_address_while_one_is_blocked() -> None:
    async with local_broker(NODE, bad_proofs_before_block=3) as broker:
        machine = broker.network.of(NODE)
        async with WebDevice(broker.config.url, broker.ca, machine) as enemy:
            wrong = await enemy.assertion(auth=PlainKey.generate())
            found = [
                (await enemy.try_login(wrong, await enemy.proof("POST", "/v1/token")))[0]
                for _ in range(4)
            ]
            assert found == [401] * 3 + [429]
        async with WebDevice(broker.config.url, broker.ca, machine) as device:
            elsewhere = aiohttp.TCPConnector(ssl=device.tls, local_addr=("127.0.0.2", 0))
            await device.http.close()
            device.http = aiohttp.ClientSession(connector=elsewhere)
            await device.login()
            assert (await device.request("GET", CHECKPOINT))[0] == 200


async def test_a_device_that_another_process_has_just_let_in_logs_in() -> None:
    """Nobody has looked since: the login itself asks the database."""
    async with local_broker(NODE) as broker, Store.open(broker.dsn) as store:
        network = broker.network
        other = await Broker.open(store, log_key=network.log_key, clock=lambda: network.at)
        await broker.services.broker._keeping_up.close()
        try:
            bundle = network.admit("tirana-lab")
            await other.submit(None, bundle, 0)
            network.take(bundle)
        finally:
            await other.close()
        machine = network.of("tirana-lab")
        async with WebDevice(broker.config.url, broker.ca, machine) as device:
            await device.login()
