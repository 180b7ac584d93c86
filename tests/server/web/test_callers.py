"""Who calls: what each kind of caller must show, and what those hear who cannot show it."""

import asyncio
import json
import re
import time
from collections import Counter
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from structlog.testing import capture_logs

from seefen.protocol.frames import FeedFrom, Page
from seefen.protocol.login import make_proof
from seefen.protocol.suite import new_id, random_bytes, sha256
from seefen.server.enrolment import Invite
from seefen.server.metrics import COUNTED
from seefen.server.tls import device_context
from seefen.server.web.callers import NAMED
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, Connect, WebDevice
from tests.support.waiting import until
from tests.support.wire import head, wire

CHECKPOINT = "/v1/log/authority/checkpoint"
BLOB = f"/v1/blobs/{'0' * 64}"
FLOOD, LINES, ROW = 10_000, 20, 50  # logins; connections; sent on one of them without waiting
DEVICE, INVITED = "a device that is logged in", "whoever holds an invite"


async def ask(device: WebDevice, path: str, *fields: tuple[str, str]) -> tuple[int, Any, Any]:
    """Return status, problem document and headers of a GET with these fields and no others."""
    headers = CIMultiDict(fields)
    async with device.http.get(device.url + path, headers=headers) as answer:
        body = await answer.read()
        problem = answer.content_type == "application/problem+json"
        return answer.status, json.loads(body) if problem else None, answer.headers


async def invited(broker: LocalBroker, *, seconds: int = 3600) -> tuple[str, tuple[str, str]]:
    """Return the path of an invite, and the field that opens it."""
    secret, invite_id = random_bytes(32), new_id()
    expires = int(time.time()) + seconds
    invite = Invite(invite_id, sha256(secret), "node", "tirana-border", (), expires)
    await broker.services.enrolment.invite_node(invite)
    credential = f"Invite {invite_id.hex()}.{secret.hex()}"
    return f"/v1/joins/{invite_id.hex()}", ("Authorization", credential)


def blocked_so_far() -> float:
    labels = {"status": "429", "rule": "blocked"}
    return COUNTED.get_sample_value("seefen_refused_total", labels) or 0.0


async def proved(device: WebDevice, path: str) -> list[tuple[str, str]]:
    return list((await device.headers("GET", path)).items())


async def test_each_route_takes_its_callers_and_no_others(
    broker: LocalBroker, device: WebDevice
) -> None:
    join, invite = await invited(broker)
    for path, by_device, by_invite in (
        (BLOB, 404, 401),
        (join, 401, 200),
        (CHECKPOINT, 200, 200),
        ("/v1/nonce", 200, 200),
    ):
        assert (await ask(device, path, *await proved(device, path)))[0] == by_device, path
        assert (await ask(device, path, invite))[0] == by_invite, path


async def test_who_shows_the_wrong_thing_hears_whom_a_route_is_for(
    broker: LocalBroker, device: WebDevice
) -> None:
    join, invite = await invited(broker)
    token = device.token
    for path, fields, wanted in (
        (BLOB, [invite], DEVICE),
        (join, await proved(device, join), INVITED),
        (CHECKPOINT, [("Authorization", f"Bearer {token}")], "either"),
        (CHECKPOINT, [("Authorization", f"dpop {token}"), ("DPoP", "x")], "either"),
        (CHECKPOINT, [("Authorization", "")], "either"),
    ):
        status, problem, headers = await ask(device, path, *fields)
        assert status == 401
        assert (problem["rule"], problem["title"]) == ("login", f"this is for {wanted}")
        assert headers["WWW-Authenticate"] == 'DPoP algs="EdDSA"'


async def test_attack_39_there_is_one_token_and_one_proof(device: WebDevice) -> None:
    token, first = await proved(device, CHECKPOINT)
    _, second = await proved(device, CHECKPOINT)
    for fields, name in (
        ([], "Authorization"),
        ([first], "Authorization"),
        ([token, token, first], "Authorization"),
        ([token], "DPoP"),
        ([token, first, second], "DPoP"),
    ):
        status, problem, headers = await ask(device, CHECKPOINT, *fields)
        assert (status, problem["rule"]) == (401, "login")
        assert problem["title"] == f"this needs one {name} header"
        assert headers["WWW-Authenticate"] == 'DPoP algs="EdDSA"'
    assert (await ask(device, CHECKPOINT, token, first))[0] == 200


async def test_a_credential_may_have_blanks_and_is_then_none(device: WebDevice) -> None:
    _, proof = await proved(device, CHECKPOINT)
    for credential in (f"DPoP  {device.token}", f"DPoP {device.token} x", f"x DPoP {device.token}"):
        status, problem, _ = await ask(device, CHECKPOINT, ("Authorization", credential), proof)
        assert (status, problem["rule"]) == (401, "login")


async def test_a_proof_is_for_the_path_as_it_was_sent_and_not_for_its_query(
    device: WebDevice,
) -> None:
    path = "/v1/log/authority"
    for sent in (path, f"{path}?start=0&limit=1"):
        assert (await ask(device, sent, *await proved(device, path)))[0] == 200
    status, problem, _ = await ask(device, path, *await proved(device, f"{path}?start=0"))
    assert (status, problem["rule"]) == (401, "login")


async def test_attack_57_bad_proofs_end_in_a_block_and_a_line_in_the_log() -> None:
    async with (
        local_broker(NODE, bad_proofs_before_block=3) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        await device.login()
        join, (_, invite) = await invited(broker)
        wrong = ("Authorization", invite[:-4] + "0000")
        with capture_logs() as said:
            for path, fields in (
                (CHECKPOINT, [("Authorization", f"DPoP {device.token}"), ("DPoP", "x")]),
                (CHECKPOINT, await proved(device, BLOB)),
            ):
                status, problem, _ = await ask(device, path, *fields)
                assert (status, problem["rule"]) == (401, "login")
            assert not [line for line in said if line["event"] == "address.blocked"]
            status, problem, headers = await ask(device, join, wrong)
            assert (status, problem["rule"]) == (401, "invite")
            assert problem["title"] == "this invite is not known"
            assert headers["WWW-Authenticate"] == 'DPoP algs="EdDSA"'
        assert [line for line in said if line["event"] == "address.blocked"] == [
            {"event": "address.blocked", "log_level": "warning", "address": "127.0.0.1", "times": 1}
        ]
        # Blocked is blocked: a good token does not even get its proof looked at.
        status, problem, headers = await ask(device, CHECKPOINT, *await proved(device, CHECKPOINT))
        assert (status, problem["rule"]) == (429, "blocked")
        assert int(headers["Retry-After"]) > 0
        assert (await ask(device, "/v1/nonce"))[0] == 200


async def test_fault_39_a_flood_of_wrong_logins_is_counted_and_makes_few_lines() -> None:
    """Ten thousand, as fast as one address sends them: 2,000 a second on a busy machine."""
    body = b'{"assertion": "x.y.z"}'
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "DPoP: x")
    row = (head("POST", "/v1/token", *fields) + body) * ROW
    async with local_broker(NODE, bad_proofs_before_block=100) as broker:
        before, refused = broker.services.broker.heads, blocked_so_far()

        async def flood() -> list[bytes]:
            heard: list[bytes] = []
            async with wire(broker.config.url, broker.ca) as (reader, writer):
                for _ in range(FLOOD // ROW // LINES):
                    writer.write(row)
                    for _ in range(ROW):
                        answer = await reader.readuntil(b"\r\n\r\n")
                        long = int(re.findall(rb"Content-Length: (\d+)", answer)[0])
                        await reader.readexactly(long)
                        heard.append(answer[9:12])
            return heard

        with capture_logs() as said:
            lines = await asyncio.gather(*(flood() for _ in range(LINES)))
        heard = Counter(status for line in lines for status in line)
        assert heard == {b"401": 100, b"429": FLOOD - 100}
        assert [(line["event"], line.get("status"), line["times"]) for line in said] == [
            ("refused", 401, 1), ("address.blocked", None, 1), ("refused", 429, 1),
        ]  # fmt: skip
        assert blocked_so_far() == refused + FLOOD - 100
        assert broker.services.broker.heads == before  # no stranger makes a log grow


async def blocked_from(broker: LocalBroker, address: str) -> None:
    """Show a bad proof from one of this machine's own addresses until it is blocked."""
    trust = device_context(broker.ca)
    connector = aiohttp.TCPConnector(ssl=trust, local_addr=(address, 0))
    headers = {"Authorization": "DPoP x", "DPoP": "x"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        for status in (401, 401, 429):
            async with http.get(broker.config.url + CHECKPOINT) as answer:
                assert answer.status == status


async def test_each_address_that_is_blocked_is_named_and_from_the_21st_on_counted() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 2 + NAMED + 3)]
    async with local_broker(NODE, bad_proofs_before_block=2) as broker:
        with capture_logs() as said:
            for address in addresses:
                await blocked_from(broker, address)
            broker.services.repeats.tell(ending=True)
    lines = [line for line in said if line["event"] == "address.blocked"]
    assert [line.get("address") for line in lines] == [*addresses[:NAMED], None]
    assert [line["times"] for line in lines] == [1] * NAMED + [3]


async def test_what_happens_to_the_honest_blocks_nobody() -> None:
    async with (
        local_broker(NODE, bad_proofs_before_block=2) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        await device.login()
        join, ended = await invited(broker, seconds=2)
        over = time.time() + 2
        await until(lambda: time.time() > over)
        proof = make_proof(
            device.dpop, "GET", device.url + CHECKPOINT, "A" * 22, int(time.time()), device.token
        )
        stale = [("Authorization", f"DPoP {device.token}"), ("DPoP", proof)]
        for _ in range(3):
            for path, fields, rule in (
                (CHECKPOINT, stale, "stale-nonce"),
                (join, [ended], "invite-ended"),
            ):
                status, problem, _ = await ask(device, path, *fields)
                assert (status, problem["rule"]) == (401, rule)
        await device.login()


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_attack_57_no_header_has_a_say_in_whose_address_is_counted(name: str) -> None:
    async with (
        local_broker(NODE, bad_proofs_before_block=3) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        statuses: list[int] = []
        for number in range(4):
            claimed = (name, f"198.51.100.{number}")
            fields = [("Authorization", "DPoP x"), ("DPoP", "x"), claimed]
            statuses.append((await ask(device, CHECKPOINT, *fields))[0])
        assert statuses == [401] * 3 + [429]


async def test_a_call_knows_its_device_and_its_invite(
    broker: LocalBroker, connect: Connect, device: WebDevice
) -> None:
    join, invite = await invited(broker)
    other, _ = await invited(broker)
    guest = connect()
    assert (await ask(guest, join, invite))[0] == 200
    assert (await ask(guest, other, invite))[0] == 403
    status, problem, _ = await ask(device, BLOB, *await proved(device, BLOB))
    assert (status, problem["rule"]) == (404, "unknown-blob")
    line = await device.socket()
    assert (await line.ask("feed", FeedFrom(0, 1, 0), Page)).items == ()
