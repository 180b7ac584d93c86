"""Refusals as problem documents (RFC 9457): one place turns errors into answers.

``{"type": "about:blank", "title": ..., "status": ..., "rule": ...}``: the title is a
sentence for a person, the rule a short name for a program. What nobody expected becomes
500 without a word about it, and a log line that says where and not what.
"""

import json
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from seefen.protocol.errors import SeefenError
from seefen.server import logs
from seefen.server.errors import FrozenError, TooManyError, UnreachableError
from seefen.server.metrics import REFUSED
from seefen.server.web.services import SERVICES

CONTENT_TYPE: Final = "application/problem+json"
AGAIN_SECONDS: Final = "2"
FROZEN: Final = (
    "the broker lacks what it had signed, and gives nothing out until its operator has run "
    "`seefen-server doctor`: wait, nothing of yours is lost"
)
UNEXPECTED: Final = (500, "unexpected", "something went wrong at the broker")

_HTTP: Final = {
    404: ("not-found", "there is nothing at this address"),
    405: ("method", "this address does not take this method"),
    413: ("too-long", "the body is longer than this address takes"),
}


class ProblemError(Exception):
    """A refusal that is about HTTP and not about what was said."""

    def __init__(
        self, status: int, rule: str, title: str, *, headers: dict[str, str] | None = None
    ) -> None:
        """Make a refusal; ``headers`` go with the answer."""
        super().__init__(title)
        self.status = status
        self.rule = rule
        self.title = title
        self.headers = headers or {}


def body(status: int, rule: str, title: str) -> bytes:
    """Return a problem document."""
    document = {"type": "about:blank", "title": title, "status": status, "rule": rule}
    return json.dumps(document).encode("ascii")


def response(
    status: int, rule: str, title: str, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a problem document as an answer."""
    answer = web.Response(
        status=status, body=body(status, rule, title), content_type=CONTENT_TYPE, headers=headers
    )
    if answer.headers.get(hdrs.CONNECTION) == "close":
        answer.force_close()  # aiohttp sends the word and goes on reading
    return answer


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised further in into an answer."""
    try:
        return await handler(request)
    except ProblemError as err:
        answer, rule = response(err.status, err.rule, err.title, err.headers), err.rule
    except SeefenError as err:
        answer, rule = _of_error(request, err), err.rule
    except web.HTTPException as err:
        answer, rule = _of_http(err), "http"
    except Exception as err:
        log_unexpected(_route(request), err)
        REFUSED.labels("500", "unexpected").inc()
        return response(*UNEXPECTED)
    REFUSED.labels(str(answer.status), rule or "none").inc()
    _write(request, answer.status, rule)
    return answer


def _write(request: web.Request, status: int, rule: str) -> None:
    route = _route(request)
    if times := request.app[SERVICES].repeats.due("refused", route=route, status=status, rule=rule):
        log = structlog.get_logger()
        log.info("refused", route=route, status=status, rule=rule, times=times)


def said(err: SeefenError) -> str:
    """Return the sentence that leaves the broker.

    Why it is frozen is for its operator: how long the logs are and where its files lie is
    nobody's business who knocks at the port.
    """
    return FROZEN if isinstance(err, FrozenError) else str(err)


def _of_error(request: web.Request, err: SeefenError) -> web.Response:
    headers: dict[str, str] = {}
    if isinstance(err, TooManyError):
        headers = {"Retry-After": str(err.seconds)}
    elif isinstance(err, UnreachableError):
        if times := request.app[SERVICES].repeats.due("database.away", rule=err.rule):
            structlog.get_logger().error("database.away", rule=err.rule, times=times)
        headers = {"Retry-After": AGAIN_SECONDS}
    return response(err.status, err.rule or err.kind, said(err), headers)


def log_unexpected(place: str, err: BaseException) -> None:
    """Write down where something nobody expected came from, never what it says."""
    structlog.get_logger().error(
        "unexpected", place=place, error=type(err).__name__, where=logs.where(err)
    )


def _route(request: web.Request) -> str:
    # The pattern and never the path: that has ids in it, or what a stranger typed.
    resource = request.match_info.route.resource
    return "none" if resource is None else f"{request.method} {resource.canonical}"


def _of_http(err: web.HTTPException) -> web.Response:
    phrase = HTTPStatus(err.status).phrase.lower()
    rule, title = _HTTP.get(err.status, (phrase.replace(" ", "-"), phrase))
    allow = {"Allow": err.headers["Allow"]} if "Allow" in err.headers else None
    return response(err.status, rule, title, allow)
