"""The connection: login, one socket, HTTP; against a real broker over real TLS."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from seefen.client.connection import (
    Address,
    Connection,
    LoginError,
    UnreachableError,
    problem_error,
    tls_context,
)
from seefen.client.keyfile import DeviceKeys
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)
from seefen.protocol.frames import AuthorityPage, FeedFrom, Frame, LogFrom, Page
from seefen.protocol.suite import random_bytes
from seefen.server import tls
from tests.support import casework
from tests.support.broker import LocalBroker, free_port, local_broker
from tests.support.network import Machine, Network

NODES = ("skopje-border", "belgrade-ffp")


def keys_of(machine: Machine) -> DeviceKeys:
    return DeviceKeys(machine.device, machine.sign, machine.auth, machine.kem, random_bytes(32))


@dataclass
class Site:
    """A broker, and the connections of a test, closed at its end."""

    broker: LocalBroker
    made: list[Connection] = field(default_factory=list[Connection])

    @property
    def network(self) -> Network:
        return self.broker.network

    def connect(self, machine: Machine | None = None, *, url: str = "", ca: str = "") -> Connection:
        address = Address(url or self.broker.config.url, ca or self.broker.ca)
        keys = keys_of(machine or self.network.of(NODES[0]))
        self.made.append(Connection(address, keys))
        return self.made[-1]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with local_broker(*NODES) as broker:
        site = Site(broker)
        yield site
        for connection in site.made:
            await connection.close()


async def test_a_device_logs_in_and_asks(site: Site) -> None:
    connection = site.connect()
    page = await connection.request("authority", LogFrom(0, 100, 0), AuthorityPage)

    assert len(page.items) == site.network.directory.size
    assert connection.is_open
    await connection.close()
    assert not connection.is_open


async def test_answers_find_their_questions(site: Site) -> None:
    connection = site.connect()
    pages = await asyncio.gather(
        *(
            connection.request("authority", LogFrom(start, 1, 0), AuthorityPage)
            for start in range(site.network.directory.size)
        )
    )

    assert [page.start for page in pages] == list(range(site.network.directory.size))


async def test_many_questions_at_the_start_open_one_socket(site: Site) -> None:
    connection = site.connect()
    ask = (connection.request("authority", LogFrom(0, 1, 0), AuthorityPage) for _ in range(8))
    await asyncio.gather(*ask)

    machine = site.network.of(NODES[0])
    assert len(site.broker.services.lines.of(machine.device)) == 1


async def test_a_refusal_comes_as_the_error_it_is(site: Site) -> None:
    connection = site.connect()
    with pytest.raises(SeefenError) as caught:
        await connection.request("nonsense", FeedFrom(0, 10, 0), Page)

    assert isinstance(caught.value, MalformedError)
    assert caught.value.rule == "unknown-verb"


async def test_http_carries_the_same_login(site: Site) -> None:
    connection = site.connect()
    note = await connection.http("GET", "/v1/log/activity/checkpoint")

    assert note.startswith(b"seefen/activity\n")


async def test_what_a_partner_sends_arrives_by_itself(site: Site) -> None:
    network = site.network
    case, bundle = casework.open_case(network, network.of(NODES[0]), NODES[1], form="channel")
    await site.broker.take(bundle)
    connection, frames = site.connect(site.network.of(NODES[1])), asyncio.Queue[Frame]()
    connection.pushed = frames.put_nowait
    await connection.request("authority", LogFrom(0, 1, 0), AuthorityPage)
    await site.broker.take(casework.message(network, network.of(NODES[0]), case))

    frame = await asyncio.wait_for(frames.get(), 10)
    assert (frame.id, frame.verb) == (0, "push")


async def test_a_device_nobody_admitted_is_not_let_in(site: Site) -> None:
    stranger = site.network.machine(NODES[0], ("field",))
    connection = site.connect(stranger)
    with pytest.raises(LoginError):
        await connection.request("feed", FeedFrom(0, 10, 0), Page)


async def test_a_revoked_device_is_cut_and_told_so(site: Site) -> None:
    # Attack 27, seen from the device: not "unreachable", or it would try for ever.
    network = site.network
    await site.broker.take(network.enrol(NODES[0], ("field",)))
    lost = network.of(NODES[0], "field", nth=1)
    connection = site.connect(lost)
    ended = asyncio.Queue[str]()
    connection.closed = ended.put_nowait
    await connection.request("feed", FeedFrom(0, 10, 0), Page)
    began = time.monotonic()
    await site.broker.take(network.revoke(lost))

    assert await asyncio.wait_for(ended.get(), 5) == "this device was revoked"
    assert time.monotonic() - began < 2
    with pytest.raises(SeefenError) as caught:
        await connection.request("feed", FeedFrom(0, 10, 0), Page)
    assert isinstance(caught.value, LoginError | UntrustedError)


async def test_who_is_shut_out_asks_once_and_leaves_room_for_the_others() -> None:
    # Refused logins count for the address: repeated in vain, they would lock out an office.
    async with local_broker(*NODES, logins_per_minute_per_address=2) as broker:
        site = Site(broker)
        await broker.take(site.network.enrol(NODES[0], ("field",)))
        lost = site.network.of(NODES[0], "field", nth=1)
        await broker.take(site.network.revoke(lost))
        with pytest.raises(LoginError):
            await site.connect(lost).request("feed", FeedFrom(0, 10, 0), Page)
        await site.connect().request("feed", FeedFrom(0, 10, 0), Page)
        for connection in site.made:
            await connection.close()


async def test_another_ca_is_not_our_broker(site: Site) -> None:
    async with local_broker() as other:
        connection = site.connect(ca=other.ca)
        with pytest.raises(UntrustedError) as caught:
            await connection.http("GET", "/v1/log/activity/checkpoint")
        assert caught.value.rule == "tls"


async def test_no_broker_is_unreachable(site: Site) -> None:
    connection = site.connect(url=f"https://127.0.0.1:{free_port()}")
    with pytest.raises(UnreachableError):
        await connection.request("feed", FeedFrom(0, 10, 0), Page)
    with pytest.raises(UnreachableError):
        await connection.http("GET", "/healthz")


async def test_a_token_near_its_end_is_renewed_on_the_same_socket(site: Site) -> None:
    connection, ended = site.connect(), asyncio.Event()
    connection.closed = lambda _: ended.set()
    await connection.request("feed", FeedFrom(0, 10, 0), Page)
    before = connection._token
    connection._token_ends = time.monotonic()
    asked = (connection.request("feed", FeedFrom(0, 10, 0), Page) for _ in range(4))
    await asyncio.gather(*asked)

    assert connection._token != before
    assert not ended.is_set()
    assert len(site.broker.services.lines.of(site.network.of(NODES[0]).device)) == 1


async def test_an_old_nonce_is_replaced_at_the_socket(site: Site) -> None:
    # After a quiet hour the broker's nonce is another one, and the token may still live.
    connection = site.connect()
    await connection.http("GET", "/v1/log/activity/checkpoint")
    connection._nonce = "AAAAAAAAAAAAAAAAAAAAAA"

    assert await connection.request("feed", FeedFrom(0, 10, 0), Page)


async def test_a_socket_that_was_cut_is_opened_again(site: Site) -> None:
    connection, ended = site.connect(), asyncio.Event()
    connection.closed = lambda _: ended.set()
    await connection.request("feed", FeedFrom(0, 10, 0), Page)
    for line in site.broker.services.lines.of(site.network.of(NODES[0]).device):
        line.end(1001, "test", "the broker goes away")
    await asyncio.wait_for(ended.wait(), 5)

    assert await connection.request("feed", FeedFrom(0, 10, 0), Page)


def test_tls_is_1_3_and_the_networks_own_ca_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ca")
    tls.make_authority(folder, "seefen", datetime.fromtimestamp(1_790_000_000, UTC))
    context = tls_context(tls.ca_pem(folder))

    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, MalformedError),
        (401, LoginError),
        (403, UntrustedError),
        (409, OutOfTurnError),
        (422, RefusedError),
        (429, UnreachableError),
        (503, UnreachableError),
    ],
)
def test_each_status_is_one_error(status: int, kind: type[SeefenError]) -> None:
    error = problem_error(status, "rule", "what happened")

    assert type(error) is kind
    assert (error.rule, str(error)) == ("rule", "what happened")
