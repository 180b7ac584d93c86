"""What network auditors say that a node must have been shown, beside what it was shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seefen.client.wording import day

MOST: Final = 20  # entries that are named


def entries(indices: Iterable[int]) -> str:
    """Return ``entry 6``, ``entries 6, 7``, the first ones of many."""
    found = [*indices]
    which = ", ".join(map(str, found[:MOST]))
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return f"{'entry' if len(found) == 1 else 'entries'} {which}{more}"


@dataclass(frozen=True, slots=True)
class Late:
    """A network auditor who is two days behind, or a week: his first entry without a manifest."""

    who: str
    entry: int
    overdue: bool

    @property
    def sentence(self) -> str:
        """Whose manifests are late, and how much."""
        age = "7 days" if self.overdue else "48 h"
        return f"LATE: no manifest of {self.who} covers entry {self.entry}, over {age} old"


@dataclass(frozen=True, slots=True)
class Compared:
    """What network auditors say that this node must have been shown, beside what it was shown.

    Attributes:
        auditors: Who is shown every core now, each as officer and node.
        upto: Before this entry the manifests of all of them who wrote any were compared; ``at``
            is when the last one was entered, and ``by`` who wrote them. 0 and nobody: none.
        hidden: Entries that they name and that this device was not shown; ``accusers`` name them.
        settled: Entries of that kind of which an auditor of this node acknowledged the alarm.
        broken: Sentences: where a manifest is missing before the next.
        notes: Sentences: what they name, and is none of this node's.
        closed: Sentences: of how many entries each of them had no text, and says nothing.
        unexplained: How many of these were not erased, by what the log says.
        late: Who is late, of those who are shown every core now.
    """

    auditors: tuple[str, ...] = ()
    upto: int = 0
    at: int = 0
    by: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    accusers: tuple[str, ...] = ()
    settled: tuple[int, ...] = ()
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    unexplained: int = 0
    late: tuple[Late, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs, and nobody is late for a week."""
        return not self.problems

    @property
    def is_clear(self) -> bool:
        """Whether all of it was said and compared: there is nothing to ask anybody about."""
        asked = self.settled or self.unexplained or self.late or self.notes
        return self.ok and bool(self.upto and self.auditors) and not asked

    @property
    def sentence(self) -> str:
        """Up to which entry whose manifests were compared, and what differs."""
        late = [one.sentence for one in self.late]
        if not self.auditors and not self.upto:
            return "the network names no network auditor: nobody says what your node must be shown"
        if not self.upto:
            return "; ".join((f"no manifest yet of {', '.join(self.auditors)}", *late))
        seen = f"manifests of {', '.join(self.by)} compared up to entry {self.upto - 1}"
        found = (*self._differences, *self.notes, *self.closed)
        differs = "; ".join(found) or "nothing differs"
        return "; ".join((f"{seen}, of {day(self.at)}: {differs}", *late, *self._who_is_missing()))

    @property
    def problems(self) -> tuple[str, ...]:
        """What stands against it, as sentences."""
        return (*self._differences, *(one.sentence for one in self.late if one.overdue))

    @property
    def _differences(self) -> tuple[str, ...]:
        if not self.hidden:
            return self.broken
        said = f"{entries(self.hidden)} must have been shown to your node"
        return (f"{said}, say {', '.join(self.accusers)}", *self.broken)

    def _who_is_missing(self) -> tuple[str, ...]:
        missing = [one for one in self.auditors if one not in self.by]
        said = (
            f"{entries(self.settled)} named, not shown, and explained" if self.settled else "",
            f"none yet of {', '.join(missing)}" if missing else "",
            "" if self.auditors else "the network names no network auditor any more",
        )
        return tuple(filter(None, said))
