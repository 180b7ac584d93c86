"""What the handlers call, and what one call brings along."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from seefen.protocol.errors import UntrustedError
from seefen.server.blobs import Blobs
from seefen.server.broker import Broker
from seefen.server.enrolment import Enrolment, Invite
from seefen.server.lines import Lines
from seefen.server.logs import Repeats
from seefen.server.rates import Rates, Turns
from seefen.server.rows import Reads
from seefen.server.tokens import TokenRow, Tokens


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the broker promises, for the handlers to call.

    ``is_ready`` asks the database whether it answers; ``connections`` says how many there
    are to it, and how many of them are idle.
    """

    broker: Broker
    reads: Reads
    tokens: Tokens
    rates: Rates
    enrolment: Enrolment
    blobs: Blobs
    lines: Lines
    socket_seconds: int
    clock: Callable[[], int]
    is_ready: Callable[[], Awaitable[bool]]
    connections: Callable[[], tuple[int, int]]
    repeats: Repeats = field(default_factory=Repeats)
    turns: Turns = field(default_factory=Turns)


SERVICES: Final = web.AppKey("services", Services)


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose caller is known as well as its route demands."""

    request: web.Request
    services: Services
    token: TokenRow | None = None
    invite: Invite | None = None

    @property
    def device(self) -> bytes:
        """The device that calls.

        Raises:
            UntrustedError: The caller is not a device.
        """
        if self.token is None:
            raise UntrustedError("this needs a login", rule="login")
        return self.token.device

    @property
    def caller(self) -> str:
        """Who calls, by the id of a device or an invite; nothing of who showed neither."""
        if self.token is not None:
            return f"device {self.token.device.hex()}"
        # Whoever makes an invite chooses its id, and may take the one that a device has.
        return "" if self.invite is None else f"invite {self.invite.id.hex()}"

    @property
    def node(self) -> str:
        """The node of the device that calls."""
        return self.services.broker.directory.device(self.device).node

    @property
    def opened_invite(self) -> Invite:
        """The invite in the caller's hand, which is the one the path names.

        Raises:
            UntrustedError: There is none, or the path names another.
        """
        named = self.request.match_info.get("id")
        if self.invite is None or self.invite.id.hex() != named:
            raise UntrustedError("this invite is not known", rule="invite")
        return self.invite
