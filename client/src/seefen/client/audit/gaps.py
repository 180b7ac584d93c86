"""Gaps: numbers that devices gave and no entry has. They show what a broker keeps to itself.

Of the own devices every number; of partners those in the own cases. How far a device got is
also known from what it told this one: its last entries cannot be cut off.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seefen.client.audit.erasing import erased_upto
from seefen.client.audit.store import Store
from seefen.client.engine import Engine

MOST: Final = 100  # numbers of one device that are named one by one


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing, as a sentence, and where in the log it must stand."""

    sentence: str
    start: int
    stop: int | None


def gaps(engine: Engine, store: Store) -> tuple[Gap, ...]:
    """Return what is missing in the numbers of devices, from 1 on."""
    return tuple(_Gaps(engine, store).all())


class _Gaps:
    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store
        self._broken: set[str] = set()
        self._erased = erased_upto(engine.vault)

    def all(self) -> Iterator[Gap]:
        for device, (count, upto) in self._own().items():
            if count >= upto:
                continue
            for number, start, stop in self._missing("device_n", upto, "device = ?", device):
                self._broken.add(device)
                yield Gap(
                    f"an entry of {self._officer(device)} is missing: its number {number}",
                    start,
                    stop,
                )
        yield from self._in_cases()

    def _own(self) -> dict[str, tuple[int, int]]:
        """Return of each device of the node how many numbers are here, and which it has reached."""
        engine, found = self._engine, dict[str, tuple[int, int]]()
        sql = "SELECT count(DISTINCT device_n), ifnull(max(device_n), 0) FROM audited"
        for device in engine.directory.devices(engine.node):
            row = engine.vault.one(f"{sql} WHERE device = ? AND device_n > 0", device.device.hex())
            found[device.device.hex()] = (0, 0) if row is None else (row[0], row[1])
        ours = engine.keys.device.hex()
        count, upto = found.get(ours, (0, 0))
        found[ours] = count, max(upto, engine.vault.get_number("device_n"))
        return found

    def _in_cases(self) -> Iterator[Gap]:
        engine = self._engine
        # In one go over all: what is asked for one by one, below, is what does not fit.
        sql = (
            "SELECT case_id, device, count(DISTINCT case_n) FROM audited WHERE case_n > 0"
            " GROUP BY case_id, device"
        )
        counts = {(case, device): count for case, device, count in engine.vault.run(sql)}
        for case, device, upto in engine.vault.run("SELECT case_id, device, case_n FROM number"):
            if counts.get((case.hex(), device.hex()), 0) >= upto or device.hex() in self._broken:
                continue  # nothing is missing; or it is named above
            state = engine.trust.require_state(case)
            own = engine.directory.device(device).node == engine.node
            if state.owner != engine.node and not own:
                continue  # not for us to know
            where, name = "device = ? AND case_id = ?", engine.name_of(state)
            for number, start, stop in self._missing(
                "case_n", upto, where, device.hex(), case.hex()
            ):
                yield Gap(
                    f"an entry of {self._officer(device.hex())} in {name} is missing: its number "
                    f"{number} there",
                    start,
                    stop,
                )

    def _missing(
        self, column: str, upto: int, where: str, *values: str
    ) -> Iterator[tuple[int, int, int | None]]:
        """Yield each missing number, with the piece of the log in which it must stand."""
        chosen = f"FROM audited WHERE {where} AND {column} > 0"
        sql = f"SELECT {column}, idx {chosen} ORDER BY {column}"
        expected, before, named = 1, 0, 0
        for number, index in [*self._store.vault.run(sql, *values), (upto + 1, None)]:
            if before < self._erased:
                # What was erased under retention has no number any more.
                expected = max(expected, number)
            for missing in range(expected, min(number, upto + 1)):
                if named == MOST:
                    return
                named += 1
                yield missing, before, index
            expected, before = max(expected, number + 1), (index or 0) + 1

    def _officer(self, device: str) -> str:
        return self._engine.directory.device(bytes.fromhex(device)).officer or device[:8]
