"""Tokens: given for a proof, worth nothing without one, ended by a revocation at once."""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import asyncpg
import pytest

from seefen.protocol.directory import Directory
from seefen.protocol.errors import UntrustedError
from seefen.protocol.login import jkt, make_assertion, make_proof
from seefen.protocol.statements import NO_NET
from seefen.protocol.suite import PlainKey, new_id
from seefen.server.store.tokens import TokenRows
from seefen.server.tokens import SeenProofs, TokenRow, Tokens
from tests.support.access import Clock, access_tables
from tests.support.network import Machine, Network

URL = "https://broker.example:8443"
NODE = "skopje-border"


@dataclass
class Desk:
    """A broker's tokens, and a machine that wants one."""

    tokens: Tokens
    network: Network
    machine: Machine
    clock: Clock
    pool: "asyncpg.Pool[asyncpg.Record]"
    dpop: PlainKey
    looked: "list[None]"

    def proof(self, method: str, path: str, token: str | None = None, **other: str) -> str:
        nonce, url = other.get("nonce", self.tokens.nonce()), other.get("url", URL)
        return make_proof(self.dpop, method, url + path, nonce, self.clock.now, token)

    async def login(
        self, *, machine: Machine | None = None, key: PlainKey | None = None
    ) -> TokenRow:
        machine = machine or self.machine
        assertion = make_assertion(
            key or machine.auth,
            machine.device.hex(),
            URL,
            self.tokens.nonce(),
            jkt(self.dpop.public),
            self.clock.now,
        )
        proof = self.proof("POST", "/v1/token")
        return await self.tokens.check_login(assertion, proof, "/v1/token")

    async def token(self) -> str:
        return await self.tokens.issue(await self.login())

    async def use(self, token: str, **other: str) -> TokenRow:
        proof = self.proof("GET", "/v1/socket", token, **other)
        return await self.tokens.check(token, proof, "GET", "/v1/socket")


async def unasked() -> None:
    """Look at nothing: there is no other process."""


@pytest.fixture
async def desk() -> AsyncGenerator[Desk, None]:
    network = Network.founded(NODE)
    clock = Clock(network.at)
    looked: list[None] = []

    async def look() -> None:
        looked.append(None)

    async with access_tables() as pool:
        tokens = Tokens(
            TokenRows(pool),
            url=URL,
            seconds=600,
            directory=lambda: network.directory,
            look=look,
            clock=clock,
        )
        yield Desk(tokens, network, network.of(NODE), clock, pool, PlainKey.generate(), looked)


async def test_a_device_in_force_gets_a_token_and_uses_it(desk: Desk) -> None:
    token = await desk.token()
    row = await desk.use(token)
    assert (row.device, row.expires) == (desk.machine.device, desk.clock.now + 600)


async def test_the_table_holds_hashes_and_no_token(desk: Desk) -> None:
    token = await desk.token()
    rows = await desk.pool.fetch("SELECT * FROM token")
    assert [row["hash"] for row in rows] == [hashlib.sha256(token.encode()).digest()]
    assert token not in str([dict(row) for row in rows])


async def test_a_token_ends_after_ten_minutes(desk: Desk) -> None:
    token = await desk.token()
    desk.clock.now += 599
    await desk.use(token)
    desk.clock.now += 1
    with pytest.raises(UntrustedError) as caught:
        await desk.use(token)
    assert caught.value.rule == "ended"


async def test_ended_tokens_are_forgotten(desk: Desk) -> None:
    await desk.token()
    desk.clock.now += 601
    await desk.token()
    assert await desk.pool.fetchval("SELECT count(*) FROM token") == 1


async def test_attack_39_a_token_without_its_key_is_worth_nothing(desk: Desk) -> None:
    token = await desk.token()
    desk.dpop = PlainKey.generate()
    with pytest.raises(UntrustedError) as caught:
        await desk.use(token)
    assert caught.value.rule == "login"


async def test_attack_40_a_proof_is_good_once_here_and_now(desk: Desk) -> None:
    token = await desk.token()
    proof = desk.proof("GET", "/v1/socket", token)
    await desk.tokens.check(token, proof, "GET", "/v1/socket")
    old = desk.tokens.nonce()
    for other, method, path in (
        (proof, "GET", "/v1/socket"),
        (desk.proof("GET", "/v1/socket", token), "POST", "/v1/socket"),
        (desk.proof("GET", "/v1/socket", token), "GET", "/v1/bundles"),
        (desk.proof("GET", "/v1/socket", token, url="https://other:8443"), "GET", "/v1/socket"),
        (desk.proof("GET", "/v1/socket"), "GET", "/v1/socket"),
        (desk.proof("GET", "/v1/socket", token, nonce="A" * 22), "GET", "/v1/socket"),
    ):
        with pytest.raises(UntrustedError):
            await desk.tokens.check(token, other, method, path)
    desk.clock.now += 120
    with pytest.raises(UntrustedError) as caught:
        await desk.use(token, nonce=old)
    assert caught.value.rule == "stale-nonce"


async def test_attack_40_a_proof_earns_one_login(desk: Desk) -> None:
    machine, thumb, proof = desk.machine, jkt(desk.dpop.public), desk.proof("POST", "/v1/token")

    async def login() -> TokenRow:
        assertion = make_assertion(
            machine.auth, machine.device.hex(), URL, desk.tokens.nonce(), thumb, desk.clock.now
        )
        return await desk.tokens.check_login(assertion, proof, "/v1/token")

    await login()
    with pytest.raises(UntrustedError) as caught:
        await login()
    assert caught.value.rule == "login"


def test_attack_40_a_proof_is_remembered_for_three_minutes_and_no_longer() -> None:
    seen = SeenProofs()
    seen.take("a proof", 0)
    for now in (0, 1, 60, 179):
        with pytest.raises(UntrustedError) as caught:
            seen.take("a proof", now)
        assert caught.value.rule == "login"
        seen.take(f"another at {now}", now)
    seen.take("a proof", 180)


async def test_a_nonce_is_good_to_the_end_of_the_next_minute(desk: Desk) -> None:
    token = await desk.token()
    desk.clock.now += -desk.clock.now % 60
    nonce = desk.tokens.nonce()
    desk.clock.now += 119
    await desk.use(token, nonce=nonce)


async def test_attack_40_a_proof_for_one_process_is_refused_by_another(desk: Desk) -> None:
    token = await desk.token()
    proof = desk.proof("GET", "/v1/socket", token)
    other = Tokens(
        TokenRows(desk.pool),
        url=URL,
        seconds=600,
        directory=lambda: desk.network.directory,
        look=unasked,
        clock=desk.clock,
    )
    with pytest.raises(UntrustedError):
        await other.check(token, proof, "GET", "/v1/socket")
    await desk.tokens.check(token, proof, "GET", "/v1/socket")


async def test_the_same_login_is_good_once(desk: Desk) -> None:
    machine, nonce = desk.machine, desk.tokens.nonce()
    thumb = jkt(desk.dpop.public)
    assertion = make_assertion(
        machine.auth, machine.device.hex(), URL, nonce, thumb, desk.clock.now
    )
    await desk.tokens.check_login(assertion, desk.proof("POST", "/v1/token"), "/v1/token")
    with pytest.raises(UntrustedError):
        await desk.tokens.check_login(assertion, desk.proof("POST", "/v1/token"), "/v1/token")


async def test_a_login_must_name_the_key_of_its_proof(desk: Desk) -> None:
    machine, thumb = desk.machine, jkt(PlainKey.generate().public)
    assertion = make_assertion(
        machine.auth, machine.device.hex(), URL, desk.tokens.nonce(), thumb, desk.clock.now
    )
    with pytest.raises(UntrustedError) as caught:
        await desk.tokens.check_login(assertion, desk.proof("POST", "/v1/token"), "/v1/token")
    assert caught.value.rule == "login"


async def test_an_unknown_device_and_a_wrong_key_hear_the_same(desk: Desk) -> None:
    stranger = Machine(NODE, (), "", device=new_id())
    answers: list[tuple[str, str]] = []
    for machine, key in ((stranger, None), (desk.machine, PlainKey.generate())):
        with pytest.raises(UntrustedError) as caught:
            await desk.login(machine=machine, key=key)
        answers.append((caught.value.rule, str(caught.value)))
        # Else the time that it takes would say which of the two it was.
        assert len(desk.looked) == len(answers)
    assert answers[0] == answers[1]


async def test_a_revocation_ends_tokens_and_logins_at_once(desk: Desk) -> None:
    token = await desk.token()
    desk.network.take(desk.network.revoke(desk.machine))
    for attempt in (lambda: desk.use(token), desk.token):
        with pytest.raises(UntrustedError) as caught:
            await attempt()
        assert caught.value.rule == "revoked"


async def test_a_device_ends_with_its_certificate(desk: Desk) -> None:
    end = desk.network.directory.device(desk.machine.device).expires
    desk.clock.now = end - 1
    token = await desk.token()
    await desk.use(token)
    desk.clock.now = end
    for attempt in (lambda: desk.use(token), desk.token):
        with pytest.raises(UntrustedError) as caught:
            await attempt()
        assert caught.value.rule == "expired"


async def test_text_that_is_no_token_is_refused_like_any_other(desk: Desk) -> None:
    for token in ("", "x", "\x00" * 43, "\udcff" * 43, "A" * 5000):
        with pytest.raises(UntrustedError):
            await desk.use(token)


async def test_a_device_that_another_process_let_in_is_no_stranger(desk: Desk) -> None:
    """It is asked for at the database before anybody says 401: for its login, and for its token."""
    before, known = Directory(NO_NET), list[Directory]()

    async def look() -> None:
        known.append(desk.network.directory)

    other = Tokens(
        TokenRows(desk.pool),
        url=URL,
        seconds=600,
        directory=lambda: known[-1] if known else before,
        look=look,
        clock=desk.clock,
    )
    token = await desk.token()
    desk.tokens = other
    assert (await desk.login()).device == desk.machine.device
    assert len(known) == 1
    known.clear()
    assert (await desk.use(token)).device == desk.machine.device
    assert len(known) == 1
    await desk.use(token)
    assert len(known) == 1  # not for who is known


async def test_attack_57_a_stale_nonce_has_nobody_look(desk: Desk) -> None:
    """It is cheap to send, and says nothing about who is known."""
    old = make_assertion(
        desk.machine.auth, desk.machine.device.hex(), URL, "an old one", jkt(desk.dpop.public),
        desk.clock.now,
    )  # fmt: skip
    with pytest.raises(UntrustedError) as caught:
        await desk.tokens.check_login(old, desk.proof("POST", "/v1/token"), "/v1/token")
    assert caught.value.rule == "stale-nonce"
    assert desk.looked == []
