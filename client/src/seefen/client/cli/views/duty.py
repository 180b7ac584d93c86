"""On duty: the watch, what a serial number says, what happens now."""

from collections.abc import Collection, Mapping, Sequence

from seefen.client import ringing
from seefen.client.cli import codes, times
from seefen.client.cli.paint import (
    Grid,
    Ledger,
    Painted,
    Piece,
    alarm,
    bold,
    dim,
    line,
    stack,
    warn,
)
from seefen.client.cli.scripts import remark
from seefen.client.cli.views.objects import closed, later, name_of
from seefen.client.values import (
    CheckResult,
    Event,
    Found,
    Hit,
    Unopened,
    WatchView,
)
from seefen.client.watching import HOLDERS


def on_watch(watches: Sequence[WatchView]) -> Painted:
    """Return until when and for what this device is on watch."""
    if not watches:
        return stack(
            line("Off watch: no alert opens by itself."), dim("'seefen watch on' begins one.")
        )
    now = times.now()
    rows = Grid("", "", "")
    for watch in watches:
        rows.row(
            f"  {watch.channel}",
            f"until {times.moment(watch.until, now)}",
            f"purpose: {watch.purpose} · basis: {watch.basis} · entry {watch.entry_index} recorded",
        )
    return stack(
        line("On watch"),
        rows.painted(),
        dim("Handling codes and conditions of what comes are accepted; each alert shows its own."),
        dim("Searches are for the same purpose, unless you state another."),
    )


def off_watch(_state: Mapping[str, object]) -> Painted:
    """Return that the watch ended."""
    return line("Off watch. Alerts still come; each one opens when you open it.")


def checked(serial: str, result: CheckResult) -> Painted:
    """Return what the own vault says to a serial number, and what was searched."""
    note = remark(serial)
    nothing = not (result.exact or result.look_alike or result.possible)
    return stack(
        line(note) if note else None,
        _hits("Exact", result.exact),
        _hits("Look-alike", result.look_alike),
        _hits("Possible", result.possible) if result.possible else None,
        line(f"Searched: this vault, {result.searched} records; nothing else."),
        unopened(result.unopened),
        dim("That says nothing about other nodes: 'seefen trace ask CASE' asks them.")
        if nothing
        else dim("A look-alike is a reading of unclear characters, not a hit."),
        _entered(result.entry),
    )


def found(result: Found) -> Painted:
    """Return what a search found: covers, the newest first."""
    covered = line(f"Searched: {result.searched} open messages and files of this vault.")
    closed = unopened(result.unopened)
    if not result.count:
        return stack(line("Nothing found."), covered, closed, _entered(result.entry))
    now = times.now()
    grid = Ledger("REF", "WHEN", "FROM", "WHAT", "COVER")
    for case in result.cases:
        grid.row(bold(case.number), "", case.owner, "case", case.title)
    for view in result.views:
        grid.row(
            bold(view.ref),
            times.moment(view.recorded_at, now),
            view.sender,
            name_of(view),
            f"{view.subject} · {codes.short_handling(view.handling)}",
        )
    more = warn("There is more: give another word.") if result.more else None
    return stack(grid, more, covered, closed, _entered(result.entry))


def unopened(lies: Unopened) -> Painted | None:
    """Return what was not looked into, with what opens it."""
    some = [
        f"{count} {what if count == 1 else f'{what}s'}"
        for count, what in ((lies.alerts, "alert"), (lies.messages, "message"))
        if count
    ]
    if not some and not lies.closed:
        return None
    ways = [
        "'seefen watch on' opens what waits in channels" if some and not lies.watched else "",
        f"'seefen alert show {lies.alert}' opens one" if lies.alert else "",
        f"'seefen case show {lies.message}' opens one" if lies.message else "",
    ]
    return stack(
        warn(f"Never opened here: {' and '.join(some)}; no search looks into them.")
        if some
        else None,
        dim("; ".join(filter(None, ways))) if some else None,
        dim(f"{lies.closed} more cannot be opened on this device: it holds no key to them.")
        if lies.closed
        else None,
    )


def _entered(entry: int | None) -> Painted:
    """Return where a search stands in the log, or that it waits."""
    if entry is None:
        return warn("Written down here; its entry leaves when the broker is back.")
    return dim(
        f"Entry {entry} recorded: your node's auditors see what you looked for, nobody else."
    )


def _hits(title: str, hits: Sequence[Hit]) -> Painted:
    if not hits:
        return line(f"{title}: nothing.")
    now = times.now()
    rows = Grid("", "", "", "", "")
    for hit in hits:
        when = times.date(hit.created_at, now)
        said = f"{hit.subject}{later(hit)}"
        rows.row(f"  {hit.ref}", hit.text, hit.field, f"{hit.sender}, {when}", said)
    return stack(bold(f"{title}:"), rows.painted(), closed(hits))


def tailing(seconds: float | None, watches: Sequence[WatchView], roles: Collection[str]) -> Painted:
    """Return that live view begins, and that nothing rings where no watch runs."""
    how = "Ctrl-C ends it" if seconds is None else f"for {times.span(seconds)}"
    deaf = not watches and not HOLDERS.isdisjoint(roles)
    return stack(
        dim(f"Live: what arrives and who reads what ({how})."),
        warn("Off watch: no alert opens by itself, and none rings. 'seefen watch on' begins one.")
        if deaf
        else None,
    )


def event(value: Event) -> Painted:
    """Return one thing that happened."""
    when = times.moment(value.at, times.now(), seconds=True)
    if value.what == ringing.WHAT:
        return stack(
            alarm(f"*** FLASH  {value.ref}  {when}"),
            alarm(f"*** {value.text}"),
            dim(f"'seefen alert show {value.ref}', 'seefen alert answer {value.ref} taken'"),
        )
    what: Piece = alarm(value.what) if value.what == "alarm" else bold(value.what)
    return line(dim(when), what, value.ref or value.case, value.text, gap="  ")


def queue(count: int) -> Painted | None:
    """Return how much waits on this machine."""
    return warn(f"{count} queued, NOT acknowledged: 'seefen queue list'") if count else None
