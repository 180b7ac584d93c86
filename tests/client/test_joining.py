"""Joining and admitting: one file, six words, and going on where one was cut off."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from seefen.client import Client, admitting, joining
from seefen.client.connection import tls_context
from seefen.client.invites import read_invite, write_invite
from seefen.client.joining import JoinedView
from seefen.client.keyfile import NAME as KEY_FILE
from seefen.client.keyfile import DeviceKeys, read_key_file
from seefen.protocol.bundle import encode_bundle
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.server import tls
from tests.client.homes import CHEAP, PASSPHRASE
from tests.support.broker import RunningBroker, running_broker

NODE = "sarajevo-lab"


@dataclass
class Registry:
    """A broker, and the root holders beside it."""

    broker: RunningBroker
    folder: Path

    async def invite(self, node: str = NODE) -> Path:
        return await self.broker.invite(node)

    async def join(self, file: Path, home: str, spoken: list[tuple[str, ...]]) -> object:
        return await joining.join(
            file, self.folder / home, PASSPHRASE, spoken.append, memory_kib=CHEAP, patience_s=30
        )


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with running_broker(tmp_path) as broker:
        yield Registry(broker, tmp_path)


async def test_a_node_and_an_officer_join_and_are_cut_off_on_the_way(registry: Registry) -> None:
    network, file = registry.broker.network, await registry.invite()
    spoken: list[tuple[str, ...]] = []
    cut = asyncio.create_task(registry.join(file, "node", spoken))
    request = await admitting.read_request(file, wait_s=30)
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)

    again = asyncio.create_task(registry.join(file, "node", spoken))
    roots = tuple(network.roots[: network.root.threshold])
    await admitting.admit_node(request, roots)
    await admitting.admit_node(request, roots)  # the answer to the first try was lost
    joined = await again
    assert isinstance(joined, JoinedView)
    assert joined.node == NODE
    assert set(spoken) == {request.words}
    with pytest.raises(RefusedError) as caught:
        await registry.join(file, "node", spoken)
    assert caught.value.rule == "joined"

    async with Client.open(registry.folder / "node", PASSPHRASE) as admin:
        await _nobody_joins_as_another(registry, admin)
        await _an_agent_has_no_officer_and_nobody_else(registry, admin)
        await _an_officer_joins(registry, admin)


async def _an_officer_joins(registry: Registry, admin: Client) -> None:
    file = await admin.devices.invite(("auditor",), registry.folder / "auditor.invite")
    spoken: list[tuple[str, ...]] = []
    waiting = asyncio.create_task(registry.join(file, "auditor", spoken))
    request = await admitting.read_request(file, wait_s=30)
    assert request.roles == ("auditor",)
    await admin.devices.admit(request)
    await waiting
    assert spoken == [request.words]
    async with Client.open(registry.folder / "auditor", PASSPHRASE) as auditor:
        assert auditor.roles == ("auditor",)
        assert (await auditor.audit.verdict()).ok


async def test_of_two_joins_at_once_on_a_fresh_home_one_is_told_so(registry: Registry) -> None:
    network, file = registry.broker.network, await registry.invite()
    home = registry.folder / "home"
    command = (sys.executable, "-m", "seefen.client", "--home", home, "join", file)
    environment = {**os.environ, "SEEFEN_PASSPHRASE": PASSPHRASE}
    both = [
        await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    try:
        ends = {asyncio.create_task(one.communicate()): one for one in both}
        (second,), (waits,) = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        said = second.result()[0].decode()
        assert ends[second].returncode == 1, said
        assert "another seefen" in said
        request = await admitting.read_request(file, wait_s=60)
        await admitting.admit_node(request, tuple(network.roots[: network.root.threshold]))
        await waits
        assert ends[waits].returncode == 0, waits.result()
    finally:
        for one in both:
            if one.returncode is None:
                one.kill()
                await one.wait()
    # The key file is of the one that was let in, and opens the vault beside it.
    async with Client.open(home, PASSPHRASE) as client:
        assert client.node == NODE
    assert read_key_file(home / KEY_FILE, PASSPHRASE).device.hex() == client.device_hex


async def test_who_is_not_let_in_is_told_how_to_go_on(registry: Registry) -> None:
    file = await registry.invite()
    with pytest.raises(RefusedError) as caught:
        await joining.join(
            file, registry.folder / "home", PASSPHRASE, print, memory_kib=CHEAP, patience_s=1
        )
    assert caught.value.rule == "not-admitted"

    fewer = tuple(registry.broker.network.roots[: registry.broker.network.root.threshold - 1])
    request = await admitting.read_request(file)
    with pytest.raises((RefusedError, UntrustedError)):
        await admitting.admit_node(request, fewer)


async def test_the_network_of_the_invite_is_the_only_one(registry: Registry) -> None:
    file = await registry.invite()
    invite = read_invite(file)
    write_invite(file, msgspec.structs.replace(invite, net="ab" * 32))
    with pytest.raises(UntrustedError) as caught:
        await registry.join(file, "home", [])

    assert caught.value.rule == "net"


async def test_attack_keys_that_the_broker_swaps_at_an_invite(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words differ; and were they not compared, the one who joins is told."""
    network, file = registry.broker.network, await registry.invite()
    spoken: list[tuple[str, ...]] = []
    joiner = asyncio.create_task(registry.join(file, "node", spoken))
    true = await admitting.read_request(file, wait_s=30)
    victim = read_key_file(registry.folder / "node" / KEY_FILE, PASSPHRASE)
    thief = replace(DeviceKeys.generate(), device=victim.device)
    forged = encode_bundle(joining._node_draft(network.directory, true.invite, thief))

    async def swapped(*_: object) -> bytes:
        return forged

    monkeypatch.setattr(admitting, "_fetch", swapped)
    shown = await admitting.read_request(file)
    assert spoken == [true.words]
    assert shown.words != true.words
    await admitting.admit_node(shown, tuple(network.roots[: network.root.threshold]))
    with pytest.raises(UntrustedError, match="other keys were admitted in our place"):
        await joiner


def test_a_certificate_beside_the_pinned_one_is_refused(tmp_path: Path) -> None:
    ca, other = (_authority(tmp_path / name) for name in ("one", "two"))
    for bad in ("", "no certificate", ca[:200], ca + other):
        with pytest.raises(RefusedError) as caught:
            tls_context(bad)
        assert caught.value.rule == "invite"
    tls_context(ca)


def _authority(folder: Path) -> str:
    folder.mkdir()
    tls.make_authority(folder, "seefen", datetime.now(UTC))
    return tls.ca_pem(folder)


async def _nobody_joins_as_another(registry: Registry, admin: Client) -> None:
    with pytest.raises(RefusedError, match="no officer o-0000"):
        await admin.devices.invite(("field",), registry.folder / "x", officer="o-0000")
    own = await admin.devices.invite(
        ("field",), registry.folder / "own.invite", officer=admin.officer
    )
    await _joins(registry, admin, own, own)
    assert [one.officer for one in admin.devices.list()] == [admin.officer] * 2

    new = await admin.devices.invite(("field",), registry.folder / "new.invite")
    # The newcomer writes the admin's pseudonym into his copy; the admin's says nothing of it.
    forged = registry.folder / "forged.invite"
    write_invite(forged, msgspec.structs.replace(read_invite(new), officer=admin.officer))
    with pytest.raises(UntrustedError, match="who was not invited") as refused:
        await _joins(registry, admin, forged, new)
    assert refused.value.rule == "request"


async def _an_agent_has_no_officer_and_nobody_else(registry: Registry, admin: Client) -> None:
    agent = await admin.devices.invite(("auditor",), registry.folder / "a.invite", agent=True)
    await _joins(registry, admin, agent, agent)
    assert [one.roles for one in admin.devices.list() if not one.officer] == [("auditor",)]
    # Who is invited as an officer does not come in as an agent, whom no name stands behind.
    new = await admin.devices.invite(("field",), registry.folder / "b.invite")
    forged = registry.folder / "nameless.invite"
    write_invite(forged, msgspec.structs.replace(read_invite(new), agent=True))
    with pytest.raises(UntrustedError, match="who was not invited"):
        await _joins(registry, admin, forged, new)


async def _joins(registry: Registry, admin: Client, theirs: Path, ours: Path) -> None:
    waiting = asyncio.create_task(registry.join(theirs, theirs.stem, []))
    try:
        await admin.devices.admit(await admitting.read_request(ours, wait_s=30))
        await waiting
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
