"""What the broker answers, and the errors that its refusals and its silence stand for."""

import os
import re
import socket
import ssl
from typing import Any, Final, TypeVar, cast

import aiohttp
import msgspec

from seefen.protocol.encoding import BUNDLE_LIMIT, decode
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)

ANSWER_LIMIT: Final = 4 * BUNDLE_LIMIT
T = TypeVar("T")
_ADDRESS: Final = re.compile(r"https?://|\d+\.\d+\.\d+\.\d+|:\d{2,5}\b")
_KINDS: Final[dict[int, type[SeefenError]]] = {
    400: MalformedError,
    403: UntrustedError,
    409: OutOfTurnError,
    413: RefusedError,
    422: RefusedError,
}


CUT_OFF: Final = "this device was revoked"  # how a connection ends that the broker cut for that


class UnreachableError(SeefenError):
    """The broker cannot be reached now; what was to be sent waits."""

    status = 503


class FullError(UnreachableError):
    """The broker has no room; what was to be sent waits until it has."""

    status = 507


class LoginError(SeefenError):
    """The broker does not let this device in."""

    status = 401


def problem_error(status: int, rule: str, title: str) -> SeefenError:
    """Return the error that a refusal of the broker stands for."""
    if status == 401:
        return LoginError(title, rule=rule)
    if status in _KINDS:
        return _KINDS[status](title, rule=rule)
    if status == FullError.status:
        return FullError(title, rule=rule)
    return UnreachableError(title or f"the broker answered {status}", rule=rule or "broker")


async def once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send once: aiohttp would repeat a request that was cut, with a proof that was used.

    To the broker that is a replay, and some of them block the address for a quarter of an hour.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as err:
        raise no_answer(err) from None


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer, if it has an end."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > ANSWER_LIMIT:
            # An answer without end must not fill this machine's memory.
            raise UnreachableError("the broker's answer has no end", rule="answer")
    return bytes(data)


def no_answer(err: Exception) -> UnreachableError:
    """Return the error that a failed line is, in words: no address, nothing of a library."""
    if isinstance(err, TimeoutError):
        return UnreachableError("the broker does not answer: nothing came back", rule="broker")
    why = getattr(err, "os_error", err)
    number, text = getattr(why, "errno", None), getattr(why, "strerror", None)
    if isinstance(number, int) and not isinstance(why, socket.gaierror | ssl.SSLError):
        text = os.strerror(number)  # asyncio writes the address into its own
    text = text or ("" if _ADDRESS.search(str(err)) else str(err)) or "the line was cut"
    return UnreachableError(f"the broker does not answer: {text}", rule="broker")


def not_ours() -> UntrustedError:
    """Return the error that another certificate than the network's is."""
    return UntrustedError(
        "this is not our broker: its certificate is not the network's", rule="tls"
    )


def decode_answer(data: bytes, answer: type[T]) -> T:
    """Return the decoded answer."""
    try:
        return decode(data, answer, limit=ANSWER_LIMIT)
    except MalformedError as err:
        # Not a refusal: what was asked for may have been done.
        raise UnreachableError(f"the broker's answer does not parse: {err}", rule="answer") from err


def raise_problem(status: int, data: bytes) -> None:
    """Raise what a status above 399 stands for."""
    if status < 400:
        return
    answer = read_json(data)
    raise problem_error(status, str(answer.get("rule", "")), str(answer.get("title", "")))


def read_json(data: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):  # no JSON, or bytes in it that are no text
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
