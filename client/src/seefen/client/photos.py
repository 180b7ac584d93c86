"""Photographs without what they say about place, time and device; the picture stays as it was.

A photograph from a telephone holds where it was taken, when, and with which device. Nothing
of that leaves unasked: marks and chunks that are not needed to show the picture are left
out, and not a pixel is encoded anew. Its orientation stays. What cannot be cleaned so is
refused; an officer may send any file as it is, as evidence.

After ITU-T T.81 (JPEG), Exif 2.3, ISO/IEC 15948 (PNG) and the container of WebP.
"""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seefen.protocol.errors import RefusedError

LIMIT: Final = 256 << 20  # bytes: a larger photograph is no photograph
HEAD: Final = 16  # bytes that tell what a file is

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
# With them a picture is shown in the right colours; all others say who, where and when.
_APPS: Final = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_CHUNKS: Final = frozenset((
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP",
    b"sBIT", b"bKGD", b"pHYs", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT",
))  # fmt: skip
_WEBP: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_SOI, _EOI, _SOS, _APP1, _COMMENT = 0xD8, 0xD9, 0xDA, 0xE1, 0xFE
_ORIENTATION: Final = 0x0112


@dataclass(frozen=True, slots=True)
class Source:
    """What is sealed of a file: itself, or the bytes of a photograph that was cleaned.

    ``cleaned_of`` is the hash of the photograph before, empty where nothing was left out.
    """

    data: Path | bytes
    size: int
    sha256: bytes
    cleaned_of: bytes = b""


def source_of(path: Path, *, original: bool) -> Source:
    """Return what is to be sealed of a file; ``original``: as it is, whatever it says.

    Raises:
        RefusedError, OSError: As :func:`cleaned`.
    """
    with path.open("rb") as file:
        before = hashlib.file_digest(file, "sha256").digest()
    data = None if original else cleaned(path)
    if data is None:
        return Source(path, path.stat().st_size, before)
    after = hashlib.sha256(data).digest()
    return Source(data, len(data), after, b"" if after == before else before)


def check(path: Path) -> str:
    """Return the kind of photograph a file is, empty for any other file.

    Raises:
        RefusedError: rule ``photo``: it is of a kind that cannot be cleaned.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD))
    if kind and kind not in _CLEANERS:
        raise _refused(path, f"a {kind} file says where and with what it was taken")
    return kind


def cleaned(path: Path) -> bytes | None:
    """Return a photograph without what identifies place and device; None: it is none.

    Raises:
        RefusedError: rule ``photo``: it is damaged, or of a kind that cannot be cleaned.
        OSError: It cannot be read.
    """
    kind = check(path)
    if kind == "":
        return None
    with path.open("rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise _refused(path, "this photograph is too large to be cleaned")
    try:
        return _CLEANERS[kind](data)
    except (IndexError, struct.error, ValueError):
        raise _refused(path, "this photograph is damaged and cannot be cleaned") from None


def _refused(path: Path, why: str) -> RefusedError:
    return RefusedError(
        f"{path.name}: {why}; save it as JPEG, or send it as it is: --original", rule="photo"
    )


def kind_of(head: bytes) -> str:
    """Return what kind of picture a file is; empty for anything else."""
    if head.startswith(_JPEG):
        return "JPEG"
    if head.startswith(_PNG):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"),
        *(b"crx ",),
    ):
        return "HEIF"
    return "TIFF" if head[:4] in (b"II*\0", b"MM\0*") else ""


# --- JPEG ------------------------------------------------------------------------------


def _clean_jpeg(data: bytes) -> bytes:
    made, at, orientation = bytearray(data[:2]), 2, 0
    while True:
        marker, at = _marker(data, at)
        if marker == _EOI:
            # What stands behind the end (a second picture, a maker's notes) is not seen.
            made += b"\xff\xd9"
            return bytes(made)
        length = struct.unpack_from(">H", data, at)[0]
        segment = data[at : at + length]
        if length < 2 or len(segment) != length:
            raise ValueError("cut off")
        at += length
        if marker == _APP1:
            orientation = orientation or _orientation_in(segment[2:])
            continue
        if marker == _COMMENT or (0xE0 <= marker <= 0xEF and not _needed(marker, segment)):
            continue
        if orientation and marker != 0xE0:
            made += _orientation_segment(orientation)
            orientation = 0
        made += bytes((0xFF, marker)) + segment
        if marker == _SOS:
            end = _end_of_scan(data, at)
            made += data[at:end]
            at = end


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the marker at a place and where its segment begins; fill bytes may stand before."""
    if data[at] != 0xFF:
        raise ValueError("no marker")
    while data[at] == 0xFF:
        at += 1
    marker = data[at]
    if marker in (0x00, 0x01, _SOI) or 0xD0 <= marker <= 0xD7:
        raise ValueError("a marker out of place")
    return marker, at + 1


def _needed(marker: int, segment: bytes) -> bool:
    begin = _APPS.get(marker)
    return begin is not None and segment[2:].startswith(begin)


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the first marker behind entropy-coded data stands."""
    while True:
        at = data.index(b"\xff", at)
        follows = data[at + 1]
        if follows == 0xFF:
            at += 1
        elif follows == 0x00 or 0xD0 <= follows <= 0xD7:
            at += 2
        else:
            return at


def _orientation_in(exif: bytes) -> int:
    """Return the orientation in an Exif segment, 0 when there is none or it is the usual."""
    if not exif.startswith(b"Exif\0\0"):
        return 0
    tiff = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 0
    try:
        first = struct.unpack_from(f"{order}I", tiff, 4)[0]
        for n in range(struct.unpack_from(f"{order}H", tiff, first)[0]):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * n)
            if (tag, kind, count) == (_ORIENTATION, 3, 1):
                return value if 2 <= value <= 8 else 0
    except struct.error:
        return 0  # notes that are damaged are left out whole
    return 0


def _orientation_segment(orientation: int) -> bytes:
    """Return an Exif segment that says which side is up, and nothing else."""
    entry = struct.pack(">HHIHH", _ORIENTATION, 3, 1, orientation, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body


# --- PNG and WebP ------------------------------------------------------------------------


def _clean_png(data: bytes) -> bytes:
    made, at = bytearray(_PNG), len(_PNG)
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        if len(chunk) != 12 + length:
            raise ValueError("cut off")
        if kind in _CHUNKS:
            made += chunk
        elif not kind[0] & 0x20:
            raise ValueError("a critical chunk that nobody knows")
        if kind == b"IEND":
            return bytes(made)
        at += len(chunk)


def _clean_webp(data: bytes) -> bytes:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ValueError("cut off")
    body, at = bytearray(), 12
    while at < end:
        kind, length = struct.unpack_from("<4sI", data, at)
        chunk = data[at : at + 8 + length + length % 2]
        if at + 8 + length > end:
            raise ValueError("cut off")
        if kind == b"VP8X":
            # Its flags say that Exif and XMP follow, and they do no more.
            chunk = chunk[:8] + bytes((chunk[8] & ~0x0C,)) + chunk[9:]
        if kind in _WEBP:
            body += chunk
        at += len(chunk)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + bytes(body)


_CLEANERS: Final = {"JPEG": _clean_jpeg, "PNG": _clean_png, "WebP": _clean_webp}
