"""A recording relay between the devices and the broker: what a wiretap *inside* TLS sees.

Outside, TLS hides everything and a search would prove nothing. The relay therefore ends
TLS with the broker's own key and writes down the plaintext of the connection, WebSocket
frames unmasked. It changes nothing.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 16


class Recorder:
    """Relays connections from one port to another and keeps what passes."""

    def __init__(self, *, listen: int, broker: int, certificate: Path, key: Path, to: Path) -> None:
        self._listen = listen
        self._broker = broker
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server_tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server_tls.load_cert_chain(certificate, key)
        # The relay is the demo's own and stays on this machine: it need not be careful.
        self._client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client_tls.check_hostname = False
        self._client_tls.verify_mode = ssl.CERT_NONE
        self._file = to.open("ab")
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on the loopback address.

        Raises:
            OSError: The port is taken.
        """
        self._server = await asyncio.start_server(
            self._relay, "127.0.0.1", self._listen, ssl=self._server_tls
        )

    async def stop(self) -> None:
        """Stop listening, cut what is open and close the file."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._file.close()

    def flush(self) -> None:
        """Bring everything recorded so far to the file."""
        self._file.flush()

    def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the stream's callback would print that it was cancelled.
        task = asyncio.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(
                "127.0.0.1", self._broker, ssl=self._client_tls
            )
        except OSError:
            writer.close()
            return
        unmask = Unmasker(self._keep)
        await asyncio.gather(
            _pipe(reader, upstream_writer, unmask.feed),
            _pipe(upstream_reader, writer, self._keep),
            return_exceptions=True,
        )

    def _keep(self, data: bytes) -> None:
        if not self._file.closed:
            self._file.write(data)


async def _pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: Callable[[bytes], None]
) -> None:
    try:
        while data := await reader.read(CHUNK):
            keep(data)
            writer.write(data)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        writer.close()


class Unmasker:
    """Passes HTTP on as it is and WebSocket frames of a client with the mask taken off.

    A client masks its frames with a random pattern; searching masked bytes would find
    nothing even if everything were there.
    """

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep
        self._buffer = b""
        self._upgraded = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        if not self._upgraded:
            self._keep(data)
            self._buffer = (self._buffer + data)[-CHUNK:]
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if end and b"upgrade: websocket" in head.lower():
                self._upgraded = True
                self._buffer = rest
            elif end:
                self._buffer = rest
            return
        self._buffer += data
        while (frame := _frame(self._buffer)) is not None:
            payload, size = frame
            self._keep(payload)
            self._buffer = self._buffer[size:]


def _frame(data: bytes) -> tuple[bytes, int] | None:
    """Return the unmasked payload of the first whole frame (RFC 6455, 5.2) and its size."""
    if len(data) < 2:
        return None
    length, at = data[1] & 0x7F, 2
    if length >= 126:
        at = 4 if length == 126 else 10
        if len(data) < at:
            return None
        length = int.from_bytes(data[2:at])
    masked = bool(data[1] & 0x80)
    end = at + (4 if masked else 0) + length
    if len(data) < end:
        return None
    if not masked:
        return data[at:end], end
    mask = data[at : at + 4]
    pattern = (mask * (length // 4 + 1))[:length]
    body = int.from_bytes(data[at + 4 : end]) ^ int.from_bytes(pattern)
    return body.to_bytes(length), end
