"""Who may look at whose entries, without statements and reasons."""

from collections.abc import Sequence

from seefen.client.cli.paint import Grid, Painted, dim, line, stack, warn
from seefen.client.granting import ViewGrant
from seefen.client.wording import day, stamp


def given(view: ViewGrant) -> Painted:
    """Return what a view gives, or that it was taken back."""
    who = f"{view.node}/{view.officer or view.device[:8]}"
    whose = view.of or "the whole network"
    if not view.expires:
        return line(f"{who} may look at the entries of {whose} no more, from now on.")
    return stack(
        line(f"{who} may look at the entries of {whose}, {_period(view)}."),
        line(f"Until {stamp(view.expires)}, and without reasons and what was searched for."),
        dim("It says each day what every node must have been shown.") if view.whole else None,
        dim("That it looks is entered, for the auditors of both; what it asks for, for its own."),
    )


def asked(device: str, days: int, *, remove: bool) -> Painted:
    """Return what the holders of the root keys are to sign."""
    if remove:
        return line(f"{device} may see every core of the network no more, from now on.")
    return stack(
        line(f"{device} may see who did what, when and why, of all nodes, for {days} days:"),
        line("no content, no reasons, no searches. It says what each node must have been shown."),
    )


def listed(views: Sequence[ViewGrant], node: str) -> Painted:
    """Return who may look at a node's entries."""
    if not views:
        return stack(
            line(f"Nobody but its own auditors may look at the entries of {node}."),
            warn("The network names no network auditor."),
        )
    grid = Grid("WHO", "WHOSE", "MADE", "MAY LOOK UNTIL")
    for one in views:
        who = f"{one.node}/{one.officer or one.device[:8]}"
        grid.row(who, one.of or "all nodes", _period(one), stamp(one.expires))
    auditor = any(one.whole for one in views)
    return stack(grid.painted(), None if auditor else warn("The network names no network auditor."))


def _period(view: ViewGrant) -> str:
    if not view.upto:
        return "from the first on" if not view.since else f"from {day(view.since)} on"
    return f"{day(view.since)} to {day(view.upto - 1)}"
