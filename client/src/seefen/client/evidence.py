"""Evidence: what a broker signed against itself, kept as files for those who will ask.

A file holds the log's own signatures: whoever has its key needs to believe nobody
(``seefen evidence check``, ``verify.py``). What it says in words is for people, and proves
nothing. The format is ``docs/spec/ledger.md``, section 11.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from seefen.client import private
from seefen.client.keyfile import put_file
from seefen.client.standalone import verify
from seefen.protocol.ledger.tree import Proof

FOLDER: Final = "evidence"


def keep_evidence(folder: Path, name: str, value: Mapping[str, object]) -> None:
    """Keep a lie under a name that is the same however often it is told.

    What proves nothing yet (two heads of one second, say) gives way to what is told next.
    """
    with suppress(OSError):  # a full disk must not hide the alarm
        private.folder(folder)
        path = folder / name
        if not _proves(path):
            put_file(path, json.dumps(value, indent=1, ensure_ascii=False).encode())


def _proves(path: Path) -> bool:
    try:
        return bool(verify.proved([json.loads(path.read_text("utf-8"))]))
    except (OSError, ValueError, KeyError, TypeError, verify.WrongError):
        return False


def accusation(
    rule: str, what: str, log_key: bytes, heads: Iterable[str], entries: Iterable[object] = ()
) -> dict[str, Any]:
    """Return a file of evidence.

    Args:
        what: A sentence for people.
        log_key: The key that signed what follows.
        heads: Notes; an empty one stands for a head that was never there.
        entries: See :func:`proved_entry`.
    """
    return {
        "rule": rule,
        "what": what,
        "log_key": log_key.hex(),
        "heads": [note for note in heads if note],
        "entries": list(entries),
    }


def proved_entry(index: int, record: bytes, proof: Proof, note: str) -> dict[str, Any]:
    """Return a record with the proof of where it stands, under a signed head."""
    hashes = [value.hex() for value in proof]
    return {"index": index, "record": record.hex(), "proof": hashes, "head": note}
