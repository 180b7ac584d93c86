"""Every route: who may use it, what it calls, what it answers.

The type of the answer is checked when it is made. Of all types in this table only
:class:`Released` and :class:`Push` can carry the key to a body, and the table of routes
names neither: those keys go over the socket alone (:mod:`seefen.server.web.verbs`).
"""

import json
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from seefen.protocol.encoding import encode
from seefen.protocol.frames import AuthorityPage, Recorded
from seefen.protocol.statements import Part
from seefen.server.web import blobs, bundles, health, joins, logs, sockets, tokens
from seefen.server.web.callers import Caller, identify
from seefen.server.web.limits import answer_expectation
from seefen.server.web.openapi import document
from seefen.server.web.services import Call
from seefen.server.web.table import CBOR, JSON, OCTETS, Route, Takes

PIECE: Final = 256 * 1024  # bytes of an answer; shorter ones are sent at once
_ROOT: Final = "{root:[0-9a-f]{64}}"
_INVITE: Final = "{id:[0-9a-f]{32}}"
_ANYONE, _DEVICE, _INVITED = Caller.ANYONE, Caller.DEVICE, Caller.INVITED
_EITHER: Final = Caller.DEVICE_OR_INVITED


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer", "minimum": 0}
_NUMBERS: Final = {"type": "array", "items": _NUMBER}
_STATUS: Final = _object(status={"const": "ok"})
_HEX16: Final = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_HEX32: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_LOGIN: Final = Takes("application/json", _object(assertion=_TEXT))
_WANTED: Final = Takes(
    "application/json",
    _object(
        id=_HEX16,
        secret_hash=_HEX32,
        node=_TEXT,
        roles={"type": "array", "items": _TEXT, "maxItems": 5},
        expires=_NUMBER,
    ),
)
_STATE: Final = _object(state={"enum": ["waiting", "asked", "admitted"]}, node=_TEXT)
_STATEMENTS: Final = Takes(CBOR)
_BYTES: Final = Takes(OCTETS)
_PAGE: Final = {"start": False, "limit": False, "seen": False}


async def get_openapi(_: Call) -> dict[str, Any]:
    """Answer with this interface as an OpenAPI document."""
    return document(ROUTES)


ROUTES: Final = (
    Route("GET", "/healthz", _ANYONE, health.get_health, JSON, schema=_STATUS),
    Route("GET", "/readyz", _ANYONE, health.get_readiness, JSON, schema=_STATUS),
    Route(
        "GET", "/v1/openapi.json", _ANYONE, get_openapi, JSON,
        schema={"type": "object", "required": ["openapi", "paths"]},
    ),
    Route("GET", "/v1/nonce", _ANYONE, tokens.get_nonce, JSON, schema=_object(nonce=_TEXT)),
    Route(
        "POST", "/v1/token", _ANYONE, tokens.post_token, JSON, takes=_LOGIN,
        schema=_object(token=_TEXT, expires_in=_NUMBER), fails=(401, 429),
    ),
    Route(
        "GET", "/v1/socket", _DEVICE, sockets.get_socket, web.WebSocketResponse, fails=(426,)
    ),
    Route(
        "POST", "/v1/bundles", _DEVICE, bundles.post_bundle, Recorded, takes=_STATEMENTS,
        fails=(409, 422),
    ),
    Route(
        "GET", "/v1/log/authority", _EITHER, logs.get_authority, AuthorityPage, query=_PAGE
    ),
    Route(
        "GET", "/v1/log/{log:authority|activity}/checkpoint", _EITHER, logs.get_checkpoint, str
    ),
    Route(
        "GET", "/v1/log/{log:authority|activity}/{tile:tile/.*}", _EITHER, logs.get_tile,
        web.StreamResponse, 200, OCTETS, fails=(404,),
    ),
    Route(
        "POST", "/v1/invites", _DEVICE, joins.post_invite, JSON, 201, takes=_WANTED,
        schema=_object(id=_HEX16), fails=(409, 422),
    ),
    Route(
        "PUT", f"/v1/joins/{_INVITE}", _INVITED, joins.put_join, type(None), takes=_STATEMENTS,
        fails=(409, 422),
    ),
    Route("GET", f"/v1/joins/{_INVITE}", _INVITED, joins.get_join, JSON, schema=_STATE),
    Route(
        "GET", f"/v1/joins/{_INVITE}/request", _INVITED, joins.get_request, bytes
    ),
    Route(
        "POST", f"/v1/admissions/{_INVITE}", _INVITED, joins.post_admission, Recorded,
        takes=_STATEMENTS, fails=(409, 422),
    ),
    Route(
        "PUT", f"/v1/blobs/{_ROOT}", _DEVICE, blobs.put_blob, JSON, 201, takes=_BYTES,
        query={"size": True}, schema=_object(parts=_NUMBER, missing=_NUMBERS), fails=(409, 507),
    ),
    Route(
        "GET", f"/v1/blobs/{_ROOT}", _DEVICE, blobs.get_blob, JSON,
        schema=_object(size=_NUMBER, missing=_NUMBERS, complete={"type": "boolean"}),
    ),
    Route(
        "GET", f"/v1/blobs/{_ROOT}/leaves", _DEVICE, blobs.get_leaves, bytes, 200, OCTETS,
    ),
    Route(
        "PUT", f"/v1/blobs/{_ROOT}/parts/{{part}}", _DEVICE, blobs.put_part, type(None),
        takes=_BYTES, fails=(507,),
    ),
    Route(
        "GET", f"/v1/blobs/{_ROOT}/parts/{{part}}", _DEVICE, blobs.get_part,
        web.StreamResponse, 200, OCTETS, query={"count": False},
    ),
)  # fmt: skip


def add_routes(app: web.Application) -> None:
    """Put every route on ``app``."""
    for route in ROUTES:
        app.router.add_route(
            route.method, route.path, _endpoint(route), expect_handler=answer_expectation
        )


def _endpoint(route: Route) -> Handler:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        call = await identify(request, route.caller)
        with _turn(route, call):
            answer = _respond(route, await route.handler(call))
            if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
                return await _send(request, answer, answer.body)
            return answer

    return endpoint


async def _send(request: web.Request, answer: web.Response, body: bytes) -> web.StreamResponse:
    """Send a long body while its caller's turn lasts: who reads slowly holds it as long.

    In pieces: of one that is handed over whole nobody is told whether it has left.
    """
    if len(body) <= PIECE:
        return answer
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = len(body)
    with suppress(ConnectionError):  # who goes away is nothing to log
        await stream.prepare(request)
        for start in range(0, len(body), PIECE):
            await stream.write(memoryview(body)[start : start + PIECE])
        await stream.write_eof()
    return stream


def _turn(route: Route, call: Call) -> AbstractContextManager[None]:
    if not call.caller or issubclass(route.answer, web.WebSocketResponse):
        return nullcontext()  # nobody, who brings little; or a line, which has a limit of its own
    return call.services.turns.of(call.caller)


def _respond(route: Route, answer: object) -> web.StreamResponse:
    if not isinstance(answer, route.answer):
        # The last line of defence: what a route does not declare does not leave.
        raise TypeError(f"{route.path} answers {route.answer.__name__}")
    match answer:
        case web.StreamResponse():
            return answer
        case None:
            return web.Response(status=204)
        case Part():
            return _body(route, encode(answer), route.content_type)
        case bytes():
            return _body(route, answer, route.content_type)
        case str():
            return web.Response(text=answer, content_type="text/plain", charset="utf-8")
        case _:
            return _body(route, json.dumps(answer).encode("ascii"), "application/json")


def _body(route: Route, body: bytes, content_type: str) -> web.Response:
    return web.Response(status=route.status, body=body, content_type=content_type)
