"""What all forms have in common: the kinds of field, the envelope fields, the rules.

A form is a typed, versioned message. Coded values carry the meaning, so that an alert
written in Macedonian is read in Albanian; the original text stays beside them. An empty
field was not filled in: "unknown" is a code of its own wherever it means something.

The formats are ``docs/spec/messages.md``.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, NoReturn, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages.codes import label
from seefen.protocol.messages.cover import Cover, Said
from seefen.protocol.requests import CLOCKS, Act
from seefen.protocol.statements import Count, Id, NodeName, Number
from seefen.protocol.suite import new_id

_CODE: Final = r"\A([A-Za-z0-9.][A-Za-z0-9._+:-]*)?\Z"


def coded(table: str) -> Meta:
    """Return the note on a field that holds a code of a table, or nothing."""
    what = f"a code of the table {table}"
    return Meta(
        pattern=_CODE, max_length=40, extra={"codes": table, "hint": what}, description=what
    )


def counted_by(table: str) -> Meta:
    """Return the note on a map of counts whose keys are codes of a table."""
    what = f"counts by codes of the table {table}"
    return Meta(extra={"codes": table, "hint": what}, description=what)


def _text(
    longest: int, *, pattern: str | None = r"\A[^\n]*\Z", hint: str = "", **notes: str
) -> Meta:
    hint = hint or f"one line of at most {longest} characters"
    extra = {"hint": hint, **notes}
    return Meta(max_length=longest, pattern=pattern, extra=extra, description=hint)


_DAY: Final = r"\d{4}(-\d\d(-\d\d)?)?"
_MOMENT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)"

Line: TypeAlias = Annotated[str, _text(200)]
Title: TypeAlias = Annotated[str, _text(80)]
Story: TypeAlias = Annotated[str, _text(8000, pattern=None, hint="at most 8000 characters")]
AsRead: TypeAlias = Annotated[
    str,
    _text(80, hint="one line as read; ? is one unreadable character, * several", as_read="yes"),
]
Day: TypeAlias = Annotated[
    str, _text(10, pattern=rf"\A({_DAY})?\Z", hint="a date like 2026-03-14, 2026-03 or 2026")
]
Moment: TypeAlias = Annotated[
    str,
    _text(
        25, pattern=rf"\A({_MOMENT})?\Z", hint="a time with its offset like 2026-03-14T02:47+01:00"
    ),
]
Country: TypeAlias = Annotated[str, coded("country")]
Evaluation: TypeAlias = Annotated[
    str, _text(2, pattern=r"\A([ABCX][1-4])?\Z", hint="an evaluation like B3")
]
OptionalId: TypeAlias = Annotated[bytes, Meta(max_length=16, extra={"hint": "an id of 16 bytes"})]
OptionalHash: TypeAlias = Annotated[
    bytes, Meta(max_length=32, extra={"hint": "a hash of 32 bytes, or nothing"})
]
Officer: TypeAlias = Annotated[
    str,
    _text(10, pattern=r"\A(o-[0-9a-f]{4,8})?\Z", hint="an officer's pseudonym like o-7f31"),
]
Nodes: TypeAlias = Annotated[tuple[NodeName, ...], Meta(max_length=64)]


class Piece(Struct, kw_only=True, frozen=True):
    """A group of fields inside a form. Fields nobody here knows are kept in ``extra``."""

    extra: dict[str, Any] = msgspec.field(default_factory=dict[str, Any], name="*")


class OtherChannel(Piece, kw_only=True, frozen=True):
    """Another channel, and whether it was asked: the same question twice is work twice."""

    channel: Annotated[str, coded("channel")]
    asked: Annotated[str, coded("asked")] = "unknown"
    ref: Line = ""
    date: Day = ""


class Form(Piece, kw_only=True, frozen=True):
    """What can be sealed: a map that names its type and version."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    CLOSED: ClassVar[bool] = False  # only where nobody reads but those it names

    v: Number = 1

    def check(self) -> None:
        """Check the rules of this form; types and codes are checked before.

        Raises:
            RefusedError: The field and what to do about it.
        """


class Message(Form, kw_only=True, frozen=True, dict=True):
    """The fields of every message. ``created_at`` is unix seconds by the writer's own clock.

    An ``exercise`` is shown as one everywhere, and never counted.
    """

    @property
    def said(self) -> frozenset[str]:
        """The fields that its writer is known to have filled in; see :func:`saying`."""
        return frozenset(self.__dict__.get("_said", ()))

    message_id: Id = msgspec.field(default_factory=new_id)
    created_at: Count = 0
    exercise: bool = False
    lang: Annotated[str, coded("lang")] = "en"
    script: Annotated[str, coded("script")] = "Latn"
    urgency: Annotated[str, coded("urgency")] = "NORMAL"
    urgency_reason: Annotated[str, coded("urgency_reason")] = ""
    purpose: Annotated[str, coded("purpose")] = ""
    basis: Annotated[str, coded("basis")] = ""
    offence: Annotated[str, coded("offence")] = ""
    tlp: Annotated[str, coded("tlp")] = "TLP:AMBER"
    handling: Annotated[str, coded("handling")] = "H2"
    conditions: Story = ""
    source_eval: Annotated[str, coded("source_eval")] = "X"
    info_eval: Annotated[str, coded("info_eval")] = "4"
    national_ref: Line = ""
    reply_to: OptionalId = b""
    refs: Annotated[tuple[Id, ...], Meta(max_length=256)] = ()
    other_channels: Annotated[tuple[OtherChannel, ...], Meta(max_length=16)] = ()

    def check(self) -> None:
        """Check what every message must say."""
        check_id("reply_to", self.reply_to)
        for field in ("urgency", "tlp", "handling", "source_eval", "info_eval", "lang", "script"):
            required(field, getattr(self, field))
        if self.handling == "H3" and not self.conditions.strip():
            refuse("conditions", "H3 means restrictions of your own: say them in words")
        if self.urgency in ("FLASH", "URGENT") and not self.urgency_reason:
            refuse("urgency_reason", f"{self.urgency} needs a reason: choose one", "no-reason")

    def what(self) -> tuple[Said, ...]:
        """Return what the cover says: codes and counts alone."""
        return ()

    def act(self) -> Act | None:
        """Return the move this message makes in the life of a request, if it makes one."""
        return None

    def due_s(self) -> int:
        """Return the seconds from delivery in which an answer is expected, 0 for none."""
        return 0

    def asked(self) -> tuple[str, ...]:
        """Return the nodes that are asked, none for all members."""
        return ()

    def cover(self) -> Cover:
        """Return what may be seen of this message in a list."""
        act = self.act()
        return Cover(
            type=self.TYPE,
            v=self.v,
            what=self.what()[:12],
            urgency=self.urgency,
            due_s=self.due_s(),
            handling=self.handling,
            to=self.asked(),
            act="" if act is None else act.value,
            exercise=self.exercise,
        )

    def conditions_text(self) -> str:
        """Return the handling code in words, for every view and print."""
        return " ".join(filter(None, (label("handling", self.handling), self.conditions)))


class Paper(Message, kw_only=True, frozen=True):
    """What an admin of a node lays down for its devices.

    Attributes:
        version: Counted by the program that lays it down, 1 for the first.
    """

    urgency: Annotated[str, coded("urgency")] = "ROUTINE"
    version: Count = 0

    def speaks_of(self) -> tuple[str, ...]:
        """Return the types of messages that its rows name."""
        return ()

    def nodes(self) -> tuple[str, ...]:
        """Return the nodes that its rows name."""
        return ()


M = TypeVar("M", bound=Message)


def saying(message: M, *fields: str) -> M:
    """Return a message, marked: these fields are its writer's word, also where it is the default.

    The mark is no part of what is sealed. It tells a value that was chosen from one that was
    left, which presets may still fill in.
    """
    marked = msgspec.structs.replace(message)
    vars(marked)["_said"] = message.said | frozenset(fields)
    return marked


def clock_s(clock: str, urgency: str) -> int:
    """Return the seconds a clock gives; the rule about codes refuses other urgencies."""
    return CLOCKS[clock].get(urgency, 0)


def refuse(field: str, sentence: str, rule: str = "form") -> NoReturn:
    """Refuse a form for one of its fields.

    Raises:
        RefusedError: Always.
    """
    raise RefusedError(f"{field}: {sentence}", rule=rule)


def required(field: str, value: object) -> None:
    """Check that a field was filled in.

    Raises:
        RefusedError: It is empty.
    """
    if not value:
        refuse(field, "is needed: fill it in", "missing")


def check_numbered(items: Sequence[Any]) -> None:
    """Check that each item of a message has a number of its own, by which it is asked about.

    An item whose ``n`` is 0 counts by its place, from 1.

    Raises:
        RefusedError: rule ``number-twice``.
    """
    places = dict[int, int]()
    for place, item in enumerate(items):
        n = item.n or place + 1
        if n in places:
            refuse(
                f"items[{place}].n",
                f"items[{places[n]}] is number {n} already: give each its own, or none a number",
                "number-twice",
            )
        places[n] = place


def check_id(field: str, value: bytes) -> None:
    """Check a reference that may be left out.

    Raises:
        RefusedError: Neither empty nor 16 bytes.
    """
    if len(value) not in (0, 16):
        refuse(field, "is an id of 16 bytes, or nothing")


def require_basis(message: Message) -> None:
    """Check that a message with personal data says what for and on which basis (LED 4, 8).

    Raises:
        RefusedError: Purpose, legal basis or offence is missing.
    """
    missing = [one for one in ("purpose", "basis", "offence") if not getattr(message, one)]
    if missing:
        sentence = "needed where persons or vehicles can be known: choose one"
        refuse(", ".join(missing), f"{'is' if len(missing) == 1 else 'are'} {sentence}", "no-basis")
