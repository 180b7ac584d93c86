"""Commands one after the other, as typed at one terminal: what a process of the demo runs.

Each line heard is a JSON array of words; the answer is exit code and output, as one line.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TextIO

from demo import leash


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        # Lay out for a screen, as wide as COLUMNS says.
        return True


def answers() -> TextIO:
    """Return where answers go, and send everything else that is printed to standard error.

    A stray print of a library would otherwise pass for an answer.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return out


def run(main: Callable[[Sequence[str]], int], argv: list[str]) -> str:
    """Run a command as if typed, and return the line to answer with."""
    out, err = _Terminal(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(argv)
    return json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()})


def _serve(main: Callable[[Sequence[str]], int]) -> None:
    to = answers()
    heard = leash.lines(leash.terminate)
    while line := heard.get():
        print(run(main, json.loads(line)), file=to)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # what a server command makes of SIGTERM
        _serve(import_module(sys.argv[1]).main)
