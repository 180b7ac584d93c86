"""Pieces that several forms use: weapons, ammunition, persons, places."""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages.form import Coded, LongText, Piece, ShortText, as_read, one_of

SERIAL_STATES = ("present", "absent", "obliterated", "partly", "restored", "altered", "")
PERSON_CATEGORIES = ("suspect", "convicted", "victim", "other", "unknown")

Quantity = Annotated[int, Meta(ge=1, le=10_000_000)]


class Marking(Piece, kw_only=True, frozen=True):
    """A mark on a weapon, as read."""

    kind: Coded
    text: ShortText
    place: Coded = ""


class Item(Piece, kw_only=True, frozen=True):
    """One weapon or part with a serial number, or a lot without."""

    category: Coded
    qty: Quantity = 1
    kind: Coded = "firearm"
    make: ShortText = ""
    model: ShortText = ""
    confidence: Coded = ""
    country: Coded = ""
    calibre: ShortText = ""
    calibre_original: ShortText = ""
    technical_state: Coded = ""
    serial_as_read: ShortText = ""
    serial_state: Coded = ""
    markings: tuple[Marking, ...] = ()
    text: LongText = ""

    def check(self) -> None:
        """Check serial number and marks."""
        as_read("serial_as_read", self.serial_as_read)
        one_of("serial_state", self.serial_state, SERIAL_STATES)
        for marking in self.markings:
            as_read("marking", marking.text)


class Ammunition(Piece, kw_only=True, frozen=True):
    """Rounds of one kind. ``headstamp_as_read`` stays in the script it was read in."""

    qty: Quantity
    calibre: ShortText = ""
    headstamp_as_read: ShortText = ""
    headstamp_code: Coded = ""

    def check(self) -> None:
        """Check the headstamp."""
        as_read("headstamp_as_read", self.headstamp_as_read)


class Vehicle(Piece, kw_only=True, frozen=True):
    """A vehicle; the plate as read."""

    plate: ShortText = ""
    state: Coded = ""
    make: ShortText = ""
    model: ShortText = ""
    colour: Coded = ""


class Leg(Piece, kw_only=True, frozen=True):
    """A place of a route: known (fact) or assessed (with its evaluation)."""

    place: ShortText
    role: Coded
    fact: bool
    eval: Coded = ""


class Assertion(Piece, kw_only=True, frozen=True):
    """A sentence about a person: fact with its source, or assessment with 4x4."""

    text: LongText
    fact: bool
    eval: Coded = ""


class Person(Piece, kw_only=True, frozen=True):
    """A person, only in messages to named nodes. The category is required (LED 6)."""

    names: tuple[ShortText, ...]
    category: Coded
    role: Coded = ""
    born: ShortText = ""
    assertions: tuple[Assertion, ...] = ()

    def check(self) -> None:
        """Check category and that each statement says fact or assessment."""
        one_of("category", self.category, PERSON_CATEGORIES)
        for assertion in self.assertions:
            if not assertion.fact and not assertion.eval:
                raise RefusedError("an assessment needs its evaluation, for example B3", rule="form")


class Search(Piece, kw_only=True, frozen=True):
    """A search that was made, and where."""

    channel: ShortText
    ref: ShortText = ""
    date: ShortText = ""


class Register(Piece, kw_only=True, frozen=True):
    """A register that was searched: name, years covered, paper or digital."""

    name: ShortText
    years: ShortText = ""
    medium: Coded = ""


class Event(Piece, kw_only=True, frozen=True):
    """A step in the life of a weapon."""

    event: Coded
    date: ShortText = ""
    actor: ShortText = ""
