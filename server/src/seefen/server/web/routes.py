"""Every route: who may use it, what it calls, what it answers.

The type of the answer is checked when it is made. Of all types in this table only
:class:`Released` and :class:`Push` can carry the key to a body, and the table of routes
names neither: those keys go over the socket alone (:mod:`seefen.server.web.verbs`).
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from seefen.protocol.encoding import encode
from seefen.protocol.frames import AuthorityPage, Recorded
from seefen.protocol.statements import Part
from seefen.server.web import blobs, bundles, health, joins, logs, sockets, tokens
from seefen.server.web.callers import Caller, identify
from seefen.server.web.services import Call

_ROOT: Final = "{root:[0-9a-f]{64}}"
_INVITE: Final = "{id:[0-9a-f]{32}}"


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one address."""

    method: str
    path: str
    caller: Caller
    handler: Callable[[Call], Awaitable[object]]
    answer: type
    status: int = 200
    content_type: str = "application/cbor"


JSON: Final[Any] = dict
OCTETS: Final = "application/octet-stream"

ROUTES: Final = (
    Route("GET", "/healthz", Caller.ANYONE, health.get_health, JSON),
    Route("GET", "/readyz", Caller.ANYONE, health.get_readiness, JSON),
    Route("GET", "/v1/nonce", Caller.ANYONE, tokens.get_nonce, JSON),
    Route("POST", "/v1/token", Caller.ANYONE, tokens.post_token, JSON),
    Route("GET", "/v1/socket", Caller.DEVICE, sockets.get_socket, web.WebSocketResponse),
    Route("POST", "/v1/bundles", Caller.DEVICE, bundles.post_bundle, Recorded),
    Route("GET", "/v1/log/authority", Caller.DEVICE_OR_INVITED, logs.get_authority, AuthorityPage),
    Route(
        "GET",
        "/v1/log/{log:authority|activity}/checkpoint",
        Caller.DEVICE_OR_INVITED,
        logs.get_checkpoint,
        str,
    ),
    Route("POST", "/v1/invites", Caller.DEVICE, joins.post_invite, JSON, 201),
    Route("PUT", f"/v1/joins/{_INVITE}", Caller.INVITED, joins.put_join, type(None)),
    Route("GET", f"/v1/joins/{_INVITE}", Caller.INVITED, joins.get_join, JSON),
    Route("GET", f"/v1/joins/{_INVITE}/request", Caller.INVITED, joins.get_request, bytes),
    Route("POST", f"/v1/admissions/{_INVITE}", Caller.INVITED, joins.post_admission, Recorded),
    Route("PUT", f"/v1/blobs/{_ROOT}", Caller.DEVICE, blobs.put_blob, JSON, 201),
    Route("GET", f"/v1/blobs/{_ROOT}", Caller.DEVICE, blobs.get_blob, JSON),
    Route("GET", f"/v1/blobs/{_ROOT}/leaves", Caller.DEVICE, blobs.get_leaves, bytes, 200, OCTETS),
    Route("PUT", f"/v1/blobs/{_ROOT}/parts/{{part}}", Caller.DEVICE, blobs.put_part, type(None)),
    Route(
        "GET",
        f"/v1/blobs/{_ROOT}/parts/{{part}}",
        Caller.DEVICE,
        blobs.get_part,
        bytes,
        200,
        OCTETS,
    ),
)


def add_routes(app: web.Application) -> None:
    """Put every route on ``app``."""
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _endpoint(route))


def _endpoint(route: Route) -> Handler:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        call = await identify(request, route.caller)
        return _respond(route, await route.handler(call))

    return endpoint


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
