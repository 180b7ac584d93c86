"""The real broker without one of its protections: only to see what that protection costs.

``tls``: the same web application on a bare connection. ``pq``: the signatures that grant
power are checked and made with their Ed25519 half alone. ``gate``: a content key is read, and
a row of a journal written, in one transaction. Nothing else imports this.
"""

import asyncio
import signal
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from seefen.protocol.frames import Ask, ContentKey, Released
from seefen.protocol.ledger.record import RECORD_LENGTH
from seefen.protocol.receipt import Entry
from seefen.protocol.suite import _signing
from seefen.server import tls
from seefen.server.app import make_app, open_services
from seefen.server.config import Config, read_config, split_address
from seefen.server.database import own_database
from seefen.server.memory import settle
from seefen.server.web.connections import SETTINGS, Connection

_KEY = "SELECT content_key FROM object WHERE object_id = $1"


def forget_post_quantum() -> None:
    """Let the half of a signature that is ML-DSA-65 be zeros that nobody checks."""
    module: Any = _signing
    module._mldsa = _anything  # noqa: SLF001 - the product has no switch for this
    key: Any = _signing.SigningKey

    def sign(self: Any, message: bytes, *, power: bool) -> bytes:
        signature: bytes = self._ed25519.sign(message)
        return signature + bytes(3309) if power else signature

    key.sign = sign


def _anything(_public: bytes) -> "_Anything":
    return _Anything()


async def forget_gate(broker: Any) -> None:
    """Let the broker answer an access as a server does that only keeps a journal."""
    pool = broker._storage.pool  # noqa: SLF001 - the product has no switch for this
    await pool.execute("CREATE TABLE IF NOT EXISTS bench_journal (data bytea NOT NULL)")
    nothing = Entry(0, bytes(RECORD_LENGTH), b"", bytes(32), ())

    async def ask(_device: bytes, wanted: Ask) -> Released:
        object_ = wanted.objects[0]
        async with pool.acquire() as connection, connection.transaction():
            key = await connection.fetchval(_KEY, object_)
            await connection.execute("INSERT INTO bench_journal VALUES ($1)", wanted.envelope)
        return Released(nothing, (ContentKey(object_, key),), "", ())

    broker.ask = ask


async def _listen(
    handlers: web.Server, config: Config, context: ssl.SSLContext | None
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    host, port = split_address(config.listen)
    return await loop.create_server(
        lambda: Connection(handlers, loop=loop, **SETTINGS), host, port, ssl=context
    )


class _Anything:
    """A key under which everything verifies."""

    def verify(self, _signature: bytes, _message: bytes) -> None:
        """Check nothing."""


async def serve(data: Path, without: set[str]) -> None:
    """Serve until the process is asked to end."""
    if "pq" in without:
        forget_post_quantum()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = read_config(data)
    if "tls" in without:
        config = replace(config, url=config.url.replace("https://", "http://"))
    with own_database(config) as database:
        async with open_services(config, database.dsn) as services:
            if "gate" in without:
                await forget_gate(services.broker)
            runner = web.AppRunner(make_app(services))
            await runner.setup()
            if runner.server is None:
                raise RuntimeError("the runner has no server after its setup")
            server = await _listen(
                runner.server, config, None if "tls" in without else tls.server_context(config.data)
            )
            settle()
            print("ready", flush=True)
            await stop.wait()
            services.lines.end_all()
            server.close()
            await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        _runner.run(serve(Path(sys.argv[1]), set(sys.argv[2:])))
