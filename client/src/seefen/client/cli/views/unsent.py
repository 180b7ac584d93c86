"""An alert that was not sent yet: its draft, and what goes with it."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

from seefen.client.cli import times
from seefen.client.cli.paint import Painted, line
from seefen.client.drafts import FIRST, Attached, in_order
from seefen.protocol.messages import label

Beside: TypeAlias = tuple[tuple[str, str], ...]


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


def beside(channel: str, files: Attached, until: int, *, original: bool) -> Beside:
    """Return what goes with an alert: to whom, which photographs in which order, for how long."""
    return tuple(_beside(channel, files, until, original=original))


def _beside(
    channel: str, files: Attached, until: int, *, original: bool
) -> Iterator[tuple[str, str]]:
    yield "to", channel
    for place, file in enumerate(in_order(files)):
        what = label("file_role", file.role) if file.role else ""
        first = "leaves first" if file.role == FIRST else ""
        yield (
            "" if place else "photographs",
            ", ".join(filter(None, (file.path.name, what, first))),
        )
    if not files:
        yield "photographs", "none"
    if original:
        yield "", "Photographs leave as they are, with place and device."
    if until:
        yield "matters", f"{times.span(until)} from when it leaves"
