"""A broker that devices reach through a proxy, which cuts, delays and silences their lines."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.client.homes import Site, site
from tests.support.broker import free_port
from tests.support.faultproxy import FaultProxy, fault_proxy


@asynccontextmanager
async def proxied(folder: Path, *nodes: str) -> AsyncGenerator[tuple[Site, FaultProxy]]:
    """Run a broker with devices of some nodes, and the proxy in front of it."""
    front = free_port()
    async with (  # the line is there before the devices, and until they are gone
        fault_proxy(front) as proxy,
        site(folder, *nodes, front=f"127.0.0.1:{front}") as place,
    ):
        proxy.target = place.broker.config.listen
        yield place, proxy
