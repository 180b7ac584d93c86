"""Commands one after the other, as typed at one terminal: what a process of the demo runs.

Each line heard is a JSON array: the words of a command, and what is typed when it asks. The
answer is exit code and output, as one line.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, TextIO, cast

from demo import leash

TYPED: Final = "\N{KEYBOARD} "  # what a person typed stands after it
ENTER: Final = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"  # Enter alone


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        # Lay out for a screen, as wide as COLUMNS says.
        return True


class _Keyboard:
    """Types the answers, each as soon as it is asked for, and shows them as a terminal does."""

    def __init__(self, typed: Sequence[str]) -> None:
        self._typed = iter(typed)

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def readline(self) -> str:
        for answer in self._typed:
            print(f"{TYPED}{answer or ENTER}")
            return f"{answer}\n"
        return ""  # nobody types any more


def answers() -> TextIO:
    """Return where answers go, and send everything else that is printed to standard error.

    A stray print of a library would otherwise pass for an answer.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return out


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str], typed: Sequence[str]) -> str:
    """Run a command as if typed, and return the line to answer with."""
    out, err, keyboard = _Terminal(), io.StringIO(), sys.stdin
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            sys.stdin = cast("TextIO", _Keyboard(typed)) if typed else keyboard
            code = main(argv)
        finally:
            sys.stdin = keyboard
    return json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()})


def _serve(main: Callable[[Sequence[str]], int]) -> None:
    to = answers()
    heard = leash.lines(leash.terminate)
    while line := heard.get():
        print(run(main, *json.loads(line)), file=to)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # what a server command makes of SIGTERM
        _serve(import_module(sys.argv[1]).main)
