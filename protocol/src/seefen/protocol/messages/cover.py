"""The cover of an object: what may be seen in a list, without an entry in the log.

A cover holds codes, counts and names of nodes, and no text: the subject is made by its
reader, from his own tables. Whoever writes a cover, honest or not, cannot put a person, a
serial number or a sentence of his own onto the screen of a list.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import Meta, Struct

from seefen.protocol.encoding import decode_map, encode_map
from seefen.protocol.errors import MalformedError
from seefen.protocol.messages.codes import counted
from seefen.protocol.messages.shape import put_together, set_apart, shape
from seefen.protocol.requests import Act
from seefen.protocol.statements import Handling, NodeName, Number

COVER_LIMIT: Final = 2048  # bytes; sealed it must fit into an object statement
DUE_LIMIT: Final = 366 * 86_400  # seconds: a clock beyond all calendars stops a duty list
SUBJECT_LIMIT: Final = 80  # characters
EXERCISE: Final = "EXERCISE"  # before everything else: nobody may take it for real
_MOST: Final = 12

_Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]*\Z", max_length=40)]
_Code = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9.][A-Za-z0-9._+:-]*\Z", max_length=40)]


class Said(Struct, frozen=True, kw_only=True):
    """A coded value of a table, counted when ``n`` is not 0."""

    table: _Name
    code: _Code
    n: Annotated[int, Meta(ge=0, le=10**9)] = 0
    extra: dict[str, Any] = msgspec.field(default_factory=dict[str, Any], name="*")

    def __str__(self) -> str:
        """Return it in English; a code that is not in the table is never shown as it stands."""
        return counted(self.table, self.code, self.n)


class Cover(Struct, frozen=True, kw_only=True):
    """What a list, a clock and a triage need to know of a message.

    Attributes:
        what: What it says, in the order of the subject; counted ones are its items.
        due_s: Seconds from delivery in which an answer is expected, 0 for none; of several
            nodes, those of the node that has the most.
        due_each: The same for each node of ``to``, in its order; none where all have ``due_s``.
        to: The nodes that are asked, none for all members.
        act: The move it makes in the life of a request (``requests.py``), or nothing.
        exercise: Nothing of it is real: lists say so, and nothing counts it.
    """

    type: Annotated[str, Meta(pattern=r"\A[A-Z][A-Za-z0-9]*\Z", max_length=40)]
    v: Number = 1
    what: Annotated[tuple[Said, ...], Meta(max_length=_MOST)] = ()
    urgency: Annotated[str, Meta(pattern=r"\A(FLASH|URGENT|NORMAL|ROUTINE)\Z")] = "NORMAL"
    due_s: Annotated[int, Meta(ge=0, le=DUE_LIMIT)] = 0
    due_each: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=DUE_LIMIT)], ...], Meta(max_length=64)
    ] = ()
    handling: Handling = "H2"
    to: Annotated[tuple[NodeName, ...], Meta(max_length=64)] = ()
    act: Annotated[str, Meta(pattern=r"\A([a-z][a-z_]*)?\Z", max_length=40)] = ""
    exercise: bool = False
    extra: dict[str, Any] = msgspec.field(default_factory=dict[str, Any], name="*")

    @property
    def life(self) -> str:
        """``alert`` or ``request`` when it begins one at each node that is asked, else nothing.

        An alert's clock stands as soon as a person took it; a request's when it is answered.
        """
        if self.act != Act.ASK:
            return ""
        if self.type in ("SeizureAlert", "HitNotice") or _HANDOVER in self.what:
            return "alert"
        return "request"

    def timed(self, clocks: Mapping[str, int]) -> "Cover":
        """Return it with the seconds that each node that is asked has for its answer.

        Where they differ, it names the nodes, also where it asked all members.
        """
        if not clocks:
            return self
        longest = max(clocks.values())
        if min(clocks.values()) == longest:
            return msgspec.structs.replace(self, due_s=longest, due_each=())
        to = self.to or tuple(clocks)
        each = tuple(clocks.get(node, longest) for node in to)
        return msgspec.structs.replace(self, due_s=longest, due_each=each, to=to)

    def due_of(self, node: str) -> int:
        """Return the seconds that a node has for its answer, 0 for no clock."""
        if node not in self.to or len(self.due_each) != len(self.to):
            return self.due_s
        return min(self.due_s, self.due_each[self.to.index(node)])

    @property
    def subject(self) -> str:
        """The subject by form, in English, at most 80 characters: whole parts only."""
        said = map(str, self.what)
        return _joined(chain((EXERCISE,), said) if self.exercise else said)

    @property
    def items(self) -> str:
        """What is counted in it: ``12 pistols, 340 rounds``; nothing where nothing is."""
        counts = [str(said) for said in self.what if said.n]
        return _joined((EXERCISE, *counts) if self.exercise and counts else counts)


_HANDOVER: Final = Said(table="delivery", code="handover")


def encode_cover(cover: Cover) -> bytes:
    """Return the bytes of a cover: a map."""
    plain = msgspec.to_builtins(cover, builtin_types=(bytes,))
    fields = cast("dict[str, object]", put_together(shape(Cover), plain))
    return encode_map({**fields, "type": cover.type, "v": cover.v})


def decode_cover(data: bytes) -> Cover:
    """Return the cover in ``data``; fields nobody here knows are kept in ``extra``.

    Raises:
        MalformedError: It is none.
    """
    fields = decode_map(data, limit=COVER_LIMIT)
    if "v" not in fields:
        raise MalformedError("a cover says the version of its form", rule="cover")
    try:
        apart = set_apart(shape(Cover), fields)
        return msgspec.convert(apart, Cover, builtin_types=(bytes,))
    except ValueError as err:  # msgspec.ValidationError is one
        raise MalformedError("this is no cover", rule="cover") from err


def _joined(parts: Iterable[str]) -> str:
    text = ""
    for part in parts:
        longer = f"{text}, {part}" if text else part
        if len(longer) > SUBJECT_LIMIT - 3:
            return f"{text}, …"
        text = longer
    return text
