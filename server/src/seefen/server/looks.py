"""Looks at the cores of another node: each is in the log before the page leaves.

The client of whoever looks enters what it asked, too; but a client is his. One entry an hour for
each device and whose cores it is shown: the pages of one look are many. What was not committed
shows nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope
from seefen.protocol.manifest import require_view
from seefen.protocol.statements import Viewed
from seefen.protocol.suite import SUITE, new_id
from seefen.server.denials import Writes
from seefen.server.entries import viewed_entry_of
from seefen.server.jobs import Job
from seefen.server.view import Layer, Needs

SECONDS: Final = 3600


class ViewedJob(Job):
    """One look, entered."""

    def __init__(self, device: bytes, of: str) -> None:
        """Enter that ``device`` is shown the cores of a node, or of all (empty)."""
        super().__init__(Needs())
        self._device = device
        self._of = of

    def judge(self, layer: Layer) -> None:
        """Try it on a layer.

        Raises:
            UntrustedError: The device has no such view, by what is committed now.
        """
        device, of = self._device, self._of
        node = require_view(layer.directory, device, of, at=layer.at // 1000).node
        viewed = Viewed(SUITE, layer.directory.net, "viewed", new_id(), of, node, device)
        envelope = encode(Envelope(encode(viewed), ()))
        layer.changes.activity.append(viewed_entry_of(layer, viewed, envelope))
        layer.activity_size += 1


class Looks:
    """Enters looks of one broker process."""

    def __init__(self, writes: Writes, clock: Callable[[], float]) -> None:
        self._writes = writes
        self._clock = clock
        self._entered: dict[tuple[bytes, str], float] = {}
        # Two first pages at once: neither may leave before the one entry stands.
        self._turn = asyncio.Lock()

    async def enter(self, device: bytes, of: str) -> bool:
        """Enter a look unless that was done within the hour; tell whether it was done now.

        Raises:
            SeefenError: It is not entered, and nothing may be shown.
        """
        async with self._turn:
            now = self._clock()
            if abs(now - self._entered.get((device, of), -SECONDS)) < SECONDS:
                return False
            await self._writes.write(ViewedJob(device, of))
            # Only who has a view comes here: these are few.
            self._entered[device, of] = now
            return True
