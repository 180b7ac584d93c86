"""The bare floor: aiohttp that hands bytes on and promises nothing.

The same library, loop, machine and TLS as the broker's, and none of its work: no login, no
log, no database, no check. What is sent on one socket goes to all that listen; a file goes
to the disk, is synced once, and comes back. ``bare()`` runs it as a process of its own.
"""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from aiohttp import WSMsgType, web

from seefen.server import tls
from tests.support.broker import free_port

CHUNK = 1 << 20


class Bare:
    """Everybody who listens, and where files lie."""

    def __init__(self, folder: Path) -> None:
        """Keep files in a folder."""
        self._folder = folder
        self._listening: set[web.WebSocketResponse] = set()

    def app(self) -> web.Application:
        """Return the three addresses."""
        app = web.Application()
        app.router.add_get("/line", self.line)
        app.router.add_put("/file", self.put_file)
        app.router.add_get("/file", self.get_file)
        return app

    async def line(self, request: web.Request) -> web.WebSocketResponse:
        """Hand on what comes to everybody but the one it came from."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=CHUNK)
        await socket.prepare(request)
        self._listening.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    for other in self._listening:
                        if other is not socket:
                            await other.send_bytes(message.data)
        finally:
            self._listening.discard(socket)
        return socket

    async def put_file(self, request: web.Request) -> web.Response:
        """Write what comes to the disk, and sync it before the answer."""
        with (self._folder / "bare").open("wb", buffering=0) as file:
            async for chunk in request.content.iter_chunked(CHUNK):
                file.write(chunk)
            await asyncio.to_thread(os.fsync, file.fileno())
        return web.Response()

    async def get_file(self, request: web.Request) -> web.StreamResponse:
        """Answer with the file, in pieces of a mebibyte."""
        path = self._folder / "bare"
        answer = web.StreamResponse()
        answer.content_length = path.stat().st_size
        await answer.prepare(request)
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                await answer.write(chunk)
        return answer


@asynccontextmanager
async def bare(folder: Path, certificate: Path | None) -> AsyncGenerator[str]:
    """Give the address of a bare server; ``certificate`` is the data folder of a broker."""
    address = f"127.0.0.1:{free_port()}"
    more = [] if certificate is None else [str(certificate)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", str(folder), address, *more,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        if process.stdout is None or b"ready" not in await process.stdout.readline():
            raise RuntimeError("the bare server did not start")
        yield f"{'http' if certificate is None else 'https'}://{address}"
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def _serve(folder: Path, address: str, context: ssl.SSLContext | None) -> None:
    runner = web.AppRunner(Bare(folder).app(), access_log=None)
    await runner.setup()
    host, _, port = address.rpartition(":")
    await web.TCPSite(runner, host, int(port), ssl_context=context, backlog=512).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def main(folder: str, address: str, certificate: str = "") -> None:
    """Serve until the process is killed."""
    context = tls.server_context(Path(certificate)) if certificate else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(folder), address, context))


if __name__ == "__main__":
    main(*sys.argv[1:])
