"""``seefen status``: this device, its node, the network."""

from dataclasses import dataclass, replace
from datetime import datetime

from seefen.client.cli import codes, times
from seefen.client.cli.paint import (
    Grid,
    Painted,
    Piece,
    alarm,
    bold,
    dim,
    good,
    line,
    stack,
    warn,
    whole,
)
from seefen.client.cli.views.duty import unopened
from seefen.client.values import NodeView, Sent, Unopened, WatchView


@dataclass(frozen=True, slots=True)
class Status:
    """What ``seefen status`` shows."""

    network: str
    net: str
    quorum: int
    named: int
    node: str
    device: str
    officer: str
    roles: tuple[str, ...]
    online: bool
    checkpoint_at: int
    queued: tuple[Sent, ...]
    journal: int
    unsealed: bool
    alarms: tuple[str, ...]
    watches: tuple[WatchView, ...]
    nodes: tuple[NodeView, ...]
    unopened: Unopened


def page(status: Status) -> Painted:
    """Return the state on one page."""
    now = times.now()
    roles = ", ".join(status.roles)
    broker = good("broker reachable") if status.online else warn("broker NOT reachable")
    return stack(
        *(alarm("ALARM  ", one) for one in reversed(status.alarms)),
        line(bold(status.node), f" · {status.officer or 'agent'} · {roles} · ", broker),
        line(f"Network {status.network} · ", *_log(status, now)),
        whole(f"Network id {status.net}"),
        whole(f"Device {status.device}"),
        dim(f"Times are those of this machine ({times.zone(now)}); the audit's are UTC."),
        _queue(status.queued),
        _journal(status.journal),
        _unsealed() if status.unsealed else None,
        _watches(status.watches) if status.officer else None,
        unopened(replace(status.unopened, closed=0)),
        _nodes(status.nodes),
    )  # fmt: skip


def _log(status: Status, now: datetime) -> tuple[Piece, ...]:
    if status.quorum and not status.checkpoint_at:
        return (warn("the log is not witnessed yet: nothing is sent but alerts"),)
    word = "log witnessed" if status.quorum else "log of"
    at = times.moment(status.checkpoint_at, now)
    return f"{word} {at} · ", codes.quorum(status.quorum, status.named)


def _queue(queued: tuple[Sent, ...]) -> Painted | None:
    if not queued:
        return None
    return warn(f"{len(queued)} queued, leaving when the broker takes it: 'seefen queue list'")


def _journal(waiting: int) -> Painted | None:
    if not waiting:
        return None
    return dim(f"{waiting} searches of this device wait for their entry; they leave by themselves.")


def _unsealed() -> Painted:
    return warn(
        "A device that holds your auditors' keys was taken out. Until an auditor's next command "
        "renews them, reasons and searches are entered, and nobody of your node can read them."
    )


def _watches(watches: tuple[WatchView, ...]) -> Painted:
    if not watches:
        return dim("Off watch. 'seefen watch on' once a shift.")
    now = times.now()
    named = ", ".join(
        f"{watch.channel} until {times.moment(watch.until, now)}" for watch in watches
    )
    return line("On watch: ", named)


def _nodes(nodes: tuple[NodeView, ...]) -> Painted:
    rows = Grid("NODE", "", "DEVICES", "", right=(2,), keep=(0,))
    for node in nodes:
        state = alarm(codes.left_out(node.in_force)) if node.in_force else ""
        title = node.title if node.title != node.name else ""
        rows.row(node.name, title, node.devices, state)
    return rows.painted()
