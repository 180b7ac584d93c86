"""What waits in the outbox, as its officer reads it: since when, why, what he can do."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from seefen.client.cli import codes, times
from seefen.client.cli.complaints import kept_back
from seefen.client.cli.paint import Ledger, Painted, Piece, bold, dim, line, stack, warn
from seefen.client.queueing import KEPT_BACK, MAY_HAVE_LEFT, WAITS, WaitingView
from seefen.protocol.messages import FileNote


def listed(views: Sequence[WaitingView], *, online: bool) -> Painted:
    """Return what waits; ``online``: the broker is there."""
    if not views:
        return line("Nothing waits: all that was sent has its receipt.")
    now = times.now()
    rows = Ledger("ID", "SINCE", "WHAT", "TO", "COVER", "WHY")
    for view in views:
        rows.row(
            bold(view.id), _since(view, now), _what(view), view.case, view.subject,
            _why(view, online=online),
        )  # fmt: skip
    return stack(warn(f"{len(views)} queued, NOT acknowledged:"), rows, *_next(views, online))


def asked(view: WaitingView) -> Painted:
    """Return what is about to be taken back."""
    return stack(
        line(bold(view.id), "  ", _what(view), f" to {view.case}"),
        line("  ", view.subject),
        warn("It has not left. Its words are kept nowhere else; its files stay where they are."),
        _preview(view),
    )


def dropped(view: WaitingView) -> Painted:
    """Return that it is gone."""
    gone = line("Dropped: ", _what(view), f" to {view.case}. It has not left, and never will.")
    return stack(gone, _preview(view))


def _preview(view: WaitingView) -> Painted | None:
    """Say what the others have of a photograph that waits: dropping it takes nothing back."""
    if not view.preview:
        return None
    return warn(
        f"Its preview has left, as {view.preview}: 'seefen recall {view.preview}' takes that back."
    )


def _what(view: WaitingView) -> str:
    if view.what == FileNote.TYPE:
        return f"file of {view.of}" if view.of else "file"
    what = codes.message_type(view.what)
    if not view.files:
        return what
    return f"{what}, {view.files} file{'s' if view.files > 1 else ''}"


def _since(view: WaitingView, now: datetime) -> str:
    return times.moment(view.made_at, now) if view.made_at else ""


def _why(view: WaitingView, *, online: bool) -> Piece:
    if view.state == MAY_HAVE_LEFT:
        return warn("sent, no receipt yet: it may have left")
    if view.state == KEPT_BACK:
        return warn(kept_back(view.problem).message)
    return "it could not leave yet" if online else "the broker cannot be reached"


def _next(views: Sequence[WaitingView], online: bool) -> Iterator[Painted]:
    for view in views:
        if view.state == KEPT_BACK and (hint := kept_back(view.problem).hint):
            yield dim(f"{view.id}: {hint}")
    if not online or any(view.state == WAITS for view in views):
        yield dim("It leaves with the next command, or with 'seefen tail'.")
    if any(view.state == MAY_HAVE_LEFT for view in views):
        yield dim("What may have left leaves once; with its receipt here: 'seefen recall REF'.")
    if any(view.state != MAY_HAVE_LEFT for view in views):
        yield dim("'seefen queue drop ID' takes back what has not left.")
