"""Asking again: what the broker kept back or changed once is asked for until it comes.

Keys and bodies travel beside the records that name them by their hashes. One that does not come,
or is another, is an alarm, and the record stays in :mod:`seefen.client.missing`; at each sync
the broker has another chance. What it then says needs no proof of the log: it is what was named,
byte for byte, or it is nothing.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from msgspec import Struct

from seefen.client import missing
from seefen.client.connection import Connection, LoginError, UnreachableError
from seefen.client.evidence import FOLDER, accusation, keep_evidence
from seefen.client.keychain import Keychain
from seefen.client.missing import Missing
from seefen.client.once import opened
from seefen.client.trust import Taken, Trust
from seefen.client.vault import Vault
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuthorityItem, AuthorityPage, FeedFrom, LogFrom, Page
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import check_body, parts_root
from seefen.protocol.statements import Assign, CaseKey, Object

ASKS: Final = 8  # requests at one sync
SPAN: Final = 64  # records that one request may ask for

Change = Callable[[], AbstractContextManager[None]]


class Beside(Struct, frozen=True):
    """What came beside a record."""

    wraps: tuple[bytes, ...] = ()
    body: bytes = b""


class Again:
    """Checks what comes beside records, and asks again for what does not come."""

    def __init__(
        self,
        trust: Trust,
        vault: Vault,
        keychain: Keychain,
        connection: Connection,
        home: Path,
        alarm: Callable[[str], None],
    ) -> None:
        self._trust = trust
        self._vault = vault
        self._keychain = keychain
        self._connection = connection
        self._evidence = home / FOLDER
        self._alarm = alarm

    # --- what comes -----------------------------------------------------------

    def learn_seeds(self, page: AuthorityPage) -> None:
        """Learn the seeds of mailboxes that a page of the authority log hands over."""
        for index, item in enumerate(page.items, page.start):
            if item.kind == "mailbox" and (lost := self._keychain.learn_seed(item)) is not None:
                what = f"the {lost.box} mailbox of {lost.node}, generation {lost.version},"
                self._withheld("authority", index, f"the wrap of {what}")

    def learn(self, taken: Taken, wraps: tuple[bytes, ...]) -> None:
        """Learn the key of a case that a statement of its chain hands over."""
        statement = taken.opened.statement
        if isinstance(statement, CaseKey | Assign) and not self._keychain.learn(statement, wraps):
            number = self._trust.require_state(statement.case).number
            self._withheld("activity", taken.index, f"the wrap of the key of {number}")

    def checked(self, index: int, ref: str, obj: Object, body: bytes) -> bytes:
        """Return a sealed body if it is the one its author signed for, else nothing.

        Args:
            index: Of the entry of ``obj``.
            ref: What people call it.
        """
        if obj.file:
            return body
        if not body:
            self._withheld("activity", index, f"the body of {ref}")
            return b""
        try:
            check_body(obj, body)
        except UntrustedError as err:
            self._changed(index, ref, obj, body, err)
            return b""
        return body

    def _withheld(self, log: missing.Log, index: int, what: str) -> None:
        if missing.note(self._vault, log, index):
            self._alarm(f"{what} was withheld [withheld]")

    def _changed(self, index: int, ref: str, obj: Object, body: bytes, err: UntrustedError) -> None:
        # The hash is in the signature of the author: whoever changed it, it was not he.
        missing.note(self._vault, "activity", index)
        what = f"the broker passed on another body of {ref} than was signed for"
        self._alarm(f"{what} [{err.rule}]")
        kept = self._vault.head("activity")
        value = accusation(
            err.rule, what, self._trust.root.log_key, [] if kept is None else [kept[1]]
        )
        value |= {
            "entry": index,
            "signed": [obj.body_size, obj.body_root.hex()],
            "came": [len(body), parts_root([leaf_hash(body)]).hex()],
        }
        keep_evidence(self._evidence, f"body-{obj.object.hex()}.json", value)

    # --- asking ---------------------------------------------------------------

    async def ask(self, change: Change) -> None:
        """Ask for what is missing, what was asked for least often first.

        A part of it, where it is much: at most :data:`ASKS` requests of :data:`SPAN` records.

        Raises:
            UnreachableError: No broker; the next sync goes on.
        """
        left = missing.waiting(self._vault)
        for _ in range(ASKS):
            if not left:
                return
            first = left[0]
            stop = first.index + SPAN
            run = [o for o in left if o.log == first.log and first.index <= o.index < stop]
            left = [one for one in left if one not in run]
            await self._ask_for(run, change)

    async def body(self, index: int, ref: str, obj: Object, change: Change) -> None:
        """Ask for the body of a message at once, if it is not here.

        Raises:
            UntrustedError: rule ``withheld``: it did not come. Nothing was entered.
        """
        if self._has_body(obj):
            return
        await self._ask_for([Missing(0, "activity", index)], change)
        if not self._has_body(obj):
            why = f"the broker has withheld the body of {ref}: it is asked for at each sync"
            raise UntrustedError(f"{why}, and no opening was entered", rule="withheld")

    def _has_body(self, obj: Object) -> bool:
        sql = "SELECT 1 FROM object WHERE object = ? AND sealed IS NOT NULL"
        return self._vault.one(sql, obj.object) is not None

    async def _ask_for(self, run: list[Missing], change: Change) -> None:
        """Ask for records of one log that lie near each other, the first of them first."""
        limit = max(one.index for one in run) - run[0].index + 1
        try:
            came = await self._fetch(run[0].log, run[0].index, limit)
        except (UnreachableError, LoginError):
            raise
        except SeefenError:
            came = {}  # what is honest does not wait for it
        with change():
            for one in run:
                if self._take(one, came.get(one.index, Beside())):
                    missing.drop(self._vault, one.log, one.index)
                else:
                    missing.tried(self._vault, one)

    async def _fetch(self, log: missing.Log, start: int, limit: int) -> dict[int, Beside]:
        seen = self._trust.head(log).size
        if log == "authority":
            leaves = await self._connection.request(
                "authority", LogFrom(start, limit, seen), AuthorityPage
            )
            return {n: Beside(item.wraps) for n, item in enumerate(leaves.items, leaves.start)}
        page = await self._connection.request("feed", FeedFrom(start, limit, seen), Page)
        return {item.entry.index: Beside(item.wraps, item.body) for item in page.items}

    def _take(self, one: Missing, came: Beside) -> bool:
        """Take in what came beside a record of the vault; return whether nothing is missing."""
        if one.log == "authority":
            return self._take_seed(one.index, came)
        sql = "SELECT kind, envelope FROM entry WHERE idx = ? AND envelope IS NOT NULL"
        row = self._vault.one(sql, one.index)
        if row is None:
            return True
        statement = opened(row[1], row[0]).statement
        if isinstance(statement, Object):
            return self._take_body(one.index, statement, came.body)
        if isinstance(statement, CaseKey | Assign):
            return self._keychain.learn(statement, came.wraps)
        return True

    def _take_seed(self, index: int, came: Beside) -> bool:
        row = self._vault.one("SELECT kind, envelope FROM authority WHERE idx = ?", index)
        item = None if row is None else AuthorityItem(row[0], row[1], came.wraps)
        return item is None or self._keychain.learn_seed(item) is None

    def _take_body(self, index: int, obj: Object, body: bytes) -> bool:
        sql = "SELECT n, sealed IS NOT NULL FROM object WHERE object = ?"
        n, is_here = self._vault.one(sql, obj.object) or (0, True)
        if is_here:
            return True
        ref = f"{self._trust.require_state(obj.case).number}#{n}"
        if not (right := self.checked(index, ref, obj, body)):
            return False
        self._vault.run("UPDATE object SET sealed = ? WHERE object = ?", right, obj.object)
        return True
