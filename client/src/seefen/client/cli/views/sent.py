"""What became of something that was sent."""

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Painted, bold, line, stack, warn
from seefen.client.values import Sent


def sent(value: Sent) -> Painted:
    """Return how far it got: recorded with its reference, queued, or refused."""
    return stack(_first(value), _files(value), _left_out(value))


def _first(value: Sent) -> Painted:
    if value.problem:
        return warn("Not sent: ", value.problem)
    if value.queued or value.ref is None:
        return line(
            bold("Queued"),
            f" ({times.size(value.size)}): the broker cannot be reached. It leaves by itself "
            "with the next command, or with 'seefen tail'.",
        )
    at = (
        ""
        if value.recorded_at is None
        else f" {times.moment(value.recorded_at, times.now(), seconds=True)}"
    )
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
    )


def _left_out(value: Sent) -> Painted | None:
    if not value.left_out:
        return None
    named = "; ".join(f"{who}: {codes.left_out(reason)}" for who, reason in value.left_out)
    return warn("  NOT REACHED  ", named)
