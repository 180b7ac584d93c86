"""Transcripts in Markdown: what stands in ``console`` blocks is typed, and comes out as it stands.

A line ``skopje-duty$ seefen watch on`` is a command at somebody's device. What follows up
to the next one is what it prints; text after a keyboard sign is what a person typed when
he was asked. What differs from run to run (times, pseudonyms, spoken words) is compared
as such: a pseudonym must be the same one throughout. One line ``...`` stands for any number of
lines: what is drawn by lot, say, or a long table.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo.prompt import ENTER, TYPED

_PROMPT: Final = re.compile(r"^([a-z][a-z0-9 -]*)\$ (seefen|seefen-server) (.*)$")
_LATER: Final = re.compile(r"^-- (\d+) minutes later --$")
REST: Final = "..."
_OFFICER: Final = re.compile(r"\bo-[0-9a-f]{4,8}\b")
_YEAR: Final = re.compile(r"\bSF-\d{4}-")
_MASKS: Final = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"\b[a-z]+(?: · [a-z]+){5}\b", "<six words>"),
        (r"\(UTC[+-]\d\d:\d\d\)", "<zone>"),
        # How far it got when the command ended is a matter of a tenth of a second.
        (r"(?:recorded, not delivered yet|delivered \d\d:\d\d)$", "<reach>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?", "<moment>"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?Z", "<moment>"),
        # Two entries around something stand in one minute, or on both sides of its turn.
        (r"between <moment> and (?:<moment>|\d\d:\d\dZ)", "at <moment>"),
        (r"\b\d{4}-\d\d-\d\d\b", "<date>"),
        (r"\boverdue \d+ (?:min|h)", "<late>"),
        (r"\b(?:today|tomorrow|in \d+ (?:d|h|min)(?: \d+ (?:h|min))?)(?: \d\d:\d\d)?", "<when>"),
        (r"\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b", "<date>"),
        (r"\b\d\d:\d\d(?::\d\d)?\b", "<time>"),
        (r"\b[0-9a-f]{8,}\b", "<hex>"),
        (r"\b(?:127\.0\.0\.1|localhost):\d+\b", "<address>"),
        (r"^#\d+ <date> <time> (.*) \d+$", r"<n> \1 <n>"),
        (r"\b\d{4}-\d\d(?= · log)", "<month>"),
        (r"\blog \d+-\d+ · checkpoint \d+", "<log>"),
        (r"\b\d+ of \d+(?= (?:entries )?proved)", "<all>"),
        (r"(?<=proved in )\d+|(?<=checkpoint )\d+|(?<=log at )\d+|(?<=root at )\d+", "<n>"),
        (r"(?<=entries )\d+ to \d+|\b\d+ of \d+(?= readings)", "<n>"),
        (r"(?<=readings )\d+ disclosures \d+", "<n>"),
        (r"(?<=entry )\d+|(?<=entries )\d+|\b\d+(?= entries)", "<n>"),
        (r"\b\d+(?:\.\d+)? (?:KB|MB|s|ms)\b", "<amount>"),
    )
)


@dataclass(slots=True)
class Step:
    """A command and what it printed; ``first`` and ``end`` are lines of its page."""

    who: str
    program: str
    words: list[str]
    expected: list[str]
    first: int
    end: int
    later: int = 0  # seconds by which the clock of its machine is ahead

    @property
    def typed(self) -> list[str]:
        """What a person typed when he was asked."""
        said = [line.partition(TYPED)[2].strip() for line in self.expected if TYPED in line]
        return ["" if answer == ENTER else answer for answer in said]


@dataclass(slots=True)
class Page:
    """A page of the handbook."""

    path: Path
    lines: list[str]
    steps: list[Step]

    @classmethod
    def read(cls, path: Path) -> "Page":
        """Read a page and find its steps."""
        lines = path.read_text(encoding="utf-8").splitlines()
        page = cls(path, lines, [])
        inside, later = False, 0
        for number, line in enumerate(lines):
            if line.startswith("```"):
                inside = line == "```console"
                continue
            if inside and (passed := _LATER.match(line)):
                later = int(passed[1]) * 60
                continue
            found = _PROMPT.match(line) if inside else None
            if found is not None:
                who, program, words = found.groups()
                page.steps.append(
                    Step(who, program, shlex.split(words), [], number + 1, number + 1, later)
                )
                later = 0
            elif inside:
                page.steps[-1].expected.append(line)
                page.steps[-1].end = number + 1
        return page

    def write(self, outputs: Sequence[list[str]], names: "Names") -> None:
        """Write the page again with what was really typed and printed."""
        lines = list(self.lines)
        for step, printed in reversed(list(zip(self.steps, outputs, strict=True))):
            said = sum(TYPED in line for line in printed)
            # What was not asked for this time is kept: the command failed before.
            rest = [f"{TYPED}{answer or ENTER}" for answer in step.typed[said:]]
            lines[step.first : step.end] = [*_shortened(step.expected, printed), *rest]
            lines[step.first - 1] = _OFFICER.sub(names.now, lines[step.first - 1])
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(slots=True)
class Names:
    """Which pseudonym of this run stands for which one of the handbook."""

    known: dict[str, str] = field(default_factory=dict[str, str])
    year: str = ""

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the words of a command as they must be typed in this run."""
        return [self._year(_OFFICER.sub(self.now, word)) for word in words]

    def difference(self, expected: Sequence[str], printed: Sequence[str]) -> str:
        """Return where what was printed is not what stands in the handbook, or nothing."""
        wanted, found = _plain(expected), _plain(printed)
        found = _shortened(wanted, found)
        for old, new in zip(
            _OFFICER.findall("\n".join(wanted)), _OFFICER.findall("\n".join(found)), strict=False
        ):
            self.known.setdefault(old, new)
        for number, (old, new) in enumerate(zip(wanted, found, strict=False), start=1):
            if _masked(_OFFICER.sub(self.now, old)) != _masked(new):
                return f"line {number}\n  handbook: {old}\n  printed:  {new}"
        if len(wanted) != len(found):
            rest = (wanted if len(wanted) > len(found) else found)[min(len(wanted), len(found)) :]
            where = "handbook" if len(wanted) > len(found) else "printed"
            return f"{where} only:\n  " + "\n  ".join(rest)
        return ""

    def now(self, match: re.Match[str]) -> str:
        """Return the pseudonym of this run for one of the handbook."""
        return self.known.get(match[0], match[0])

    def _year(self, word: str) -> str:
        return _YEAR.sub(f"SF-{self.year}-", word)


def _shortened(expected: Sequence[str], printed: list[str]) -> list[str]:
    """Return what was printed, with ``...`` for the lines that the page leaves out."""
    if REST not in expected:
        return printed
    above = expected.index(REST)
    below = len(expected) - above - 1
    return [*printed[:above], REST, *printed[max(above, len(printed) - below) :]]


def _plain(lines: Sequence[str]) -> list[str]:
    """Return lines without what only lays them out: a column is as wide as what stands in it."""
    return [text for line in lines if (text := " ".join(line.replace("…", "").split()))]


def _masked(line: str) -> str:
    line = _YEAR.sub("SF-YEAR-", line)
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return line
