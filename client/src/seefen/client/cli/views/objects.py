"""An object that was opened, and a file that was fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from seefen.client import previews
from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, Piece, alarm, bold, dim, line, stack, warn
from seefen.client.cli.views import messages, surfaces
from seefen.client.labels import ENGLISH, LANGUAGES, is_draft, subject_in
from seefen.client.names import BYTES
from seefen.client.values import Hit, ObjectView, Opened
from seefen.protocol.messages import Bulletin, Forwarded, Message, Surface, label
from seefen.protocol.messages.cover import EXERCISE


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched, and where it is now."""

    ref: str
    path: Path
    name: str = ""
    surface: Surface | None = None
    preview_of: str = ""


def opened(read: Opened, *, ours: bool = False, lang: str = ENGLISH) -> Painted:
    """Return a message whose body is open, with what may be done with it."""
    view = read.view
    message = read.message
    if read.original is not None:  # the stricter of what header and body say
        message = replace(read.original.message, handling=read.original.handling)
    what = "Sent" if read.written_here else "Your reading"
    return stack(
        _title(view, ours=ours),
        _superseded(view),
        _recalled(view),
        _over(message),
        _matters(view),
        _unwitnessed(view),
        _corrected(read),
        _flash(view, ours=ours),
        draft(lang),
        dim(f"About {view.reply_to}.") if view.reply_to else None,
        _passed_on(read),
        messages.terms(message, lang),
        messages.body(message, lang),
        _channels(read),
        _known(read),
        _related(read, lang),
        files(read.files, lang),
        dim(f"{what}: entry {read.entry_index} of the log."),
        _accepted(read),
        None if ours else _next(view),
    )


def _over(message: Message) -> Painted | None:
    """Say of a bulletin that its time is over: it is shown, for nothing expires by itself."""
    until = message.valid_until if isinstance(message, Bulletin) else ""
    # A month or a year is valid to its end, so it is compared as far as it is said.
    if not until or times.now().date().isoformat()[: len(until)] <= until:
        return None
    return warn(f"EXPIRED: it was valid until {until}")


def _matters(view: ObjectView) -> Painted | None:
    """Say until when an alert matters, as its author signed it in the header."""
    if not view.expires_at:
        return None
    until = times.moment(view.expires_at, times.now())
    if view.expired:
        return warn(f"EXPIRED: it mattered until {until}; nobody is asked about it any more")
    return dim(f"It matters until {until}.")


def _passed_on(read: Opened) -> Painted | None:
    """Say whose word it is, and under what its author let it go."""
    original, passed = read.original, read.message
    if original is None or not isinstance(passed, Forwarded):
        return None
    when = times.moment(original.created_at, times.now())
    return stack(
        bold(f"Forwarded by {read.view.sender}: {codes.message_type(original.message.TYPE)}"),
        line(f"  of {original.node}, {when}: its signature was checked on this machine"),
        *(line("  permitted under: ", text) for text in original.conditions),
        line("  why: ", passed.text) if passed.text else None,
    )


def _accepted(read: Opened) -> Painted | None:
    if read.accepted_at is None:
        return None
    return dim(f"Conditions accepted here: {times.moment(read.accepted_at, times.now())}.")


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
        how = f"{hit.field}, {hit.exactness}{later(hit)}"
        real: Piece = alarm(f"{EXERCISE}, {how}") if hit.exercise else how
        rows.row(f"  {hit.ref}", hit.text, real, hit.sender)
    often = f"  In too many places to say anything: {', '.join(read.common)}"
    return stack(
        bold("Known in this vault (a lead, not proof):") if read.known else None,
        rows.painted() if read.known else None,
        closed(read.known),
        dim(often) if read.common else None,
    )


def later(hit: Hit) -> str:
    """Return what was said later of a place where a mark stands: corrected, replaced."""
    wrong = f", corrected by {hit.corrected_by}" if hit.corrected_by else ""
    return f"{wrong}, replaced by {hit.replaced_by}" if hit.replaced_by else wrong


def closed(hits: Sequence[Hit]) -> Painted | None:
    """Say what was said later of these hits and is not open here: it may say otherwise."""
    refs = dict.fromkeys(ref for hit in hits for ref in hit.unread)
    commands = ", ".join(f"'seefen case show {ref}'" for ref in refs)
    return warn(f"  Not opened here, and may say otherwise: {commands}") if refs else None


def _related(read: Opened, lang: str) -> Painted | None:
    """Say what else was seized at the same crossing in these days."""
    if not read.related:
        return None
    rows, now = Grid("", "", "", ""), times.now()
    for one in read.related:
        when = times.moment(one.recorded_at, now)
        rows.row(f"  {one.ref}", when, one.sender, covered(one, lang) or one.subject)
    return stack(bold("At the same crossing within a week (a lead, not proof):"), rows.painted())


def files(views: Sequence[ObjectView], lang: str = ENGLISH) -> Painted | None:
    """Return the files that belong to a message, and how to fetch one."""
    if not views:
        return None
    rows, small = Grid("", "", "", ""), [one for one in views if previews.is_one(one.cover)]
    for view in views:
        if view in small:
            continue
        state = "fetched" if view.fetched else "not fetched"
        rows.row(f"  #{view.number}", _file(view), size_of((view,)), state)
    scans = [
        line(f"  #{view.number}  ", surfaces.described(view.surface, lang))
        for view in views
        if view.surface is not None
    ]
    ref = views[0].reply_to if len(views) > 1 and views[0].reply_to else views[0].ref
    return stack(rows.painted(), _ahead(small), *scans, dim(f"  seefen file get {ref} -o FOLDER"))


def _ahead(small: Sequence[ObjectView]) -> Painted | None:
    """Name the previews: each is of a photograph that stands there, or follows."""
    if not small:
        return None
    named = ", ".join(f"#{one.number}{'' if one.fetched else ' (not fetched)'}" for one in small)
    return line("  preview, made small, ahead of its photograph: ", named)


def fetched(file: Fetched, lang: str = ENGLISH) -> Painted:
    """Return where a file went, and what a surface says of itself."""
    surface = file.surface
    return stack(
        line("Checked and saved: ", str(file.path)),
        _quieted(file),
        None if surface is None else line("  ", surfaces.described(surface, lang)),
        _preview(file),
    )


def all_fetched(files: Sequence[Fetched], lang: str = ENGLISH) -> Painted:
    """Return where the files of a message went."""
    whole = sum(not file.preview_of for file in files)  # a preview is a part of its photograph
    return stack(*(fetched(file, lang) for file in files), line(f"{whole} files."))


def fetched_before(paths: Sequence[Path]) -> Painted:
    """Return where files of what was taken back were written."""
    return stack(
        warn("Files of it were fetched to this disk, and are no longer where they were:"),
        *(line("  ", str(path)) for path in paths),
    )


def _preview(file: Fetched) -> Painted | None:
    if not file.preview_of:
        return None
    return warn(f"  PREVIEW, made small: the photograph is a file of its own, SHA-256 "
                f"{file.preview_of[:16]}…")  # fmt: skip


def _quieted(file: Fetched) -> Painted | None:
    if file.path.suffix != BYTES or file.name.lower().endswith(BYTES):
        return None
    return warn(f"  called {file.name}: saved so that a click does not run it")


def covered(view: ObjectView, lang: str = ENGLISH) -> str:
    """Return what is counted in an object; in other languages all that its cover says."""
    return view.items if lang == ENGLISH or view.cover is None else subject_in(lang, view.cover)


def name_of(view: ObjectView) -> str:
    """Return what an object is, from its cover alone."""
    if not view.cover_open:
        return "sealed: this device has no key for it yet"
    if view.file:
        return _file(view)
    return codes.message_type(view.type)


def size_of(files: Sequence[ObjectView]) -> str:
    """Return the size of files; "about" while one of them is sealed, and padded."""
    size = times.size(sum(file.size for file in files))
    return size if all(file.name for file in files) else f"about {size}"


def _file(view: ObjectView) -> str:
    return view.name or view.items or view.subject or "file"


def _title(view: ObjectView, *, ours: bool) -> Painted:
    when = times.written(view.created_at, view.recorded_at, times.now())
    sent = line(f"  from {view.sender}", f" ({view.officer})" if view.officer else "", f", {when}")
    return line(bold(view.ref), "  ", name_of(view), sent, "" if ours else _due(view))


def _due(view: ObjectView) -> str:
    if view.due_at is None or view.expired:
        return ""
    return f"  due {times.due(view.due_at, times.now())}"


def _superseded(view: ObjectView) -> Painted | None:
    if not view.superseded_by:
        return None
    return warn(f"A newer version replaces this one: {view.superseded_by}")


def _recalled(view: ObjectView) -> Painted | None:
    if not view.recalled_by:
        return None
    return alarm(f"Taken back by its author: {view.recalled_by}. It must not be used.")


def _unwitnessed(view: ObjectView) -> Painted | None:
    if not view.unwitnessed:
        return None
    return warn(f"Unwitnessed: {view.sender} sent it while nobody had seen the log lately.")


def _corrected(read: Opened) -> Painted | None:
    """Say what is wrong in it before it is read."""
    said = [
        warn(
            f"Corrected by {one.ref}: {one.was or 'see there'} -> {one.now}"
            if one.now
            else f"Corrected: seefen case show {one.ref}"
        )
        for one in read.corrections
    ]
    return stack(*said) if said else None


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
    if view.type == "OnwardRequest":
        return dim(f"Decide: seefen request permit {view.ref}  (or --refused WHY)")
    if view.due_at is not None:
        return dim(f"Answer: seefen request answer {view.ref} --form FILE.json")
    return None
