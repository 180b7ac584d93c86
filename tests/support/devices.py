"""A device as the wire sees it: login, signed requests, the socket. No vault, no rules."""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import aiohttp

from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import Frame, Problem
from seefen.protocol.login import jkt, make_assertion, make_proof
from seefen.protocol.statements import Part
from seefen.protocol.suite import PlainKey
from seefen.server.tls import device_context
from tests.support.network import Machine

P = TypeVar("P", bound=Part)
LIMIT = 1 << 26  # bytes of an answer
NODE = "skopje-border"  # the node of a test that needs one


class RefusedByBrokerError(Exception):
    """The broker said no on the socket."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.rule)
        self.problem = problem


class WebDevice:
    """A machine that talks with a broker over real TLS."""

    def __init__(self, url: str, ca: str, machine: Machine | None = None) -> None:
        self.url = url
        self.machine = machine
        self.dpop = PlainKey.generate()
        self.token = ""
        self.sockets: list[aiohttp.ClientWebSocketResponse] = []
        self.tls: ssl.SSLContext = device_context(ca)
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.tls), skip_auto_headers=("User-Agent",)
        )

    async def __aenter__(self) -> WebDevice:
        return self

    async def __aexit__(self, *_: object) -> None:
        for ws in self.sockets:
            await ws.close()
        await self.http.close()

    async def nonce(self) -> str:
        async with self.http.get(f"{self.url}/v1/nonce") as answer:
            nonce: str = (await answer.json())["nonce"]
            return nonce

    async def assertion(self, **changes: Any) -> str:
        assert self.machine is not None
        values: dict[str, Any] = {
            "auth": self.machine.auth,
            "device_hex": self.machine.device.hex(),
            "audience": self.url,
            "nonce": await self.nonce(),
            "jkt": jkt(self.dpop.public),
            "at": int(time.time()),
        }
        return make_assertion(**{**values, **changes})

    async def proof(self, method: str, path: str, *, token: str | None = None) -> str:
        nonce, now = await self.nonce(), int(time.time())
        return make_proof(self.dpop, method, self.url + path, nonce, now, token)

    async def try_login(self, assertion: str, proof: str) -> tuple[int, Any]:
        """Return status and document of a login."""
        async with self.http.post(
            f"{self.url}/v1/token", json={"assertion": assertion}, headers={"DPoP": proof}
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def login(self) -> WebDevice:
        """Get a token."""
        proof = await self.proof("POST", "/v1/token")
        status, document = await self.try_login(await self.assertion(), proof)
        assert status == 200, document
        self.token = document["token"]
        return self

    async def headers(self, method: str, path: str) -> dict[str, str]:
        proof = await self.proof(method, path, token=self.token)
        return {"Authorization": f"DPoP {self.token}", "DPoP": proof}

    async def request(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        *,
        content_type: str = "application/cbor",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Return status and body of a request; signed, unless ``headers`` are given."""
        sent = headers if headers is not None else await self.headers(method, path.split("?")[0])
        if data is not None:
            sent = {"Content-Type": content_type, **sent}
        body = None if data is None else io.BytesIO(data)
        async with self.http.request(method, self.url + path, data=body, headers=sent) as answer:
            return answer.status, await answer.read()

    async def socket(self) -> Socket:
        """Open the socket."""
        headers = await self.headers("GET", "/v1/socket")
        ws = await self.http.ws_connect(
            f"{self.url}/v1/socket", headers=headers, max_msg_size=LIMIT
        )
        self.sockets.append(ws)
        return Socket(ws)


class Socket:
    """The device's end of the socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.number = 0
        self.unasked: list[Frame] = []

    async def ask(self, verb: str, body: Part | bytes, type_: type[P]) -> P:
        """Return the answer to a request; what came unasked meanwhile is kept."""
        return decode(await self.ask_raw(verb, body), type_, limit=LIMIT)

    async def ask_raw(self, verb: str, body: Part | bytes) -> bytes:
        """Return the body of the answer."""
        self.number += 1
        sent = body if isinstance(body, bytes) else encode(body)
        await self.ws.send_bytes(encode(Frame(self.number, verb, sent)))
        while True:
            frame = await self.frame()
            if frame.id == 0:
                self.unasked.append(frame)
                continue
            assert frame.id == self.number
            if frame.verb == "problem":
                raise RefusedByBrokerError(decode(frame.body, Problem))
            return frame.body

    async def pushed(self) -> Frame:
        """Return the next frame that nobody asked for."""
        return self.unasked.pop(0) if self.unasked else await self.frame()

    async def frame(self) -> Frame:
        """Return the next frame."""
        return decode(await self.ws.receive_bytes(), Frame, limit=LIMIT)

    async def closed(self) -> int | None:
        """Wait for the end and return its code."""
        while not self.ws.closed:
            message = await self.ws.receive()
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                break
        return self.ws.close_code


Connect = Callable[..., WebDevice]
