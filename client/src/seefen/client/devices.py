"""Devices of the own node: invite, admit, revoke."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from seefen.client import admitting
from seefen.client.admitting import Request, add_mailbox, mailbox_due
from seefen.client.answers import CUT_OFF
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.invites import Invite, write_invite
from seefen.client.sender import Parcel, Sender
from seefen.client.values import DeviceView
from seefen.protocol.directory import BOX_ROLES
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Device, Revoke
from seefen.protocol.suite import new_id, random_bytes, sha256

INVITE_LIFE: Final = 48 * 3600  # seconds
LOSSES: Final = ("lost", "compromised")
ROLES: Final = ("admin", "auditor", "field", "keyholder", "lead")


class Devices:
    """What admins do, and what everybody may see."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender

    def list(self) -> list[DeviceView]:
        """Return the devices of the own node, in the order of admission."""
        engine = self._engine
        return [self._view(device) for device in engine.directory.devices(engine.node)]

    async def invite(
        self, roles: tuple[str, ...], path: Path, *, officer: str = "", agent: bool = False
    ) -> Path:
        """Write an invite for an officer's device and tell the broker its hash.

        Args:
            officer: Whose further device it is; without it the officer is a new one.
            agent: It is the agent's, and no officer's.

        Raises:
            RefusedError: No admin, an unknown role, or no such officer.
            UnreachableError: The broker must know the invite before it is of use.
        """
        engine = self._engine
        engine.directory.require_role(engine.keys.device, "admin", at=engine.now())
        if not roles or set(roles) - set(ROLES):
            raise RefusedError(f"roles are {', '.join(ROLES)}", rule="roles")
        if officer and officer not in {
            one.officer for one in engine.directory.devices(engine.node)
        }:
            raise RefusedError(f"your node has no officer {officer}", rule="unknown-device")
        kept = msgspec.json.decode(engine.vault.get("invite") or b"{}", type=Invite)
        secret = random_bytes(32)
        invite = Invite(
            v=1,
            network=kept.network,
            net=kept.net,
            broker=kept.broker,
            ca=kept.ca,
            pin=kept.pin,
            kind="device",
            node=engine.node,
            id=new_id().hex(),
            secret=secret.hex(),
            expires=engine.now() + INVITE_LIFE,
            roles=tuple(sorted(set(roles))),
            officer=officer,
            agent=agent,
        )
        body = {
            "id": invite.id,
            "secret_hash": sha256(secret).hex(),
            "node": invite.node,
            "roles": list(invite.roles),
            "expires": invite.expires,
        }
        await engine.connection.http("POST", "/v1/invites", json=body)
        write_invite(path, invite)
        return path

    def opens_alone(self, roles: tuple[str, ...], officer: str = "") -> bool:
        """Tell whether with such a device one person, or machine, could open names alone.

        Args:
            roles: Of the device.
            officer: Whose further device it is.
        """
        engine, held = self._engine, set(roles)
        for one in engine.directory.devices(engine.node):
            if officer and one.officer == officer and engine.directory.is_active(one.device):
                held |= set(one.roles)
        return {"auditor", "keyholder"} <= held

    async def admit(self, request: Request) -> None:
        """Let an officer's device in; the words were compared before."""
        await admitting.admit_device(self._engine, self._sender, request)

    def find(self, text: str) -> Device:
        """Return a device of the own node by officer or by the start of its id.

        Raises:
            RefusedError: None, or several.
        """
        engine = self._engine
        found = [
            device
            for device in engine.directory.devices(engine.node)
            if text == device.officer or (len(text) >= 4 and device.device.hex().startswith(text))
        ]
        active = [d for d in found if engine.directory.revoked(d.device) is None] or found
        if len(active) != 1:
            known = ", ".join(
                f"{d.officer} ({d.device.hex()[:8]})"
                for d in active or engine.directory.devices(engine.node)
            )
            what = "several devices" if active else "no device"
            raise RefusedError(
                f"{what} of {engine.node} fit {text!r}: {known}", rule="unknown-device"
            )
        return active[0]

    async def revoke(self, text: str, reason: str, since: int | None = None) -> DeviceView:
        """End a device at once; then renew the mailboxes it held, where this device can.

        Raises:
            RefusedError: Unknown, revoked already, or rule ``last-holder``; rule ``cut-off``: this
                device ended itself.
        """
        engine = self._engine
        async with engine.lock:
            await engine.sync()
            device = self.find(text)
            if engine.directory.revoked(device.device) is not None:
                raise RefusedError(f"{text} was revoked already", rule="revoked")
            self._require_another_holder(device.device, reason)

            def make(parcel: Parcel) -> None:
                statement = parcel.authority(
                    Revoke,
                    "revoke",
                    ("revoke", device.device),
                    node=engine.node,
                    device=device.device,
                    reason=reason,
                    since=since,
                )
                parcel.add(statement)

            try:
                await self._sender.send(make)
            except UnreachableError as err:
                if device.device != engine.keys.device or CUT_OFF not in str(err):
                    raise
                # Who ends himself is cut off before he is answered; the broker's word alone
                # is no proof that it stands in the log, and he can ask for none any more.
                raise RefusedError(
                    "the broker has cut this device off, as after a revocation: whether it is "
                    "recorded, this device cannot see any more",
                    rule="cut-off",
                ) from None
            # The device is out; what is left of it is done at the next sync at the latest.
            with suppress(UnreachableError):
                await self.renew_mailboxes()
            return self._view(device)

    def ends_with(self, text: str) -> tuple[str, ...]:
        """Return the roles that no other device of the node would have without this one.

        Raises:
            RefusedError: rule ``unknown-device``.
        """
        engine, gone = self._engine, self.find(text)
        others = [
            device
            for device in engine.directory.devices(engine.node)
            if device.device != gone.device
            and engine.directory.is_active(device.device, at=engine.now())
        ]
        left = {role for device in others for role in device.roles}
        return tuple(role for role in gone.roles if role not in left)

    def _require_another_holder(self, device: bytes, reason: str) -> None:
        """Refuse to let the last holder of the cases go in peace: nobody could read them again.

        One that is lost or compromised goes at once all the same.
        """
        engine = self._engine
        holders = engine.directory.holders(engine.node, "case", at=engine.now())
        if reason in LOSSES or [holder.device for holder in holders] != [device]:
            return
        raise RefusedError(
            "this is the last device that holds the cases of your node: without it nobody here "
            "reads them again",
            rule="last-holder",
        )

    async def renew_mailboxes(self) -> None:
        """Renew the own mailboxes that are stale or lack a holder, as far as this device can.

        Who lets an officer in may hold no mailbox himself: then a holder does it, at his
        next sync. The engine's lock must be held.
        """
        engine = self._engine
        for box in BOX_ROLES:

            def make(parcel: Parcel, box: str = box) -> None:
                add_mailbox(engine, parcel, engine.directory.copy(), box)

            if mailbox_due(engine, engine.directory, box):
                await self._sender.send(make)

    def _view(self, device: Device) -> DeviceView:
        link = self._engine.directory.revoked(device.device)
        revoke = None if link is None else link.statement
        return DeviceView(
            device=device.device.hex(),
            officer=device.officer,
            node=device.node,
            roles=device.roles,
            expires=device.expires,
            revoked=revoke.reason if isinstance(revoke, Revoke) else "",
            revoked_at=None,
            ours=device.device == self._engine.keys.device,
        )
