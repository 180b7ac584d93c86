"""The outbox: what is to be said waits here until it stands in the log.

A draft holds the sealed body and everything that does not depend on the moment of
sending; numbers, heads, key and signature come when it leaves. ``message_id`` in the body
lets readers drop a double.
"""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from msgspec.structs import replace as replaced

from seefen.client import describing, files, keying, marks, photos, previews, private, searching
from seefen.client.answers import FullError, UnreachableError
from seefen.client.belonging import require_standing, while_standing
from seefen.client.drafts import Attached, Attachment, Draft, check_name, in_order, keep
from seefen.client.engine import Engine
from seefen.client.sender import Parcel, Sender
from seefen.client.unwitnessed import may_leave
from seefen.client.values import Sent
from seefen.protocol.bundle import Content
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.messages import Message, decode_message, encode_cover, encode_message
from seefen.protocol.objects import (
    body_context,
    new_content_key,
    parts_root,
    seal_cover,
    wrap_content_key,
)
from seefen.protocol.padding import pad
from seefen.protocol.statements import Object
from seefen.protocol.suite import SUITE, new_id, seal

Progress = Callable[[str, int, int], None]
SOON: Final = 1.0  # seconds between two times that files leave while others are on their way


class Outbox:
    """Drafts, and their way out."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        self._moving = asyncio.Lock()
        self._left = 0.0
        self.permit: Callable[[Draft], None] = _anything
        self._uploaded: set[bytes] = set()

    @property
    def folder(self) -> Path:
        """Where sealed files wait."""
        return self._engine.home / "outbox"

    def add_message(
        self,
        case: bytes,
        message: Message,
        *,
        reply_to: bytes | None = None,
        supersedes: bytes | None = None,
        attach: Attached = (),
        original: bool = False,
        clocks: Mapping[str, int] | None = None,
        expires: int = 0,
        form: str = "",
    ) -> int:
        """Keep a message to be sent, and the files to follow it; return the draft's number.

        Args:
            form: Under which name it was kept half-filled: never both, or it is sent twice.

        Raises:
            RefusedError: The form is not filled in as it must be, a file is not there, or its
            name is too long. Nothing is kept then.
        """
        plain = encode_message(message)  # checks it
        attached = in_order(attach)
        for path, _ in attached:
            if not path.is_file():
                raise RefusedError(f"{path} cannot be read: there is no such file", rule="file")
            check_name(path)
            if not original:
                photos.cleaned(path)  # now, not when the message has left
        bare, cover = self._bare(case, file=False), message.cover()
        key = new_content_key()
        body = seal(key, body_context(bare), pad(plain))
        draft = Draft(
            case,
            bare.object,
            bare.nonce,
            bare.created_at,
            message.handling,
            reply_to,
            supersedes,
            "",
            "",
            encode_cover(cover.timed(clocks or {})),
            body,
            key,
            len(body),
            parts_root([leaf_hash(body)]),
            plain,
            expires,
        )
        vault = self._engine.vault
        with vault.soon():  # synced with what is about to leave, or before it is said to wait
            for (path, role), small in previews.first(attached):
                place = os.fsencode(path.absolute())
                kept = Attachment(case, bare.object, message.handling, place, original, role, small)
                vault.run("INSERT INTO attachment (fields) VALUES (?)", encode(kept))
            if form:
                vault.run("DELETE FROM setting WHERE name = ?", f"form/{form}")
            return keep(vault, draft)

    @property
    def files_wait(self) -> bool:
        """Whether there are files to be sealed or brought to the broker."""
        attached = self._engine.vault.one("SELECT 1 FROM attachment")
        return attached is not None or any(draft.file for _, draft, _ in self.waiting())

    def clean(self) -> None:
        """Delete sealed files that no draft names: an earlier process ended while it sealed."""
        named = {Path(draft.file).stem for _, draft, _ in self.waiting()}
        for left in self.folder.glob("*"):
            if left.name.lstrip(".").partition(".")[0] not in named:
                left.unlink()

    async def prepare(self, progress: Progress) -> RefusedError | None:
        """Seal the attached files and bring sealed ones to the broker; return what went wrong.

        This takes minutes: the engine's lock must not be held, or no alert would get through.
        """
        wrong: RefusedError | None = None
        async with self._moving:
            for id_, kept in self.attachments():
                draft: Draft | None = None
                try:
                    draft = await self._seal_file(kept)
                except RefusedError as err:
                    wrong = wrong or err
                self._sealed(id_, draft)
            for id_, draft, _ in self.waiting():
                try:
                    if draft.file and draft.object not in self._uploaded:
                        await self._upload(draft, progress)
                except FullError as err:
                    self._note(id_, err)  # said, and tried again: the operator must make room
                    break
                except UnreachableError:
                    break
                except SeefenError as err:
                    self._note(id_, err)
        return wrong

    def _sealed(self, id_: int, draft: Draft | None) -> None:
        vault = self._engine.vault
        with vault.change():
            waited = vault.run("DELETE FROM attachment WHERE id = ? RETURNING id", id_)
            if draft is not None and waited:
                keep(vault, draft)
        if draft is not None and not waited:  # it was dropped while it was sealed
            files.discard(self.folder / draft.file)

    async def _upload(self, draft: Draft, progress: Progress) -> None:
        sealed = self.folder / draft.file
        connection = self._engine.connection
        going = while_standing(self._engine, draft, progress)
        try:
            await files.upload(connection, sealed, draft.body_root, draft.name, going)
        except OSError as err:
            raise RefusedError(
                f"the sealed copy of {draft.name} cannot be read: {err.strerror}", rule="file"
            ) from None
        self._uploaded.add(draft.object)
        if time.monotonic() - self._left > SOON:  # the next one may take minutes: it goes now
            async with self._engine.lock:
                await self.flush()
            self._left = time.monotonic()

    def attachments(self) -> list[tuple[int, Attachment]]:
        """Return the files that wait to be sealed, in the order in which they leave."""
        found = self._engine.vault.run("SELECT id, fields FROM attachment ORDER BY id")
        return [(id_, decode(fields, Attachment)) for id_, fields in found]

    async def _seal_file(self, kept: Attachment) -> Draft | None:
        """Seal a file; None: it was to be a preview, and there is none of it."""
        path = Path(os.fsdecode(kept.path))
        bare = self._bare(kept.case, file=True)
        key = new_content_key()
        sealed = self.folder / f"{bare.object.hex()}.sealed"
        try:
            private.folder(self.folder)
            found = await asyncio.to_thread(describing.describe, path, kept, bare.created_at)
            if found is None:
                return None
            source, note = found
            plain = encode_message(note)
            body_size, root = await asyncio.to_thread(
                files.seal_file, source.data, sealed, key, bare, plain, _unseen
            )
        except SeefenError:
            files.discard(sealed)
            raise
        except OSError as err:
            files.discard(sealed)
            raise RefusedError(f"{path} cannot be read: {err.strerror}", rule="file") from None
        return Draft(
            kept.case, bare.object, bare.nonce, bare.created_at, kept.handling, kept.of, None,
            sealed.name, note.name, encode_cover(note.cover()), b"", key, body_size, root, plain,
        )  # fmt: skip

    def waiting(self) -> list[tuple[int, Draft, str | None]]:
        """Return the drafts in the order they were made, with the last problem of each."""
        found = self._engine.vault.run("SELECT id, fields, problem FROM draft ORDER BY id")
        return [(id_, decode(data, Draft, limit=1 << 22), problem) for id_, data, problem in found]

    def draft(self, id_: int) -> Draft:
        """Return a draft that waits."""
        return next(draft for number, draft, _ in self.waiting() if number == id_)

    async def flush(self) -> list[Sent]:
        """Send what waits, files once they are uploaded; stop where the broker is out of reach.

        The engine's lock must be held.
        """
        sent: list[Sent] = []
        waiting = self.waiting()
        held = {draft.object for _, draft, _ in waiting}
        for id_, draft, problem in waiting:
            queued = Sent(None, queued=True, problem=problem, size=draft.body_size)
            if draft.file and (draft.object not in self._uploaded or draft.reply_to in held):
                sent.append(queued)  # a file without its message would say nothing
                continue
            try:
                sent.append(await self._send(id_, draft))
                held.discard(draft.object)
            except UnreachableError as err:
                sent.append(replace(queued, problem=str(err)))
                break
            except SeefenError as err:
                self._note(id_, err)
                sent.append(replace(queued, problem=str(err)))
        return sent

    def _note(self, id_: int, err: SeefenError) -> None:
        self._engine.vault.run(
            "UPDATE draft SET problem = ? WHERE id = ?", f"{err} [{err.rule}]", id_
        )

    def drop(self, drafts: Collection[int], attached: Collection[int] = ()) -> None:
        """Delete what was never sent, all of it or nothing; the engine's lock must be held."""
        vault = self._engine.vault
        sealed = [one.file for id_, one, _ in self.waiting() if one.file and id_ in drafts]
        with vault.change():
            vault.many("DELETE FROM draft WHERE id = ?", [(id_,) for id_ in drafts])
            vault.many("DELETE FROM attachment WHERE id = ?", [(id_,) for id_ in attached])
        for name in sealed:  # what a kill leaves of them is found by :meth:`clean`
            files.discard(self.folder / name)

    async def _send(self, id_: int, draft: Draft) -> Sent:
        engine = self._engine
        # First what was on its way: the answer to this very draft may have been lost.
        await self._sender.settle()
        if engine.vault.one("SELECT 1 FROM object WHERE object = ?", draft.object):
            return self._finish(id_, draft)
        mark = await may_leave(engine, draft)
        self._uploaded.discard(draft.object)  # if it is refused, the parts are looked at again
        await self._sender.send(lambda parcel: self._add(parcel, draft, mark))
        return self._finish(id_, draft)

    def _add(self, parcel: Parcel, draft: Draft, mark: bool) -> None:
        # Each time it is sealed: meanwhile others may read it, and under another policy.
        self.permit(draft)
        draft.require_message(self._engine.vault)  # what was dropped leaves in no part
        require_standing(self._engine, draft)
        _add_object(self._engine, parcel, draft, mark)

    def _finish(self, id_: int, draft: Draft) -> Sent:
        """Keep the author's own words, which need no access, and let the draft go."""
        vault = self._engine.vault
        with vault.soon():  # its receipt is on the disk: after a power cut this is done again
            vault.run("UPDATE object SET body = ? WHERE object = ?", draft.plain, draft.object)
            marks.keep(vault, draft.object, message := decode_message(draft.plain))
            searching.keep(vault, draft.object, message)
            vault.run("DELETE FROM draft WHERE id = ?", id_)
        if draft.file:
            vault.sync()  # or a power cut would leave a draft without its file
            # A disk takes its time to free a gigabyte, and an alert may wait behind this. What a
            # kill leaves is found by :meth:`clean`.
            asyncio.get_running_loop().run_in_executor(
                None, files.discard, self.folder / draft.file
            )
        return self.recorded(draft)

    def recorded(self, draft: Draft) -> Sent:
        """Return what became of a draft that has left.

        Raises:
            OutOfTurnError: rule ``dropped``: it has not, or this device believes no such thing.
        """
        state = self._engine.trust.require_state(draft.case)
        sql = "SELECT n, idx, at FROM object WHERE object = ?"
        row = self._engine.vault.one(sql, draft.object)
        if row is None:
            said = "it was dropped before it left, or what stands of it is not believed here"
            raise OutOfTurnError(said, rule="dropped")
        left_out = tuple((left.who, left.reason) for left in state.generation.statement.left_out)
        return Sent(
            f"{self._engine.name_of(state)}#{row[0]}",
            queued=False,
            problem=None,
            left_out=left_out,
            size=draft.body_size + len(draft.cover),
            index=row[1],
            recorded_at=row[2],
        )

    def _bare(self, case: bytes, *, file: bool) -> Object:
        """Return an object with only the fields a seal is bound to."""
        engine = self._engine
        head = engine.directory.head()
        return Object(
            SUITE,
            engine.directory.net,
            "object",
            new_id(),
            case,
            engine.node,
            engine.keys.device,
            1,
            1,
            head,
            head,
            new_id(),
            bytes(32),
            1,
            1,
            bytes(32),
            engine.now(),
            None,
            None,
            0,
            "H2",
            file,
            b"",
            0,
            bytes(32),
            unwitnessed=False,
        )


def _add_object(engine: Engine, parcel: Parcel, draft: Draft, mark: bool) -> None:
    state = engine.trust.require_state(draft.case)
    key = keying.require_writer(engine, state)
    gen = state.generation.gen
    reason = keying.renewal_reason(engine, state)
    if reason is not None:
        key = keying.add_renewal(engine, parcel, state, reason)
        gen += 1
    obj = parcel.activity(
        Object,
        "object",
        draft.case,
        nonce=draft.nonce,
        object=draft.object,
        prev=parcel.previous_object(draft.case),
        case_version=state.version,
        gen=gen,
        case_head=state.case_hash,
        created_at=draft.created_at,
        reply_to=draft.reply_to,
        supersedes=draft.supersedes,
        expires=draft.expires,
        handling=draft.handling,
        file=bool(draft.file),
        cover=b"",
        body_size=draft.body_size,
        body_root=draft.body_root,
        unwitnessed=mark,
    )
    obj = replaced(obj, cover=seal_cover(obj, key, draft.cover))
    parcel.add(obj, tag_key=key)
    wrapped = wrap_content_key(obj, key, draft.content_key)
    parcel.contents.append(Content(draft.object, wrapped, draft.body))


def _anything(_: Draft) -> None:
    """Let anything be sealed; the client puts the pair policy here."""


def _unseen(name: str, done: int, total: int) -> None:
    """Report no progress."""
