"""An alert that was not sent yet: its draft, and what goes with it."""

from datetime import datetime

from seefen.client.cli import times
from seefen.client.cli.paint import Grid, Painted, dim, line, stack, warn
from seefen.client.drafts import FIRST, Attached, in_order
from seefen.protocol.messages import label


def kept(*, empty: bool) -> Painted:
    """Return that the draft is safe, or that there was nothing to keep."""
    if empty:
        return line("Nothing was answered, so nothing was kept.")
    return line("Draft kept in the vault. 'seefen alert send' goes on with it.")


def found(at: str, where: str, carrying: str, photographs: int) -> Painted:
    """Return which draft was found: when it was begun, and what stands in it."""
    when = times.moment(datetime.fromisoformat(at), times.now()) if at else "earlier"
    many = f"{photographs} photograph{'' if photographs == 1 else 's'}" if photographs else ""
    return line(
        "Draft of ", when, ": ", "; ".join(filter(None, (where, carrying, many))) or "empty"
    )


def dropped() -> Painted:
    """Return that a draft is gone, and another one begins."""
    return line("That draft is dropped. A new alert:")


def beside(channel: str, files: Attached, until: int, *, original: bool) -> Painted:
    """Return what goes with an alert: to whom, which photographs in which order, for how long."""
    rows = Grid("", "")
    rows.row(dim("  to"), channel)
    for place, file in enumerate(in_order(files)):
        what = label("file_role", file.role) if file.role else ""
        first = "leaves first" if file.role == FIRST else ""
        text = ", ".join(filter(None, (file.path.name, what, first)))
        rows.row("" if place else dim("  photographs"), text)
    if until:
        rows.row(dim("  matters"), f"{times.span(until)} from when it leaves")
    return stack(
        rows.painted(),
        None if files else line("  no photograph"),
        warn("  Photographs leave as they are, with place and device.") if original else None,
    )
