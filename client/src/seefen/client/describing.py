"""The description that is sealed with a file: what it is called, is, and says of itself."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from seefen.client import photos, previews, surfaces
from seefen.client.drafts import UNREADABLE, Attachment, conditions_of, sayable
from seefen.client.photos import Source
from seefen.protocol.messages import FileNote, decode_message, label
from seefen.protocol.messages.file_note import PREVIEW

SURFACE: Final = ".x3p"
_MEDIA: Final = {SURFACE: "application/x-x3p"}
_GOOD: Final = ("match", "none")


def describe(path: Path, kept: Attachment, at: int) -> tuple[Source, FileNote] | None:
    """Return what is sealed of a file, and its description. It is read whole, more than once.

    None: of this photograph there is no preview.

    Raises:
        RefusedError: A photograph that cannot be cleaned, or a name that cannot be sent.
        OSError: It cannot be read.
    """
    source = photos.source_of(path, original=kept.original)
    if kept.preview:
        return _preview(path, kept, at, source.sha256)
    with path.open("rb") as file:
        picture = photos.kind_of(file.read(photos.HEAD))
    suffix = path.suffix.lower()
    media = _MEDIA.get(suffix) or mimetypes.guess_type(path.name)[0]
    is_surface = suffix == SURFACE
    note = FileNote(
        name=sayable(path.name),
        size=source.size,
        sha256=source.sha256,
        role=kept.role or ("surface_scan" if is_surface else "photograph" if picture else ""),
        conditions=conditions_of(kept),
        of=kept.of,
        handling=kept.handling,
        media_type=media or "application/octet-stream",
        created_at=at,
        cleaned_of=source.cleaned_of,
        surface=surfaces.surface_of(path) if is_surface else None,
    )
    note.check()
    return source, note


def _preview(path: Path, kept: Attachment, at: int, of: bytes) -> tuple[Source, FileNote] | None:
    made = previews.preview_of(path)
    if made is None:
        return None
    sha256 = hashlib.sha256(made).digest()
    note = FileNote(
        name=previews.name_of(sayable(path.name)),
        size=len(made),
        sha256=sha256,
        role=PREVIEW,
        conditions=conditions_of(kept),
        of=kept.of,
        handling=kept.handling,
        media_type="image/jpeg",
        created_at=at,
        preview_of=of,
    )
    note.check()
    return Source(made, len(made), sha256), note


def remark(plain: bytes) -> str:
    """Return what its sender should know of a file that was described, or nothing."""
    note = decode_message(plain) if plain else None
    if not isinstance(note, FileNote):
        return ""
    if UNREADABLE in note.name:
        return f"{note.name}: what is no letter (UTF-8) in its name is sent as {UNREADABLE}"
    if note.surface is None or note.surface.sums in _GOOD:
        return ""
    return f"{note.name}: {label('surface_sums', note.surface.sums)}; it travels as it is"
