"""Acknowledging: the authors' nodes are told how far their objects got, sooner or later.

What is to be told is written down as owed first; a broken line, or a kill, only delays it.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from seefen.client.engine import Engine
from seefen.client.sender import Parcel, Sender
from seefen.client.views import Row, rows
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    UntrustedError,
)
from seefen.protocol.statements import Ack

TOGETHER: Final = 50  # acknowledgements in a bundle


class Acknowledging:
    """Tells of deliveries and readings, many in a bundle."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        self._round = ""  # up to which name the round through all that is owed has come
        self._alone = 0  # how many are told one by one next, because a bundle was refused

    async def acknowledge(self, found: Sequence[Row], step: str) -> None:
        """Tell the authors' nodes how far objects got; a second time is no matter.

        What is refused together is told one by one, the next times :meth:`owed` runs.
        """
        due = self._due(found, step)
        if not due:
            return
        try:
            await self._sender.send(lambda parcel: self._add_acks(parcel, due, step))
        except (MalformedError, OutOfTurnError, UntrustedError, RefusedError) as err:
            if self._sender.waits:
                raise  # not refused: its receipt was not believed
            if len(due) > 1:
                self._alone = len(due)  # it may be for one of them: the others are in order
                return
            if isinstance(err, OutOfTurnError):
                raise
            if err.rule != "acknowledged":
                author = due[0].statement.node
                self._engine.alarm(f"the broker takes no {step} for a message of {author}: {err}")
        self._told(due, step)

    async def owed(self) -> bool:
        """Tell some of what is owed, a bundle of it; return whether there is more this round.

        The engine's lock must be held.
        """
        limit = 1 if self._alone else TOGETHER
        self._alone = max(0, self._alone - 1)
        owed = self._owed_after(self._round, limit)
        begins_anew = not owed and self._round != ""
        if begins_anew:
            self._round = ""
            owed = self._owed_after("", limit)
        steps: dict[str, list[Row]] = {}
        for name in owed:
            _, step, object_ = name.split("/")
            known = rows(self._engine, "object = ?", bytes.fromhex(object_))
            steps.setdefault(step, []).extend(known)
            if not known:
                self._settled(f"{step}/{object_}")
        for step, found in steps.items():
            with suppress(OutOfTurnError):  # too much goes on now: in the next round
                await self.acknowledge(found, step)
        if self._alone and limit > 1:
            return True  # the same ones again, each on its own
        ends = len(owed) < limit
        self._round = "" if ends else owed[-1]
        return not (ends or begins_anew)

    def _owed_after(self, name: str, limit: int) -> list[str]:
        sql = "SELECT name FROM setting WHERE name GLOB 'owe/*' AND name > ? ORDER BY name LIMIT ?"
        return [row[0] for row in self._engine.vault.run(sql, name, limit)]

    def _due(self, found: Sequence[Row], step: str) -> list[Row]:
        """Return what is to be told, written down as owed; the rest is settled."""
        vault, due = self._engine.vault, list[Row]()
        with vault.soon():  # synced with the bundle that tells it
            for row in found:
                if row.statement.node == self._engine.node:
                    self._settled(_owed(row, step))
                elif self._stands(row, step):
                    self._told([row], step)
                else:
                    # Owed until it stands: a broken line, or a kill, only delays it.
                    vault.put(f"owe/{_owed(row, step)}", b"1")
                    due.append(row)
        return due

    def _stands(self, row: Row, step: str) -> bool:
        engine = self._engine
        if engine.vault.get(f"step/{_owed(row, step)}") is not None:
            return True
        # Its receipt came when its answer was asked for again: after a cut, or by a later process.
        told = "SELECT 1 FROM step WHERE object = ? AND node = ? AND step = ?"
        return engine.vault.one(told, row.object, engine.node, step) is not None

    def _told(self, due: Sequence[Row], step: str) -> None:
        with self._engine.vault.soon():  # its receipt is on the disk
            for row in due:
                self._engine.vault.put(f"step/{_owed(row, step)}", b"1")
                self._settled(_owed(row, step))

    def _add_acks(self, parcel: Parcel, due: Sequence[Row], step: str) -> None:
        for row in due:
            obj = row.statement
            ack = parcel.activity(Ack, "ack", obj.case, object=obj.object, step=step)
            parcel.add(ack, tag_key=self._engine.case_key(obj.case, obj.gen))

    def _settled(self, name: str) -> None:
        self._engine.vault.run("DELETE FROM setting WHERE name = ?", f"owe/{name}")


def _owed(row: Row, step: str) -> str:
    return f"{step}/{row.statement.object.hex()}"
