"""Marks: serial numbers, plates and headstamps of what this device has read.

``check`` looks into the own vault only; nothing is asked of anybody.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from msgspec import Struct
from msgspec.structs import astuple

from seefen.client.engine import Engine
from seefen.client.originals import is_in_use
from seefen.client.values import CheckResult, Hit
from seefen.client.vault import Vault
from seefen.client.views import Row, corrected_in, object_view, recall_of, ref_of, rows
from seefen.protocol.errors import RefusedError
from seefen.protocol.matching import (
    Exactness,
    compare,
    compare_headstamps,
    compare_plates,
    scripts,
    strong_key,
    weak_key,
)
from seefen.protocol.messages import (
    Ammunition,
    ComponentSerial,
    Correction,
    Form,
    GunPart,
    IncidentReport,
    Item,
    Note,
    SeizureAlert,
    Trace,
    Vehicle,
)

MANY: Final = 20  # places in which a mark may stand and still say something
_LINE: Final = 120  # characters: a longer text is no mark
SHORT: Final = 4  # characters: a shorter one fits too much
_GAPS: Final = frozenset("?*")
# At most three words after it, of which the last has a digit: maker and year.
_STAMPED: Final = re.compile(r"\bheadstamps?:? ((?:\w+ ){0,2}?\w*\d\w*)", re.IGNORECASE)
COMPARE: Final = {"plate": compare_plates, "headstamp": compare_headstamps}


def keep(vault: Vault, object_: bytes, message: Form) -> None:
    """Index the marks of a message that was opened."""
    vault.many(
        "INSERT OR IGNORE INTO mark VALUES (?, ?, ?, ?, ?)",
        [
            (object_, field, text, strong_key(text), weak_key(text))
            for field, text in (*marks_of(message), *_corrected(vault, message))
            if strong_key(text)
        ],
    )


def marks_of(message: Form) -> Iterator[tuple[str, str]]:
    """Return field and text of each mark in a message, whatever its form."""
    for piece in _pieces(message):
        match piece:
            case Item():
                yield from _filled("serial", piece.serial_as_read)
            case ComponentSerial():
                yield from _filled("serial", piece.text)
            case GunPart():
                yield from _filled("serial", piece.serial_as_read)
            case Vehicle():
                yield from _filled("plate", piece.plate, piece.trailer_plate)
                yield from _filled("chassis", piece.vin)
            case Ammunition() | Trace():
                yield from _filled("headstamp", piece.headstamp_as_read)
            case SeizureAlert() | IncidentReport() | Note():
                yield from _filled("headstamp", *_headstamps(piece.text))
            case _:
                pass


def _corrected(vault: Vault, message: Form) -> Iterator[tuple[str, str]]:
    """Yield what a correction says is right: a mark of the kind that it puts right."""
    if not isinstance(message, Correction) or len(message.now) > _LINE:
        return
    if stamped := [*_headstamps(message.now)]:
        yield from _filled("headstamp", *stamped)
        return
    sql = "SELECT field FROM mark WHERE object = ? AND strong = ?"
    (field,) = vault.one(sql, message.of, strong_key(message.was)) or ("serial",)
    yield from _filled(field, message.now)


def _headstamps(text: str) -> Iterator[str]:
    """Yield what words call a headstamp: an alert by question and answer has no field for one."""
    return (found[1] for found in _STAMPED.finditer(text))


def _pieces(value: object) -> Iterator[Struct]:
    if isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            yield from _pieces(item)
    elif isinstance(value, Struct):
        yield value
        for item in astuple(value):
            yield from _pieces(item)


def _filled(field: str, *texts: str) -> Iterator[tuple[str, str]]:
    return ((field, text) for text in texts if text)


def known(engine: Engine, object_: bytes) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """Return where the marks of an object that is open stand in the own vault as well.

    It proposes and acts on nothing. A mark that stands in more than ``MANY`` places is only
    named: a type number would else fit everything. What was read with gaps fits too much
    to be looked for unasked; :func:`check` does it.
    """
    hits, common, seen = list[Hit](), list[str](), dict[bytes, Row | None]()
    own = engine.vault.run("SELECT field, text, weak FROM mark WHERE object = ?", object_)
    itself = _in_use(engine, object_)
    for field, text, weak in own:
        places = _places(engine.vault, weak, object_)
        if len({other for other, *_ in places}) > MANY:
            common.append(text)
            continue
        for other, where, there in places:
            exactness = COMPARE.get(field, compare)(text, there) if where == field else None
            if exactness in (None, Exactness.NOTHING):
                continue
            row = seen.setdefault(other, _in_use(engine, other) if other not in seen else None)
            if row is None or (itself is not None and row.object == itself.object):
                continue  # nor is what was wrong in it another place
            hits.append(_hit(engine, row, where, there, exactness.value))
            if len(hits) == MANY:  # a lead of twenty lines is none; `check` shows the rest
                return tuple(hits), tuple(common)
    return tuple(hits), tuple(common)


def _places(vault: Vault, weak: str, but: bytes) -> list[tuple[Any, ...]]:
    """Return object, field and text of marks with a weak key; none for one that fits much."""
    if len(weak) < SHORT or not _GAPS.isdisjoint(weak):
        return []
    sql = "SELECT object, field, text FROM mark WHERE weak = ? AND object <> ? LIMIT ?"
    return vault.run(sql, weak, but, 10 * MANY)


def _in_use(engine: Engine, object_: bytes) -> Row | None:
    """Return the row of an object that was neither taken back nor replaced by what is open here.

    For a correction it is the row of what it puts right.
    """
    for row in rows(engine, "object = ?", object_):
        # What a newer version says is not known while it is closed: the older hit stays.
        gone = any(one.body or recall_of(engine, one) for one in _newer(engine, row))
        if not gone and is_in_use(engine, row):
            about = _put_right_by(engine, row)
            return row if about is None else _in_use(engine, about)
    return None


def _newer(engine: Engine, row: Row) -> list[Row]:
    """Return the versions that replace an object, one after the other."""
    found = list[Row]()
    while row.superseded_by is not None:
        # A hostile author may let one replace itself.
        following = rows(engine, "object = ? AND idx > ?", row.superseded_by, row.index)
        if not following:
            break
        row = following[0]
        found.append(row)
    return found


def _put_right_by(engine: Engine, row: Row) -> bytes | None:
    """Return what a correction is about. Nobody corrects what another said."""
    about, message = row.statement.reply_to, row.message
    if about is None or not isinstance(message, Correction) or message.of != about:
        return None
    own = "object = ? AND case_id = ? AND node = ?"
    return about if rows(engine, own, about, row.case, row.statement.node) else None


def _hit(engine: Engine, row: Row, field: str, text: str, exactness: str) -> Hit:
    """Return a place where a mark was found."""
    view, newer = object_view(engine, row), _newer(engine, row)
    closed = [one for one in (*corrected_in(engine, row), *newer[-1:]) if one.body is None]
    place = (view.ref, field, text, exactness, view.sender, view.created_at, view.subject)
    replaced_by = ref_of(engine, newer[-1]) if newer else ""
    unread = tuple(ref_of(engine, one) for one in closed)
    return Hit(*place, view.corrected_by, replaced_by, unread, row.is_exercise)


def check(engine: Engine, text: str) -> CheckResult:
    """Look for a mark in the own vault: exact, look-alike or possible.

    Raises:
        RefusedError: Nothing to look for.
    """
    if not strong_key(text):
        raise RefusedError("give a serial number, plate or headstamp as read", rule="mark")
    found: dict[Exactness, list[Hit]] = {exactness: [] for exactness in Exactness}
    # Keys hold letters, digits, ? and *: as a pattern, the weak key finds what can fit, and
    # what was read with gaps, or compares in its own way, is looked at one by one.
    candidates = engine.vault.run(
        "SELECT object, field, text FROM mark WHERE weak GLOB ? OR field IN ('plate', 'headstamp')"
        " OR instr(strong, '?') OR instr(strong, '*')",
        weak_key(text),
    )
    searched = engine.vault.one("SELECT count(*) FROM mark")
    for object_, field, known in candidates:
        exactness = COMPARE.get(field, compare)(text, known)
        if exactness is Exactness.NOTHING:
            continue
        row = _in_use(engine, object_)
        if row is not None:
            found[exactness].append(_hit(engine, row, field, known, exactness.value))
    return CheckResult(
        exact=tuple(found[Exactness.EXACT]),
        look_alike=tuple(found[Exactness.LOOK_ALIKE]),
        possible=tuple(found[Exactness.POSSIBLE]),
        searched=searched[0] if searched else 0,
        scripts=tuple(sorted(scripts(text))),
        key=strong_key(text),
    )
