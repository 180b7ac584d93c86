"""A line that hangs: a look at the own vault does not wait for it, and nobody waits twice."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import msgspec
import pytest

from seefen.client import Client
from seefen.client.answers import no_answer
from seefen.client.invites import Invite
from seefen.client.patience import GLANCE
from tests.client.homes import PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


@pytest.fixture
async def hanging() -> AsyncIterator[tuple[int, list[float]]]:
    """Give the port of somebody who takes calls and says nothing, and when he was called."""
    calls = list[float]()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(time.monotonic())
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], calls
    server.close()


async def moved(place: Site, port: int) -> Path:
    """Return the home of a device whose broker has gone silent since it sent a message."""
    async with place.briefly(SKOPJE) as client:
        case = await client.cases.open("Pistols", (BELGRADE,))
        await client.cases.send(case.number, "Trajanov")
        vault = client._engine.vault
        invite = msgspec.json.decode(vault.get("invite") or b"", type=Invite)
        url = f"https://127.0.0.1:{port}"
        vault.put("invite", msgspec.json.encode(msgspec.structs.replace(invite, broker=url)))
    return place.home(place.network.of(SKOPJE))


async def test_a_look_at_the_vault_does_not_wait_for_a_line_that_hangs(
    place: Site, hanging: tuple[int, list[float]]
) -> None:
    port, calls = hanging
    home = await moved(place, port)
    began = time.monotonic()
    async with Client.open(home, PASSPHRASE, patience=GLANCE) as client:
        # What the command goes on with: it syncs again, searches, uploads, lists.
        await client.sync()
        assert [view.subject for view in client.search("trajanov", **WHY).views] == ["note"]
        await client.journal.upload()
        assert client.requests.due() == []
        assert not client.online
        assert len(calls) == 1
    assert 0.9 * GLANCE < time.monotonic() - began < 9, "a login that hangs ends after 10 s"


async def test_a_broker_that_answers_late_is_waited_for(place: Site) -> None:
    home = await moved(place, 1)
    async with Client.open(home, PASSPHRASE, patience=GLANCE) as client:
        assert not client.online  # nobody there: known at once, and tried again by itself

        async def slow() -> str:
            client._engine.connection.patience.heard()
            await asyncio.sleep(0.3)
            done.append("whole")
            return ""

        done = list[str]()
        await client._engine.connection.patience.glance(slow(), 0.05)
        assert done == ["whole"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aiohttp.ConnectionTimeoutError("Connection timeout to host https://h:1/v1/nonce"), "back"),
        (TimeoutError(), "nothing came back"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 55185)"), "refused"),
        (aiohttp.ServerDisconnectedError(), "disconnected"),
        (aiohttp.ClientError("https://broker:8443/v1/nonce"), "the line was cut"),
        (OSError(), "the line was cut"),
    ],
)
def test_no_address_stands_in_the_sentence(error: Exception, said: str) -> None:
    sentence = str(no_answer(error))
    assert sentence.startswith("the broker does not answer: ")
    assert said in sentence
    assert "http" not in sentence
    assert "127.0" not in sentence
