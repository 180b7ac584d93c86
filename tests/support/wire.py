"""Bytes on a TLS connection, for what no HTTP client would send."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seefen.server.tls import device_context

LIMIT = 1 << 24


@asynccontextmanager
async def wire(
    url: str, ca: str
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """Open a connection to a broker."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    reader, writer = await asyncio.open_connection(
        host, int(port), ssl=device_context(ca), limit=LIMIT
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def exchange(url: str, ca: str, sent: bytes, *, seconds: float = 15) -> tuple[int, bytes]:
    """Return status and everything that comes back; 0 when the connection is only cut."""
    async with wire(url, ca) as (reader, writer):
        try:
            writer.write(sent)
            await writer.drain()
            async with asyncio.timeout(seconds):
                got = await reader.read(LIMIT)
                while b"\r\n\r\n" not in got:
                    more = await reader.read(LIMIT)
                    if not more:
                        break
                    got += more
        except ConnectionError:
            got = b""
        return (int(got.split(b" ", 2)[1]), got) if got.startswith(b"HTTP/1.") else (0, got)


def head(method: str, path: str, *fields: str) -> bytes:
    """Return the head of a request with a Host field and ``fields``."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: broker", *fields, "", "")).encode()
