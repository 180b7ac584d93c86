"""Both logs as C2SP tiles over HTTP, read by a reader that shares no code with the broker."""

import ast
import inspect
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from yarl import URL

from seefen.protocol.bundle import Bundle
from seefen.protocol.ledger.note import COSIGNATURE, LOG, verifier
from tests.support import c2sp_reader, casework
from tests.support.broker import LocalBroker, local_broker
from tests.support.c2sp_reader import BadLogError, Vkey, replay
from tests.support.devices import NODE, WebDevice

ENTRIES = 520  # two full tiles and a piece of one, and a tile above them
PREFIX = "/v1/log"
SHARED = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Reader:
    """A device that asks below the prefix of a log, and knows the log's keys."""

    device: WebDevice
    public: bytes
    origin: str

    async def fetch(self, log: str, path: str) -> bytes:
        status, data = await self.device.request("GET", f"{PREFIX}/{log}/{path}")
        if status != 200:
            raise BadLogError(f"{status} for {path}")
        return data

    def keys(self, log: str) -> list[Vkey]:
        name = f"{self.origin}/{log}"
        return [
            Vkey.parse(verifier(name, type_, self.public).encode()) for type_ in (LOG, COSIGNATURE)
        ]

    async def replay(self, log: str) -> c2sp_reader.Replayed:
        async def fetch(path: str) -> bytes:
            return await self.fetch(log, path)

        return await replay(fetch, *self.keys(log))


async def write(broker: LocalBroker, count: int) -> None:
    """Let an officer look for something that often, many times in one bundle."""
    by = broker.network.of(NODE)
    while count:
        several: list[Bundle] = []
        for _ in range(min(count, 65)):
            several.append(casework.search(broker.network, by))
            by.device_n += 1
        signed = tuple(one.statements[0] for one in several)
        await broker.services.broker.submit(by.device, Bundle(signed, (), ()), 0)
        count -= len(signed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncGenerator[LocalBroker, None]:
    async with local_broker(NODE) as broker:
        await write(broker, ENTRIES)
        yield broker


@pytest_asyncio.fixture(loop_scope="module")
async def reader(served: LocalBroker) -> AsyncGenerator[Reader, None]:
    network = served.network
    async with WebDevice(served.config.url, served.ca, network.of(NODE)) as device:
        await device.login()
        yield Reader(device, network.log_key.public, network.root.origin)


def test_the_reader_shares_no_code_with_us() -> None:
    tree = ast.parse(inspect.getsource(c2sp_reader))
    named = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert named == {
        "__future__", "base64", "hashlib", "collections.abc", "dataclasses",
        "cryptography.exceptions", "cryptography.hazmat.primitives.asymmetric.ed25519",
    }  # fmt: skip


@SHARED
async def test_both_logs_are_replayed_from_the_pages_of_c2sp_alone(reader: Reader) -> None:
    activity = await reader.replay("activity")
    assert activity.head.size == ENTRIES
    assert {len(entry) for entry in activity.entries} == {89}
    assert activity.head.time > 0
    assert activity.tiles[-4:] == ("tile/0/000", "tile/0/001", "tile/0/002.p/8", "tile/1/000.p/2")
    authority = await reader.replay("authority")
    assert authority.head.size == len(authority.entries) > 2


@SHARED
async def test_the_reader_notices_what_is_not_as_it_was_signed(reader: Reader) -> None:
    """Else the test above could not fail."""

    for wrong in ("tile/entries/001", "tile/0/000", "tile/1/000.p/2", "checkpoint"):

        async def fetch(path: str, wrong: str = wrong) -> bytes:
            data = bytearray(await reader.fetch("activity", path))
            if path == wrong:
                data[60] ^= 1
            return bytes(data)

        with pytest.raises((BadLogError, ValueError)):
            await replay(fetch, *reader.keys("activity"))
    # One key signs for both logs: the name alone tells them apart.
    with pytest.raises(BadLogError, match=r"another log|lines of"):
        await replay(lambda path: reader.fetch("authority", path), *reader.keys("activity"))


@SHARED
async def test_a_partial_tile_of_every_size_there_was_is_still_there(reader: Reader) -> None:
    whole = await reader.fetch("activity", "tile/0/000")
    bundle = await reader.fetch("activity", "tile/entries/000")
    for width in (1, 2, 255):
        assert await reader.fetch("activity", f"tile/0/000.p/{width}") == whole[: 32 * width]
        entries = await reader.fetch("activity", f"tile/entries/000.p/{width}")
        assert entries == bundle[: 91 * width]


@SHARED
async def test_what_is_full_is_kept_for_ever_and_by_its_reader_alone(reader: Reader) -> None:
    async def kept(path: str) -> tuple[str, str]:
        path = f"{PREFIX}/activity/{path}"
        headers = await reader.device.headers("GET", path)
        async with reader.device.http.get(reader.device.url + path, headers=headers) as answer:
            assert answer.status == 200
            return answer.headers["Cache-Control"], answer.headers["Content-Type"]

    full = ("private, max-age=31536000, immutable", "application/octet-stream")
    assert await kept("tile/0/001") == full
    assert await kept("tile/entries/001") == full
    for partial in ("tile/0/002.p/8", "tile/0/001.p/3", "tile/1/000.p/2", "tile/entries/002.p/8"):
        assert await kept(partial) == ("no-store", "application/octet-stream")
    assert await kept("checkpoint") == ("no-store", "text/plain; charset=utf-8")


WRONG = {
    400: (
        "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000",
        "tile/64/000", "tile/-1/000", "tile/+1/000", "tile/x/000", "tile/0/x000/000",
        "tile/0/001/234", "tile/0/x001/x234", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/08", "tile/0/000.p/", "tile/0/000.p", "tile/0/000.P/8", "tile/0/000/",
        "tile/0//000", "tile/0/%30%30%30", "tile/%30/000", "tile/0/000%2ep/8",
        "tile/0/000?a=1", "tile/entries/", "tile/entries/0", "tile/entries/000.p/0",
        "tile/entries/0/000", "tile/Entries/000", "tile/entries", "tile/data/000",
        "tile/0/\u0660\u0660\u0660",
    ),
    404: (
        "tile/0/002", "tile/0/002.p/9", "tile/0/003.p/1", "tile/1/000", "tile/1/000.p/3",
        "tile/2/000.p/1", "tile/63/000.p/1", "tile/0/x001/234", "tile/entries/002",
        "tile/entries/002.p/9", "tile/0/x999/x999/x999/x999/x999/999", "tile", "tiles/0/000",
    ),
}  # fmt: skip


@SHARED
async def test_fault_47_a_path_has_one_spelling_and_a_tile_one_place(reader: Reader) -> None:
    for status, paths in WRONG.items():
        for path in paths:
            got = await raw(reader.device, f"{PREFIX}/activity/{path}")
            assert got == status, path


@SHARED
async def test_fault_47_no_tile_without_a_login_or_of_another_log(reader: Reader) -> None:
    anonymous = await reader.device.request("GET", f"{PREFIX}/activity/tile/0/000", headers={})
    assert anonymous[0] == 401
    assert await raw(reader.device, f"{PREFIX}/other/tile/0/000") == 404


async def raw(device: WebDevice, path: str) -> int:
    """Ask for a path exactly as it is written, and return the status."""
    quoted = path if path.isascii() else URL(path).raw_path
    headers = await device.headers("GET", quoted.split("?")[0])
    url = URL(device.url + quoted, encoded=True)
    async with device.http.get(url, headers=headers) as answer:
        return answer.status
