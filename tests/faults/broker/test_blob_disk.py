"""The disk of the file bodies is full, and that of the database is not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path

import asyncpg
import msgspec
import pytest

from seefen.client import Client, moving
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, parts_root
from seefen.protocol.suite import random_bytes
from seefen.server.config import FILE, write_config
from tests.client.homes import PASSPHRASE, make_home
from tests.client.scenes import CHANNEL, WHY, alert, until
from tests.support.brokers import NODES, Brokers, brokers
from tests.support.devices import WebDevice
from tests.support.faultbook import long, note
from tests.support.mounts import fill, small_disk
from tests.support.network import Machine

OCTETS = "application/octet-stream"
MEBIBYTES = 12


@pytest.mark.parametrize(
    "percent", [0, pytest.param(10, marks=long)], ids=["to the last byte", "as it is set"]
)
async def test_a_full_disk_takes_no_file_and_gives_all_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, percent: int
) -> None:
    monkeypatch.setattr(moving, "TRIES", 1)
    async with brokers(writers=1, readers=1) as it, AsyncExitStack() as stack:
        config = replace(it.one.config, free_disk_percent=percent)
        (config.data / FILE).write_text(write_config(config))
        stack.enter_context(small_disk(config.blobs, MEBIBYTES))
        await it.one.start()
        skopje, belgrade = [
            await stack.enter_async_context(_client(it, tmp_path, machine))
            for machine in (it.writers[0], it.readers[0])
        ]
        old, new = (tmp_path / name for name in ("old.jpg", "new.jpg"))
        for scan in (old, new):
            scan.write_bytes(random_bytes(2 * PART_SIZE))
        await skopje.channels.open(CHANNEL, [NODES[1]])
        await skopje.alerts.send(alert(), CHANNEL, [old])
        await until(lambda: _files(belgrade) == 1, skopje, belgrade)

        ballast = fill(config.blobs)
        os.truncate(ballast, ballast.stat().st_size - PART_SIZE * 3 // 2)
        body = [random_bytes(PART_SIZE), random_bytes(PART_SIZE)]
        assert await _upload(it, body) == [204, 507]
        await skopje.alerts.send(alert(), CHANNEL, [new])
        kept = await _parts(it)  # its last part is short and may have found room
        assert [one.queued for one in skopje.queued()] == [True]
        await belgrade.sync()
        assert _files(belgrade) == 1

        await it.one.kill()
        await it.one.start()
        assert await _upload(it, body) == [507]
        path = await belgrade.files.get(f"{CHANNEL}#2", tmp_path / "full", **WHY)
        assert path.read_bytes() == old.read_bytes()
        assert await _parts(it) == kept

        ballast.unlink()
        assert await _upload(it, body) == [204]  # the second part alone: the first is there
        await until(lambda: not skopje.queued(), skopje)
        await until(lambda: _files(belgrade) == 2, belgrade)
        path = await belgrade.files.get(f"{CHANNEL}#4", tmp_path / "room", **WHY)
        assert path.read_bytes() == new.read_bytes()
        assert belgrade.alarm is None
        assert "unexpected" not in it.one.log.read_text()
        await stack.aclose()  # the devices before the broker, and the disk at last
        await it.one.kill()
    note(
        "broker", "the disk of the files full", count=3,
        held="507, no half file, what is there is given; goes on when there is room",
    )  # fmt: skip


def _client(it: Brokers, folder: Path, machine: Machine) -> AbstractAsyncContextManager[Client]:
    home = folder / machine.device.hex()
    make_home(home, machine, it.network, it.one.url, it.ca)
    return Client.open(home, PASSPHRASE)


def _files(client: Client) -> int:
    """Return how many files a client knows of."""
    found = client._engine.vault.one("SELECT count(*) FROM object WHERE file")
    return 0 if found is None else int(found[0])


async def _upload(it: Brokers, parts: Sequence[bytes]) -> list[int]:
    """Upload what is missing of a body until the broker refuses; return what it answered."""
    leaves = [leaf_hash(part) for part in parts]
    path = f"/v1/blobs/{parts_root(leaves).hex()}"
    async with WebDevice(it.one.url, it.ca, it.network.of(NODES[0])) as web:
        await web.login()
        size = sum(map(len, parts))
        begun = f"{path}?size={size}"
        status, answer = await web.request("PUT", begun, b"".join(leaves), content_type=OCTETS)
        if status != 201:
            assert msgspec.json.decode(answer)["rule"] == "disk"
            return [status]
        said: list[int] = []
        missing: list[int] = msgspec.json.decode(answer)["missing"]
        for number in missing:
            status, answer = await web.request(
                "PUT", f"{path}/parts/{number}", parts[number], content_type=OCTETS
            )
            said.append(status)
            if status != 204:
                assert msgspec.json.decode(answer)["rule"] == "disk"
                break
        return said


async def _parts(it: Brokers) -> set[tuple[bytes, int]]:
    """Return the parts on the disk, once each that is whole is marked in the table."""
    found, marked = await _found_and_marked(it)
    for _ in range(100):
        if found == marked:
            break
        await asyncio.sleep(0.1)  # one that was on its way when another was refused
        found, marked = await _found_and_marked(it)
    assert found == marked
    return set(found)


async def _found_and_marked(it: Brokers) -> tuple[dict[tuple[bytes, int], bytes], ...]:
    connection = await asyncpg.connect(it.dsn)
    try:
        rows = await connection.fetch("SELECT root, parts, leaves, present FROM blob")
    finally:
        await connection.close()
    marked = {
        (row["root"], number): row["leaves"][32 * number : 32 * number + 32]
        for row in rows
        for number in range(row["parts"])
        if row["present"][number // 8] >> number % 8 & 1
    }
    found = {
        (row["root"], number): leaf
        for row in rows
        for number, leaf in _whole(it.one.config.blobs, row["root"], row["leaves"])
    }
    return found, marked


def _whole(folder: Path, root: bytes, leaves: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the parts of a body's file that hash to their leaves."""
    (path,) = folder.glob(f"??/{root.hex()}.body")
    with path.open("rb") as body:
        for number, start in enumerate(range(0, len(leaves), 32)):
            leaf = leaf_hash(body.read(PART_SIZE))
            if leaf == leaves[start : start + 32]:
                yield number, leaf
