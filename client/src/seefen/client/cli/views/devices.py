"""The devices of a node."""

from collections.abc import Sequence

from seefen.client.cli import times
from seefen.client.cli.paint import Grid, Painted, Piece, alarm, bold, dim, line, stack, warn
from seefen.client.values import DeviceView

SHOWN = 8  # characters of an id: enough to tell the devices of a node apart


def listed(views: Sequence[DeviceView]) -> Painted:
    """Return the devices of a node."""
    if not views:
        return stack(line("No device."), dim("'seefen officer add --role field' invites one."))
    rows = Grid("DEVICE", "OFFICER", "ROLES", "CERTIFICATE", "", keep=(0,))
    for view in views:
        rows.row(
            bold(view.device[:SHOWN]),
            view.officer or "agent",
            ", ".join(view.roles),
            f"until {times.date(view.expires, times.now())}",
            _state(view),
        )
    return rows.painted()


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
