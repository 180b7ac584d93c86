"""Joining: an invite lets a stranger leave one request and see what became of it.

The invite's secret is a one-time password between two people; the broker keeps only its
hash. It opens three things: the authority log (public among nodes), one request, and for
a node invite the admission bundle that the root holders have signed. Admission itself is
decided by signatures, never by the invite.
"""

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from seefen.protocol.bundle import Bundle, decode_bundle
from seefen.protocol.directory import Directory
from seefen.protocol.encoding import STATEMENT_LIMIT
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.statements import Device, Mailbox, Node
from seefen.protocol.suite import sha256

DAY: Final = 86_400  # seconds
LONGEST: Final = 30 * DAY
# Who asked in time is not sent back to the start because the answer took a weekend.
WAITING: Final = 7 * DAY
# For so long who comes late hears that his invite has ended, and not that there was none.
REMEMBERED: Final = 7 * DAY
# Of one node, those that have ended too: each may hold a request of 256 KiB.
MOST: Final = 1024

_CREDENTIAL: Final = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})", re.ASCII)
# A node's first auditor makes its audit mailbox in his own request.
_KINDS: Final = {"node": {"node", "device", "mailbox"}, "device": {"device", "mailbox"}}


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite: for whom, until when, and the request that was left with it."""

    id: bytes
    secret_hash: bytes
    kind: str
    node: str
    roles: tuple[str, ...]
    expires: int
    draft: bytes | None = None


class InviteTable(Protocol):
    """Where invites are kept."""

    def add(self, invite: Invite, *, ended: int, most: int) -> Awaitable[Invite | None]:
        """Store an invite unless its id is taken; returns the one that stands there.

        Those that ended before ``ended`` are forgotten; None: the node has ``most`` already.
        """
        ...

    def find(self, invite_id: bytes) -> Awaitable[Invite | None]:
        """Return an invite by its id."""
        ...

    def leave(self, invite_id: bytes, draft: bytes, *, until: int) -> Awaitable[bytes]:
        """Store a request unless there is one; returns the one that stands there."""
        ...


class Enrolment:
    """Makes invites, takes requests, and says how far they got."""

    def __init__(
        self,
        table: InviteTable,
        *,
        directory: Callable[[], Directory],
        clock: Callable[[], int],
    ) -> None:
        """Keep invites in ``table``."""
        self._table = table
        self._directory = directory
        self._clock = clock

    async def invite_node(self, invite: Invite) -> None:
        """Store the invite of a node that is not in the network yet.

        Raises:
            RefusedError: rule ``known-node``.
        """
        if invite.node in self._directory().nodes():
            raise RefusedError(f"{invite.node} is a node already", rule="known-node")
        await self._add(invite)

    async def invite_device(self, invite: Invite, *, by: bytes) -> None:
        """Store the invite of a device, made by an admin of the same node.

        Raises:
            UntrustedError: ``by`` is no admin of that node.
            RefusedError: It would live longer than 30 days.
        """
        admin = self._directory().require_role(by, "admin", at=self._clock())
        if admin.node != invite.node:
            raise UntrustedError("an admin invites devices of his own node", rule="other-node")
        await self._add(invite)

    async def open(self, credential: str) -> Invite:
        """Return the invite whose id and secret a caller shows.

        Raises:
            UntrustedError: No such invite, or another secret: one answer for both.
        """
        match = _CREDENTIAL.fullmatch(credential)
        invite = await self._table.find(bytes.fromhex(match[1])) if match else None
        shown = sha256(bytes.fromhex(match[2])) if match else bytes(32)
        expected = invite.secret_hash if invite else bytes(32)
        if not hmac.compare_digest(shown, expected) or invite is None:
            raise UntrustedError("this invite is not known", rule="invite")
        if invite.expires <= self._clock():
            raise UntrustedError("this invite has ended: ask for a new one", rule="invite-ended")
        return invite

    async def ask(self, invite: Invite, draft: bytes) -> None:
        """Keep the request of whoever holds an invite. The same bytes again are welcome.

        Raises:
            MalformedError: It is no request that this invite could lead to.
            OutOfTurnError: There is another request already: somebody else has the file.
        """
        if len(draft) > STATEMENT_LIMIT:
            raise MalformedError("a request has at most 256 KiB", rule="too-long")
        _check_bundle(invite, decode_bundle(draft))
        until = max(invite.expires, self._clock() + WAITING)
        if await self._table.leave(invite.id, draft, until=until) != draft:
            raise OutOfTurnError(
                "another request was left with this invite: ask for a new one",
                rule="other-request",
            )

    def state(self, invite: Invite) -> str:
        """Return ``waiting``, ``asked``, or ``admitted`` once each device is in the log."""
        if invite.draft is None:
            return "waiting"
        bundle = decode_bundle(invite.draft)
        opened = [open_envelope(s.envelope, s.kind).statement for s in bundle.statements]
        devices = [s for s in opened if isinstance(s, Device)]
        known = {d.device for d in self._directory().devices(invite.node)}
        admitted = bool(devices) and all(d.device in known for d in devices)
        return "admitted" if admitted else "asked"

    def check_admission(self, invite: Invite, bundle: Bundle) -> None:
        """Check that a bundle admits the node of an invite and does nothing else.

        Raises:
            RefusedError: It is a device's invite: its admin sends the bundle himself.
            MalformedError: Something in it is about another node or of another kind.
        """
        if invite.kind != "node":
            raise RefusedError(
                "the admin who invited sends this bundle himself", rule="invite-kind"
            )
        _check_bundle(invite, bundle)

    async def _add(self, invite: Invite) -> None:
        if invite.expires <= self._clock():
            # It may be one that was forgotten: nothing that has ended is stored anew.
            raise RefusedError("this invite has ended: make a new one", rule="invite-ended")
        if invite.expires > self._clock() + LONGEST:
            raise RefusedError("an invite lives 30 days at most", rule="invite-long")
        ended = self._clock() - REMEMBERED
        stands = await self._table.add(invite, ended=ended, most=MOST)
        if stands is None:
            raise RefusedError(
                f"your node has {MOST} invites of the last days: wait until some have ended",
                rule="invites",
            )
        if replace(stands, draft=None) != invite:
            raise OutOfTurnError("another invite has this id", rule="other-invite")


def _check_bundle(invite: Invite, bundle: Bundle) -> None:
    kinds = [signed.kind for signed in bundle.statements]
    if not set(kinds) <= _KINDS[invite.kind] or kinds[0] != invite.kind or bundle.contents:
        raise MalformedError("this bundle is not a request to join", rule="bundle-shape")
    own: set[bytes] = set()
    for signed in bundle.statements:
        statement = open_envelope(signed.envelope, signed.kind).statement
        # An invite is for one node: with it nothing may be said about another.
        if not isinstance(statement, Node | Device | Mailbox) or statement.node != invite.node:
            raise MalformedError("this bundle is about another node", rule="other-node")
        if isinstance(statement, Node) and statement.version != 1:
            raise MalformedError("this node is in the network already", rule="not-first")
        if isinstance(statement, Device):
            own.add(statement.device)
        if isinstance(statement, Mailbox) and statement.device not in own:
            raise MalformedError("this mailbox is made by another device", rule="other-device")
