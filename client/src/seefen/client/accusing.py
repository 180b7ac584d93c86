"""A withheld revocation, and the root of a log at a size, in the log's own words.

A record in the activity log says how long the authority log was when it was integrated, and
a head is signed with the time at which it was the newest. When the broker signs a shorter
authority log later than such a record, it has kept something from this device.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from seefen.client.connection import Connection
from seefen.client.evidence import FOLDER, accusation, keep_evidence, proved_entry
from seefen.client.once import verified
from seefen.client.standalone import verify
from seefen.client.trust import Prove, Trust
from seefen.client.vault import Vault
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import LogFrom, RecordPage
from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import CompactRange, check_consistency, leaf_hash
from seefen.protocol.receipt import Entry, check_entry

_PAGE: Final = 4096
_TRIES: Final = 5
_SECOND: Final = 1.0  # heads are signed to the second


async def accuse(
    trust: Trust,
    vault: Vault,
    home: Path,
    entries: Sequence[Entry],
    again: Callable[[], Awaitable[None]],
) -> None:
    """Give the broker a second chance to show statements of keys, and keep what it signs.

    Args:
        home: Of the device.
        entries: They come under the newest head of the activity log.
        again: Asks for the authority log once more.

    Raises:
        UntrustedError: rule ``withheld``: it does not show them.
    """
    await _keep_withheld(trust, vault, home, entries, again)
    needed = max(Record.decode(one.record).authority_size for one in entries)
    if needed > trust.directory.size:
        raise UntrustedError("the broker withholds signed records of keys", rule="withheld")


async def _keep_withheld(
    trust: Trust,
    vault: Vault,
    home: Path,
    entries: Sequence[Entry],
    again: Callable[[], Awaitable[None]],
) -> None:
    entry = max(entries, key=lambda one: Record.decode(one.record).authority_size)
    needed = Record.decode(entry.record).authority_size
    activity = _note(vault, "activity")
    try:
        signed = verified(activity, trust.origin("activity"), trust.root.log_key)
        check_entry(entry, signed.checkpoint)
        for _ in range(_TRIES):
            if _time(trust, vault) > signed.time + verify.APART:
                break
            await asyncio.sleep(_SECOND)
            await again()
    except SeefenError:
        return  # what does not hold by itself is no evidence; the alarm stands
    if needed <= trust.directory.size:
        return  # it was late, and it was there
    what = (
        f"entry {entry.index} was judged by {needed} statements of keys, "
        f"and the broker shows {trust.head('authority').size}"
    )
    proved = proved_entry(entry.index, entry.record, entry.proof, activity)
    value = accusation("withheld", what, trust.root.log_key, [_note(vault, "authority")], [proved])
    keep_evidence(home / FOLDER, f"authority-withheld-{entry.index}.json", value)


async def grown(
    trust: Trust, vault: Vault, connection: Connection, size: int, prove: Prove
) -> dict[str, Any]:
    """Return the root that the activity log had at a size, proved under our newest head.

    Raises:
        UntrustedError: The broker does not show what it has signed.
    """
    tree, note = CompactRange(), _note(vault, "activity")
    head = trust.head("activity")
    while tree.size < size:
        ask = LogFrom(tree.size, _PAGE, head.size)
        page = await connection.request("records", ask, RecordPage)
        for record in page.records[: size - tree.size]:
            tree.append(leaf_hash(record))
        if not page.records:
            raise UntrustedError("the broker withholds records", rule="withheld")
    proof = () if size == head.size else await prove("activity", size, head.size)
    check_consistency(size, tree.root(), head.size, head.root, proof)
    hashes = [value.hex() for value in proof]
    return {"size": size, "root": tree.root().hex(), "proof": hashes, "head": note}


def _note(vault: Vault, log: str) -> str:
    kept = vault.head(log)
    return "" if kept is None else kept[1]


def _time(trust: Trust, vault: Vault) -> int:
    note = _note(vault, "authority")
    return verified(note, trust.origin("authority"), trust.root.log_key).time
