"""Alive and ready are two things: without its database the broker is alive and says 503."""

import json
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from seefen.protocol.encoding import decode
from seefen.protocol.frames import AuthorityPage
from seefen.server.embedded import Embedded
from tests.support.broker import local_broker
from tests.support.devices import NODE, RefusedByBrokerError, WebDevice


async def test_a_broker_with_its_database_is_ready(device: WebDevice) -> None:
    for path in ("/healthz", "/readyz"):
        status, body = await device.request("GET", path, headers={})
        assert (status, json.loads(body)) == (200, {"status": "ok"})


@pytest.fixture
def database() -> Generator[Embedded, None, None]:
    with tempfile.TemporaryDirectory(prefix="seefen-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        server = Embedded(Path(folder) / "postgres")
        server.start()
        yield server
        server.stop()


async def test_without_its_database_it_is_alive_answers_503_and_recovers(
    database: Embedded,
) -> None:
    path = "/v1/log/authority/checkpoint"
    async with (
        local_broker(NODE, dsn=database.dsn) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        await device.login()
        socket = await device.socket()
        headers = await device.headers("GET", path)
        database.stop()
        assert (await device.request("GET", "/healthz", headers={}))[0] == 200
        assert (await device.request("GET", "/readyz", headers={}))[0] == 503
        async with device.http.get(device.url + path, headers=headers) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "2"
            assert (await answer.json(content_type=None))["rule"] == "database"
        with pytest.raises(RefusedByBrokerError, match="database"):
            await socket.ask_raw("ping", b"")
        database.start()
        assert (await device.request("GET", "/readyz", headers={}))[0] == 200
        assert (await device.request("GET", path))[0] == 200
        await socket.ask_raw("ping", b"")


async def test_the_authority_log_has_no_wraps_by_http(device: WebDevice) -> None:
    status, body = await device.request("GET", "/v1/log/authority?start=0&limit=100")
    assert status == 200
    page = decode(body, AuthorityPage)
    assert {item.kind for item in page.items} >= {"root", "node", "device", "mailbox"}
    assert all(item.wraps == () for item in page.items)


async def test_a_page_is_asked_for_with_whole_numbers(device: WebDevice) -> None:
    for query in ("start=-1", "start=x", "limit=0", "limit=99999", "start=1.5", "seen=1e3"):
        status, _ = await device.request("GET", f"/v1/log/authority?{query}")
        assert status == 400, query
