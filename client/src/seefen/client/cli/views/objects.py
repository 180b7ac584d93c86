"""An object that was opened, and a file that was fetched."""

from collections.abc import Mapping, Sequence

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, alarm, bold, dim, line, stack, warn
from seefen.client.cli.views import messages
from seefen.client.labels import ENGLISH, LANGUAGES, is_draft, subject_in
from seefen.client.values import ObjectView, Opened
from seefen.protocol.messages import label


def opened(read: Opened, *, ours: bool = False, lang: str = ENGLISH) -> Painted:
    """Return a message whose body is open, with what may be done with it."""
    view = read.view
    return stack(
        _title(view, ours=ours),
        _superseded(view),
        _recalled(view),
        _flash(view, ours=ours),
        draft(lang),
        messages.terms(read.message, lang),
        messages.body(read.message, lang),
        _channels(read),
        _known(read),
        _related(read, lang),
        files(read.files),
        dim(f"{'Sent' if ours else 'Your reading'}: entry {read.entry_index} of the log."),
        None if ours else _next(view),
    )


def draft(lang: str) -> Painted | None:
    """Say that nobody has read the words yet: the English ones bind."""
    if not is_draft(lang):
        return None
    return dim(f"Machine draft translation ({LANGUAGES[lang]}); the English words bind: --lang en")


def _channels(read: Opened) -> Painted | None:
    """Say where else the same is handled, and who said so."""
    if not read.channels:
        return None
    rows = Grid("", "", "", "")
    for one in read.channels:
        said = "" if one.said_in == read.view.ref else f"{one.said_in}, {one.node}"
        asked = "" if one.asked == "unknown" else label("asked", one.asked)
        rows.row(f"  {label('channel', one.channel)}", one.number or asked, one.date, said)
    return stack(bold("Other channels:"), rows.painted())


def _known(read: Opened) -> Painted | None:
    """Say which marks of it stand in this vault as well: a lead, and no hit."""
    if not (read.known or read.common):
        return None
    rows = Grid("", "", "", "")
    for hit in read.known:
        rows.row(f"  {hit.ref}", hit.text, f"{hit.field}, {hit.exactness}", hit.sender)
    often = f"  In too many places to say anything: {', '.join(read.common)}"
    return stack(
        bold("Known in this vault (a lead, not proof):") if read.known else None,
        rows.painted() if read.known else None,
        dim(often) if read.common else None,
    )


def _related(read: Opened, lang: str) -> Painted | None:
    """Say what else was seized at the same crossing in these days."""
    if not read.related:
        return None
    rows, now = Grid("", "", "", ""), times.now()
    for one in read.related:
        when = times.moment(one.recorded_at, now)
        rows.row(f"  {one.ref}", when, one.sender, covered(one, lang) or one.subject)
    return stack(bold("At the same crossing within a week (a lead, not proof):"), rows.painted())


def files(views: Sequence[ObjectView]) -> Painted | None:
    """Return the files that belong to a message, and how to fetch one."""
    if not views:
        return None
    rows = Grid("", "", "", "")
    for view in views:
        state = "fetched" if view.fetched else "not fetched"
        rows.row(
            f"  #{view.number}", view.name or view.items or "file", times.size(view.size), state
        )
    return stack(rows.painted(), dim(f"  seefen file get {views[0].ref} -o FOLDER"))


def fetched(file: Mapping[str, object]) -> Painted:
    """Return where a file went."""
    return line("Checked and saved: ", str(file["path"]))


def covered(view: ObjectView, lang: str = ENGLISH) -> str:
    """Return what is counted in an object; in other languages all that its cover says."""
    return view.items if lang == ENGLISH or view.cover is None else subject_in(lang, view.cover)


def name_of(view: ObjectView) -> str:
    """Return what an object is, from its cover alone."""
    if not view.cover_open:
        return "sealed: this device has no key for it yet"
    if view.file:
        return view.name or view.items or "file"
    return codes.message_type(view.type)


def _title(view: ObjectView, *, ours: bool) -> Painted:
    when = times.moment(view.created_at, times.now())
    sent = line(f"  from {view.sender}", f" ({view.officer})" if view.officer else "", f", {when}")
    return line(bold(view.ref), "  ", name_of(view), sent, "" if ours else _due(view))


def _due(view: ObjectView) -> str:
    return "" if view.due_at is None else f"  due {times.due(view.due_at, times.now())}"


def _superseded(view: ObjectView) -> Painted | None:
    if not view.superseded_by:
        return None
    return warn(f"A newer version replaces this one: {view.superseded_by}")


def _recalled(view: ObjectView) -> Painted | None:
    if not view.recalled_by:
        return None
    return alarm(f"Taken back by its author: {view.recalled_by}. It must not be used.")


def _flash(view: ObjectView, *, ours: bool) -> Painted | None:
    if not view.flash or view.recalled_by:
        return None
    if view.flash != "asked":
        return alarm(f"FLASH, confirmed by {view.flash}, a second officer of {view.sender}")
    if ours:
        return warn(
            f"FLASH asked; it rings when a second officer runs: seefen alert flash {view.ref}"
        )
    return warn(
        f"{view.sender} asked for FLASH, and no second officer has confirmed it. "
        f"Your own devices ring with: seefen alert ring {view.ref}"
    )


def _next(view: ObjectView) -> Painted | None:
    if view.answer:
        return line("Your node: ", codes.answer(view.answer), f" by {view.answered_by}")
    if view.type == "SeizureAlert":
        return dim(f"Answer: seefen alert answer {view.ref} taken|passed-on|not-ours|rejected")
    if view.type == "TraceRequest":
        return dim(f"Answer: seefen trace answer {view.ref}")
    if view.type == "Recall":
        return dim(f"Confirm: seefen erase {view.reply_to}")
    if view.due_at is not None:
        return dim(f"Answer: seefen request answer {view.ref} --form FILE.json")
    return None
