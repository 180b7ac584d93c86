"""What a device did in a case, stands in the log, and is not shown here.

Members are told of every statement of their case, of a reading too, if only by its number: one
that is left out shows as soon as the next of its device comes. The last ones do not. But each
record carries a tag that follows from the key of the case, the device and its number: so the
next of every device is looked for among the records that nobody explains (attacks 14 and 32).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from seefen.client.engine import Engine
from seefen.protocol.case import CaseState
from seefen.protocol.encoding import decode, encode
from seefen.protocol.statements import Count, Id, Part
from seefen.protocol.suite import tagger

ACTS: Final = {
    "access": "a reading",
    "ack": "a receipt",
    "assign": "the handing over of a key",
    "object": "a message",
}
NEAR: Final = 10_000  # entries behind the head: what is further back is not asked for again
_KEPT: Final = "unseen/"

Tagger = Callable[[str, bytes, bytes, int], bytes]


class Unseen(Part, frozen=True):
    """A statement that is known by its tag alone."""

    kind: str
    case: Id
    device: Id
    number: Count


async def look(engine: Engine, start: int, tags: Sequence[bytes]) -> list[tuple[int, Unseen]]:
    """Return which records, from ``start`` on, are statements that were not shown.

    What was shown up to there must have been taken in. It costs a hash for each device of the
    members and kind of statement, of every case whose key is here, and nothing at all where
    every record is explained by what was shown.
    """
    sql = "SELECT idx FROM entry WHERE idx >= ? AND idx < ?"
    shown = {index for (index,) in engine.vault.run(sql, start, start + len(tags))}
    strange = {tag: index for index, tag in enumerate(tags, start) if index not in shown}
    found: list[tuple[int, Unseen]] = []
    if strange:
        known = _numbers(engine)
        for case in engine.vault.cases():
            found += _in_case(engine, engine.trust.require_state(case), strange, start, known)
            await asyncio.sleep(0)  # a thousand cases: what else is due comes between
    return found


def note(engine: Engine, index: int, unseen: Unseen) -> None:
    """Keep what was found, and raise the alarm about it."""
    engine.vault.put(f"{_KEPT}{index}", encode(unseen))
    engine.alarm(_said(engine, index, unseen))


def kept(engine: Engine) -> list[tuple[int, Unseen]]:
    """Return what was found and is not shown yet, in order; forget what is shown by now."""
    found: list[tuple[int, Unseen]] = []
    for name, value in engine.vault.run("SELECT name, value FROM setting WHERE name GLOB ?", _ANY):
        index = int(name.removeprefix(_KEPT))
        if engine.vault.has_entry(index):
            engine.vault.run("DELETE FROM setting WHERE name = ?", name)
        else:
            found.append((index, decode(value, Unseen)))
    return sorted(found, key=lambda one: one[0])


def sentences(engine: Engine) -> list[str]:
    """Return a sentence about each that is not shown yet."""
    return [_said(engine, index, unseen) for index, unseen in kept(engine)]


_ANY: Final = f"{_KEPT}*"


def _numbers(engine: Engine) -> dict[tuple[bytes, bytes], set[int]]:
    """Return the numbers that were found before: what comes next may come behind them."""
    numbers: dict[tuple[bytes, bytes], set[int]] = {}
    for _, unseen in kept(engine):
        numbers.setdefault((unseen.case, unseen.device), set()).add(unseen.number)
    return numbers


def _in_case(
    engine: Engine,
    state: CaseState,
    strange: Mapping[bytes, int],
    start: int,
    known: Mapping[tuple[bytes, bytes], set[int]],
) -> Iterator[tuple[int, Unseen]]:
    marks = _marks(engine, state, start)
    if not marks or engine.node not in state.members:
        return  # who is no member is not shown what the others do
    # Who was a member until now may have read until now.
    nodes = {member.node for version in state.versions for member in version.members}
    for node in sorted(nodes):
        for device in engine.directory.devices(node):
            place = state.case, device.device
            before = {state.last(device.device).case_n, *known.get(place, ())}
            for number in sorted(before):
                yield from _from_number(marks, strange, *place, number + 1)


def _marks(engine: Engine, state: CaseState, start: int) -> list[tuple[str, Tagger]]:
    """Return under which keys each kind may stand behind ``start``."""
    marks: list[tuple[str, Tagger]] = []
    for place, generation in enumerate(state.generations):
        key = engine.case_key(state.case, generation.gen)
        if key is None:
            continue
        newer = state.generations[place + 1 : place + 2]
        over = any(one.position.index < start for one in newer)
        # A receipt stands under the key of what it is about; the others under the newest.
        mark = tagger(key)
        marks += [(kind, mark) for kind in (("ack",) if over else ACTS)]
    return marks


def _from_number(
    marks: list[tuple[str, Tagger]],
    strange: Mapping[bytes, int],
    case: bytes,
    device: bytes,
    number: int,
) -> Iterator[tuple[int, Unseen]]:
    """Yield the statement of that number, and those behind it, as far as they are there."""
    while True:
        for kind, mark in marks:
            index = strange.get(mark(kind, case, device, number))
            if index is not None:
                yield index, Unseen(kind, case, device, number)
                break
        else:
            return
        number += 1


def _said(engine: Engine, index: int, unseen: Unseen) -> str:
    device = engine.directory.device(unseen.device)
    name = engine.name_of(engine.trust.require_state(unseen.case))
    return (
        f"entry {index} is {ACTS[unseen.kind]} of {device.officer or 'an agent'} "
        f"({device.node}, device {unseen.device.hex()[:8]}) in {name} and is withheld: ask "
        f"{device.node} about number {unseen.number} of that device there; or a member of "
        "the case has planted its tag"
    )
