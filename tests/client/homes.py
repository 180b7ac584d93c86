"""Devices with a vault of their own, admitted to a broker that runs in this process."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from seefen.client import Client
from seefen.client.invites import Invite
from seefen.client.keyfile import NAME, DeviceKeys, write_key_file
from seefen.client.vault import NAME as VAULT
from seefen.client.vault import Vault
from seefen.protocol.encoding import encode
from seefen.protocol.suite import random_bytes
from tests.support.broker import LocalBroker, local_broker
from tests.support.network import Machine, Network

PASSPHRASE = "copper lantern violet nine orchard"
CHEAP = 8192  # KiB: the least a key file may name


@dataclass
class Site:
    """A broker, the homes of devices, and the clients that are open on them."""

    broker: LocalBroker
    folder: Path
    open: AsyncExitStack
    homes: dict[bytes, Path] = field(default_factory=dict[bytes, Path])

    @property
    def network(self) -> Network:
        return self.broker.network

    async def client(self, node: str, role: str = "", *, nth: int = 0) -> Client:
        """Open the client of a machine; it is closed at the end of the test."""
        machine = self.network.of(node, role, nth=nth)
        return await self.open.enter_async_context(Client.open(self.home(machine), PASSPHRASE))

    @asynccontextmanager
    async def briefly(
        self, node: str, role: str = "", *, nth: int = 0
    ) -> AsyncGenerator[Client, None]:
        """Open the client of a machine and close it at the end of the block."""
        async with Client.open(self.home(self.network.of(node, role, nth=nth)), PASSPHRASE) as it:
            yield it

    def home(self, machine: Machine) -> Path:
        """Return the folder of a machine, as joining would have left it."""
        if machine.device not in self.homes:
            home = self.folder / machine.device.hex()[:8]
            make_home(home, machine, self.network, self.broker.config.url, self.broker.ca)
            self.homes[machine.device] = home
        return self.homes[machine.device]


def make_home(home: Path, machine: Machine, network: Network, url: str, ca: str) -> None:
    """Make the folder of a machine, as joining would have left it."""
    home.mkdir()
    keys = DeviceKeys(machine.device, machine.sign, machine.auth, machine.kem, random_bytes(32))
    write_key_file(home / NAME, keys, PASSPHRASE, memory_kib=CHEAP)
    vault = Vault.open(home / VAULT, keys.vault)
    vault.put("invite", msgspec.json.encode(_invite(machine, network, url, ca)))
    vault.put("joined", encode(network.at))
    vault.close()


def _invite(machine: Machine, network: Network, url: str, ca: str) -> Invite:
    return Invite(
        v=1,
        network=network.root.name,
        net=network.net.hex(),
        broker=url,
        ca=ca,
        pin=network.root.tls_pins[0].hex(),
        kind="device",
        node=machine.node,
        id="00" * 16,
        secret="00" * 32,
        expires=0,
        roles=machine.roles,
    )


@asynccontextmanager
async def site(folder: Path, *nodes: str, **options: Any) -> AsyncGenerator[Site, None]:
    """Give a broker with ``nodes``, each with one machine of every role."""
    async with local_broker(*nodes, **options) as broker, AsyncExitStack() as stack:
        yield Site(broker, folder, stack)
