"""What became of something that was sent."""

from seefen.client.cli import codes, times
from seefen.client.cli.complaints import kept_back
from seefen.client.cli.paint import Painted, bold, dim, line, stack, warn
from seefen.client.values import Sent


def sent(value: Sent, *, online: bool = False) -> Painted:
    """Return how far it got: recorded with its reference, queued, or refused.

    Args:
        online: The broker is there; so what waits nevertheless was refused.
    """
    return stack(_first(value, online=online), _files(value), _left_out(value))


def no_receipt() -> Painted:
    """Return what holds while nothing has come back yet."""
    return warn(
        "No receipt yet. It is kept on this machine, NOT acknowledged, and tried again; "
        "Ctrl-C leaves it in the queue ('seefen queue list')."
    )


def _first(value: Sent, *, online: bool) -> Painted:
    if value.ref is None or value.queued:
        why = value.problem or "the broker cannot be reached"
        if online and value.problem:
            said = kept_back(value.problem)
            return stack(
                warn("Not sent: ", said.message),
                dim(said.hint) if said.hint else None,
                dim("It is kept; 'seefen queue list' shows what waits."),
            )
        return line(
            bold("Queued, NOT acknowledged"),
            f" ({times.size(value.size)}): {why}. It leaves by itself with the next command, "
            "or with 'seefen tail'; 'seefen queue list' shows what waits.",
        )
    when = value.recorded_at
    at = "" if when is None else f" {times.moment(when, times.now(), seconds=True)}"
    entry = "" if value.index is None else f"  entry {value.index}"
    return line(bold(value.ref), f"  {times.size(value.size)} recorded{at}{entry}")


def _files(value: Sent) -> Painted | None:
    if not value.files:
        return None
    done = [file for file in value.files if file.ref and not file.queued]
    total = sum(file.size for file in value.files)
    problems = [file.problem for file in value.files if file.problem]
    return stack(
        line(f"  files {len(done)}/{len(value.files)}, {times.size(total)}"),
        *(warn("  ", problem) for problem in problems),
        *(warn("  ", file.remark) for file in value.files if file.remark),
    )


def _left_out(value: Sent) -> Painted | None:
    if not value.left_out:
        return None
    named = "; ".join(f"{who}: {codes.left_out(reason)}" for who, reason in value.left_out)
    return warn("  NOT REACHED  ", named)
