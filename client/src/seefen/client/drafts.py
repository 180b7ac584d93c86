"""Drafts: what waits in the outbox, as it stands in the vault."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from seefen.client.vault import Vault
from seefen.protocol.encoding import encode
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import FileNote, encode_message
from seefen.protocol.statements import Count, Hash, Id, Part


class Draft(Part, frozen=True):
    """What is known before sending. ``file`` names the sealed bytes in the outbox folder.

    ``expires``: until when it matters, in Unix seconds, 0 for always; its header says it.
    """

    case: Id
    object: Id
    nonce: Id
    created_at: Count
    handling: str
    reply_to: Id | None
    supersedes: Id | None
    file: str
    name: str
    cover: bytes
    body: bytes
    content_key: Hash
    body_size: Count
    body_root: Hash
    plain: bytes
    expires: Count = 0

    def require_message(self, vault: Vault) -> None:
        """Check that the message of a file is recorded: without it, it would say nothing.

        Raises:
            RefusedError: rule ``alone``: the message was dropped, or is refused.
        """
        if self.file and not vault.one("SELECT 1 FROM object WHERE object = ?", self.reply_to):
            raise RefusedError(f"the message of {self.name} was not sent", rule="alone")


def keep(vault: Vault, draft: Draft) -> int:
    """Let a draft wait in the outbox; return its number."""
    sql = "INSERT INTO draft (case_id, made_at, fields) VALUES (?, ?, ?) RETURNING id"
    return int(vault.run(sql, draft.case, draft.created_at, encode(draft))[0][0])


class Attach(NamedTuple):
    """A file to be sent, and what it shows: a code of ``file_role``, empty where it is not said."""

    path: Path
    role: str = ""


Attached: TypeAlias = Sequence[Path | Attach]
UNREADABLE: Final = "\ufffd"  # what stands for bytes of a name that are no letters
FIRST: Final = "serial_closeup"  # which leaves before the others: it is what is compared


def in_order(files: Attached) -> list[Attach]:
    """Return files in the order in which they leave: what shows a serial number first."""
    all_ = [one if isinstance(one, Attach) else Attach(one) for one in files]
    return sorted(all_, key=lambda one: one.role != FIRST)


class Attachment(Part, frozen=True):
    """A file that is to follow a message: kept with it, so that no kill comes between.

    ``original``: with all that a photograph says about place and device; ``preview``: it is
    made small, and leaves ahead of itself.
    """

    case: Id
    of: Id
    handling: str
    path: bytes
    original: bool
    role: str = ""
    preview: bool = False


def conditions_of(kept: Attachment) -> str:
    """Return the conditions of a file: H3 needs words, and those are in its message."""
    return "Those of the message that it belongs to." if kept.handling == "H3" else ""


def sayable(name: str) -> str:
    """Return a file's name as text that can be signed, whatever its disk calls text."""
    text = os.fsencode(name).decode(errors="replace").replace("\0", UNREADABLE)
    return unicodedata.normalize("NFC", text)


def check_name(path: Path) -> None:
    """Refuse a file whose name cannot be sent now, or its message would leave without it."""
    try:
        encode_message(FileNote(name=sayable(path.name), size=0, sha256=bytes(32)))
    except RefusedError as err:
        raise RefusedError(f"{sayable(path.name)[:40]}: {err}", rule=err.rule) from None
