"""Marks: serial numbers, plates and headstamps of what this device has read.

``check`` looks into the own vault only; nothing is asked of anybody.
"""

from collections.abc import Iterator
from typing import Final

from seefen.client.engine import Engine
from seefen.client.values import CheckResult, Hit
from seefen.client.vault import Vault
from seefen.client.views import hit, recall_of, rows
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
from seefen.protocol.messages import Form, Item, SeizureAlert, TraceRequest

MANY: Final = 20  # places in which a mark may stand and still say something
SHORT: Final = 4  # characters: a shorter one fits too much
_GAPS: Final = frozenset("?*")
COMPARE: Final = {"plate": compare_plates, "headstamp": compare_headstamps}


def keep(vault: Vault, object_: bytes, message: Form) -> None:
    """Index the marks of a message that was opened."""
    vault.many(
        "INSERT OR IGNORE INTO mark VALUES (?, ?, ?, ?, ?)",
        [
            (object_, field, text, strong_key(text), weak_key(text))
            for field, text in marks_of(message)
            if strong_key(text)
        ],
    )


def marks_of(message: Form) -> Iterator[tuple[str, str]]:
    """Return field and text of each mark in a message."""
    items: tuple[Item, ...] = ()
    if isinstance(message, SeizureAlert):
        items = message.items
        yield from _filled("plate", message.vehicle.plate, message.vehicle.trailer_plate)
        yield from _filled("chassis", message.vehicle.vin)
        yield from _filled("headstamp", *(lot.headstamp_as_read for lot in message.ammunition))
    elif isinstance(message, TraceRequest):
        items = (message.item,)
    for item in items:
        yield from _filled("serial", item.serial_as_read)
        yield from _filled("serial", *(part.text for part in item.component_serials))


def _filled(field: str, *texts: str) -> Iterator[tuple[str, str]]:
    return ((field, text) for text in texts if text)


def known(engine: Engine, object_: bytes) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """Return where the marks of an object that is open stand in the own vault as well.

    It proposes and acts on nothing. A mark that stands in more than ``MANY`` places is only
    named: a type number would else fit everything. What was read with gaps fits too much
    to be looked for unasked; :func:`check` does it.
    """
    vault, hits, common = engine.vault, list[Hit](), list[str]()
    own = vault.run("SELECT field, text, weak FROM mark WHERE object = ?", object_)
    for field, text, weak in own:
        if len(weak) < SHORT or not _GAPS.isdisjoint(weak):
            continue
        sql = "SELECT object, field, text FROM mark WHERE weak = ? AND object <> ? LIMIT ?"
        places = vault.run(sql, weak, object_, MANY + 1)
        if len(places) > MANY:
            common.append(text)
            continue
        for other, where, there in places:
            exactness = COMPARE.get(field, compare)(text, there) if where == field else None
            if exactness in (None, Exactness.NOTHING):
                continue
            hits += [
                hit(engine, row, where, there, exactness.value)
                for row in rows(engine, "object = ?", other)
                if recall_of(engine, row) is None
            ]
    return tuple(hits), tuple(common)


def check(engine: Engine, text: str) -> CheckResult:
    """Look for a mark in the own vault: exact, look-alike or possible.

    Raises:
        RefusedError: Nothing to look for.
    """
    if not strong_key(text):
        raise RefusedError("give a serial number, plate or headstamp as read", rule="form")
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
        for row in rows(engine, "object = ?", object_):
            if recall_of(engine, row) is None:  # what was taken back must not be used
                found[exactness].append(hit(engine, row, field, known, exactness.value))
    return CheckResult(
        exact=tuple(found[Exactness.EXACT]),
        look_alike=tuple(found[Exactness.LOOK_ALIKE]),
        possible=tuple(found[Exactness.POSSIBLE]),
        searched=searched[0] if searched else 0,
        scripts=tuple(sorted(scripts(text))),
        key=strong_key(text),
    )
