"""Resaying: own words that were recorded, and are refused now, wait to be sent again.

Else a broker could take them from their author: it records what he writes under a key whose
successor it hides, and shows that afterwards. It has the ids of what it recorded, and takes none
of them a second time: so they wait under new ones, and what refers to them goes with them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from seefen.client.drafts import Attachment, Draft, keep
from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.messages import decode_message, encode_message
from seefen.protocol.objects import body_context, new_content_key, parts_root
from seefen.protocol.padding import pad
from seefen.protocol.statements import Object
from seefen.protocol.suite import new_id, seal, sha256

LIMIT: Final = 1 << 22


class Own(Struct, frozen=True):
    """What this device wrote and is refused now; the words are None where a draft has them."""

    index: int
    envelope: bytes
    obj: Object
    cover: bytes | None
    plain: bytes | None


def say_again(engine: Engine, gone: Sequence[Own]) -> None:
    """Let messages wait to be sent, in the order of the log and before what follows them."""
    ids = {one.obj.object: new_id() for one in gone if not one.obj.file}
    later = _waiting(engine, ids)
    drafted = {draft.object for draft in later}
    for one in gone:
        what = "waits to be sent again"
        if one.cover is not None and one.plain is not None and not one.obj.file:
            keep(engine.vault, _renamed(_draft(one.obj, one.cover, one.plain), one.obj, ids))
        elif one.obj.object not in drafted:
            what = "is refused, and is to be sent again by hand"  # a file's sealed bytes are gone
        engine.alarm(f"what this device wrote in entry {one.index} {what}")
    for draft in later:
        keep(engine.vault, _renamed(draft, gone[0].obj, ids))
    for id_, fields in engine.vault.run("SELECT id, fields FROM attachment"):
        file = decode(fields, Attachment, limit=LIMIT)
        if file.of in ids:
            sql = "UPDATE attachment SET fields = ? WHERE id = ?"
            engine.vault.run(sql, encode(replace(file, of=ids[file.of])), id_)
    # The broker has the last one as that before the next; all others let any follow it.
    last = gone[-1]
    engine.trust.came_before(last.obj.case, last.obj.device, sha256(last.envelope))


def _waiting(engine: Engine, ids: Mapping[bytes, bytes]) -> list[Draft]:
    """Take out of the outbox what refers to a message that gets another id, or is to be one."""
    found: list[Draft] = []
    for id_, fields in engine.vault.run("SELECT id, fields FROM draft ORDER BY id"):
        draft = decode(fields, Draft, limit=LIMIT)
        if not ids.keys().isdisjoint((draft.object, draft.reply_to, draft.supersedes)):
            engine.vault.run("DELETE FROM draft WHERE id = ?", id_)
            found.append(draft)
    return found


def _draft(obj: Object, cover: bytes, plain: bytes) -> Draft:
    """Return a draft of a message, not sealed yet."""
    about = (obj.handling, obj.reply_to, obj.supersedes, "", "")
    return Draft(
        obj.case, obj.object, obj.nonce, obj.created_at, *about, cover, b"", bytes(32), 0,
        bytes(32), plain, obj.expires,
    )  # fmt: skip


def _renamed(draft: Draft, like: Object, ids: Mapping[bytes, bytes]) -> Draft:
    """Return a draft with the new ids, its body sealed anew; a file's sealed bytes stay."""
    reply_to, supersedes = (
        None if id_ is None else ids.get(id_, id_) for id_ in (draft.reply_to, draft.supersedes)
    )
    draft = replace(draft, reply_to=reply_to, supersedes=supersedes)
    if draft.file:
        return draft
    message = decode_message(draft.plain)
    plain = draft.plain
    if (of := ids.get(getattr(message, "of", b""))) is not None:
        plain = encode_message(replace(message, of=of))
    object_, key = ids.get(draft.object, draft.object), new_content_key()
    bound = {"case": draft.case, "nonce": draft.nonce, "created_at": draft.created_at}
    body = seal(key, body_context(replace(like, object=object_, file=False, **bound)), pad(plain))
    return replace(
        draft, object=object_, plain=plain, body=body, content_key=key, body_size=len(body),
        body_root=parts_root([leaf_hash(body)]),
    )  # fmt: skip
