"""The root statement, and what its next version would change."""

from collections.abc import Iterator

from seefen.client.cli import codes
from seefen.client.cli.paint import Painted, Piece, bold, dim, line, stack, warn
from seefen.client.findings import without_quorum
from seefen.client.granting import ViewGrant
from seefen.client.roots import RootView
from seefen.client.wording import stamp


def shown(view: RootView) -> Painted:
    """Return the root statement in force."""
    return stack(
        line("Root statement of ", bold(view.network), f", version {view.version}; ", _keys(view)),
        line(f"Witnesses: {_count(view)}"),
        *(line(f"  {name}") for name in view.witnesses),
        line(f"Nobody sends but alerts on a log older than {_hours(view)}."),
        _fewer(view),
        *(line("Sees every core: ", text) for text in map(_auditor, view.auditors)),
        None if view.auditors else dim("It names no network auditor: 'seefen root auditor'."),
    )


def proposed(now: RootView, then: RootView) -> Painted:
    """Return what would change, line by line, before anybody signs."""
    return stack(
        line(
            bold(f"Root statement of {now.network}: version {then.version}"),
            f" in place of {now.version}.",
        ),
        *_changes(now, then),
        dim(f"All else stays: {_keys(now)}."),
        _until(now, then),
        _alone(now, then),
        _fewer(then),
    )


def _auditor(one: ViewGrant) -> str:
    part = "" if one.whole else ", of a period alone"
    who = f"{one.node}/{one.officer or one.device[:8]}"
    return f"{who}, until {stamp(one.expires)}{part}"


def _changes(now: RootView, then: RootView) -> Iterator[Painted]:
    for name in then.witnesses:
        if name not in now.witnesses:
            yield line("  comes   ", bold(name))
    for name in now.witnesses:
        if name not in then.witnesses:
            yield line("  goes    ", bold(name))
    if (_count(now)) != _count(then):
        yield line("  quorum  ", f"{_count(now)}, then {_count(then)}", _falls(now, then))
    if now.max_stale != then.max_stale:
        longer = warn("  LONGER THAN NOW") if then.max_stale > now.max_stale else ""
        yield line("  stale   ", f"after {_hours(now)}, then after {_hours(then)}", longer)


def _falls(now: RootView, then: RootView) -> Piece:
    if then.quorum < now.quorum:
        return warn("  FEWER THAN NOW")
    less = then.quorum * len(now.witnesses) < now.quorum * len(then.witnesses)
    return warn("  A SMALLER PART THAN NOW") if less else ""


def _until(now: RootView, then: RootView) -> Painted | None:
    """Say what it waits for, where who must sign changes."""
    same = (now.quorum, set(now.witnesses)) == (then.quorum, set(then.witnesses))
    if same or not then.quorum:
        return None
    return warn(f"Until {then.quorum} of these have signed nobody sends but alerts.")


def _alone(now: RootView, then: RootView) -> Painted | None:
    """Warn where none of those who were trusted so far is needed any more."""
    coming = len(set(then.witnesses) - set(now.witnesses))
    if not now.quorum or not then.quorum or coming < then.quorum:
        return None
    return warn("Those who come make the quorum by themselves: no witness of now must sign.")


def _keys(view: RootView) -> str:
    return f"{view.threshold} of {view.keys} root keys sign"


def _count(view: RootView) -> str:
    return f"{view.quorum} of {len(view.witnesses)} must sign"


def _hours(view: RootView) -> str:
    return f"{view.max_stale // 3600} h"


def _fewer(view: RootView) -> Painted | None:
    if not view.quorum:
        return warn(without_quorum(len(view.witnesses)))
    return warn(codes.ONE_WITNESS) if view.quorum == 1 else None
