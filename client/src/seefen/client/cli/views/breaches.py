"""A breach on one page: what could be exposed, to whom, until when, and the clock."""

from collections.abc import Sequence
from typing import Final

from seefen.client.audit.admission import Admission
from seefen.client.audit.breach import Breach, Exposed
from seefen.client.cli import times
from seefen.client.cli.paint import Grid, Painted, alarm, bold, dim, good, line, stack, warn
from seefen.client.wording import stamp

NAMED: Final = 12  # messages and files that are named one by one


def breaches(found: Sequence[Breach]) -> Painted:
    """Return each device or case on its page."""
    return stack(*(_one(value) for value in found))


def _one(value: Breach) -> Painted:
    now = times.now()
    who = " ".join(filter(None, (value.officer, value.node)))
    roles = f" · {', '.join(value.roles)}" if value.roles else ""
    return stack(
        line(bold(value.what), f"  {who}{roles}"),
        line(alarm("72 HOURS  "), f"tell your supervisory authority by "
             f"{times.deadline(value.due_at)} ({times.due(value.due_at, now)}); "
             f"{_aware(value)}"),
        _until(value),
        *(_exposed(one) for one in value.exposed),
        None if value.exposed else line("No case or channel of your node is concerned."),
        _readers(value),
        line("Tell     ", ", ".join(value.tell)),
        line("What nobody can see here:"),
        *(warn("  ", text) for text in value.unknown),
    )  # fmt: skip


def _aware(value: Breach) -> str:
    since = stamp(value.aware_at)
    if not value.stated:
        return f"first asked here {since}: --aware TIME if you became aware at another time"
    return f"aware since {since}, as stated here {stamp(value.stated)}"


def _until(value: Breach) -> Painted | None:
    if value.admitted is None:
        return line(f"Since    {stamp(value.since)}")
    since = _admitted(value.admitted)
    if not value.until:
        revoke = f"'seefen device revoke {value.what.removeprefix('device ')} --lost'"
        end = (
            f"end it now, {revoke}"
            if value.own
            else f"{value.node} alone can end it: call its admin now, who runs {revoke}"
        )
        return stack(alarm(f"IN FORCE since {since}:"), alarm(end))
    return line(f"In force since {since}, until {stamp(value.until)}; nothing was released to it "
                "after that")  # fmt: skip


def _admitted(value: Admission) -> str:
    """Say when a device was let in, as near as entries around it do."""
    after, before = stamp(value.after), stamp(value.before)
    spans = {
        (True, True): f"between {after} and {before.removeprefix(after[:11])}",  # of one day
        (True, False): f"after {after}",
        (False, True): f"before {before}",
        (False, False): "at a time that no entry known here tells",
    }
    when = (
        f"at {before}"
        if value.after and after == before
        else spans[bool(value.after), bool(value.before)]
    )
    return f"its admission {when} (entry {value.entry} of the authority log)"


def _exposed(one: Exposed) -> Painted:
    opened = ", ".join(one.opened[:NAMED])
    more = f" and {len(one.opened) - NAMED} more" if len(one.opened) > NAMED else ""
    held = ", under an access to all of it" if one.whole else ""
    return stack(
        line(bold(one.case), f"  covers of {one.objects}; bodies opened: {len(one.opened)}{held}"),
        line(f"  {opened}{more}") if opened else None,
        good("  a newer key is in use") if one.renewed else None,
        dim(f"  members: {', '.join(one.members)}"),
        *(
            warn(
                "  was a member",
                f" until {stamp(was.until)}, and keeps what it had: {was.node}",
            )
            for was in one.former
        ),
    )


def _readers(value: Breach) -> Painted | None:
    if not value.readers:
        return None
    grid = Grid("OPENED BY", "NODE", "TIMES", "LAST", right=(2,))
    for one in value.readers:
        last = stamp(one.last_at)
        grid.row(one.officer or "devices on watch", one.node, str(one.times), last)
    return grid.painted()
