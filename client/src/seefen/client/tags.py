"""Tags: a member sees in the public records that a statement of his case exists.

The broker can keep the next version of a case, or the next key, from one member, who would
go on writing under the old one (attack 12). The record of each carries a tag that only holders
of the key before can compute, and the records are what every checkpoint is signed over: to
hide the tag, the broker must show this device another log than it shows the others. What else
is done in a case is found in the same way, see :mod:`seefen.client.unseen`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from seefen.client import unseen
from seefen.client.engine import Engine
from seefen.protocol.case import CaseState, Generation
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import LogFrom, RecordPage
from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.statements import Count, Part
from seefen.protocol.suite import tag

PAGE: Final = 4096
CHUNK: Final = 1 << 16  # records whose tags are held in memory at once
MIRRORED: Final = "mirrored"


class Hidden(Part, frozen=True):
    """What stands in the log and was not shown: which statement of a case, and where."""

    kind: str
    number: Count
    index: Count


@dataclass(frozen=True, slots=True)
class Next:
    """A statement that may come next in a case."""

    case: bytes
    kind: str
    number: int


class Tags:
    """Reads the records of the log as they come; the engine's lock must be held."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looks: Counter[int] = Counter()  # since something was found to be hidden

    async def look(self) -> None:
        """Compare new records with the tags of what would come next in each case.

        That is the next version and key, and the next of each device of its members.

        Raises:
            UntrustedError: rule ``fork``: the records are not those that were signed for.
        """
        engine = self._engine
        head = engine.trust.head("activity")
        if engine.vault.get_number("cursor") < head.size:
            return  # the feed was not believed: what it left out is not hidden yet
        kept = engine.vault.get(MIRRORED)
        tree = CompactRange() if kept is None else CompactRange.decode(kept)
        if tree.size < head.size:
            expected = self._expected(tree.size)
            found: list[tuple[int, Next]] = []
            hidden: list[tuple[int, unseen.Unseen]] = []
            while (start := tree.size) < head.size:
                tags = await self._read(tree, min(start + CHUNK, head.size))
                places = enumerate(tags, start)
                found += [(index, expected[mark]) for index, mark in places if mark in expected]
                hidden += await unseen.look(engine, start, tags)
            if tree.root() != head.root:
                raise UntrustedError(
                    "the records of the activity log are not the ones that were signed",
                    rule="fork",
                )
            with engine.vault.change():
                engine.vault.put(MIRRORED, tree.encode())
                for index, next_ in found:
                    self._judge(index, next_)
                for index, one in hidden:
                    unseen.note(engine, index, one)
        self._ask_again()
        self._ask_seldom(head.size)

    async def _read(self, tree: CompactRange, stop: int) -> list[bytes]:
        """Take records into the tree; return the tag of each."""
        tags: list[bytes] = []
        while tree.size < stop:
            page = await self._engine.connection.request(
                "records", LogFrom(tree.size, PAGE, stop), RecordPage
            )
            if page.start != tree.size or not page.records:
                raise UntrustedError("the broker withholds records", rule="withheld")
            for record in page.records[: stop - tree.size]:
                tags.append(Record.decode(record).tag)
                tree.append(leaf_hash(record))
        return tags

    def _expected(self, start: int) -> dict[bytes, Next]:
        engine = self._engine
        expected: dict[bytes, Next] = {}
        for case in engine.vault.cases():
            state = engine.trust.require_state(case)
            if not state.generations or engine.node not in state.members:
                continue
            # Also under the key that was the newest at the first of these records: a removed
            # member, who renews it while his removal is hidden, would else hide its tag, too.
            for generation in in_use_since(state, start):
                key = engine.case_key(case, generation.gen)
                if key is None:
                    continue
                for kind, number in (("case", state.version + 1), ("casekey", generation.gen + 1)):
                    expected[tag(key, kind, case, b"", number)] = Next(case, kind, number)
        return expected

    def _judge(self, index: int, next_: Next) -> None:
        engine = self._engine
        name = engine.name_of(engine.trust.require_state(next_.case))
        shown = engine.vault.one(
            "SELECT kind FROM entry WHERE idx = ? AND envelope IS NOT NULL", index
        )
        if shown == (next_.kind,):
            return  # the key that came meanwhile, under the one before it
        if shown is not None:
            # Any member could plant it: that must not keep the others from writing.
            engine.alarm(f"entry {index} carries the tag of the next {next_.kind} of {name}")
            return
        setting = f"hidden/{next_.case.hex()}"
        if engine.vault.get(setting) is None:  # the first: from there it is asked for again
            hidden = Hidden(next_.kind, next_.number, index)
            engine.vault.put(setting, encode(hidden))
        engine.alarm(
            f"entry {index} is the next {next_.kind} of {name} and is withheld: nothing is "
            "written there until it is shown"
        )

    def _ask_again(self) -> None:
        engine = self._engine
        for name, value in engine.vault.run(
            "SELECT name, value FROM setting WHERE name GLOB 'hidden/*'"
        ):
            state = engine.trust.require_state(bytes.fromhex(name.partition("/")[2]))
            hidden = decode(value, Hidden)
            if state.generation.statement.case_version != state.version:
                # A change came whose key was in one bundle with it: that is hidden now.
                hidden = Hidden("casekey", state.generation.gen + 1, hidden.index)
                engine.vault.put(name, encode(hidden))
            if (hidden.kind, hidden.number) in _next(state):
                start = min(engine.vault.get_number("cursor"), hidden.index)
                engine.vault.put_number("cursor", start)
            else:
                engine.vault.run("DELETE FROM setting WHERE name = ?", name)

    def _ask_seldom(self, size: int) -> None:
        """Ask for what was not shown, at the 1st, 2nd, 4th, ... look, and not from far back.

        A tag that a member planted stands for ever: it must not cost a long feed each time.
        """
        engine = self._engine
        for index, _ in unseen.kept(engine):
            self._looks[index] += 1
            is_due = self._looks[index].bit_count() == 1
            if is_due and size - index <= unseen.NEAR:
                start = min(engine.vault.get_number("cursor"), index)
                engine.vault.put_number("cursor", start)


def in_use_since(state: CaseState, start: int) -> tuple[Generation, ...]:
    """Return the generations under which something may stand from an entry on."""
    newer = (*state.generations[1:], None)
    pairs = zip(state.generations, newer, strict=True)
    return tuple(one for one, after in pairs if after is None or after.position.index >= start)


def require_nothing_hidden(engine: Engine, state: CaseState) -> None:
    """Check that no newer version or key of a case is known to be withheld.

    Raises:
        RefusedError: rule ``c-withheld``.
    """
    value = engine.vault.get(f"hidden/{state.case.hex()}")
    if value is None:
        return
    hidden = decode(value, Hidden)
    if (hidden.kind, hidden.number) in _next(state):
        raise RefusedError(
            f"(c) the broker withholds a newer {hidden.kind} of {engine.name_of(state)} "
            f"(entry {hidden.index}): nothing is sent under the old key",
            rule="c-withheld",
        )


def _next(state: CaseState) -> tuple[tuple[str, int], ...]:
    return ("case", state.version + 1), ("casekey", state.generation.gen + 1)
