"""What a program made of an officer's words where they leave room: he is told, and may object."""

from collections.abc import Iterator
from typing import Final

from seefen.client.cli import answers, plates
from seefen.protocol.messages import TABLES, SeizureAlert
from seefen.protocol.messages.firearm import NUMBER

_BOTH: Final = "/>\u2192\u2013\u2014"  # what stands between two sides


def of_place(text: str) -> Iterator[str]:
    """Yield which crossing was meant by one of its sides."""
    said = answers.place(text)
    sides = TABLES["crossing"].get(said.get("bcp", ""), "").split(" / ")
    if len(sides) > 1 and not any(mark in said["place"] for mark in _BOTH):
        yield f"crossing: {' / '.join(sides)} was taken for '{said['place']}'"


def of_vehicle(text: str) -> Iterator[str]:
    """Yield that no plate was read in what was typed of a vehicle, or that another may be it."""
    plate = plates.found(text)
    if text.strip() and not plate.text:
        yield "no plate: none was read in what was typed of the vehicle"
    elif not plate.sure:
        yield f"plate: {plate.text} was taken for it, and is a guess"


def of_numbers(alert: SeizureAlert) -> Iterator[str]:
    """Yield each number of which it is not said on which weapon it is."""
    for item in alert.items:
        if item.kind == NUMBER:
            yield f"number {item.serial_as_read}: stands alone, which weapon bears it is not said"
