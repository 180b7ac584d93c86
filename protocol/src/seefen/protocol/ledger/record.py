"""Records: what a leaf of the activity log says, and what it keeps to itself.

A record is public to every node; it commits to a *core* (who did what, when, on which
basis) and to a *detail* (the reason) without showing either. Once an entry is erased its
record stays and says nothing, and the tree has no hole.

The format is ``docs/spec/ledger.md``, sections 4 and 5.
"""

import re
from typing import Annotated, Final, Self, TypeAlias

import msgspec
from msgspec import Meta, Struct

from seefen.protocol.errors import MalformedError
from seefen.protocol.statements import LATEST, Count

RECORD_LENGTH: Final = 89
CORE_LIMIT: Final = 16 * 1024  # holds 256 recipients with the longest names
VERSION: Final = 1

Code: TypeAlias = Annotated[str, Meta(max_length=40)]
Name: TypeAlias = Annotated[str, Meta(max_length=40)]

_NAME: Final = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_NAMES: Final = re.compile(rf"(?:{_NAME}(?:\n{_NAME})*)?")
_ID: Final = "(?:[0-9a-f]{32})?"
_CODE: Final = "(?:[a-z0-9][a-z0-9._-]*)?"
# All texts of a core at once, one a line: a dozen patterns are most of what reading it costs.
# None of them takes a line break, so one that holds a break makes a line too many. The operation
# follows from the act: a broker that called a reading something else would hide it from a filter.
_TEXTS: Final = re.compile(
    "(?:(?:access|search|manifest|denied|viewed)\nconsult|(?:object|casekey|assign|release)\n"
    "disclose|ack\ncollect|case\nalter|erased\nerase)\n"
    rf"(?:{_NAME})?\n"
    "(?:o-[0-9a-f]{4,8})?\n"
    rf"{_ID}\n{_ID}\n{_ID}\n{_CODE}\n{_CODE}\n{_CODE}\n[0-9a-f]{{64}}"
)


class Record(Struct, frozen=True):
    """The 89 bytes that stand in the activity log for ever.

    ``authority_size`` puts the entry in order with the authority log. ``tag`` lets the
    members of a case see that a statement exists even when the broker hides it.
    """

    authority_size: int
    tag: bytes
    core_commitment: bytes
    detail_commitment: bytes

    def encode(self) -> bytes:
        """Return ``01``, the size (8 bytes, big endian), the tag and both commitments."""
        lengths = [len(self.tag), len(self.core_commitment), len(self.detail_commitment)]
        if lengths != [16, 32, 32]:
            raise ValueError(f"a record has parts of 16, 32 and 32 bytes, not {lengths}")
        size = self.authority_size.to_bytes(8, "big")
        return b"\x01" + size + self.tag + self.core_commitment + self.detail_commitment

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the record in ``data``.

        Raises:
            MalformedError: It has another length or another version.
        """
        if len(data) != RECORD_LENGTH or data[0] != 1:
            raise MalformedError("this is no record of version 1", rule="record")
        return cls(int.from_bytes(data[1:9], "big"), data[9:25], data[25:57], data[57:])


class Core(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the broker knows and writes of an act, for those entitled to see it.

    Where a field does not apply it is empty or 0; it is never left out.
    """

    act: str
    # Unix milliseconds, by the broker's clock. Without a bound one entry ends every calendar.
    at: Annotated[int, Meta(ge=0, le=LATEST * 1000)]
    op: str
    node: Name
    device: str  # ids and hashes are hex
    officer: str
    case: str
    case_n: Count
    device_n: Count
    object: str
    n: Count  # the number of the object in its case
    to: Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=256)]
    purpose: Code
    basis: Code
    emergency: Annotated[int, Meta(ge=0, le=1)]
    req: str
    under: Annotated[tuple[Count, ...], Meta(max_length=256)]
    outcome: Code
    v: Annotated[int, Meta(ge=VERSION, le=VERSION)] = VERSION

    def __post_init__(self) -> None:
        """Refuse recipients that are no names of nodes: all at once, for there are many."""
        names = "\n".join(self.to)
        # Counted, or a name with a line break in it would pass for two.
        breaks = max(0, len(self.to) - 1)
        if "" in self.to or names.count("\n") != breaks or not _NAMES.fullmatch(names):
            raise ValueError("a recipient is the name of a node")


_DECODER: Final = msgspec.json.Decoder(Core, strict=True)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def encode_core(core: Core) -> bytes:
    """Return the one JSON text of a core: sorted keys, no spaces.

    Raises:
        ValueError: A field does not hold what it must.
    """
    text = _ENCODER.encode(core)
    try:
        if len(text) > CORE_LIMIT:
            raise ValueError("too long")
        _check_texts(_DECODER.decode(text))  # what no reader takes must never stand in the log
    except (ValueError, msgspec.MsgspecError) as err:
        raise ValueError(f"this core cannot be written: {err}") from err
    return text


def decode_core(text: bytes) -> Core:
    """Return the core that ``text`` is the one JSON text of.

    Raises:
        MalformedError: It is not, or it is longer than 16 KiB.
    """
    if len(text) > CORE_LIMIT:
        raise MalformedError("the core is too long", rule="core")
    try:
        core = _DECODER.decode(text)
        _check_texts(core)
    except ValueError as err:  # msgspec.ValidationError and UnicodeError are such
        raise MalformedError(f"this is no core: {err}", rule="core") from err
    if _ENCODER.encode(core) != text:
        # A key given twice, a space, a number written otherwise: one text, two readings.
        raise MalformedError("this is not the one way to write the core", rule="core")
    return core


def _check_texts(core: Core) -> None:
    who = (core.act, core.op, core.node, core.officer, core.device, core.case, core.object)
    if not _TEXTS.fullmatch("\n".join((*who, core.purpose, core.basis, core.outcome, core.req))):
        raise ValueError("a text is not what its field takes")
    if (core.outcome == "ok") == (core.act == "denied"):
        # Else a broker could call a reading refused, and an attempt a reading.
        raise ValueError("only what is denied was refused")
