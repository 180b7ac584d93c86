"""The steps of the broker at which it is killed, named as their functions are.

Nothing in the product knows of them: :mod:`tests.faults.broker.launcher` wraps the function
in the process that is to die. A function that is renamed is found by a test.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """A function of the broker, and on which side of its ``nth`` call the process dies.

    Attributes:
        module: Where the name is looked up when the broker calls it.
        name: ``function`` or ``Class.method`` in there.
        when: ``before`` or ``after``.
    """

    module: str
    name: str
    when: str

    def __str__(self) -> str:
        """Return it as one word, for the command line."""
        return f"{self.module}:{self.name}:{self.when}"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """Return the point that ``str`` made a word of."""
        module, name, when = text.split(":")
        return cls(module, name, when)

    def owner(self) -> tuple[Any, str]:
        """Return what holds the function, and its name in there."""
        owner: Any = importlib.import_module(self.module)
        *path, last = self.name.split(".")
        for part in path:
            owner = getattr(owner, part)
        return owner, last


def _both(module: str, *names: str) -> list[Point]:
    return [
        Point(f"seefen.server.{module}", name, when)
        for name in names
        for when in ("before", "after")
    ]


WRITES = [
    *_both("judging", "apply", "entry_of"),
    *_both("sequencer", "Sequencer._add", "Sequencer._growths", "Sequencer._committed"),
    *_both("sequencer", "Sequencer._tell", "Sequencer._done", "Sequencer._rebase"),
    *_both("store.writes", "LedgerWriting.swap"),
    *_both("view", "Known.absorb"),
    *_both("broker", "Broker._recorded", "Broker._sign"),
    *_both("web.sockets", "_Line._answer", "_Line._put"),
]
ACCESSES = [
    *_both("store.writes", "LedgerWriting.lock", "LedgerWriting.write"),
    *_both("store.writes", "LedgerWriting.content_keys"),
    *_both("gate", "Gate.committed", "Gate.disclose", "Protected.reveal"),
    *_both("broker", "Broker._released"),
]
PUSHES = [
    *_both("push", "Push._deliver", "Push._release", "Push._deliver_parcel", "Push._hand_over"),
    *_both("releases", "ReleaseJob.judge"),
]
BLOBS = [
    *_both("store.blobs", "BlobRows.start", "BlobRows.mark"),
    *_both("blobs", "_keep", "make_folder", "write_durably"),
    *_both("files", "os.fsync", "sync_folder", "Path.replace"),
]
STARTS = [
    *_both("store", "migrate"),
    *_both("app", "Broker.open", "Blobs"),
    *_both("broker", "recover"),
    *_both("recovery", "replay", "load_edge"),
    *_both("store.tokens", "TokenRows.add"),
]
EVERY = [*WRITES, *ACCESSES, *PUSHES, *BLOBS, *STARTS]
