"""Persons: only in messages to named nodes, never in an alert and never on a cover.

Each has a category (LED 6), and says what is fact and what is assessment (LED 7). There
are no fields for ethnicity, religion or political view (LED 10).
"""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.messages.form import (
    AsRead,
    Country,
    Day,
    Evaluation,
    Line,
    Message,
    Piece,
    Story,
    coded,
    refuse,
    require_basis,
    required,
)


class Name(Piece, kw_only=True, frozen=True):
    """A name in one script; the same name in another script is another one of these."""

    text: Annotated[Line, Meta(min_length=1)]
    script: Annotated[str, coded("script")] = "Latn"
    kind: Annotated[str, coded("name_kind")] = "real"
    scheme: Annotated[str, coded("scheme")] = "original"


class IdDocument(Piece, kw_only=True, frozen=True):
    """A document that says who somebody is."""

    kind: Line
    number: AsRead
    state: Country = ""


class Assertion(Piece, kw_only=True, frozen=True):
    """A sentence about a person: a fact with its source, or an assessment with its evaluation."""

    text: Annotated[Story, Meta(min_length=1)]
    claim: Annotated[str, coded("claim")]
    source: Line = ""
    evaluation: Evaluation = ""


class Person(Piece, kw_only=True, frozen=True):
    """A person. That the person is who is named is itself a fact or an assessment."""

    names: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]
    category: Annotated[str, coded("person_category")]
    claim: Annotated[str, coded("claim")]
    source: Line = ""
    evaluation: Evaluation = ""
    role: Annotated[str, coded("person_role")] = ""
    sex: Annotated[str, coded("sex")] = ""
    born: Day = ""
    birthplace: Line = ""
    nationalities: Annotated[tuple[Country, ...], Meta(max_length=8)] = ()
    documents: Annotated[tuple[IdDocument, ...], Meta(max_length=16)] = ()
    address: Line = ""
    minor: bool | None = None
    caution: Annotated[tuple[Annotated[str, coded("caution")], ...], Meta(max_length=8)] = ()
    assertions: Annotated[tuple[Assertion, ...], Meta(max_length=32)] = ()

    def check(self, field: str) -> None:
        """Check category, and that each statement says fact or assessment.

        Raises:
            RefusedError: The field and what to do about it.
        """
        required(f"{field}.category", self.category)
        _check_claim(field, self)
        for n, assertion in enumerate(self.assertions):
            _check_claim(f"{field}.assertions[{n}]", assertion)


Persons = Annotated[tuple[Person, ...], Meta(max_length=64)]


def check_persons(message: Message, persons: tuple[Person, ...]) -> None:
    """Check the persons of a message.

    Raises:
        RefusedError: Nobody is named to receive them, purpose or basis is missing, or a
            person has no category or no claim.
    """
    if not persons:
        return
    if not message.asked():
        refuse("to", "persons go to named nodes only: name the nodes this is for", "persons-to-all")
    if message.handling == "H0":
        refuse("handling", "a message with persons is H1, H2 or H3", "persons-h0")
    require_basis(message)
    for n, person in enumerate(persons):
        person.check(f"persons[{n}]")


def _check_claim(field: str, said: Person | Assertion) -> None:
    required(f"{field}.claim", said.claim)
    if said.claim == "assessment" and not said.evaluation:
        refuse(f"{field}.evaluation", "an assessment needs its evaluation, for example B3", "claim")
    if said.claim == "fact" and not said.source.strip():
        refuse(f"{field}.source", "a fact needs its source: a document, a register", "claim")
