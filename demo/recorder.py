"""A recording relay between the devices and the broker: what a wiretap *inside* TLS sees.

Outside, TLS hides everything and a search would prove nothing. The relay therefore ends
TLS with the broker's own key and writes down the plaintext of the connection, WebSocket
frames unmasked. It changes nothing of it; but it can lead one process to another broker.
"""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 16
HEAD = 1 << 14  # bytes of a request's head at most


class Recorder:
    """Relays connections from one port to another and keeps what passes, each way by itself.

    Args:
        listen: The port that devices know.
        broker: The port on which the broker listens in truth.
        to: Folder for what is recorded; it is made.
    """

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
        to.mkdir()
        self._up = (to / "to-broker.bin").open("wb")
        self._down = (to / "to-devices.bin").open("wb")
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], int] = {}  # with the port of the other side
        self._diverted: dict[int, int] = {}  # process, and the port it is led to

    async def start(self) -> None:
        """Listen on the loopback address.

        Raises:
            OSError: The port is taken.
        """
        self._server = await asyncio.start_server(
            self._relay, "127.0.0.1", self._listen, ssl=self._server_tls
        )

    @property
    def port(self) -> int:
        """The port on which it listens."""
        if self._server is None:
            return self._listen
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stop listening, cut what is open and close the file."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._up.close()
        self._down.close()

    def divert(self, pid: int, port: int) -> None:
        """Lead the connections of a process to another port, those that are open first."""
        self._diverted[pid] = port
        for task, source in tuple(self._tasks.items()):
            if _owns(pid, source):
                task.cancel()

    def flush(self) -> None:
        """Bring everything recorded so far to the file."""
        self._up.flush()
        self._down.flush()

    def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the stream's callback would print that it was cancelled.
        source: int = writer.get_extra_info("peername")[1]
        task = asyncio.create_task(self._connect(reader, writer, source))
        self._tasks[task] = source
        task.add_done_callback(self._tasks.pop)

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: int
    ) -> None:
        led = (port for pid, port in self._diverted.items() if _owns(pid, source))
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(
                "127.0.0.1", next(led, self._broker), ssl=self._client_tls
            )
        except OSError:
            writer.close()
            return
        unmask = Unmasker(partial(_keep, self._up))
        await asyncio.gather(
            _pipe(reader, upstream_writer, unmask.feed),
            _pipe(upstream_reader, writer, partial(_keep, self._down)),
            return_exceptions=True,
        )


def _owns(pid: int, port: int) -> bool:
    """Tell whether a process of this machine has a connection that begins at a port."""
    try:
        rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
        sockets = {f"socket:[{row[9]}]" for row in rows if int(row[1].split(":")[1], 16) == port}
        return any(_target(path) in sockets for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False  # it has ended


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""  # closed meanwhile


def _keep(file: BinaryIO, data: bytes) -> None:
    if not file.closed:
        file.write(data)


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
        self._kept = 0  # bytes of the buffer that were passed on already
        self._upgraded = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        self._buffer += data
        while not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                self._pass_on()
                return
            self._keep(self._buffer[self._kept : len(head) + len(end)])
            self._kept = 0
            self._buffer = rest
            self._upgraded = b"upgrade: websocket" in head.lower()
        while (frame := _frame(self._buffer)) is not None:
            payload, size = frame
            self._keep(payload)
            self._buffer = self._buffer[size:]

    def _pass_on(self) -> None:
        """Keep what has come, and of it only as much in mind as the end of a head needs."""
        self._keep(self._buffer[self._kept :])
        self._buffer = self._buffer[-HEAD:]
        self._kept = len(self._buffer)


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
