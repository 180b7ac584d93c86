"""What a program made of an officer's words where they leave room: he is told, and may object."""

from collections.abc import Iterator

from seefen.client.cli import plates


def of_vehicle(text: str) -> Iterator[str]:
    """Yield that no plate was read in what was typed of a vehicle, or that another may be it."""
    plate = plates.found(text)
    if text.strip() and not plate.text:
        yield "no plate: none was read in what was typed of the vehicle"
    elif not plate.sure:
        yield f"plate: {plate.text} was taken for it, and is a guess"
