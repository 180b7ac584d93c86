"""The hand-over of the watch, as the next officer reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, block, bold, dim, line, stack, warn
from seefen.client.cli.views import sent
from seefen.client.cli.views.objects import covered, name_of
from seefen.client.handover import Given, HandoverView
from seefen.client.labels import ENGLISH
from seefen.client.values import ObjectView, Sent

_SILENT: Final = "Not answered by all, and nothing reminds of it now:"
_SEALED: Final = (
    "No key for it on this device, so perhaps open still: ask {}, or a keyholder to assign the case"
)


def shown(
    view: HandoverView, lang: str = ENGLISH, *, officer: str = "", lists: bool = True
) -> Painted:
    """Return a hand-over: what is open is shown as it stands now.

    Args:
        officer: Who reads it: nobody takes what he handed over himself.
        lists: Without them where the same stands on the screen already.
    """
    for_ = f" to {view.officer}" if view.officer else ""
    when = times.moment(view.at, times.now())
    return stack(
        bold(f"Watch handed over by {view.by}{for_}, {when} ({view.ref})"),
        block(view.text) if view.text else None,
        _listed("Waits for your node:", view.waiting, lang) if lists else None,
        _listed("Others owe your node:", view.owed, lang) if lists else None,
        _listed("Not open any more:", view.done, lang) if lists else None,
        # `due` has no line for these.
        _listed(_SILENT, view.silent, lang),
        _listed(_SEALED.format(view.by), view.sealed, lang),
        _rest(view),
        _next(view, officer),
    )


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken, and what became of the answer that says so."""

    sent: Sent
    taken: Given


def taken_over(done: TakenOver, lang: str, *, online: bool) -> Painted:
    """Return what was taken, and that it was said."""
    shown_ = (shown(view, lang) for view in done.taken)
    return stack(*shown_, sent.sent(done.sent, online=online))


def _next(view: HandoverView, officer: str) -> Painted:
    if view.went_elsewhere:
        when = times.moment(view.taken_at, times.now())
        return warn(f"Taken by {view.taken_by}, {when}, and not by {view.officer}")
    if view.taken_by:
        return line("Taken by ", view.taken_by)
    if view.by == officer:
        return dim("Nobody has taken it yet.")
    if view.officer not in ("", officer):
        return dim(f"It is for {view.officer}. In his place: seefen watch take-over --instead")
    return dim("Take it: seefen watch take-over")


def _listed(title: str, views: Sequence[ObjectView], lang: str) -> Painted | None:
    if not views:
        return None
    now = times.now()
    rows = Grid("", "", "", "", "")
    for view in views:
        due = f"due {times.due(view.due_at, now)}" if view.due_at else ""
        rows.row(
            f"  {view.ref}",
            name_of(view),
            covered(view, lang) or view.subject,
            view.sender,
            _stands(view) or due,
        )
    return stack(line(title), rows.painted())


def _stands(view: ObjectView) -> str:
    if view.recalled_by:
        return "recalled"
    if view.superseded_by:
        return f"replaced by {view.superseded_by}"
    return codes.answer(view.answer) if view.answer else "expired" if view.expired else ""


def _rest(view: HandoverView) -> Painted | None:
    said = [
        f"{view.queued} queued and {view.drafts} drafts on the machine of {view.by} then"
        if view.queued or view.drafts
        else "",
        f"{view.unknown} in cases that this device does not hold" if view.unknown else "",
        f"{view.more} more: seefen due" if view.more else "",
        f"{view.since} came since: seefen due" if view.since else "",
    ]
    text = "; ".join(filter(None, said))
    return warn("  ", text) if text else None
