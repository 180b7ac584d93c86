"""Code lists: new codes come as a CodelistUpdate, and count once an admin adopts them.

Whoever sends an update proposes. An admin of the own node says it again in the house: from
then on the node's devices write these codes and show their words. A version is the next of
its table, or it is refused; no code goes away. Devices keep what was adopted in the vault,
and beside it, for commands that open none, in a file: codes are no secret.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from seefen.client.engine import Engine
from seefen.client.house import House
from seefen.client.keyfile import replace_file
from seefen.client.requests import Find
from seefen.client.values import Sent
from seefen.client.views import require_in_use, row_of
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import TABLES, CodelistUpdate, learn
from seefen.protocol.messages.codes import GROWING
from seefen.protocol.suite import new_id

NAME: Final = "codes.json"
SHIPPED: Final = 1  # the version of each table as this program brings it


class Adopted(Struct, frozen=True):
    """A code that the own node adopted, with its words and where they come from."""

    table: str
    code: str
    label: Annotated[str, Meta(max_length=200)]
    source: str
    version: int


Rows: TypeAlias = list[Adopted]


class Codelists:
    """What the own node adopted, and how it adopts more."""

    def __init__(self, engine: Engine, house: House, find: Find) -> None:
        self._engine = engine
        self._house = house
        self._find = find
        self._learned: Rows = []
        for one in read(engine.home):
            learn(one.table, {one.code: one.label})

    def list(self) -> Rows:
        """Return the codes that were adopted, in the order of their versions."""
        return [*self._adopted()]

    def version(self, table: str) -> int:
        """Return the version of a table, as the own node has it."""
        return max((one.version for one in self._adopted() if one.table == table), default=SHIPPED)

    async def adopt(self, ref: str) -> Sent:
        """Adopt the update in a message that is open here, as an admin of the node.

        Raises:
            UntrustedError: rule ``role``: this device is no admin.
            RefusedError: rule ``no-update``, ``table``, or ``double``: two codes of one name.
            OutOfTurnError: rule ``version``: it is not the next one of its table.
        """
        engine = self._engine
        if "admin" not in engine.directory.device(engine.keys.device).roles:
            raise UntrustedError("an admin adopts codes for his node", rule="role")
        state, number = self._find(ref)
        row = row_of(engine, state, number)
        require_in_use(engine, row)
        update = row.message
        if not isinstance(update, CodelistUpdate) or update.exercise:
            raise RefusedError(f"{ref} is no update that is open here", rule="no-update")
        check(update, self.version(update.table))
        return await self._house.say(replace(update, message_id=new_id(), created_at=0))

    def apply(self) -> None:
        """Let this program know the codes that were adopted, now and when it starts anew."""
        adopted = self.list()
        if adopted == self._learned:
            return
        for one in adopted:
            learn(one.table, {one.code: one.label})
        replace_file(self._engine.home / NAME, msgspec.json.encode(adopted))
        self._learned = adopted

    def _adopted(self) -> Iterator[Adopted]:
        versions = dict[str, int]()
        for said in reversed(self._house.bound(CodelistUpdate)):
            update = said.message
            next_ = versions.get(update.table, SHIPPED) + 1
            # In order: what was skipped or comes twice changes nothing.
            if update.table in GROWING and update.version == next_:
                versions[update.table] = next_
                for row in update.rows:
                    yield Adopted(update.table, row.code, row.label, row.source, next_)


def check(update: CodelistUpdate, version: int) -> None:
    """Check an update against the table as it is here.

    Raises:
        RefusedError: rule ``table`` or ``double``.
        OutOfTurnError: rule ``version``.
    """
    if update.table not in GROWING:
        raise RefusedError(
            f"the table {update.table} does not grow; those that do: {', '.join(GROWING)}",
            rule="table",
        )
    if update.version != version + 1:
        raise OutOfTurnError(
            f"{update.table} has version {version} here: the next is {version + 1}, "
            f"and this one is {update.version}",
            rule="version",
        )
    known = {label.casefold(): code for code, label in TABLES[update.table].items()}
    for row in update.rows:
        if known.get(row.label.casefold(), row.code) != row.code:
            raise RefusedError(
                f"{row.code} would be called as {known[row.label.casefold()]} is: {row.label}",
                rule="double",
            )
        known[row.label.casefold()] = row.code


def read(home: Path) -> Rows:
    """Return the codes that are kept beside a vault; none where there is no such file.

    What does not read as such, or names a table that does not grow, is left out: whoever
    writes into this folder must not change what a handling code is called.
    """
    try:
        rows = msgspec.json.decode((home / NAME).read_bytes(), type=list[Adopted])
    except (OSError, ValueError, RecursionError):
        return []
    return [row for row in rows if row.table in GROWING]
