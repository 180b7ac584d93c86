"""What the demo prints: headings, the command typed at a device, and what came back."""

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

WIDEST = 100
_GLUE = "\0"  # stands for a space where no line may end
INVENTED = "Everything in this story is invented: nodes, officers, persons, weapons and files."


class StoryError(Exception):
    """A step did not come out as it should. Its text is a sentence without a full stop."""


class OutputClosedError(Exception):
    """Nobody reads what is printed any more."""


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        raise OutputClosedError


def _width() -> int:
    if not sys.stdout.isatty():
        return WIDEST
    return max(60, min(WIDEST, shutil.get_terminal_size().columns))


WIDTH = _width()
console = _Screen(highlight=False, markup=False, emoji=False, width=WIDTH)


def has_colours() -> bool:
    """Whether devices shall print in colours, too."""
    return console.is_terminal and not console.no_color and console.color_system is not None


def title(network: str) -> None:
    """Print what this is, and that everything in it is invented."""
    console.rule(Text(f"seefen · {network}", "bold"))
    _print(Text(INVENTED, style="italic"))


def scene(number: int, text: str) -> None:
    """Print the heading of a step."""
    _print(Text())
    console.rule(Text(f"{number} · {text}", "bold"), align="left")


def typed(who: str, *words: str) -> None:
    """Print a command as typed at a device; a long one is folded as a shell allows."""
    lines = textwrap.wrap(
        " ".join(_pieces(words)),
        WIDTH - 2,
        initial_indent=" " * len(f"{who} $ "),
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    text = " \\\n".join(lines).replace(_GLUE, " ").lstrip()
    _print(Text.assemble((f"{who} ", "bold cyan"), ("$ ", "dim"), text))


def shown(output: str) -> None:
    """Print what a device showed."""
    for line in output.rstrip().splitlines():
        text = Text.from_ansi(line)
        text.rstrip()
        indent = Text(" " * (len(text.plain) - len(text.plain.lstrip())))
        first, *more = text.wrap(console, WIDTH - 2) or [Text()]
        first.rstrip()
        _print(Text("  ") + first)
        for piece in more:
            piece.rstrip()
            _print(Text("  ") + indent + piece)


def listed(rows: Iterable[tuple[str, str]], wide: int = 0) -> None:
    """Print two columns: who (``wide`` characters at least), and what about him."""
    pairs = list(rows)
    wide = max([wide, *(len(name) for name, _ in pairs)])
    for name, what in pairs:
        first, *more = textwrap.wrap(what, WIDTH - wide - 4, break_on_hyphens=False) or [""]
        _print(Text.assemble("  ", (f"{name:{wide}}", "bold"), f"  {first}"))
        for line in more:
            _print(Text(" " * (wide + 4) + line))


def told(text: str) -> None:
    """Print a sentence of the narrator."""
    for line in text.splitlines():
        for piece in textwrap.wrap(line, WIDTH, break_on_hyphens=False) or [""]:
            _print(Text(piece, style="green"))


def said(text: str, style: str = "") -> None:
    """Print a line as it is: paths and commands to be copied are never folded."""
    _print(Text(text, style=style))


def failed(text: str) -> None:
    """Print the sentence that the demo ends with when a step went wrong."""
    _print(Text(f"\n{text}", style="bold red"))


def expect(truth: object, sentence: str) -> None:
    """Check a step of the story.

    Raises:
        StoryError: It did not come out as it should.
    """
    if not truth:
        raise StoryError(sentence)


def _print(text: Text) -> None:
    try:
        console.print(text, soft_wrap=True)
        sys.stdout.flush()
    except OSError:
        # The terminal was closed: the story ends in order, its processes first.
        raise OutputClosedError from None


def _pieces(words: Iterable[str]) -> Iterator[str]:
    """Yield words as typed; an option and its value stay on one line."""
    option = ""
    for word in words:
        typed = _quoted(word).replace(" ", _GLUE)
        if typed.startswith("-"):
            if option:
                yield option
            option = typed
        else:
            yield f"{option}{_GLUE}{typed}" if option else typed
            option = ""
    if option:
        yield option


def _quoted(word: str) -> str:
    # Typed as a person would: in double quotes, unless that says something else.
    plain = set(word).isdisjoint(" '\"\\$`*?<>|&;()")
    if plain and word[:1] not in "#~":  # an empty word is not plain either
        return word
    return f'"{word}"' if set(word).isdisjoint('"\\$`!') else shlex.quote(word)
