"""What the own node passed on: it has to go with what it rests on.

Whoever has a copy is in another case and hears of no recall there; only the node that passed
it on can take it back. What a copy is of stands in its body: one that is closed here may be
of anything that shows the same on its cover, and is named as such until somebody opens it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from seefen.client import originals, versions
from seefen.client.engine import Engine
from seefen.client.values import DueView
from seefen.client.views import Row, recall_of, ref_of, rows
from seefen.protocol.errors import SeefenError
from seefen.protocol.messages import Forwarded, OnwardDecision, Recall, Said
from seefen.protocol.messages.cover import EXERCISE
from seefen.protocol.onward import GRANTS, recipients

_FORWARDED: Final = "cover IS NOT NULL AND instr(cover, ?) AND body IS NOT NULL AND NOT file"
_CLOSED: Final = "cover IS NOT NULL AND instr(cover, ?) AND body IS NULL AND NOT file AND node = ?"
_RECALLS: Final = "cover IS NOT NULL AND instr(cover, ?) AND reply_to IS NOT NULL AND NOT file"
_KEPT: Final = "passed-on/"  # and the copy: what it rests on, once its words were erased


@dataclass(frozen=True, slots=True)
class Owed:
    """A copy of the own node, what was taken back beneath it, and the recall."""

    copy: Row
    source: Row
    back: Row


def owed(engine: Engine) -> list[Owed]:
    """Return the copies that the own node has to take back, the oldest first."""
    known = _all(engine)
    ours = [row for row in known if row.statement.node == engine.node]
    found = [(row, _beneath(engine, row, known)) for row in ours]
    sql = "SELECT name, value FROM setting WHERE name GLOB ?"
    for name, source in engine.vault.run(sql, f"{_KEPT}*"):
        copy = rows(engine, "object = ?", bytes.fromhex(name.removeprefix(_KEPT)))
        found += [(row, rows(engine, "object = ?", source)) for row in copy]
    return [
        Owed(copy, source, back)
        for copy, beneath in sorted(found, key=lambda pair: pair[0].index)
        if _stands(engine, copy)
        for source in beneath[:1]
        if (back := recall_of(engine, source)) is not None
    ]


def perhaps(engine: Engine) -> list[Owed]:
    """Return closed copies of the own node that may be of what was taken back, oldest first.

    A colleague passed them on, and this device has opened none: it cannot tell.
    """
    closed = [
        row
        for row in rows(engine, _CLOSED, Forwarded.TYPE.encode(), engine.node)
        if _stands(engine, row) and engine.vault.get(f"{_KEPT}{row.object.hex()}") is None
    ]
    if not closed:
        return []
    gone = list(_taken_back(engine))
    found: list[Owed] = []
    for copy in closed:
        shows = copy.opened_cover
        like = (
            Owed(copy, source, back)
            for source, back in gone
            if source.index < copy.index and _shows(source) == (shows and shows.what)
        )
        found += [*like][:1]
    return found


def _taken_back(engine: Engine) -> Iterator[tuple[Row, Row]]:
    for said in rows(engine, _RECALLS, Recall.TYPE.encode()):
        for named in rows(engine, "object = ?", said.statement.reply_to):
            back = recall_of(engine, named)
            if back is not None and back.object == said.object:
                yield from ((one, back) for one in versions.taken_back_with(engine, named))


def _shows(row: Row) -> tuple[Said, ...] | None:
    cover = row.opened_cover
    return None if cover is None else cover.what


def of(engine: Engine, row: Row) -> list[Row]:
    """Return the copies that the own node has to take back because of one message."""
    return [one.copy for one in owed(engine) if one.source.object == row.object]


def holding(engine: Engine, row: Row) -> list[Row]:
    """Return where else the words of a message lie open here: as anybody passed it on."""
    known, original = _all(engine), _original(row) or row.object
    held = [one for one in known if _original(one) == original and one.object != row.object]
    if original == row.object:
        return held
    if _stands_elsewhere(engine, original, known):
        return []
    return [one for one in held if one.statement.node == engine.node]


def keep(engine: Engine, copy: Row, source: Row) -> None:
    """Write down that a copy is to be taken back, before the words go that say of what it is."""
    if copy.statement.node == engine.node:
        engine.vault.put(f"{_KEPT}{copy.object.hex()}", source.object)


def due(engine: Engine) -> list[DueView]:
    """Return the same as what waits for the own node."""
    now, found = engine.now(), list[DueView]()
    known = [(one, "recall this too") for one in owed(engine)]
    unknown = [(one, "open it, it may be a copy to recall") for one in perhaps(engine)]
    for one, what in (*known, *unknown):
        cover, copy = one.back.opened_cover, one.copy
        given = 0 if cover is None else cover.due_s
        source = one.source.statement.node
        shown = f"{EXERCISE}, {what}" if copy.is_exercise else what
        found.append(
            DueView(
                ref=ref_of(engine, copy),
                case=engine.name_of(engine.trust.require_state(copy.case)),
                what=Forwarded.TYPE,
                sender=source,
                node=engine.node,
                waits_for_us=True,
                due_at=one.back.at + given,
                used=int(100 * (now - one.back.at) / given) if given else 0,
                urgency="URGENT",
                ours="free",
                officer="",
                subject=f"{shown}: {source} took {ref_of(engine, one.source)} back",
                handling=copy.statement.handling,
            )
        )
    return found


def permitted(engine: Engine, objects: Collection[bytes]) -> tuple[str, ...]:
    """Return the nodes to which the own node has let one of some messages of its own go."""
    sql = "node = ? AND cover IS NOT NULL AND instr(cover, ?) AND body IS NOT NULL AND NOT file"
    nodes = set[str]()
    for row in rows(engine, sql, engine.node, OnwardDecision.TYPE.encode()):
        said = row.message
        if isinstance(said, OnwardDecision) and said.of in objects and said.decision in GRANTS:
            nodes |= recipients(said)
    return tuple(sorted(nodes))


def _all(engine: Engine) -> list[Row]:
    found = rows(engine, _FORWARDED, Forwarded.TYPE.encode())
    return [row for row in found if isinstance(row.message, Forwarded)]


def _original(row: Row) -> bytes | None:
    """Return of which object a copy is; None for what is none, or says nothing that parses."""
    if not isinstance(row.message, Forwarded):
        return None
    try:
        return originals.header(row.message.original).object
    except SeefenError:
        return None


def _beneath(engine: Engine, copy: Row, known: list[Row]) -> list[Row]:
    """Return what a copy of the own node rests on and was taken back."""
    made, original = copy.message, _original(copy)
    if not isinstance(made, Forwarded) or original is None:
        return []
    for proof in (made.original, *made.permissions):
        for row in rows(engine, "object = ?", originals.header(proof).object):
            if recall_of(engine, row) is not None:
                return [row]
    if _stands_elsewhere(engine, original, known):
        return []
    return [row for row in known if _is_source(engine, row, original)]


def _stands_elsewhere(engine: Engine, original: bytes, known: list[Row]) -> bool:
    """Tell whether an original is here and stands: itself, or as another node passed it on."""
    passed = [row for row in known if _is_source(engine, row, original)]
    here = rows(engine, "object = ?", original)
    return any(recall_of(engine, row) is None for row in (*here, *passed))


def _is_source(engine: Engine, row: Row, original: bytes) -> bool:
    return row.statement.node != engine.node and _original(row) == original


def _stands(engine: Engine, copy: Row) -> bool:
    """Tell whether a copy may still be read, and taken back: who is no member there cannot."""
    state = engine.trust.require_state(copy.case)
    gone = copy.superseded_by is not None or recall_of(engine, copy) is not None
    return engine.node in state.members and not gone
