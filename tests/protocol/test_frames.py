"""Frames: every body comes back as it was, and nothing longer or looser is read."""

import pytest
from msgspec import Struct

from seefen.protocol import frames
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Part

ENTRY = Entry(3, bytes(89), b"{}", bytes(32), (bytes(32),))
ITEM = frames.Item("object", ENTRY, b"envelope", (b"wrap",), b"body")
ID = bytes(16)
EXAMPLES: list[Struct] = [
    frames.Frame(1, "send", b"body"),
    frames.Problem(409, "number", "not the next number"),
    frames.Send(b"bundle", 7),
    frames.Recorded((1, 2), (ENTRY,), "note", (bytes(32),)),
    frames.Ask(b"envelope", ID, (ID, ID), 7),
    frames.ContentKey(ID, bytes(104)),
    frames.Released(ENTRY, (frames.ContentKey(ID, bytes(104)),), "note", ()),
    frames.FeedFrom(0, 1000, 0),
    frames.FeedFrom(9, 1000, 0, 4),
    ITEM,
    frames.Stub(4, "ack", ID, ID, 9),
    frames.Page((ITEM,), (frames.Stub(4, "ack", ID, ID, 9),), 5, "note", ()),
    frames.Page((ITEM,), (), 5, "note", (), 3),
    frames.Before(ID, 12),
    frames.Page((), (), 5, "note", (), 0, (frames.Before(ID, 12),)),
    frames.Push(ITEM, None, b"", b"", "note", ()),
    frames.Push(ITEM, ENTRY, b"envelope", bytes(104), "note", ()),
    frames.LogFrom(0, 4096, 0),
    frames.CaseFrom(ID, 0, 4096, 0),
    frames.ViewFrom("skopje-border", 0, 4096, 0),
    frames.AuthorityItem("node", b"envelope", ()),
    frames.AuthorityPage(0, (frames.AuthorityItem("node", b"envelope", ()),), "note", ()),
    frames.RecordPage(0, (bytes(89),), "note", ()),
    frames.Span("activity", 1, 2),
    frames.Proof((bytes(32),)),
    frames.AuditItem("access", ENTRY, b"envelope"),
    frames.AuditPage((frames.AuditItem("access", ENTRY, b"envelope"),), 4, "note", ()),
    frames.Renew("token", "proof"),
    frames.LogName("authority"),
    frames.ToCosign("activity", 7),
    frames.HeadToCosign("note", (bytes(32),)),
    frames.Cosignatures("note"),
    frames.Cosigned(1, 2),
    frames.WitnessedHead("note"),
]
BAD: list[Struct] = [
    frames.Frame(-1, "send", b""),
    frames.Frame(1, "v" * 17, b""),
    frames.Ask(b"", ID, (ID,) * 257, 0),
    frames.Ask(b"", bytes(15), (), 0),
    frames.FeedFrom(0, 0, 0),
    frames.FeedFrom(0, 1001, 0),
    frames.FeedFrom(0, 1, 0, -1),
    frames.Page((), (), 5, "note", (), -1),
    frames.Page((), (), 5, "note", (), 0, (frames.Before(ID, -1),)),
    frames.LogFrom(0, 4097, 0),
    frames.CaseFrom(bytes(15), 0, 1, 0),
    frames.CaseFrom(ID, 0, 4097, 0),
    frames.ViewFrom("n" * 41, 0, 1, 0),
    frames.ViewFrom("", 0, 4097, 0),
    frames.Span("both", 0, 1),
    frames.LogName("both"),
    frames.ToCosign("both", 0),
    frames.HeadToCosign("note", (bytes(31),)),
    frames.Stub(4, "ack", bytes(15), ID, 9),
    frames.Proof((bytes(31),)),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e).__name__)
def test_a_frame_comes_back_as_it_was(example: Struct) -> None:
    data = encode(example)
    assert decode(data, type(example)) == example
    for bent in (data + b"\0", data[:-1], encode([*_fields(example), None])):
        with pytest.raises(MalformedError):
            decode(bent, type(example))


def _fields(example: Struct) -> list[object]:
    return [getattr(example, name) for name in example.__struct_fields__]


@pytest.mark.parametrize("bad", BAD, ids=lambda e: type(e).__name__)
def test_limits(bad: Struct) -> None:
    with pytest.raises(MalformedError):
        decode(encode(bad), type(bad))


def test_every_frame_has_an_example() -> None:
    mine = {
        value
        for value in vars(frames).values()
        if isinstance(value, type)
        and issubclass(value, Part)
        and value.__module__ == frames.__name__
    }
    assert mine == {type(example) for example in EXAMPLES}
