"""The connection to the broker: login, one socket, and HTTP for what is large.

It moves bytes and believes none of them. TLS 1.3 to the network's private CA and no
other; each token is bound to a key that lives in this process only.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from seefen.client.address import Address, tls_context
from seefen.client.answers import (
    ANSWER_LIMIT,
    CUT_OFF,
    LoginError,
    UnreachableError,
    decode_answer,
    no_answer,
    not_ours,
    once,
    problem_error,
    raise_problem,
    read_body,
    read_json,
)
from seefen.client.keyfile import DeviceKeys
from seefen.client.lines import Keep, Lines, Load, Run
from seefen.client.patience import SILENCE, Patience
from seefen.client.wire import GOODBYE, SLOWEST, Socket, Wires
from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import Frame, Problem, Renew
from seefen.protocol.login import jkt, make_assertion, make_proof
from seefen.protocol.suite import PlainKey

__all__ = [
    "Address",
    "Connection",
    "LoginError",
    "UnreachableError",
    "problem_error",
    "tls_context",
]

FRAME_LIMIT: Final = 60_000  # bytes of a frame the broker takes; more goes by HTTP
TIMEOUT: Final = 30  # seconds for an answer on the socket
REPEATABLE: Final = ("GET", "PUT")  # a second time changes nothing
RENEW_BEFORE: Final = 120  # seconds before the end of a token

T = TypeVar("T")


class Connection:
    """One device's connection. ``pushed`` gets what the broker sends unasked."""

    def __init__(self, address: Address, keys: DeviceKeys | None) -> None:
        self._address = address
        self._keys = keys
        self._tls = tls_context(address.ca)
        self._lines = Lines(address.url, self._tls)
        self._http: aiohttp.ClientSession | None = None
        self._proof_key = PlainKey.generate()
        self._token = ""
        self._token_ends = 0.0
        self._nonce = ""
        self.patience = Patience()
        self.pushed: Callable[[Frame], None] = lambda _: None
        self.closed: Callable[[str], None] = lambda _: None
        self._wires = Wires(self._connect, self._connect_anew)
        self._wires.pushed = lambda frame: self.pushed(frame)
        self._wires.closed = self._ended

    @property
    def is_open(self) -> bool:
        """Whether the socket is up."""
        return self._wires.current is not None

    @property
    def exchanged(self) -> int:
        """How often a silent socket was exchanged for another: what was pushed into it is lost."""
        return self._wires.exchanged

    def session(self) -> bytes:
        """Return token and proof key, so that the device's next process need not log in.

        They are good for ten minutes, and stand in the vault alone.
        """
        ends = int(time.time() + self._token_ends - time.monotonic())
        return encode([self._proof_key.secret, self._token, max(0, ends)])

    def resume(self, session: bytes) -> None:
        """Go on with the token of an earlier process of this device."""
        secret, token, ends = decode(session, tuple[bytes, str, int])
        self._proof_key = PlainKey.from_secret(secret)
        self._token = token
        self._token_ends = time.monotonic() + ends - time.time()

    async def open(self) -> None:
        """Log in and open the socket.

        Raises:
            UnreachableError: The broker is not there.
            LoginError, UntrustedError: It does not let this device in.
        """
        await self._wires.open()

    def _ended(self, reason: str) -> None:
        if reason == CUT_OFF:
            self._token_ends = 0.0
        self.closed(reason)

    async def _connect_anew(self) -> Socket:
        # What HTTP keeps open went the same way as the silent wire.
        kept, self._http = self._http, None
        try:
            socket = await self._connect()
        except BaseException:
            # The silent one may have answered meanwhile, and what HTTP carries goes on.
            kept, self._http = self._http, kept
            raise
        finally:
            if kept is not None:
                await kept.close()
        return socket

    async def _connect(self) -> Socket:
        try:
            return await self._upgrade()
        except LoginError:
            if time.monotonic() >= self._token_ends - RENEW_BEFORE:
                raise  # the login itself was refused, and would be again
            # The nonce has rotated, or the broker was started anew: log in again.
            self._token_ends = 0.0
            return await self._upgrade()

    async def _upgrade(self) -> Socket:
        token = await self._fresh_token()
        await self._send("GET", f"{self._address.url}/v1/nonce", {}, None, None)
        url = self._socket_url
        headers = {"Authorization": f"DPoP {token}", "DPoP": self._proof("GET", url, token)}
        try:
            socket = await connect(
                url.replace("https://", "wss://", 1),
                create_connection=Socket,
                ssl=self._tls,
                additional_headers=headers,
                user_agent_header=None,
                compression=None,
                max_size=ANSWER_LIMIT,
                open_timeout=TIMEOUT,
                close_timeout=GOODBYE,
                proxy=None,
            )
            return cast("Socket", socket)
        except InvalidStatus as refused:
            raise_problem(refused.response.status_code, bytes(refused.response.body))
            raise UnreachableError("the broker does not answer", rule="broker") from None
        except ssl.SSLError:
            raise not_ours() from None
        except (OSError, WebSocketException, TimeoutError) as err:
            raise no_answer(err) from None

    async def close(self) -> None:
        """Close socket and HTTP."""
        await self._wires.close()
        await self._close_http()

    async def _close_http(self) -> None:
        self._lines.close()
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def request(self, verb: str, body: object, answer: type[T]) -> T:
        """Ask on the socket and return the decoded answer.

        Raises:
            UnreachableError: No socket, or no answer in time. What was sent may have been
                recorded: the same bytes may be sent again.
            SeefenError: The broker refused.
        """
        await self.open()
        if time.monotonic() > self._token_ends - RENEW_BEFORE:
            await self._renew()
        frame = await self._exchange(verb, encode(body))
        return decode_answer(frame.body, answer)

    async def post(self, path: str, body: object, answer: type[T]) -> T:
        """Ask by HTTP, for what is too long for the socket; return the decoded answer."""
        return decode_answer(await self.http("POST", path, body=encode(body)), answer)

    async def _exchange(self, verb: str, body: bytes) -> Frame:
        try:
            async with asyncio.timeout(TIMEOUT):
                frame = await self._wires.ask(verb, body)
        except TimeoutError as err:
            # Lines that are open at this end only say nothing for ever: the next question
            # opens others, and not at once, or whoever waited waits again.
            self._wires.give_up()
            await self._close_http()
            self.patience.given_up(err)
            raise UnreachableError(
                f"the broker does not answer within {TIMEOUT} s", rule="broker"
            ) from None
        except (ConnectionClosed, OSError) as err:
            raise no_answer(err) from None
        if frame.verb == "problem":
            problem = decode(frame.body, Problem)
            raise problem_error(problem.status, problem.rule, problem.title)
        return frame

    async def http(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        json: Any = None,
        invite: str = "",
        media: str = "application/cbor",
    ) -> bytes:
        """Send one HTTP request and return the body of the answer.

        Args:
            invite: ``id.secret`` of an invite, instead of this device's token.

        Raises:
            UnreachableError: The broker is not there.
            SeefenError: It refused.
        """
        headers = {"Content-Type": media} if body is not None else {}
        url = f"{self._address.url}{path}"
        if invite or self._keys is None:
            headers |= {"Authorization": f"Invite {invite}"} if invite else {}
            status, data = await self._send(method, url, headers, body, json)
            raise_problem(status, data)
            return data

        async def send(proof: dict[str, str]) -> tuple[int, bytes]:
            try:
                return await self._send(method, url, headers | proof, body, json)
            except UnreachableError:
                if method not in REPEATABLE:
                    raise
                # A line that was kept open may be gone: once more, under a new proof.
                proof = await self._signed(method, url)
                return await self._send(method, url, headers | proof, body, json)

        return await self._proved(method, url, send)

    async def send_parts(self, path: str, run: Run, load: Load) -> None:
        """Send parts of a file, in a thread and on a line of its own: see :mod:`lines`.

        Raises:
            UnreachableError: The line was cut: which parts arrived, the broker knows.
            SeefenError: It refused.
        """
        octets = {"Content-Type": "application/octet-stream"}

        async def send(proof: dict[str, str]) -> tuple[int, bytes]:
            target = urlsplit(self._address.url).path + path
            answer = await self._lines.send(target, octets | proof, run, load)
            return self._noted(*answer)

        await self._proved("PUT", f"{self._address.url}{path}", send)

    async def fetch_parts(self, path: str, run: Run, keep: Keep) -> None:
        """Fetch parts of a file the same way; ``keep`` takes each of them in the thread."""

        async def fetch(proof: dict[str, str]) -> tuple[int, bytes]:
            target = f"{urlsplit(self._address.url).path}{path}?count={len(run.numbers)}"
            return self._noted(*await self._lines.fetch(target, proof, run, keep))

        await self._proved("GET", f"{self._address.url}{path}", fetch)

    def _noted(self, status: int, nonce: str, data: bytes) -> tuple[int, bytes]:
        self._nonce = nonce or self._nonce
        return status, data

    async def _proved(
        self, method: str, url: str, send: Callable[[dict[str, str]], Awaitable[tuple[int, bytes]]]
    ) -> bytes:
        status, data = await send(await self._signed(method, url))
        if status == 401:
            # The nonce has rotated meanwhile, or the broker was started anew: log in again.
            self._token_ends = 0.0
            status, data = await send(await self._signed(method, url))
        raise_problem(status, data)
        return data

    async def _signed(self, method: str, url: str) -> dict[str, str]:
        token = await self._fresh_token()
        proof = self._proof(method, url.partition("?")[0], token)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    async def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, json: Any
    ) -> tuple[int, bytes]:
        self.patience.check()
        if self._http is None:
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=8)
            self._http = aiohttp.ClientSession(connector=connector)
        # A line that was kept open may be dead by now, and a long question takes its time.
        silence = SILENCE + len(body or b"") / SLOWEST
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        try:
            async with self._http.request(
                method,
                url,
                headers=headers,
                data=body,
                json=json,
                allow_redirects=False,
                timeout=timeout,
                middlewares=(once,) if "DPoP" in headers else (),
            ) as response:
                self._nonce = response.headers.get("DPoP-Nonce", self._nonce)
                self.patience.heard()
                return response.status, await read_body(response)
        except (ssl.SSLError, aiohttp.ClientConnectorCertificateError):
            raise not_ours() from None
        except aiohttp.ConnectionTimeoutError as err:
            raise self.patience.given_up(err) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as err:
            raise no_answer(err) from None

    # --- login ----------------------------------------------------------------

    async def _fresh_token(self) -> str:
        if time.monotonic() < self._token_ends - RENEW_BEFORE:
            return self._token
        if self._keys is None:
            raise LoginError("no device to log in with", rule="login")
        status, data = 0, b""
        for _ in range(2):
            await self._send("GET", f"{self._address.url}/v1/nonce", {}, None, None)
            status, data = await self._ask_token(self._keys)
            # Refused logins count for the address, so for all who share it: no other is repeated.
            if status != 401 or read_json(data).get("rule") != "stale-nonce":
                break
        raise_problem(status, data)
        answer = read_json(data)
        token, lasts = answer.get("token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(lasts, int):
            raise UnreachableError("the broker's answer does not parse", rule="answer")
        self._token = token
        self._token_ends = time.monotonic() + lasts
        return self._token

    async def _ask_token(self, keys: DeviceKeys) -> tuple[int, bytes]:
        url = f"{self._address.url}/v1/token"
        bound, now = jkt(self._proof_key.public), int(time.time())
        assertion = make_assertion(
            keys.auth, keys.device.hex(), self._address.url, self._nonce, bound, now
        )
        headers = {"DPoP": self._proof("POST", url, None)}
        return await self._send("POST", url, headers, None, {"assertion": assertion})

    def _proof(self, method: str, url: str, token: str | None) -> str:
        return make_proof(self._proof_key, method, url, self._nonce, int(time.time()), token)

    async def _renew(self) -> None:
        """Give the socket a new token before the old one ends; what is asked goes on."""
        async with self._wires.opening:
            if time.monotonic() <= self._token_ends - RENEW_BEFORE:
                return  # another question has done it meanwhile
            token = await self._fresh_token()
            renew = Renew(token, self._proof("GET", self._socket_url, token))
            wire = self._wires.current
        try:
            await self._exchange("renew", encode(renew))
        except UnreachableError:
            if self._wires.current in (None, wire):
                raise  # else another took its place, and was opened with the new token

    @property
    def _socket_url(self) -> str:
        return f"{self._address.url}/v1/socket"
