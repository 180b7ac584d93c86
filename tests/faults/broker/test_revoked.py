"""A device is revoked while its broker is killed: once the revocation stands, it gets nothing."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import aiohttp
import pytest

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.frames import Recorded, Send
from seefen.protocol.suite import random_bytes
from tests.support import casework
from tests.support.brokerpoints import POINTS
from tests.support.brokers import NODES, Brokers, brokers
from tests.support.devices import WebDevice
from tests.support.faultbook import long, note
from tests.support.herd import Herd, Member, Reader, Watcher, grazing
from tests.support.network import Machine
from tests.support.waiting import until

SEED = os.environ.get("SEEFEN_FAULT_SEED") or random_bytes(4).hex()
STEPS = [point.name for point in POINTS if point.path == "write"]
GRACE = 1.0  # seconds that a line may outlive its device


@long
@pytest.mark.timeout(1800)
async def test_a_revoked_device_gets_nothing_wherever_the_broker_was_killed() -> None:
    print(f"seed {SEED}")  # noqa: T201
    schedule = random.Random(SEED).sample(STEPS, len(STEPS))
    async with brokers(writers=1, readers=1 + len(schedule)) as it:
        herd = Herd(it.network, it.case, [it.one.url], it.ca)
        herd.expected = {"revoked"}
        honest, *thieves = it.readers
        kinds = [Watcher if n % 2 else Reader for n in range(len(thieves))]
        members: list[Member] = [
            kind(herd, machine) for kind, machine in zip(kinds, thieves, strict=True)
        ]
        await it.one.start()
        await _message(it, herd)
        async with grazing(herd, [*members, Watcher(herd, honest)]):
            await herd.progress("read", len(thieves))
            await herd.progress("watch", len(thieves))
            for thief, point in zip(thieves, schedule, strict=True):
                await it.one.kill()
                await it.one.begin(point)
                await _revoke(it, herd, thief, point)
                await _gets_nothing(herd, thief)
            await it.one.kill()
            await it.one.start()
            # Keys of the watch, once the members have put the revoked devices out of theirs.
            await _renew(it)
            released = herd.done["release"]
            await _message(it, herd)
            await until(lambda: herd.done["release"] > released, seconds=60)
        await herd.heard.check(it.dsn)
        assert herd.heard.keys
        await it.one.kill()
    note(
        "broker", f"SIGKILL at {len({*schedule})} steps of writing a revocation",
        count=len(schedule), held="I6: no entry, no key, no line afterwards", seed=SEED,
    )  # fmt: skip


async def _submit(it: Brokers, machine: Machine, bundle: Bundle) -> None:
    """Send a bundle once."""
    async with WebDevice(it.one.url, it.ca, machine) as web:
        await web.login()
        await (await web.socket()).ask("send", Send(encode_bundle(bundle), 0), Recorded)


async def _message(it: Brokers, herd: Herd) -> None:
    writer = it.writers[0]
    bundle = casework.message(it.network, writer, it.case)
    await _submit(it, writer, bundle)
    it.network.take(bundle)
    herd.objects.append(bundle.contents[0].object)


async def _renew(it: Brokers) -> None:
    """Give the mailbox of the revoked devices, and then the channel, another key."""
    network, writer = it.network, it.writers[0]
    box = network.renew(NODES[1], "alert")
    await _submit(it, network.of(NODES[1], "admin"), box)
    network.take(box)
    key = casework.renew_key(network, writer, it.case, reason="revoked")
    await _submit(it, writer, key)
    network.take(key)


async def _revoke(it: Brokers, herd: Herd, thief: Machine, point: str) -> None:
    """Revoke a device with the same bytes until there is a receipt; the broker dies meanwhile."""
    bundle = it.network.revoke(thief)
    admin = it.network.admin(thief.node)
    while True:
        try:
            async with asyncio.timeout(20):
                await _submit(it, admin, bundle)
            break
        except (OSError, TimeoutError, aiohttp.ClientError, aiohttp.WSMessageTypeError):
            assert herd.heard.surprises == []
        if it.one.has_ended:
            assert await it.one.end() == -signal.SIGKILL, (point, it.one.out.read_text())
            await it.one.start()
        await asyncio.sleep(0.05)
    it.network.take(bundle)
    if not it.one.has_ended:
        # The point may be passed by the answer alone; or not by a revocation but by what others
        # write, who come back when they will.
        await asyncio.sleep(0.1)
        await it.one.kill()
    await it.one.start()


async def _gets_nothing(herd: Herd, thief: Machine) -> None:
    """Check that the broker says no more to a device, though it goes on asking."""
    await asyncio.sleep(GRACE)
    bodies = [body for device, body in herd.heard.bodies if device == thief.device]
    async with WebDevice(herd.urls[0], herd.ca, thief) as web:
        for _ in range(3):
            proof = await web.proof("POST", "/v1/token")
            status, _ = await web.try_login(await web.assertion(), proof)
            assert status == 401, "I6: a revoked device was let in"
    after = [body for device, body in herd.heard.bodies if device == thief.device]
    assert after == bodies, "I6: a revoked device was told something"
