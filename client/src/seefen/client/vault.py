"""The vault: everything a device knows, in one encrypted SQLite file.

Only verified things come in (:mod:`seefen.client.trust`). What belongs together is
written in one transaction with the log position it belongs to, so that a kill at any
point leaves a state that was true.

A commit is synced to the disk before it returns. One that may be done again (:meth:`Vault.soon`)
is only written: it outlives a kill at once, a power cut from the next commit on, which takes it.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import get_ident
from typing import Any, Final

import apsw
from msgspec import Struct
from msgspec.structs import astuple

from seefen.client import private
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Head

NAME: Final = "vault.db"
CACHE: Final = 16 * 1024  # KiB of pages that need not be decrypted again
TIDY: Final = 1000  # pages of the write-ahead log that are worth a checkpoint
MOST: Final = 4000  # pages at which a commit makes one itself, whoever waits for it

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS authority (
  idx INTEGER PRIMARY KEY, kind TEXT NOT NULL, envelope BLOB NOT NULL, broken TEXT);
CREATE TABLE IF NOT EXISTS mailbox_seed (
  node TEXT, box TEXT, gen INTEGER, seed BLOB NOT NULL, PRIMARY KEY (node, box, gen)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
  idx INTEGER PRIMARY KEY, kind TEXT NOT NULL, case_id BLOB NOT NULL, device BLOB NOT NULL,
  case_n INTEGER NOT NULL, authority_size INTEGER, at INTEGER, envelope BLOB, core BLOB);
CREATE INDEX IF NOT EXISTS entry_case ON entry (case_id, idx);
CREATE INDEX IF NOT EXISTS entry_kind ON entry (kind, case_id);
CREATE TABLE IF NOT EXISTS number (
  case_id BLOB, device BLOB, case_n INTEGER NOT NULL, object_hash BLOB,
  PRIMARY KEY (case_id, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS case_key (
  case_id BLOB, gen INTEGER, key BLOB NOT NULL, PRIMARY KEY (case_id, gen)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
  object BLOB PRIMARY KEY, case_id BLOB NOT NULL, n INTEGER NOT NULL, idx INTEGER NOT NULL,
  at INTEGER NOT NULL, envelope BLOB NOT NULL, cover BLOB, sealed BLOB, wrapped BLOB, body BLOB,
  message_id BLOB, shown_until INTEGER NOT NULL DEFAULT 0, superseded_by BLOB,
  node TEXT NOT NULL, reply_to BLOB, file INTEGER NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS object_n ON object (case_id, n);
CREATE INDEX IF NOT EXISTS object_reply ON object (reply_to, idx);
CREATE INDEX IF NOT EXISTS object_idx ON object (idx);
CREATE UNIQUE INDEX IF NOT EXISTS object_message ON object (case_id, message_id);
CREATE INDEX IF NOT EXISTS object_closed ON object (idx) WHERE body IS NULL AND NOT file;
CREATE TABLE IF NOT EXISTS step (
  object BLOB, node TEXT, step TEXT, at INTEGER NOT NULL, officer TEXT NOT NULL,
  PRIMARY KEY (object, node, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settled (object BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS access (
  idx INTEGER PRIMARY KEY, case_id BLOB NOT NULL, scope TEXT NOT NULL, object BLOB,
  envelope BLOB NOT NULL, until INTEGER NOT NULL, reason TEXT NOT NULL, salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS draft (
  id INTEGER PRIMARY KEY AUTOINCREMENT, case_id BLOB NOT NULL, made_at INTEGER NOT NULL,
  fields BLOB NOT NULL, problem TEXT);
CREATE TABLE IF NOT EXISTS attachment (
  id INTEGER PRIMARY KEY AUTOINCREMENT, fields BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT, made_at INTEGER NOT NULL, automated INTEGER NOT NULL,
  fields BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS record (idx INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mark (
  object BLOB, field TEXT, text TEXT, strong TEXT, weak TEXT,
  PRIMARY KEY (object, field, text)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS mark_strong ON mark (strong);
CREATE INDEX IF NOT EXISTS mark_weak ON mark (weak);
CREATE VIRTUAL TABLE IF NOT EXISTS word USING fts5(
  folded, tokenize = 'trigram', content = '', contentless_delete = 1);
"""


class StoredEntry(Struct, frozen=True):
    """An entry of the activity log that was taken in; a stub has no envelope."""

    index: int
    kind: str
    case: bytes
    device: bytes
    case_n: int
    authority_size: int | None
    at: int | None
    envelope: bytes | None
    core: bytes | None


class Vault:
    """One device's file, for the thread that opened it; a mistake of ours shows at once."""

    def __init__(self, connection: Any) -> None:
        self._db, self._thread = connection, get_ident()
        self._pages = 0  # of the write-ahead log
        self._soon = False
        self._depth = 0
        self._unsynced = False
        self._newest: int | None = None  # index of an entry; None: to be asked for
        self._later: dict[str, dict[object, tuple[Any, ...]]] = {}
        connection.set_wal_hook(self._grown)

    @classmethod
    def open(cls, path: Path, key: bytes) -> "Vault":
        """Open the vault of a device, making it when it is new.

        Raises:
            RefusedError: Another process has it open, or it is damaged.
        """
        db: Any = None  # its stubs say nothing of the values
        try:
            db = apsw.Connection(str(private.database(path)))
            db.pragma("cipher", "chacha20")
            db.pragma("key", f"x'{key.hex()}'")
            # One process a vault: a second one would use the same numbers twice.
            db.pragma("locking_mode", "EXCLUSIVE")
            db.pragma("journal_mode", "WAL")
            db.pragma("synchronous", "FULL")
            db.pragma("cache_size", -CACHE)
            db.execute("BEGIN EXCLUSIVE")
            db.execute(SCHEMA)
            db.execute("COMMIT")
        except apsw.Error as err:
            if db is not None:
                db.close()
            raise _problem(err, path) from None
        return cls(db)

    @classmethod
    def in_memory(cls) -> "Vault":
        """Return a vault that is gone when it is closed: for those who have no device."""
        db: Any = apsw.Connection(":memory:")
        db.execute(SCHEMA)
        return cls(db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def change(self) -> Generator[None]:
        """Make all writes inside one transaction; it may be nested."""
        self._require_whole()
        try:
            self._flush()  # what an outer transaction wrote is not taken back with an inner one
            with self._db:
                self._depth += 1
                try:
                    yield
                    self._require_whole()
                    self._flush()
                finally:
                    self._depth -= 1
        except apsw.Error as err:
            self._forget()
            if isinstance(err.__context__, RefusedError):
                raise err.__context__ from None
            raise _problem(err) from err
        except BaseException:
            self._forget()
            raise

    @contextmanager
    def soon(self) -> Generator[None]:
        """Make all writes inside one transaction that the next :meth:`change` syncs.

        For what a device learns anew, or does again, if a power cut takes it back. Inside
        another transaction it is a part of that one.
        """
        if self._db.in_transaction:
            with self.change():
                yield
            return
        self._db.pragma("synchronous", "NORMAL")
        self._soon = True
        try:
            with self.change():
                yield
        finally:
            self._soon = False
            self._db.pragma("synchronous", "FULL")

    @property
    def synced(self) -> bool:
        """Whether all that was written would outlive a power cut."""
        return not self._unsynced

    def sync(self) -> None:
        """Bring to the disk what :meth:`soon` has written; nothing when there is nothing."""
        if self._unsynced:
            self.put("synced", b"")

    def tidy(self) -> None:
        """Take a long write-ahead log into the file: for when nobody waits."""
        if self._pages < TIDY:
            return
        try:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as err:
            raise _problem(err) from err
        self._pages = 0

    def _grown(self, _: Any, __: str, pages: int) -> int:
        # Called at each commit. One in full syncs the log, and with it what was written before.
        self._unsynced = self._soon
        self._pages = pages
        if pages >= MOST:
            # The commit stands: a full disk must not make it look as if it did not, or the
            # officer would send his alert again.
            with suppress(RefusedError):
                self.tidy()
        return apsw.SQLITE_OK

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows.

        Raises:
            RefusedError: rule ``disk``: it cannot be written; nothing was changed.
        """
        self._require_whole()
        try:
            if self._later:
                self._flush()
            return list(self._db.execute(sql, values))
        except apsw.Error as err:
            raise _problem(err) from err

    def later(self, sql: str, *values: Any, key: object = None) -> None:
        """Run a statement at the end of the transaction, or before the next that is run.

        For what comes by the thousand. Statements with one text keep their order, those with
        different texts do not: they must be such that it makes no difference.

        Args:
            key: The last one under a key stands for all of them.
        """
        if not self._db.in_transaction:
            self.run(sql, *values)
            return
        waiting = self._later.setdefault(sql, {})
        waiting[len(waiting) if key is None else key] = values

    def _require_whole(self) -> None:
        if get_ident() != self._thread:  # or two would meet in it, once in a hundred commands
            raise RuntimeError("the vault is for the thread that opened it")
        # A full disk makes SQLite end the whole transaction: what comes after stood alone.
        if self._depth and not self._db.in_transaction:
            raise RefusedError("the vault cannot be written: make room on the disk", rule="disk")

    def _flush(self) -> None:
        waiting, self._later = self._later, {}
        for sql, rows in waiting.items():
            self._db.executemany(sql, rows.values())

    def _forget(self) -> None:
        self._later.clear()
        self._newest = None

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """Run one statement and return its first row, or None."""
        return next(iter(self.run(sql, *values)), None)

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each row of values."""
        self._require_whole()
        try:
            self._flush()
            self._db.executemany(sql, rows)
        except apsw.Error as err:
            raise _problem(err) from err

    # --- settings -----------------------------------------------------------

    def get(self, name: str) -> bytes | None:
        """Return a setting."""
        row = self.one("SELECT value FROM setting WHERE name = ?", name)
        return None if row is None else row[0]

    def put(self, name: str, value: bytes) -> None:
        """Keep a setting."""
        self.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)

    def get_number(self, name: str) -> int:
        """Return a number, 0 when it was never kept."""
        value = self.get(name)
        return 0 if value is None else decode(value, int)

    def put_number(self, name: str, value: int) -> None:
        """Keep a number."""
        self.put(name, encode(value))

    def head(self, log: str) -> tuple[Head, str] | None:
        """Return the highest head of a log ever verified, and its note."""
        value = self.get(f"head/{log}")
        return None if value is None else _head(value)

    def put_head(self, log: str, head: Head, note: str) -> None:
        """Keep a head; it is never replaced by a smaller one."""
        kept = self.head(log)
        if kept is None or kept[0].size <= head.size:
            self.put(f"head/{log}", encode([head.size, head.root, note]))

    # --- entries ------------------------------------------------------------

    def newest(self) -> int:
        """Return the index of the newest entry that was taken in, -1 without any."""
        if self._newest is None:
            row = self.one("SELECT ifnull(max(idx), -1) FROM entry")
            self._newest = -1 if row is None else int(row[0])
        return self._newest

    def has_entry(self, index: int) -> bool:
        """Tell whether the entry at an index was taken in."""
        if index > self.newest():
            return False  # what comes in order is asked for without the file
        return self.one("SELECT 1 FROM entry WHERE idx = ?", index) is not None

    def add_entry(self, entry: StoredEntry) -> None:
        """Keep an entry."""
        self.later("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *astuple(entry))
        if self._newest is not None:
            self._newest = max(self._newest, entry.index)

    def has_number(self, case: bytes, device: bytes, case_n: int) -> bool:
        """Tell whether an entry under this number of a device in a case is kept."""
        sql = "SELECT 1 FROM entry WHERE case_id = ? AND device = ? AND case_n = ?"
        return self.one(sql, case, device, case_n) is not None

    def entries(self, case: bytes, *kinds: str) -> Iterator[StoredEntry]:
        """Return the entries of a case, in the order of the log."""
        marks = ", ".join("?" * len(kinds))
        chosen = f"AND kind IN ({marks})" if kinds else ""
        sql = f"SELECT * FROM entry WHERE case_id = ? {chosen} ORDER BY idx"  # noqa: S608
        return (StoredEntry(*row) for row in self.run(sql, case, *kinds))

    def cases(self) -> list[bytes]:
        """Return the ids of all cases this device knows."""
        sql = "SELECT DISTINCT case_id FROM entry WHERE kind = 'case' AND envelope IS NOT NULL"
        return [row[0] for row in self.run(sql)]


@lru_cache(maxsize=8)
def _head(value: bytes) -> tuple[Head, str]:
    size, root, note = decode(value, tuple[int, bytes, str])
    return Head(size, root), note


@contextmanager
def held(path: Path, *, patience: float = 0) -> Generator[None]:
    """Hold a lock file until the block ends; the system lets go of it however we end.

    Before there is a vault, nothing else keeps two processes apart: each would make keys, and
    the key file of one would stand beside the vault of the other.

    Args:
        patience: Seconds to wait for another process that holds it.

    Raises:
        RefusedError: Another process holds it.
    """
    lock: Any = None
    try:
        lock = apsw.Connection(str(private.database(path)))  # SQLite locks files on every system
        lock.set_busy_timeout(round(patience * 1000))
        lock.execute("BEGIN EXCLUSIVE")
    except apsw.Error as err:
        if lock is not None:
            lock.close()
        raise _problem(err, path) from None
    try:
        yield
    finally:
        lock.close()


def _problem(err: apsw.Error, path: Path | str = "the vault") -> Exception:
    """Return what an officer is told; a mistake of ours stays what it is."""
    match err:
        case apsw.BusyError() | apsw.LockedError():
            return RefusedError(
                "another seefen is running on this vault: end it first", rule="vault-busy"
            )
        case apsw.NotADBError() | apsw.CorruptError():
            return RefusedError(
                f"{path} is damaged or does not belong to the key file beside it", rule="vault"
            )
        case apsw.FullError() | apsw.IOError() | apsw.ReadOnlyError() | apsw.CantOpenError():
            return RefusedError(
                f"{path} cannot be written: make room on the disk; nothing was lost", rule="disk"
            )
        case _:
            return err
