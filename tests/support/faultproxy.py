"""A bad network: a TCP proxy of our own between devices and the real broker.

It knows nothing of TLS: it cuts, delays, dribbles and falls silent, as lines do. Each fault is
set on the proxy and holds for the connections that are open and for those that follow.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK = 64 * 1024


@dataclass(eq=False)
class Bad:
    """What is wrong with the line.

    Attributes:
        cut_up_after: Bytes to the broker after which a connection is cut; None for never.
        cut_down_after: Bytes from the broker, likewise.
        delay: Seconds that each piece is late; bytes keep their order, as in TCP.
        stall_every: Pieces after which one is kept for ``stall`` seconds: a lost packet.
        rate: Bytes a second; 0 for as many as go.
        down: Nobody listens.
        swallow_up: All that goes to the broker is taken and carried no further, on any line.
        swallow_down: What comes from it, likewise.
        fresh_only: Lines that were open before stay as they were.
    """

    cut_up_after: int | None = None
    cut_down_after: int | None = None
    delay: float = 0
    stall_every: int = 0
    stall: float = 0
    rate: int = 0
    down: bool = False
    swallow_up: bool = False
    swallow_down: bool = False
    fresh_only: bool = False


@dataclass(eq=False)
class FaultProxy:
    """The proxy, its faults, and what went through it."""

    target: str = ""
    bad: Bad = field(default_factory=Bad)
    cuts: int = 0
    up: int = 0
    down: int = 0
    dribbling: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _near: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _silent: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def silence(self, *, up: bool = True) -> None:
        """Let the lines that are open swallow everything from now on; new ones are good.

        Args:
            up: Also what goes to the broker; else it arrives, and its answer does not.
        """
        self._silent |= self._open if up else self._open & self._near

    def cut(self) -> None:
        """Cut every open connection, in the middle of whatever it carries."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # that is what lines do
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.bad.down:
            return
        far_reader, far_writer = await asyncio.open_connection(*self.target.rsplit(":", 1))
        both = {writer, far_writer}
        self._open |= both
        self._near.add(writer)
        ways = [
            asyncio.ensure_future(self._way(reader, far_writer, up=True)),
            asyncio.ensure_future(self._way(far_reader, writer, up=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._open -= both
            for end in both:
                end.transport.abort()

    async def _way(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, up: bool
    ) -> None:
        with contextlib.suppress(OSError):
            await self._pump(source, target, up=up)
        if self._swallows(target, up=up):  # nor is it heard that the other end has gone
            await asyncio.Event().wait()

    def _swallows(self, target: asyncio.StreamWriter, *, up: bool) -> bool:
        bad = self.bad
        return target in self._silent or (bad.swallow_up if up else bad.swallow_down)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, up: bool
    ) -> None:
        carried, pieces, first = 0, 0, self.bad
        while data := await source.read(1 if first.rate else CHUNK):
            bad = first if self.bad.fresh_only else self.bad
            if self._swallows(target, up=up):
                continue
            pieces += 1
            if bad.rate:
                self.dribbling += 1
                await asyncio.sleep(len(data) / bad.rate)
            if bad.delay:
                await asyncio.sleep(bad.delay)
            if bad.stall_every and pieces % bad.stall_every == 0:
                await asyncio.sleep(bad.stall)
            limit = bad.cut_up_after if up else bad.cut_down_after
            if limit is not None and carried + len(data) > limit:
                data = data[: limit - carried]
                self.cuts += 1
            carried += len(data)
            self._count(len(data), up=up)
            target.write(data)
            await target.drain()
            if limit is not None and carried >= limit:
                return

    def _count(self, size: int, *, up: bool) -> None:
        if up:
            self.up += size
        else:
            self.down += size

    async def close(self) -> None:
        """Cut everything and wait for it."""
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def fault_proxy(port: int, host: str = "127.0.0.1") -> AsyncGenerator[FaultProxy, None]:
    """Give a line that devices reach on ``port``; its ``target`` is set before they do."""
    proxy = FaultProxy()
    server = await asyncio.start_server(proxy.take, host, port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
