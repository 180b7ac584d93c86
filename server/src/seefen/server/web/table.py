"""What a row of the table of routes says; the routes and the OpenAPI document come from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from seefen.server.web.callers import Caller
from seefen.server.web.services import Call

JSON: Final[Any] = dict
OCTETS: Final = "application/octet-stream"
CBOR: Final = "application/cbor"


@dataclass(frozen=True, slots=True)
class Takes:
    """The body that a route reads: its type, and for JSON what must stand in it."""

    content_type: str
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one address.

    Attributes:
        answer: The only type that may leave; ``type(None)`` is 204.
        takes: The body it reads, if any.
        query: Its parameters after ``?``, and whether they must be there.
        schema: Of a JSON answer.
        fails: Statuses of its own, beside those that every address may answer.
    """

    method: str
    path: str
    caller: Caller
    handler: Callable[[Call], Awaitable[object]]
    answer: type[Any]
    status: int = 200
    content_type: str = CBOR
    takes: Takes | None = None
    query: Mapping[str, bool] = field(default_factory=dict[str, bool])
    schema: Mapping[str, Any] | None = None
    fails: tuple[int, ...] = ()

    @property
    def status_of_success(self) -> int:
        """The status of an answer that is no refusal."""
        if self.answer is type(None):
            return 204
        return 101 if issubclass(self.answer, web.WebSocketResponse) else self.status
