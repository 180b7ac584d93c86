"""The OpenAPI document, made from the table of routes: it cannot say what they do not do."""

import re
from collections.abc import Mapping
from typing import Any, Final

from seefen.server.web.callers import Caller
from seefen.server.web.table import Route

_TITLE: Final = "The seefen broker"
_ABOUT: Final = (
    "Carries sealed statements that it cannot read. Normative: docs/spec/api.md. The socket, "
    "its verbs and its frames stand there too; OpenAPI has no words for them."
)
_PROBLEM: Final = {
    "type": "object",
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "rule": {"type": "string", "pattern": "^[a-z0-9-]+$"},
    },
    "required": ["type", "title", "status", "rule"],
    "additionalProperties": False,
}
_SCHEMES: Final = {
    "device": {
        "type": "http",
        "scheme": "DPoP",
        "description": "A token bound to a key (RFC 9449), with a proof in the header DPoP.",
    },
    "invited": {"type": "http", "scheme": "Invite", "description": "<id>.<secret>, in hex."},
}
_SECURITY: Final[dict[Caller, list[dict[str, list[str]]]]] = {
    Caller.ANYONE: [],
    Caller.DEVICE: [{"device": []}],
    Caller.INVITED: [{"invited": []}],
    Caller.DEVICE_OR_INVITED: [{"device": []}, {"invited": []}],
}
# What any address may answer: see docs/spec/api.md, 1 and 2.
_ALWAYS: Final = (400, 403, 415, 500, 503)
_BODY: Final = (408, 413)
_GUARDED: Final = (401, 429)
_PARAMETER: Final = re.compile(r"\{(\w+)(?::([^{}]*(?:\{\d+\}[^{}]*)?))?\}")


def document(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the document of an interface with these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": "1", "description": _ABOUT,
                 "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM}, "securitySchemes": _SCHEMES},
    }  # fmt: skip


def _operation(route: Route) -> dict[str, Any]:
    about = (route.handler.__doc__ or "").strip().splitlines()
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": about[0] if about else "",
        "security": _SECURITY[route.caller],
        "parameters": [*_path(route.path), *_query(route)],
        "responses": {str(route.status_of_success): _success(route), **_problems(route)},
    }
    if route.takes is not None:
        content = {route.takes.content_type: {"schema": route.takes.schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^({pattern or '[^/]+'})$"},
        }
        for name, pattern in _PARAMETER.findall(path)
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    number = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
    return [
        {"name": name, "in": "query", "required": required, "schema": number}
        for name, required in route.query.items()
    ]


def _success(route: Route) -> dict[str, Any]:
    if route.status_of_success in (101, 204):
        return {"description": "done"}
    schema: Mapping[str, Any] = {}  # bytes of another format than JSON are not described further
    if route.schema is not None:
        schema = route.schema
    return {"description": "done", "content": {_type_of(route): {"schema": schema}}}


def _type_of(route: Route) -> str:
    if issubclass(route.answer, dict):
        return "application/json"
    if issubclass(route.answer, str):
        return "text/plain"
    return route.content_type


def _problems(route: Route) -> dict[str, Any]:
    statuses = {*_ALWAYS, *route.fails}
    if route.takes is not None:
        statuses |= {*_BODY}
    if route.caller is not Caller.ANYONE:
        statuses |= {*_GUARDED}
    if "{" in route.path:
        statuses.add(404)  # what does not fit the pattern is another address
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    answer = {"description": "refused", "content": {"application/problem+json": problem}}
    return {str(status): answer for status in sorted(statuses)}
