"""Reading: purpose and legal basis first, the entry in the log second, the body last.

Purpose and basis are stated once per case and shift; each opening still leaves an entry
of its own. No body is shown without the verified receipt.
"""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from seefen.client import files, marks, originals, private, searching, versions
from seefen.client.accepting import require_accepted, require_file_accepted
from seefen.client.acknowledging import Acknowledging
from seefen.client.assigned import no_key
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.engine import Engine
from seefen.client.journal import Journal
from seefen.client.opening import beside, open_behind
from seefen.client.related import channels_of, related
from seefen.client.sender import Parcel, Sender
from seefen.client.stating import SHIFT, audits, remember, remembered
from seefen.client.trust import Taken
from seefen.client.unwitnessed import stale
from seefen.client.urgent import emergency_of, is_urgent
from seefen.client.values import ObjectView, Opened
from seefen.client.views import (
    Row,
    object_view,
    require_in_use,
    row_of,
    rows,
)
from seefen.protocol.access import commit_reason, seal_reason
from seefen.protocol.case import CaseState
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import (
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)
from seefen.protocol.messages import Forwarded, Message, decode_message
from seefen.protocol.objects import open_message, unwrap_content_key
from seefen.protocol.onward import Original
from seefen.protocol.statements import Access, Object

PURPOSES: Final = (
    "prevention",
    "detection",
    "investigation",
    "prosecution",
    "trace",
    "border-control",
)
BASES: Final = ("pcc-see", "bilateral", "unfp", "untoc-20", "iti", "national-law", "mla")
_WHO: Final = "its author spoiled it, or the broker what was released"


class Reader:
    """Opens bodies under accesses."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        sender.granted = self._keep_granted
        self._fetching: set[bytes] = set()
        self.acks = Acknowledging(engine, sender)
        self.journal = Journal(engine, sender)

    def remember(self, case: bytes, purpose: str | None, basis: str | None, reason: str) -> None:
        """Keep purpose and basis of a case for this shift, when both are given."""
        remember(self._engine, case, (purpose or "", basis or "", reason))

    def stated(self, case: CaseState) -> tuple[str, str, str]:
        """Return what was stated for a case in this shift.

        Raises:
            RefusedError: rule ``purpose-needed``.
        """
        purpose, basis, reason = remembered(self._engine, case.case)
        if not purpose:
            name = self._engine.name_of(case)
            raise RefusedError(
                f"say once per shift why you open {name}: purpose and legal basis",
                rule="purpose-needed",
            )
        return purpose, basis, reason

    async def read(
        self, state: CaseState, number: int, *, emergency: bool = False, accept: bool = False
    ) -> Opened:
        """Open a message; its entry stands in the log before the key comes.

        Raises:
            RefusedError: rule ``purpose-needed``, or this device may not read it.
            ConditionsError: rule ``conditions``: they are in words, and not accepted yet.
            UntrustedError: It was forwarded, and is not proved to be what it is said to be.
        """
        engine = self._engine
        async with engine.lock:
            row = row_of(engine, state, number)
            if row.statement.file:
                raise RefusedError(f"{state.number}#{number} is a file: fetch it", rule="is-a-file")
            require_in_use(engine, row)
            index = await self._open(state, row, emergency=emergency)
            row = row_of(engine, state, number)
            if row.message is None:
                raise UntrustedError(f"the body does not open: {_WHO}", rule="body")
            original: Original | None = None
            if isinstance(row.message, Forwarded):
                original = originals.proven(engine, row, row.message)
            message = row.message if original is None else original.message
            accepted = require_accepted(engine, row, message, original, accept=accept)
            found, common = self.journal.cross_check(row)
            return Opened(
                view=object_view(engine, row),
                message=row.message,
                entry_index=index,
                files=self._files_of(row),
                known=found,
                common=common,
                channels=channels_of(engine, row),
                corrections=originals.corrections_of(engine, row, original),
                original=original,
                accepted_at=accepted or None,
                related=related(engine, row),
                written_here=row.statement.device == engine.keys.device,
            )

    async def take(self, state: CaseState, row: Row) -> None:
        """Open a message by itself, under what was stated; the engine's lock must be held.

        Raises:
            RefusedError: rule ``purpose-needed``, or this device may not read it.
        """
        require_in_use(self._engine, row)
        await self._open(state, row, emergency=False)

    async def fetch(
        self,
        state: CaseState,
        number: int,
        folder: Path,
        progress: files.Progress,
        *,
        accept: bool = False,
    ) -> Path:
        """Fetch a file and open it into a folder.

        Raises:
            RefusedError: It is no file, or this device may not read it.
            ConditionsError: Its message is open here, and its conditions are not accepted.
            RefusedError: rule ``conditions``: they stand in its message, which is closed here.
        """
        engine = self._engine
        async with engine.lock:
            row = row_of(engine, state, number)
            obj = row.statement
            if not obj.file:
                raise RefusedError(f"{state.number}#{number} is a message: open it", rule="no-file")
            require_in_use(engine, row)
            require_file_accepted(engine, row, accept=accept)
            _, key = await self._release(state, row, emergency=False)
        # The entry stands; a gigabyte on its way must not hold up an alert.
        sealed = engine.home / "fetched" / f"{obj.object.hex()}.sealed"
        try:
            private.folder(sealed.parent)
            private.folder(folder)
            path, head = await self._open_file(obj, key, sealed, folder, progress)
            sealed.unlink(missing_ok=True)
        except OSError as err:
            why = f"the file cannot be written to {folder}: {err.strerror}"
            raise RefusedError(why, rule="file") from None
        async with engine.lock:
            try:
                require_in_use(engine, row_of(engine, state, number))
            except RefusedError:
                path.unlink(missing_ok=True)  # it was taken back while it was on its way
                raise
            with engine.vault.change():
                engine.vault.run("UPDATE object SET body = ? WHERE object = ?", head, obj.object)
                searching.keep(engine.vault, obj.object, decode_message(head))
            await self._tell_read(row)
        return path

    async def _open_file(
        self, obj: Object, key: bytes, sealed: Path, folder: Path, progress: files.Progress
    ) -> tuple[Path, bytes]:
        """Fetch and open a file; where its plaintext lies meanwhile is written down first."""
        vault, name = self._engine.vault, f"opening/{obj.object.hex()}"
        plain = beside(obj, folder.absolute(), self._engine.keys.device)
        if obj.object in self._fetching:  # two would write to one file
            raise RefusedError("this file is being fetched already: wait for it", rule="file")
        self._fetching.add(obj.object)
        vault.put(name, os.fsencode(plain))
        bring = partial(files.download, self._engine.connection, obj, sealed, progress)
        try:
            return await open_behind(obj, key, sealed, plain, bring)
        finally:
            self._fetching.discard(obj.object)
            if plain.parent.exists():  # a stick that was pulled keeps it: the next start looks
                vault.run("DELETE FROM setting WHERE name = ?", name)

    def clean(self) -> None:
        """Delete plaintext that an earlier process left when it was killed while it opened."""
        vault = self._engine.vault
        for name, path in vault.run("SELECT name, value FROM setting WHERE name GLOB 'opening/*'"):
            left = Path(os.fsdecode(path))
            if not left.parent.exists():
                continue  # a stick that is not in now: the next time
            with suppress(OSError):
                left.unlink(missing_ok=True)
                vault.run("DELETE FROM setting WHERE name = ?", name)

    async def access(
        self,
        state: CaseState,
        scope: str,
        object_: bytes | None,
        ask: tuple[bytes, ...],
        until: int,
        *,
        emergency: bool = False,
    ) -> tuple[Taken, dict[bytes, bytes]]:
        """State purpose and basis to the log; return the entry and the released keys."""
        engine = self._engine
        purpose, basis, text = self.stated(state)
        urgent = is_urgent(engine, state)
        emergency = emergency or urgent or stale(engine)
        reason = commit_reason(text)
        key = engine.case_key(state.case, state.generation.gen)
        sealed = seal_reason(
            reason,
            case=state.case,
            device=engine.keys.device,
            audits=audits(engine, engine.node, state.owner),
        )

        def make(parcel: Parcel) -> tuple[bytes, ...]:
            access = parcel.activity(
                Access,
                "access",
                state.case,
                scope=scope,
                object=object_,
                starts=0,
                until=until,
                purpose=purpose,
                basis=basis,
                emergency=emergency,
                detail=reason.detail,
                reasons=sealed,
            )
            parcel.add(access, tag_key=key)
            return ask

        asked = await self._sender.ask(make, encode([reason.text, reason.salt]))
        if urgent and text.strip():
            engine.vault.run("DELETE FROM setting WHERE name = ?", emergency_of(state.case))
        return asked

    def keep_key(self, row: Row, wrapped: bytes, index: int, until: int) -> None:
        """Open a body whose key was released under the entry ``index``, and keep it."""
        engine = self._engine
        obj = row.statement
        generation_key = engine.case_key(obj.case, obj.gen)
        if generation_key is None:
            raise RefusedError("this device holds no key of this message", rule="d-no-key")
        try:
            content_key = unwrap_content_key(obj, generation_key, wrapped)
        except UntrustedError as err:  # no signature binds this key: it is not known who lied
            raise UntrustedError(f"not the key of this message: {_WHO}", rule=err.rule) from None
        # Under a watch it is shown before it is synced: the log holds why, and the feed the rest.
        with engine.vault.soon():  # also where the body does not open: it is what was released
            engine.vault.run("UPDATE object SET wrapped = ? WHERE object = ?", wrapped, obj.object)
        sealed = engine.vault.one("SELECT sealed FROM object WHERE object = ?", obj.object)
        if obj.file or sealed is None or sealed[0] is None:
            return
        body = open_message(obj, content_key, sealed[0])
        message = decode_message(body)
        if not isinstance(message, Message):
            raise UntrustedError("this object holds no message", rule="message")
        with engine.vault.soon():
            engine.vault.run(
                "UPDATE object SET body = ?, shown_until = ? WHERE object = ?",
                body,
                until,
                obj.object,
            )
            engine.vault.put(f"shown/{obj.object.hex()}", encode(index))
            double = engine.vault.one(
                "SELECT object FROM object WHERE case_id = ? AND message_id = ?",
                obj.case,
                message.message_id,
            )
            if double is None:
                engine.vault.run(
                    "UPDATE object SET message_id = ? WHERE object = ?",
                    message.message_id,
                    obj.object,
                )
            found = originals.shown(engine, row, message)
            if found is not None:
                marks.keep(engine.vault, obj.object, found)
                searching.keep(engine.vault, obj.object, found)

    async def _open(self, state: CaseState, row: Row, *, emergency: bool) -> int:
        engine = self._engine
        shown = engine.vault.one("SELECT shown_until FROM object WHERE object = ?", row.object)
        if row.body is not None and row.statement.device == engine.keys.device:
            return row.index  # his own words: he sealed them here
        if row.body is not None and shown is not None and shown[0] > engine.now():
            # Already entered in the log in this shift, by an access or under a watch.
            await self._tell_read(row)
            return engine.vault.get_number(f"shown/{row.object.hex()}")
        index = 0
        if row.body is None:
            ref = f"{state.number}#{row.n}"
            await engine.again.body(row.index, ref, row.statement, engine.change)
            index = self._reopen(row)
        if not index:
            index, _ = await self._release(state, row, emergency=emergency)
        await self._tell_read(row)
        return index

    def _reopen(self, row: Row) -> int:
        """Open a message under the access that released its key, while that lasts.

        One that did not open then is tried again without another entry; 0: there is none.
        """
        engine = self._engine
        sql = (
            "SELECT wrapped, access.idx, until FROM object JOIN access USING (object)"
            " WHERE object = ? AND wrapped IS NOT NULL AND scope = 'object' AND until > ?"
            " ORDER BY access.idx LIMIT 1"
        )
        found = engine.vault.one(sql, row.object, engine.now())
        if found is None:
            return 0
        wrapped, index, until = found
        self.keep_key(row, wrapped, index, until)
        return int(index)

    async def _tell_read(self, row: Row) -> None:
        # The body is here and its entry stands: a broken line now is no reason to keep it
        # from the officer. It is owed, and told when the broker is back.
        with suppress(UnreachableError, LoginError, OutOfTurnError):
            await self.acks.acknowledge([row], "read")

    async def _release(self, state: CaseState, row: Row, *, emergency: bool) -> tuple[int, bytes]:
        engine = self._engine
        obj = row.statement
        generation_key = engine.case_key(obj.case, obj.gen)
        if generation_key is None:
            raise no_key(engine, state, row.n)
        until = engine.now() + SHIFT
        taken, keys = await self.access(
            state, "object", obj.object, (obj.object,), until, emergency=emergency
        )
        if obj.object not in keys:
            raise RefusedError(
                f"the broker has lost the key of {state.number}#{row.n}: who wrote it, or has "
                "read it, sends it once more",
                rule="lost-key",
            )
        return taken.index, unwrap_content_key(obj, generation_key, keys[obj.object])

    def _keep_granted(self, taken: Taken, keys: dict[bytes, bytes], note: bytes) -> None:
        """Keep an access, and open what it released: also when its answer came twice."""
        engine = self._engine
        access = taken.opened.statement
        if not isinstance(access, Access):
            raise UntrustedError("the receipt is not about an access", rule="receipt")
        text, salt = decode(note, tuple[str, bytes])
        engine.vault.run(
            "INSERT OR REPLACE INTO access VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            taken.index,
            access.case,
            access.scope,
            access.object,
            taken.opened.envelope,
            access.until,
            text,
            salt,
        )
        for object_, wrapped in keys.items():
            for row in rows(engine, "object = ?", object_):
                try:
                    self.keep_key(row, wrapped, taken.index, access.until)
                except SeefenError as err:
                    # A message its author spoiled must not close the others.
                    engine.alarm(f"a message from {row.statement.node} does not open: {err}")

    def _files_of(self, row: Row) -> tuple[ObjectView, ...]:
        found = versions.files_of(self._engine, row)
        return tuple(object_view(self._engine, other) for other in found)
