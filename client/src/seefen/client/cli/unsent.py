"""An alert that is not sent yet, as the vault keeps it: answers, and all that was given with them.

A photograph is kept by its path and the hash of its bytes. One that is gone or another picture
when its officer goes on is never left out or exchanged unasked.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from seefen.client.cli import forms
from seefen.client.cli.dialogue import Answers
from seefen.client.cli.screen import Screen
from seefen.client.drafts import Attach, sayable


class Photo(NamedTuple):
    """A photograph and the SHA-256 of its bytes, in hexadecimal, when it was named."""

    file: Attach
    sha256: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """What ``seefen alert send`` was told so far; ``until`` in seconds from sending, 0: always."""

    said: Answers
    photos: tuple[Photo, ...] = ()
    channel: str = ""
    until: int = 0
    original: bool = False
    exercise: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that would have to be typed again."""
        return self.said.is_empty and not self.photos

    @property
    def files(self) -> tuple[Attach, ...]:
        """The photographs, as they are attached."""
        return tuple(photo.file for photo in self.photos)

    def over(self, older: "Unsent") -> "Unsent":
        """Return the older one with what was given now: photographs of both, each path once."""
        named = {photo.file.path: photo for photo in (*older.photos, *self.photos)}
        return replace(
            older,
            photos=tuple(named.values()),
            channel=self.channel or older.channel,
            until=self.until or older.until,
            original=self.original or older.original,
            exercise=self.exercise or older.exercise,
        )


def photographs(files: Iterable[Attach]) -> tuple[Photo, ...]:
    """Return files that are there now, by whole paths: one may go on from another folder."""
    whole = (Attach(file.path.absolute(), file.role) for file in files)
    return tuple(Photo(file, _digest(file.path)) for file in whole)


def encoded(unsent: Unsent) -> bytes:
    """Return it as it is kept: the answers, and beside them what goes with the alert."""
    photos = [
        {"path": str(photo.file.path), "role": photo.file.role, "sha256": photo.sha256}
        for photo in unsent.photos
    ]
    beside = {name: getattr(unsent, name) for name in ("channel", "until", "original", "exercise")}
    return json.dumps({**asdict(unsent.said), **beside, "photos": photos}).encode()


def decoded(data: bytes | None) -> Unsent:
    """Return what was kept; by another version it may have less in it, or more."""
    kept: dict[str, Any] = {} if data is None else forms.fields_of(data)
    known = {field.name for field in fields(Answers)}
    return Unsent(
        said=Answers(**{name: str(value) for name, value in kept.items() if name in known}),
        photos=tuple(
            Photo(Attach(Path(one["path"]), one["role"]), one["sha256"])
            for one in kept.get("photos", [])
        ),
        channel=kept.get("channel", ""),
        until=kept.get("until", 0),
        original=kept.get("original", False),
        exercise=kept.get("exercise", False),
    )


def still_there(screen: Screen, photos: Iterable[Photo]) -> tuple[Photo, ...] | None:
    """Return the photographs, each as it was named; None where its officer stops.

    He is asked about one that is gone, and about one that is another picture now.
    """
    found: list[Photo] = []
    for photo in photos:
        name = sayable(photo.file.path.name)
        try:
            now = _digest(photo.file.path)
        except OSError:
            if not screen.confirm(f"{photo.file.path} is no longer there. Go on without it?"):
                return None
            continue
        if now != photo.sha256 and not screen.confirm(
            f"{name} is not the picture it was. Go on with the one that is there now?"
        ):
            return None
        found.append(Photo(photo.file, now))
    return tuple(found)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
