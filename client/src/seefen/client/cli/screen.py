"""Where a command writes to and asks: the two streams and the person before them.

With ``--json`` standard output carries one JSON document and nothing else. Questions
and progress go to standard error, so that output can always be piped on.
"""

import getpass
import io
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TextIO, TypeAlias, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from seefen.client.cli.paint import Painted, Piece, block, line, safe
from seefen.client.cli.plain import encode_json
from seefen.client.cli.settings import is_terminal, settings

PLAIN_WIDTH: Final = 1000  # columns when the output is no terminal: nothing is folded

T = TypeVar("T")
Report: TypeAlias = Callable[[str, int, int], None]


class Screen:
    """The output of one command; ``machine`` is ``--json``, ``lang`` that of coded values."""

    def __init__(self, *, machine: bool = False, lang: str = "en") -> None:
        self.machine = machine
        self.lang = lang

    @classmethod
    def of(cls, context: typer.Context) -> "Screen":
        """Return the screen of the command that runs."""
        given = settings(context)
        return cls(machine=given.json, lang=given.lang)

    def show(self, value: T, view: Callable[[T], Painted]) -> None:
        """Print a value: its view, or the value itself as JSON."""
        if self.machine:
            print(encode_json(value), file=sys.stdout, flush=True)
        else:
            _print(sys.stdout, view(value))

    def answer(self, value: object) -> None:
        """Print a value as JSON, where that was asked for, and else nothing."""
        if self.machine:
            print(encode_json(value), file=sys.stdout, flush=True)

    def stream(self, value: T, view: Callable[[T], Painted]) -> None:
        """Print one of many values: a line of JSON for each."""
        if self.machine:
            print(encode_json(value, indent=None), file=sys.stdout, flush=True)
        else:
            _print(sys.stdout, view(value))

    def ring(self) -> None:
        """Let the terminal ring, where there is one."""
        if not self.machine and sys.stdout.isatty():
            sys.stdout.write("\a")
            sys.stdout.flush()

    def say(self, painted: Painted) -> None:
        """Tell the person something on the way; with ``--json`` on standard error."""
        _print(sys.stderr if self.machine else sys.stdout, painted)

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer."""
        return not self.machine and is_terminal()

    def ask(self, question: str, default: str = "") -> str:
        """Return what the person types; Enter alone is the default.

        Raises:
            EOFError: Nobody answers.
        """
        shown = f"{question} [{default}] " if default else f"{question} "
        return input(safe(shown)).strip() or default

    def confirm(self, question: str) -> bool:
        """Return whether the person typed yes; Enter alone is no."""
        return self.ask(f"{question} [y/N]").lower() in {"y", "yes"}

    def ask_hidden(self, question: str) -> str:
        """Return what the person types, unseen."""
        return getpass.getpass(f"{safe(question)} ", stream=sys.stderr)

    @contextmanager
    def progress(self, *, counted: bool = False) -> Generator[Report]:
        """Show a bar for each file on a terminal while the block runs.

        What is yielded is called with name, bytes done and bytes in all; from any thread.

        Args:
            counted: It is called with numbers of things, which are no bytes.
        """
        if self.machine or not sys.stderr.isatty():
            yield lambda _name, _done, _total: None
            return
        done = MofNCompleteColumn() if counted else DownloadColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), done)
        bar = Progress(*columns, TimeRemainingColumn(), console=_console(sys.stderr))
        with bar:
            yield _Bars(bar).report


class _Bars:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks = dict[str, TaskID]()

    def report(self, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            # A file name comes from somebody else, and descriptions are read as markup.
            self._tasks[name] = self._bar.add_task(escape(safe(name)), total=total)
        self._bar.update(self._tasks[name], completed=done, total=total)


def make_printable(*streams: TextIO) -> None:
    """Let letters that a stream cannot show be escaped, as on an old Windows console."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def complain(message: str, hint: str = "") -> None:
    """Print an error, and what to do next."""
    # Several problems stand one below the other, each behind a mark: a text that somebody else
    # wrote cannot pass for a line of ours.
    first, _, rest = message.partition("\n")
    _print(sys.stderr, _labelled("error", "bold red", first))
    if rest:
        _print(sys.stderr, block(rest))
    if hint:
        _print(sys.stderr, _labelled("hint", "bold", hint))


def _labelled(label: str, style: str, text: Piece) -> Painted:
    return line("seefen: ", line(f"{label}: ", style=style), text)


def _print(stream: TextIO, painted: Painted) -> None:
    console = _console(stream)
    if stream.isatty():
        console.print(painted, crop=False)
        return
    with console.capture() as captured:
        console.print(painted)
    # Columns are padded to their width, which is of no use in a file.
    stream.write("".join(f"{row.rstrip()}\n" for row in captured.get().splitlines()))
    stream.flush()


def _console(stream: TextIO) -> Console:
    """Return a console on a stream as it is now: a host may have put its own in place."""
    # Never markup, emoji names or highlighting: brackets in an alert are brackets.
    is_screen = stream.isatty()
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=not is_screen,
        width=None if is_screen else PLAIN_WIDTH,
        legacy_windows=None,
    )
