"""Cases and channels: lists, one as a whole, and changes of members."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.text import Text

from seefen.client import previews
from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Ledger, Painted, bold, dim, line, stack, warn
from seefen.client.cli.views import surfaces
from seefen.client.cli.views.objects import covered, draft, name_of, size_of
from seefen.client.labels import ENGLISH
from seefen.client.values import CaseView, ObjectView

SHOWN: Final = 12  # files of one message that are listed one by one


def opened(view: CaseView) -> Painted:
    """Return a case or channel that was just opened, and what to do next."""
    what = "Channel" if view.form == "channel" else "Case"
    how = "alert send --channel" if view.form == "channel" else "case send"
    return stack(
        line(f"{what} ", bold(view.number), " opened.", _quoted(view)),
        _members(view),
        _left_out(view),
        dim(f"Next: seefen {how} {view.number}"),
    )


def case_list(views: Sequence[CaseView], *, lead: bool = True) -> Painted:
    """Return the cases of a node; ``lead``: whoever looks may open one."""
    if not views:
        return stack(
            line("No case yet."),
            dim("'seefen case open --title TEXT --member NODE' opens one.")
            if lead
            else dim("A lead of your node opens one, or another node lets yours into one of its."),
        )
    heads = ("CASE", "TITLE", "OWNER", "MEMBERS", "OBJECTS", "UNREAD", "WHO HAS IT")
    rows = Ledger(*heads, right=(4, 5))
    for view in views:
        title = view.title if view.readable else _sealed(view)
        rows.row(
            bold(view.number),
            title,
            view.owner,
            str(len(view.members)),
            str(view.object_count),
            str(view.unread),
            ", ".join(one.officer for one in view.assigned),
        )
    return stack(rows, *map(_left_out, views))


def _sealed(view: CaseView) -> Text:
    if view.lapsed:
        return dim("sealed: its key was renewed, call a keyholder")
    return dim("sealed: not assigned to this device")


def channel_list(views: Sequence[CaseView], alerts: Mapping[str, int]) -> Painted:
    """Return the channels of a node, and how many ``alerts`` came in each."""
    if not views:
        return stack(
            line("No channel yet."),
            dim("A lead opens one: 'seefen channel open NAME NODE...'"),
        )
    rows = Ledger("CHANNEL", "OWNER", "ALERTS", "MEMBERS", right=(2,))
    for view in views:
        count = alerts.get(view.number, 0)
        rows.row(bold(view.number), view.owner, count, ", ".join(view.members))
    return stack(rows, *map(_left_out, views))


def whole(view: CaseView, lang: str = ENGLISH) -> Painted:
    """Return a case with all that is in it."""
    return stack(
        line(bold(view.number), "  ", view.title or _sealed(view)),
        _conditions(view),
        _members(view),
        _assigned(view),
        _left_out(view),
        _objects(view, lang),
        draft(lang),
        dim(f"'seefen case show {view.number}#n' opens one: that leaves an entry."),
    )


def added(view: CaseView, nodes: Sequence[str]) -> Painted:
    """Return what follows from new members."""
    return stack(
        line(f"{_listed(nodes)} will read from now on, not what came before."),
        _new_key(view),
        _left_out(view),
    )


def removed(view: CaseView, nodes: Sequence[str]) -> Painted:
    """Return what follows from members that went."""
    return stack(
        line(f"{_listed(nodes)} will read nothing new; what was opened there stays there."),
        _new_key(view),
        _left_out(view),
    )


def assigned(view: CaseView) -> Painted:
    """Return that a device got the key of a case."""
    return line(f"{view.number} is assigned: the device has its key now.")


def _assigned(view: CaseView) -> Painted | None:
    """Say who has the case in this node, and who gave it to him."""
    now = times.now()
    named = [f"{one.officer} (by {one.by}, {times.moment(one.at, now)})" for one in view.assigned]
    return line("Assigned: ", ", ".join(named)) if named else None


def _new_key(view: CaseView) -> Painted:
    count = len(view.members)
    return line(f"New key {view.generation}, {count} node{'s' if count != 1 else ''}. Done.")


def _listed(nodes: Sequence[str]) -> str:
    return ", ".join(nodes)


def _quoted(view: CaseView) -> str:
    return f"  {view.title}" if view.title and view.title != view.number else ""


def _conditions(view: CaseView) -> Painted | None:
    if not view.purpose:
        return None
    return line(f"You read under: purpose {view.purpose} · basis {view.basis}")


def _members(view: CaseView) -> Painted:
    named = [f"{node} (owner)" if node == view.owner else node for node in view.members]
    return line("Members: ", ", ".join(named), f" · key {view.generation}")


def _left_out(view: CaseView) -> Painted | None:
    """Name on every screen who got no key, and why: nobody may take him for reached."""
    if not view.left_out:
        return None
    named = "; ".join(f"{who}: {codes.left_out(reason)}" for who, reason in view.left_out)
    return warn(f"{view.number} does not reach ", named)


def _objects(view: CaseView, lang: str) -> Painted:
    if not view.objects:
        return line("Nothing in it yet.")
    now = times.now()
    rows = Grid("", "", "", "", "", "", keep=(0, 1, 3))
    for group in _groups(view.objects):
        if len(_whole(group)) > SHOWN:
            rows.row(*_many(group, lang))
            continue
        for item in group:
            rows.row(
                f"  #{item.number}",
                times.moment(item.recorded_at, now),
                name_of(item),
                item.sender,
                _details(item, lang),
                _state(item, lang),
            )
    return rows.painted()


def _groups(items: Sequence[ObjectView]) -> Iterator[Sequence[ObjectView]]:
    """Yield the files of one message that follow each other together, all else alone."""
    for _, group in groupby(
        items, lambda item: (item.file, item.reply_to if item.file else item.ref)
    ):
        yield tuple(group)


def _whole(files: Sequence[ObjectView]) -> Sequence[ObjectView]:
    """Return files without previews, which are parts of their photographs."""
    return [file for file in files if not previews.is_one(file.cover)]


def _many(files: Sequence[ObjectView], lang: str) -> tuple[str, ...]:
    """Return one row for the files of a message: 650 rows would hide the messages."""
    first, last, whole_ = files[0], files[-1], _whole(files)
    missing = sum(not file.fetched for file in whole_)
    wrong = sum(bool(surfaces.short(file.surface, lang)) for file in files)
    state = [f"{missing} not fetched" if missing else "fetched"]
    if wrong:
        state.append(f"{wrong} with a wrong MD5 list")
    return (
        f"  #{first.number}-{last.number}",
        times.moment(first.recorded_at, times.now()),
        f"{len(whole_)} files of {first.reply_to}" if first.reply_to else f"{len(whole_)} files",
        first.sender,
        size_of(whole_),
        ", ".join(state),
    )


def _details(item: ObjectView, lang: str) -> str:
    if item.file:
        return size_of((item,))
    return " · ".join(
        filter(None, (covered(item, lang) or item.subject, codes.short_handling(item.handling)))
    )


def _state(item: ObjectView, lang: str) -> str:
    parts = [codes.answer(item.answer) if item.answer else item.state]
    if item.file and not item.fetched:
        parts = ["not fetched"]
    if wrong := surfaces.short(item.surface, lang):
        parts.append(wrong)
    if item.expired:
        parts.append("EXPIRED")
    elif item.due_at is not None and not item.answer:
        parts.append(f"due {times.due(item.due_at, times.now())}")
    if item.recalled_by:
        parts = [f"RECALLED by {item.recalled_by}"]
    if item.corrected_by:
        parts.append(f"corrected by {item.corrected_by}")
    if item.superseded_by:
        parts.append(f"replaced by {item.superseded_by}")
    return ", ".join(parts)
