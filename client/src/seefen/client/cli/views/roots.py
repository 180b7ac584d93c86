"""The root statement, and what its next version would change."""

from collections.abc import Iterator

from seefen.client.cli import codes
from seefen.client.cli.paint import Painted, Piece, bold, dim, line, stack, warn
from seefen.client.findings import NO_WITNESS
from seefen.client.roots import Proposal, RootView


def shown(view: RootView) -> Painted:
    """Return the root statement in force."""
    return stack(
        line("Root statement of ", bold(view.network), f", version {view.version}; ", _keys(view)),
        line(f"Witnesses: {_count(view)}"),
        *(line(f"  {name}") for name in view.witnesses),
        line(f"Nobody sends but alerts on a log older than {_hours(view)}."),
        _fewer(view),
    )


def proposed(proposal: Proposal) -> Painted:
    """Return what would change, line by line, before anybody signs."""
    now, then = proposal.now, proposal.then
    return stack(
        line(
            bold(f"Root statement of {now.network}: version {then.version}"),
            f" in place of {now.version}.",
        ),
        *_changes(now, then),
        dim(f"All else stays: {_keys(now)}."),
        warn(f"Until {then.quorum} of these have signed nobody sends but alerts.")
        if then.quorum
        else None,
        _fewer(then),
    )


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
        yield line("  stale   ", f"after {_hours(now)}, then after {_hours(then)}")


def _falls(now: RootView, then: RootView) -> Piece:
    return warn("  FEWER THAN NOW") if then.quorum < now.quorum else ""


def _keys(view: RootView) -> str:
    return f"{view.threshold} of {view.keys} root keys sign"


def _count(view: RootView) -> str:
    return f"{view.quorum} of {len(view.witnesses)} must sign"


def _hours(view: RootView) -> str:
    return f"{view.max_stale // 3600} h"


def _fewer(view: RootView) -> Painted | None:
    if not view.quorum:
        return warn(NO_WITNESS)
    return warn(codes.ONE_WITNESS) if view.quorum == 1 else None
