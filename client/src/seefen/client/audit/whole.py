"""The whole log: every record, against the root that was signed and against what was seen before.

Records come a page at a time, and each page is proved by itself to be the beginning of what
was signed: nothing is held in memory, and an interrupted check has kept what it proved.
"""

from typing import Final, TypeAlias

from seefen.client.audit.fetching import Progress, silent
from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import LogFrom, RecordPage
from seefen.protocol.ledger.tree import CompactRange, check_consistency, leaf_hash
from seefen.protocol.statements import Head

RECORDS: Final = 4096
ANEW: Final = 100_000  # records that the verdict reads from the first one on: 9 MB
PROVED: Final = "audit/tree"  # size and hashes: how far all records are known

Sentences: TypeAlias = list[str]


class WholeLog:
    """Compares all records with the signed root."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def compare(
        self, progress: Progress = silent, *, anew: bool = True
    ) -> tuple[int, Sentences]:
        """Return how many records are proved, and what is wrong; the engine's lock must be held.

        Args:
            anew: From the first record on; else what was proved before is left out, if it is
                more than is quickly read again.
        """
        head = self._engine.trust.head("activity")
        tree = CompactRange() if anew or head.size <= ANEW else self._known()
        while tree.size < head.size:
            page = await self._engine.connection.request(
                "records", LogFrom(tree.size, RECORDS, head.size), RecordPage
            )
            records = page.records[: head.size - tree.size]
            if not records:
                ends = f"the log ends at {tree.size}, and {head.size} entries were signed"
                return tree.size, [ends]
            start = tree.size
            problem = self._append(tree, records)
            if problem:
                return tree.size - 1, [problem]
            if not await self._fits(tree, head):
                return start, ["the records are not the ones whose root was signed"]
            self._keep(tree, start, records)
            progress("records", tree.size, head.size)
        return tree.size, []

    def _known(self) -> CompactRange:
        value = self._engine.vault.get(PROVED)
        if value is None:
            return CompactRange()
        return CompactRange.decode(decode(value, bytes))

    def _append(self, tree: CompactRange, records: tuple[bytes, ...]) -> str:
        sql = "SELECT idx, record FROM record WHERE idx >= ? AND idx < ?"
        found = self._engine.vault.run(sql, tree.size, tree.size + len(records))
        known = {index: bytes(record) for index, record in found}
        for record in records:
            index = tree.size
            tree.append(leaf_hash(record))
            if known.get(index, record) != record:
                return self._difference(index, record)
        return ""

    def _difference(self, index: int, record: bytes) -> str:
        following = self._engine.vault.one("SELECT record FROM record WHERE idx = ?", index + 1)
        if following is not None and bytes(following[0]) == record:
            return f"entry {index} was removed from the log"
        return f"entry {index} is not the one that was signed: it was altered"

    async def _fits(self, tree: CompactRange, head: Head) -> bool:
        if tree.size == head.size:
            return tree.root() == head.root
        try:
            proof = await self._engine.prove("activity", tree.size, head.size)
            check_consistency(tree.size, tree.root(), head.size, head.root, proof)
        except UntrustedError:
            return False
        return True

    def _keep(self, tree: CompactRange, start: int, records: tuple[bytes, ...]) -> None:
        vault = self._engine.vault
        with vault.change():
            vault.many(
                "INSERT OR IGNORE INTO record VALUES (?, ?)", list(enumerate(records, start))
            )
            known = self._known()
            if tree.size > known.size:
                vault.put(PROVED, encode(tree.encode()))
