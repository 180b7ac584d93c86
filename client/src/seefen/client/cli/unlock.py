"""``seefen unlock`` and ``seefen lock``: the passphrase once a shift, then a PIN."""

from pathlib import Path
from typing import Final

import typer

from seefen.client import keeping
from seefen.client.cli import passphrases
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import line, warn
from seefen.client.cli.screen import Screen
from seefen.client.cli.settings import settings
from seefen.client.cli.views import unlocking
from seefen.client.cli.views.unlocking import Unlocked
from seefen.client.keeping import Kept
from seefen.client.keyfile import NAME as KEY_FILE
from seefen.client.keyfile import DeviceKeys, read_key_file
from seefen.protocol.errors import RefusedError

_CHOICES: Final = 5
_TYPINGS: Final = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(unlock)
    app.command()(lock)


def unlock(context: typer.Context) -> None:
    """Type the passphrase once, and a PIN opens this device for the shift."""
    screen = Screen.of(context)
    home = settings(context).home
    require_device(home)
    told = keeping.status(home)
    if told.state == "runs":
        screen.show(Unlocked(told.until, already=True), unlocking.unlocked)
        return
    if told.state == "silent":
        raise RefusedError("a keeper runs and does not answer", rule="keeper")
    passphrase = passphrases.existing(context, "Passphrase")
    keys = read_key_file(home / KEY_FILE, passphrase)
    begin(screen, home, keys, new_pin(screen))


def begin(screen: Screen, home: Path, keys: DeviceKeys, pin: str) -> None:
    """Start the keeper, and say what it means."""
    screen.show(Unlocked(keeping.start(home, keys, pin).until), unlocking.unlocked)


def lock(context: typer.Context) -> None:
    """Let the passphrase be asked for again, before a break or at the end of the shift."""
    screen = Screen.of(context)
    ended = keeping.lock(settings(context).home)
    screen.show(Unlocked(0, already=not ended), unlocking.locked)


def require_device(home: Path) -> None:
    """Refuse a home without a device: before something is asked for, not after."""
    if not (home / KEY_FILE).is_file():
        raise RefusedError(f"there is no device in {home}", rule="no-device")


def new_pin(screen: Screen, *, optional: bool = False) -> str:
    """Return a new PIN, typed twice; empty when it is optional and left out.

    Raises:
        UsageError: No good one was typed.
    """
    also = ", Enter = none" if optional else ""
    for _ in range(_CHOICES):
        typed = screen.ask_hidden(f"PIN for this shift (6 digits or more{also}):")
        if not typed and optional:
            return ""
        if problem := keeping.pin_problem(typed):
            screen.say(line("  ", problem))
        elif screen.ask_hidden("The same again:") == typed:
            return typed
        else:
            screen.say(line("  that was not the same"))
    raise UsageError("no PIN was chosen", "run the command again")


def kept_keys(screen: Screen, home: Path) -> DeviceKeys | None:
    """Return the keys that a keeper holds, once it believes who asks; None: none does."""
    told = keeping.ask(home)
    for _ in range(_TYPINGS):
        if told.state not in ("pin", "wrong"):
            break
        if told.state == "wrong":
            screen.say(warn("  wrong PIN, ", _tries(told.count), " left"))
        typed = screen.ask_hidden("PIN (Enter = passphrase):")
        if not typed:
            return None
        if problem := keeping.pin_problem(typed):
            screen.say(line("  ", problem))  # a slip of the hand: nothing was tried
        else:
            told = keeping.ask(home, typed)
    if remark := _remark(told):
        screen.say(warn(remark))
    return told.keys


def _remark(told: Kept) -> str:
    if told.state == "forgotten":
        return "Wrong again: the keys are forgotten, the passphrase opens."
    if told.state == "silent":
        return "The keeper of the PIN does not answer; 'seefen lock' ends it."
    if told.keys is not None and told.count:
        return f"{_tries(told.count)} with a wrong PIN before yours"
    return ""


def _tries(count: int) -> str:
    return "1 try" if count == 1 else f"{count} tries"
