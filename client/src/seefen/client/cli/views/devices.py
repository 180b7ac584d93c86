"""The devices of a node."""

from collections.abc import Mapping, Sequence
from typing import Final

from seefen.client.cli import times
from seefen.client.cli.paint import Ledger, Painted, Piece, alarm, bold, dim, line, stack, warn
from seefen.client.values import DeviceView

SHOWN = 8  # characters of an id: enough to tell the devices of a node apart
# What a node loses with the last device of a role, and who can mend it.
_ENDS: Final[Mapping[str, str]] = {
    "admin": "the last admin: nobody of your node invites or revokes a device any more, and nobody "
    "can make another; the holders of the root keys admit your people as a new node",
    "keyholder": "the last keyholder: no case of your node opens any more, nor what is sent into "
    "one; an admin invites another, who reads what comes from then on",
    "lead": "the last lead: nobody opens cases or channels or changes their members; an admin "
    "invites another",
    "auditor": "the last auditor: nobody sees who opened what; an admin invites another",
    "field": "the last field device: an admin invites another",
}


def listed(views: Sequence[DeviceView]) -> Painted:
    """Return the devices of a node."""
    if not views:
        return stack(line("No device."), dim("'seefen officer add --role field' invites one."))
    rows = Ledger("DEVICE", "OFFICER", "ROLES", "CERTIFICATE", "")
    for view in views:
        rows.row(
            bold(view.device[:SHOWN]),
            view.officer or "agent",
            ", ".join(view.roles),
            f"until {times.date(view.expires, times.now())}",
            _state(view),
        )
    return stack(rows)


def _state(view: DeviceView) -> Piece:
    if view.revoked:
        at = "" if view.revoked_at is None else f" {times.moment(view.revoked_at, times.now())}"
        return alarm(f"revoked{at}: {view.revoked}")
    return "this device" if view.ours else ""


def warning(device: str) -> Painted:
    """Return what revoking means, before it is done."""
    return warn(
        f"{device} loses its sessions at once and reads nothing from now on. It cannot be undone: "
        "the officer joins again with a new invite."
    )


def ends(device: str, roles: Sequence[str]) -> Painted | None:
    """Return what the node loses with the last device of some roles, or nothing."""
    lines = [alarm(f"{device} is {_ENDS[role]}.") for role in roles if role in _ENDS]
    return stack(*lines) if lines else None


def revoked(device: str, reason: str) -> Painted:
    """Return that a device is out."""
    return stack(
        line(
            "Revoked ", bold(device), f" ({reason}). Its sessions are cut; keys it held are renewed"
        ),
        line(
            "before anything else is written. 'seefen audit list --officer' shows what it opened."
        ),
    )
