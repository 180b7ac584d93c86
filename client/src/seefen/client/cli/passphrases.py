"""A new passphrase: typed twice, or five words that are suggested."""

from typing import Final

import typer
from mnemonic import Mnemonic

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import bold, dim, line
from seefen.client.cli.screen import Screen
from seefen.client.cli.settings import settings
from seefen.protocol.suite import random_bytes

LEAST: Final = 12  # characters: five short words
_WORDS: Final = 5
_BITS: Final = 11
_TRIES: Final = 5


def suggested() -> str:
    """Return five random words: 55 bits, each try of a thief costs a quarter of a gigabyte."""
    words = Mnemonic("english").wordlist
    number = int.from_bytes(random_bytes(8), "big")
    return " ".join(words[number >> _BITS * place & len(words) - 1] for place in range(_WORDS))


def existing(context: typer.Context, what: str) -> str:
    """Return a passphrase that opens something: the script's, or typed unseen."""
    given = settings(context).passphrase()
    return Screen.of(context).ask_hidden(f"{what}:") if given is None else given


def new(context: typer.Context, what: str = "New passphrase") -> str:
    """Return a new passphrase.

    Raises:
        UsageError: It is too short, or was not typed the same way twice.
    """
    given = settings(context).passphrase()
    if given is not None:
        return _long_enough(given)
    screen = Screen.of(context)
    for _ in range(_TRIES):
        typed = screen.ask_hidden(f"{what} (5 words, Enter = suggest):")
        if not typed:
            typed = suggested()
            screen.say(
                line("  ", bold(typed), dim("   write it down, and keep it from the machine"))
            )
        elif len(typed) < LEAST:
            screen.say(line(f"  {LEAST} characters are the least"))
            continue
        if screen.ask_hidden("The same again:") == typed:
            return typed
        screen.say(line("  that was not the same"))
    raise UsageError("no passphrase was chosen", "run the command again")


def _long_enough(text: str) -> str:
    if len(text) < LEAST:
        raise UsageError(f"a passphrase has at least {LEAST} characters", "take five words")
    return text
