"""Previews: a large photograph made small, to be there long before it.

A preview is a picture of its own, made from the pixels alone: nothing that the photograph
says about place, time and device can be in it. It never takes the photograph's place; its
description names the hash of what follows.
"""

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from seefen.client import photos
from seefen.client.drafts import FIRST, Attach
from seefen.protocol.messages import Cover
from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.file_note import PREVIEW

LARGE: Final = 128 << 10  # bytes: what is smaller is there soon itself
MOST: Final = 60_000  # bytes of a preview
_PIXELS: Final = 120_000_000  # of a photograph: more is no telephone's, and would fill the memory
_SAID: Final = Said(table="file_role", code=PREVIEW)
_KINDS: Final = ("JPEG", "PNG", "WebP")
# Longest side and quality, the best first: letters on metal are lost with pixels, not with tones.
_TRIES: Final = ((1600, 60), (1280, 55), (1024, 50), (800, 45), (640, 40), (480, 30))


def is_wanted(path: Path) -> bool:
    """Tell whether a file is a photograph that keeps its readers waiting.

    Raises:
        OSError: It cannot be read.
    """
    if path.stat().st_size < LARGE:
        return False
    with path.open("rb") as file:
        return photos.kind_of(file.read(photos.HEAD)) in _KINDS


def first(files: Sequence[Attach]) -> list[tuple[Attach, bool]]:
    """Return files as they leave: what shows a serial number, or a small picture of it (True).

    Then small pictures of the other photographs, then each that has not gone whole. On a narrow
    line one of 3 MB takes minutes and two previews a quarter of one: the number waits for none.
    """
    wanted = [(one, is_wanted(one.path)) for one in files]
    numbers = [(one, small) for one, small in wanted if one.role == FIRST]
    small = [(one, True) for one, small in wanted if small and one.role != FIRST]
    whole = [(one, False) for one, small in wanted if small or one.role != FIRST]
    return [*numbers, *small, *whole]


def is_one(cover: Cover | None) -> bool:
    """Tell by its cover whether a file is a preview: part of a photograph, and none of its own."""
    return cover is not None and _SAID in cover.what


def preview_of(path: Path) -> bytes | None:
    """Return a photograph as a JPEG of at most :data:`MOST` bytes, None where it shows nothing.

    It stands as it is seen: how the telephone was held is turned into the pixels.
    """
    from PIL import Image, ImageOps  # here: most commands send no photograph

    try:
        with warnings.catch_warnings(), Image.open(path, formats=_KINDS) as photo:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if photo.width * photo.height > _PIXELS:
                return None
            photo.draft("RGB", (_TRIES[0][0], _TRIES[0][0]))  # a JPEG is decoded small at once
            picture = ImageOps.exif_transpose(photo).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # whatever it is, it is sent as it is
    for side, quality in _TRIES:
        picture.thumbnail((side, side))
        made = BytesIO()
        picture.info.clear()  # colours are close enough; nothing else is taken along
        picture.save(made, "JPEG", quality=quality, optimize=True, progressive=True)
        if made.tell() <= MOST:
            return made.getvalue()
    return None


def name_of(name: str) -> str:
    """Return what the preview of a photograph is called; the name as it was stands in the end."""
    stem = Path(name).stem
    while len(stem.encode()) > 100:
        stem = stem[:-1]
    return f"{stem}.preview.jpg"
