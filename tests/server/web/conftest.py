"""A broker on a real socket, and devices that talk with it."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, Connect, WebDevice
from tests.support.network import Machine


@pytest.fixture
async def broker() -> AsyncGenerator[LocalBroker, None]:
    async with local_broker(NODE) as broker:
        yield broker


@pytest.fixture
async def connect(broker: LocalBroker) -> AsyncGenerator[Connect, None]:
    """Give a function that makes a device for a machine (of every role, if none is named)."""
    async with AsyncExitStack() as stack:
        made: list[WebDevice] = []

        def make(machine: Machine | None = None) -> WebDevice:
            device = WebDevice(broker.config.url, broker.ca, machine or broker.network.of(NODE))
            made.append(device)
            return device

        yield make
        for device in made:
            await stack.enter_async_context(device)


@pytest.fixture
async def device(connect: Connect) -> WebDevice:
    """Give a device that is logged in."""
    return await connect().login()
