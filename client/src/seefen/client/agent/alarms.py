"""Alarms: a line of JSON each, on standard error and in ``alarms.jsonl``; none twice in a row."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

import msgspec
from msgspec import Struct

CRITICAL: Final = "critical"  # somebody may be cheating: telephone
WARNING: Final = "warning"  # something does not work, and must
NOTICE: Final = "notice"  # as expected; for the record
WITHHELD: Final = "withheld-entry"
MISMATCH: Final = "manifest-mismatch"
# What an entry of the log said is said once. All else ends and may begin again, also after a
# restart: a second fork, a year after the first, must not pass for the one that was told.
LASTING: Final = ("watching-keys", "key-changed-mine", "root-changed", MISMATCH, WITHHELD)


class Alarm(Struct, frozen=True):
    """What was seen, and where the evidence is; ``at`` in unix seconds."""

    at: int
    kind: str
    severity: str
    text: str
    evidence: str = ""


class Alarms:
    """The alarms of one agent."""

    def __init__(self, path: Path, clock: Callable[[], int], stream: TextIO | None = None) -> None:
        self._path = path
        self._clock = clock
        self._stream = stream
        known = (one for one in read(path) if one.kind in LASTING)
        self._standing = {(one.kind, one.text) for one in known}
        self.heard: list[Callable[[Alarm], None]] = []

    def ring(self, kind: str, severity: str, text: str, evidence: Path | None = None) -> bool:
        """Raise an alarm, unless the very same one was raised before; tell if it is new."""
        if (kind, text) in self._standing:
            return False
        alarm = Alarm(self._clock(), kind, severity, text, str(evidence or ""))
        line = msgspec.json.encode(alarm) + b"\n"
        # On the screen first: a full disk must not hide it.
        print(line.decode(), end="", file=self._stream or sys.stderr, flush=True)
        self._standing.add((kind, text))
        for listener in self.heard:
            listener(alarm)
        self._append(line)
        return True

    def over(self, kind: str) -> None:
        """Forget what was said of a kind that is over: the next time it is said again."""
        self._standing = {(one, text) for one, text in self._standing if one != kind}

    def _append(self, line: bytes) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            torn = _is_torn(self._path)
            with os.fdopen(os.open(self._path, flags, 0o600), "ab") as file:
                file.write(b"\n" + line if torn else line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as err:
            text = f"this alarm could not be written down: {err.strerror}"
            print(text, file=self._stream or sys.stderr, flush=True)


def _is_torn(path: Path) -> bool:
    try:
        return path.read_bytes()[-1:] not in (b"", b"\n")
    except FileNotFoundError:
        return False


def read(path: Path) -> list[Alarm]:
    """Return the alarms in a file; a line that a power cut has torn is left out."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    found: list[Alarm] = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Alarm))
        except msgspec.MsgspecError:
            continue
    return found
