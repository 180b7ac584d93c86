"""What holds for a whole command: the home of the vault, the passphrase, the form of output."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs
import typer

from seefen.client import labels
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import safe

_TAKES_VALUE: Final = {"--home": "a path", "--passphrase-file": "a path", "--lang": "a language"}
_FLAGS: Final = ("--json",)
_PASSPHRASE_LIMIT: Final = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options of one command; ``lang`` is that of coded values on the screen."""

    home: Path
    json: bool = False
    passphrase_file: Path | None = None
    lang: str = labels.ENGLISH

    def passphrase(self) -> str | None:
        """Return the passphrase that a script gives, or None: it is to be asked for."""
        if self.passphrase_file is not None:
            return _first_line(self.passphrase_file)
        return os.environ.get("SEEFEN_PASSPHRASE") or None


def settings(context: typer.Context) -> Settings:
    """Return the settings of the command that runs."""
    found = context.find_root().obj
    if not isinstance(found, Settings):
        raise TypeError("a command runs outside of main()")
    return found


def home_folder(given: Path | None) -> Path:
    """Return where vault and key file are: as given, as in the environment, or the usual place."""
    if given is not None:
        return given
    named = os.environ.get("SEEFEN_HOME")
    return Path(named) if named else Path(platformdirs.user_data_dir("seefen", appauthor=False))


def language(given: str | None) -> str:
    """Return the language of labels: as given, as in the environment, or English.

    Raises:
        UsageError: There are no labels in it.
    """
    named = os.environ.get("SEEFEN_LANG", "") if given is None else given
    if not named and given is None:
        return labels.ENGLISH
    found = labels.language(named)
    if not found:
        raise UsageError(
            f"there are no labels in '{safe(named)}'",
            f"--lang or SEEFEN_LANG: one of {', '.join(labels.LANGUAGES)}",
        )
    return found


def hoisted(argv: Sequence[str]) -> list[str]:
    """Return arguments with the global options in front, wherever they were written.

    ``seefen due --json`` is what everyone types.
    """
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(argv)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _TAKES_VALUE)):
            front.append(word)
        elif word in _TAKES_VALUE:
            front += [word, _value(word, waiting)]
        else:
            rest.append(word)
    return front + rest


def _value(option: str, words: Iterator[str]) -> str:
    value = next(words, None)
    if value is None:
        raise UsageError(f"{option} needs a value", f"write {option} and {_TAKES_VALUE[option]}")
    return value


def is_terminal() -> bool:
    """Tell whether a person sits at both ends: only then anything is asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _first_line(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"the passphrase file cannot be read: {reason}", "check --passphrase-file"
        ) from None
    if len(data) > _PASSPHRASE_LIMIT:
        raise UsageError("the passphrase file is too long", "it holds the passphrase alone")
    try:
        first = data.decode("utf-8-sig").splitlines()[:1]
    except UnicodeDecodeError:
        raise UsageError("the passphrase file is no text", "save it as UTF-8") from None
    if not first or not first[0]:
        raise UsageError("the passphrase file is empty", "its first line is the passphrase")
    return first[0]
