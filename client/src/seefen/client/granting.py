"""Views: whom the root lets see every core, and whom a node lets look at its entries for a while.

The root names network auditors, with a threshold of its keys; a node lets a supervisory
authority look, by its admin. Both are signed records that everybody can read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seefen.client.admitting import root_signers
from seefen.client.engine import Engine
from seefen.client.sender import Parcel, Sender
from seefen.protocol.authority_rules import GUEST_LIFE, VIEW_LIFE
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.manifest import NETWORK, is_whole, views
from seefen.protocol.statements import LATEST, Device, View
from seefen.protocol.suite import SigningKey

LEAST: Final = 4  # letters of an id that tell a device from others
DAY: Final = 86_400
AUDITOR_DAYS: Final = VIEW_LIFE // DAY  # at most, as GUEST_DAYS: the protocol refuses more
GUEST_DAYS: Final = GUEST_LIFE // DAY
_SLACK: Final = 60  # seconds that a broker's clock may be behind this one


@dataclass(frozen=True, slots=True)
class ViewGrant:
    """Who sees whose cores. Times in Unix seconds; ``upto`` 0 is without end.

    ``of`` is empty for the whole network; ``whole``: every entry, so that it says in manifests
    what others must see.
    """

    of: str
    node: str
    officer: str
    device: str
    since: int
    upto: int
    expires: int
    whole: bool


class Granting:
    """Gives views, and takes them back."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender

    def list(self, of: str | None = None) -> list[ViewGrant]:
        """Return the views in force now: of a node, of the network (empty), or all."""
        now = self._engine.now()
        return [self._shown(view) for view in views(self._engine.directory, of=of, at=now)]

    async def name_auditor(
        self, device: str, keys: Sequence[SigningKey], *, days: int = AUDITOR_DAYS
    ) -> ViewGrant:
        """Let a device see every core of the network, signed with root keys.

        Raises:
            RefusedError: rule ``unknown-device``, ``quorum``, or ``view-life``.
            UntrustedError: rule ``root-key``, or ``role``: it is no auditor's device.
        """
        engine = self._engine
        await self._synced()
        expires = engine.now() + days * DAY - _SLACK
        fields = {"since": 0, "upto": 0, "expires": expires}
        return await self._give(self._find(device), NETWORK, self._root(keys), fields)

    async def invite_guest(self, device: str, since: int, upto: int, *, days: int) -> ViewGrant:
        """Let a device of another node look at what was done here in ``[since, upto)``.

        Args:
            device: NODE/DEVICE.
            since: Unix seconds, as ``upto``.
            upto: The first second that is not shown.
            days: For how long it may look.

        Raises:
            RefusedError: rule ``unknown-device``, ``not-an-admin``, ``admins``: more than this one
                must sign; ``own-guest``: a device of this node; ``view-period`` or ``view-life``.
            UntrustedError: rule ``role``: it is no auditor's device.
        """
        engine = self._engine
        await self._synced()
        if days > GUEST_DAYS:
            raise RefusedError(f"a guest looks for at most {GUEST_DAYS} days", rule="view-life")
        if since < 0 or upto > LATEST:
            raise RefusedError("a period lies between the years 1970 and 9000", rule="view-period")
        guest = self._find(device)
        if guest.node == engine.node:
            # It sees all that a guest would, and would be alarmed and entered as a stranger.
            raise RefusedError(
                f"{device} is of your own node: its auditors look without being let in",
                rule="own-guest",
            )
        fields = {"since": since, "upto": upto, "expires": engine.now() + days * DAY - _SLACK}
        return await self._give(guest, engine.node, self._own(), fields)

    async def take_back(self, device: str, keys: Sequence[SigningKey] | None = None) -> ViewGrant:
        """End a view at once: of the network, signed with root keys; of the own node without.

        Raises:
            RefusedError: rule ``unknown-device``, ``not-a-viewer``: there is none to end; and as
                for giving it.
        """
        engine = self._engine
        await self._synced()
        of = engine.node if keys is None else NETWORK
        found = self._find(device)
        link = engine.directory.latest(("view", f"{of}/{found.device.hex()}"), View)
        if link is None or not link.expires:
            raise RefusedError(
                f"{device} has no view of {of or 'the network'}", rule="not-a-viewer"
            )
        signers = self._own() if keys is None else self._root(keys)
        fields = {"since": link.since, "upto": link.upto, "expires": 0}
        return await self._give(found, of, signers, fields)

    async def _give(
        self, device: Device, of: str, signers: Sequence[SigningKey], fields: dict[str, int]
    ) -> ViewGrant:
        engine = self._engine
        chain = ("view", f"{of}/{device.device.hex()}")

        def make(parcel: Parcel) -> None:
            view = parcel.authority(
                View, "view", chain, of=of, node=device.node, device=device.device, **fields
            )
            # What the network would refuse is refused before it leaves.
            trial = engine.directory.copy()
            trial.apply("view", parcel.add(view, *signers), at=engine.now())

        async with engine.lock:
            await self._sender.send(make)
        given = engine.directory.latest(chain, View)
        if given is None:
            raise UntrustedError("what was sent does not stand in the log", rule="receipt")
        return self._shown(given)

    async def _synced(self) -> None:
        async with self._engine.lock:
            await self._engine.sync()

    def _root(self, keys: Sequence[SigningKey]) -> tuple[SigningKey, ...]:
        return root_signers(self._engine.directory.root, keys)

    def _own(self) -> tuple[SigningKey, ...]:
        engine = self._engine
        node = engine.directory.node(engine.node)
        if engine.keys.sign.public not in engine.directory.acting_admins(engine.node):
            raise RefusedError("an admin of your node lets guests look", rule="not-an-admin")
        if node.threshold > 1:
            raise RefusedError(
                f"{node.threshold} admins of your node must sign this, and one machine has the key "
                "of one: this program cannot bring their signatures together",
                rule="admins",
            )
        return (engine.keys.sign,)

    def _find(self, text: str) -> Device:
        """Return the device that ``NODE/DEVICE`` means: an officer, or the start of an id."""
        directory, (node, _, name) = self._engine.directory, text.partition("/")
        found = [
            one
            for one in directory.devices(node)
            if name == one.officer or (len(name) >= LEAST and one.device.hex().startswith(name))
        ]
        active = [one for one in found if directory.revoked(one.device) is None] or found
        if len(active) != 1:
            known = ", ".join(
                f"{node}/{one.officer or one.device.hex()[:8]}"
                for one in directory.devices(node)
                if "auditor" in one.roles
            )
            raise RefusedError(
                f"no one device is called {text!r} (NODE/DEVICE); auditors there: "
                f"{known or 'none'}",
                rule="unknown-device",
            )
        return active[0]

    def _shown(self, view: View) -> ViewGrant:
        device = self._engine.directory.device(view.device)
        return ViewGrant(
            view.of, view.node, device.officer, view.device.hex(), view.since, view.upto,
            view.expires, is_whole(view),
        )  # fmt: skip
