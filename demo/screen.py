"""What the demo prints: headings, the command typed at a device, and what came back."""

from rich.console import Console
from rich.text import Text

INVENTED = "Everything in this story is invented: nodes, officers, persons, weapons and files."

console = Console(highlight=False, soft_wrap=True)


class StoryError(Exception):
    """A step did not come out as it should. Its text is the sentence that is printed."""


def title(network: str) -> None:
    """Print what this is, and that everything in it is invented."""
    console.rule(f"[bold]seefen · {network}")
    console.print(Text(INVENTED, style="italic"))


def scene(number: int, text: str) -> None:
    """Print the heading of a step."""
    console.print()
    console.rule(f"[bold]{number} · {text}", align="left")


def typed(who: str, command: str) -> None:
    """Print a command as typed at a device."""
    console.print(Text.assemble((f"{who} ", "bold cyan"), ("$ ", "dim"), command))


def shown(output: str) -> None:
    """Print what a device showed, unchanged."""
    for line in output.rstrip().splitlines():
        console.print(Text("  " + line))


def told(text: str) -> None:
    """Print a sentence of the narrator."""
    console.print(Text(text, style="green"))


def expect(truth: object, sentence: str) -> None:
    """Check a step of the story.

    Raises:
        StoryError: It did not come out as it should.
    """
    if not truth:
        raise StoryError(sentence)
