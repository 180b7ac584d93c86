"""What all forms have in common: the envelope fields, their codes, and the cover.

A form is a typed, versioned message. Coded values carry the meaning, so that an alert
written in Macedonian is read in Albanian; the original text stays beside them. Fields
this version does not know are kept (``extra``): an old client passes a new form on whole.

The formats are ``docs/spec/messages.md``.
"""

import unicodedata
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from seefen.protocol.encoding import decode_map, encode_map
from seefen.protocol.errors import MalformedError, RefusedError
from seefen.protocol.suite import new_id

HANDLING: Final = {
    "H0": "to be used only for preventing and combating crime",
    "H1": "not to be used in court proceedings without the permission of the provider",
    "H2": "not to be passed on without the permission of the provider",
    "H3": "other restrictions: see the conditions",
}
TLP: Final = ("TLP:RED", "TLP:AMBER+STRICT", "TLP:AMBER", "TLP:GREEN", "TLP:CLEAR")
SOURCE_EVALUATION: Final = {
    "A": "no doubt about the source, or always reliable",
    "B": "source mostly reliable",
    "C": "source mostly unreliable",
    "X": "source cannot be assessed",
}
INFO_EVALUATION: Final = {
    "1": "accuracy not in doubt",
    "2": "known personally to the source, not to the officer passing it on",
    "3": "not known personally to the source, but corroborated",
    "4": "not known personally to the source and cannot be corroborated",
}
# Seconds from delivery to the answer that is expected; FLASH and URGENT need a person.
CLOCKS: Final = {"FLASH": 900, "URGENT": 8 * 3600, "NORMAL": 7 * 86_400, "ROUTINE": 30 * 86_400}
COVER_LIMIT: Final = 3000
SUBJECT_LIMIT: Final = 80

LongText = Annotated[str, Meta(max_length=8000)]
ShortText = Annotated[str, Meta(max_length=200)]
Coded = Annotated[str, Meta(max_length=40, pattern=r"\A([A-Za-z0-9][A-Za-z0-9_.+>-]*)?\Z")]


class Piece(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A group of fields inside a form."""


class Cover(Struct, kw_only=True, frozen=True):
    """What may be seen in a list. Built from codes and counts, never from free text."""

    type: ShortText
    v: int
    subject: Annotated[str, Meta(max_length=SUBJECT_LIMIT)]
    urgency: Coded
    due_s: int
    handling: Coded
    items: Annotated[str, Meta(max_length=120)] = ""


class Message(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The fields of every form. Times are unix seconds, by the writer's own clock."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    message_id: bytes = msgspec.field(default_factory=new_id)
    created_at: int = 0
    lang: Coded = "en"
    urgency: Coded = "NORMAL"
    urgency_reason: ShortText = ""
    purpose: Coded = ""
    basis: Coded = ""
    offence: Coded = ""
    tlp: ShortText = "TLP:AMBER"
    handling: Coded = "H2"
    conditions: LongText = ""
    source_eval: Coded = "A"
    info_eval: Coded = "1"
    national_ref: ShortText = ""
    extra: dict[str, Any] = {}

    def check(self) -> None:
        """Check what a person filled in.

        Raises:
            RefusedError: The field and what to do about it.
        """
        one_of("urgency", self.urgency, CLOCKS)
        one_of("handling", self.handling, HANDLING)
        one_of("tlp", self.tlp, TLP)
        one_of("source_eval", self.source_eval, SOURCE_EVALUATION)
        one_of("info_eval", self.info_eval, INFO_EVALUATION)
        if self.handling == "H3" and not self.conditions:
            raise RefusedError("H3 needs its conditions in words: fill in conditions", rule="form")

    def subject(self) -> str:
        """Return the subject by form, from codes and counts alone."""
        return self.TYPE

    def counts(self) -> str:
        """Return what is in it, counted."""
        return ""

    def due_s(self) -> int:
        """Return the seconds an answer is expected in, 0 when none is."""
        return 0

    def cover(self) -> Cover:
        """Return the cover of this message."""
        return Cover(
            type=self.TYPE, v=self.VERSION, subject=self.subject()[:SUBJECT_LIMIT],
            urgency=self.urgency, due_s=self.due_s(), handling=self.handling, items=self.counts(),
        )  # fmt: skip


def encode_cover(cover: Cover) -> bytes:
    """Return the bytes of a cover."""
    return encode_map(msgspec.to_builtins(cover))


def decode_cover(data: bytes) -> Cover:
    """Return the cover in ``data``.

    Raises:
        MalformedError: It is none.
    """
    try:
        return msgspec.convert(decode_map(data, limit=COVER_LIMIT), Cover)
    except msgspec.ValidationError as err:
        raise MalformedError(f"this is no cover: {err}", rule="cover") from None


def one_of(field: str, value: str, known: object) -> None:
    """Check a coded field.

    Raises:
        RefusedError: Not one of the codes; names them.
    """
    codes = list(known)  # type: ignore[call-overload]
    if value not in codes:
        raise RefusedError(f"{field} is one of {', '.join(codes)}, not {value!r}", rule="form")


def required(field: str, value: object) -> None:
    """Check that a field was filled in.

    Raises:
        RefusedError: It is empty.
    """
    if not value:
        raise RefusedError(f"{field} is needed: fill it in", rule="form")


def as_read(field: str, text: str) -> None:
    """Check text that is kept exactly as it was read from metal or paper.

    Raises:
        RefusedError: It holds control, invisible or direction characters, which no
            stamp has and which would hide one serial number behind another.
    """
    if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"} for c in text):
        raise RefusedError(f"{field} holds an invisible character: type it again", rule="form")
    if unicodedata.normalize("NFC", text) != text:
        raise RefusedError(f"{field} holds a combining mark: type the letter as one", rule="form")


def plural(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
