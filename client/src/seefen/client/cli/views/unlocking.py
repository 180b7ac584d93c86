"""``seefen unlock`` and ``seefen lock``."""

from dataclasses import dataclass

from seefen.client.cli import times
from seefen.client.cli.paint import Painted, bold, dim, line, stack
from seefen.client.keeping import IDLE


@dataclass(frozen=True, slots=True)
class Unlocked:
    """Until when a PIN opens this device; 0 is not at all. ``already``: it did before."""

    until: int
    already: bool = False


def unlocked(state: Unlocked) -> Painted:
    """Return until when a PIN opens this device, and when it is asked for."""
    until = bold(times.moment(state.until, times.now()))
    if state.already:
        return line(
            "Unlocked already, until ", until, dim("   another PIN: 'seefen lock', then again")
        )
    minutes = round(IDLE / 60)
    return stack(
        line("Unlocked until ", until),
        dim(f"After {minutes} minutes without a command, and in another window, the PIN is asked"),
        dim("for. 'seefen lock' before you leave the machine."),
    )


def locked(state: Unlocked) -> Painted:
    """Return that the passphrase is asked for."""
    if state.already:
        return line("It was locked: the passphrase is asked for.")
    return line("Locked: the passphrase is asked for again.")
