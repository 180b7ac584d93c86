"""What is sent in the demo: the project's own samples, or files that were given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.samples import write_samples
from demo.screen import StoryError
from seefen.protocol.messages import Form, to_json

if TYPE_CHECKING:
    from demo.story import Play

PHOTOGRAPHS = (".jpg", ".jpeg", ".png")
MOST = 12


@dataclass(frozen=True, slots=True)
class Material:
    """The files of the demo."""

    photographs: tuple[Path, ...]
    all: tuple[Path, ...]


def material(play: Play) -> Material:
    """Return the files to send.

    Raises:
        StoryError: The folder that was given has none.
    """
    if play.files is None:
        paths = [sample.path for sample in write_samples(play.folder / "samples")]
    else:
        paths = sorted(p for p in play.files.iterdir() if p.is_file() and p.suffix != ".md")[:MOST]
    if not paths:
        raise StoryError(f"there is no file in {play.files}")
    photographs = tuple(path for path in paths if path.suffix.lower() in PHOTOGRAPHS)
    return Material(photographs, tuple(paths))


def write_form(path: Path, form: Form) -> Path:
    """Write a message as the JSON form that the command line takes."""
    path.write_text(to_json(form))
    return path
