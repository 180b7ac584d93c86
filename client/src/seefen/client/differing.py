"""A changed entry, in the log's own words: two records in one place, each under a signed head.

Who has checked every record of the log keeps the head that they led to. When the log later
holds another record in the same place, under another signed head, two proofs of inclusion
show both to anybody.
"""

from typing import Final

from seefen.client.engine import Engine
from seefen.client.evidence import FOLDER, accusation, keep_evidence, proved_entry
from seefen.client.once import verified
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import LogFrom, RecordPage
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.tiles import Edge
from seefen.protocol.ledger.tree import Proof, inclusion_plan, leaf_hash

PAGE: Final = 4096
CHECKED: Final = "checked-note"
LIMIT: Final = 1 << 20  # records that are held at once; a longer log is left to its heads


async def settle(engine: Engine, *, whole: bool) -> None:
    """Keep the head that every record was checked under; or look which record was changed.

    Args:
        whole: Every record is the one that was signed.
    """
    kept = engine.vault.head("activity")
    if whole and kept is not None:
        engine.vault.put(CHECKED, kept[1].encode())
    elif not whole and engine.vault.get(CHECKED) is not None:
        try:
            await _accuse(engine)
        except SeefenError:
            return  # what does not hold by itself is no evidence; the problems stand


async def _accuse(engine: Engine) -> None:
    before = (engine.vault.get(CHECKED) or b"").decode()
    old = _head(engine, before)
    if old.size > LIMIT:
        return
    rows = engine.vault.run("SELECT record FROM record WHERE idx < ? ORDER BY idx", old.size)
    mine = [bytes(row[0]) for row in rows]
    theirs, now = await _records(engine)
    new = _head(engine, now)
    if not (_leads_to(mine, old) and _leads_to(theirs, new)):
        return  # what was shown is not even what was signed: nothing to hold against the log
    for index, (one, two) in enumerate(zip(mine, theirs, strict=False)):
        if one != two:
            what = f"entry {index} is not the one that was signed before: it was changed"
            entries = [
                proved_entry(index, one, _proof(mine, index), before),
                proved_entry(index, two, _proof(theirs, index), now),
            ]
            key = engine.trust.root.log_key
            value = accusation("changed", what, key, [before, now], entries)
            keep_evidence(engine.home / FOLDER, f"activity-changed-{index}.json", value)
            return


async def _records(engine: Engine) -> tuple[list[bytes], str]:
    """Return all records that the broker shows, and the head that it signs for them."""
    found: list[bytes] = []
    while True:
        ask = LogFrom(len(found), PAGE, 0)
        page = await engine.connection.request("records", ask, RecordPage)
        size = _head(engine, page.checkpoint).size
        found += page.records
        if not page.records or len(found) >= min(size, LIMIT):
            return found[:size], page.checkpoint


def _head(engine: Engine, note: str) -> Checkpoint:
    origin = engine.trust.origin("activity")
    return verified(note, origin, engine.trust.root.log_key).checkpoint


def _leads_to(records: list[bytes], head: Checkpoint) -> bool:
    edge = Edge()
    edge.extend(leaf_hash(record) for record in records)
    return (edge.size, edge.compact().root()) == (head.size, head.root)


def _proof(records: list[bytes], index: int) -> Proof:
    edge = Edge()
    full = edge.extend(leaf_hash(record) for record in records)
    return inclusion_plan([index], edge.size).build(edge.reader(full))[0]
