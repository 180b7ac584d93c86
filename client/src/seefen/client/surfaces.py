"""X3P surfaces (ISO 25178-72): checked and described before they leave, never written again.

Such a file comes from another laboratory, or from a stick that was seized: nothing in it is
believed. Nothing is unpacked to a disk, names in it are looked up in its own list alone, what
is unpacked is bounded and passes through memory piece by piece, and its XML may neither define
nor fetch anything. Whatever is wrong with it is said in
its description and stops nothing: it is evidence, and travels byte for byte.
"""

import hashlib
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final
from xml.parsers import expat

from seefen.protocol.messages import Surface

MAIN: Final = "main.xml"
MAIN_LIMIT: Final = 2 << 20  # bytes: a description has some kilobytes
DATA_LIMIT: Final = 8 << 30  # bytes unpacked, of what takes seconds a gigabyte to be summed
LIST_LIMIT: Final = 4 << 20  # bytes of the list of what is in the archive
_SUMS_LIMIT: Final = 4096
_PIECE: Final = 1 << 20
_TAIL: Final = struct.Struct("<4s4H2LH")  # the end of an archive
_TAIL_ROOM: Final = _TAIL.size + 0xFFFF
_PICO: Final = 1e12
_MOST: Final = 10**12
_LINE: Final = 200

_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, NotImplementedError,
    RuntimeError, ValueError, LookupError, AttributeError, TypeError, OverflowError,
    SyntaxError, expat.ExpatError,
)  # fmt: skip


def surface_of(path: Path) -> Surface:
    """Return what an X3P file says of itself, and whether its sums are right.

    Raises:
        OSError: There is no such file.
    """
    with path.open("rb") as file:
        try:
            return _surface(file)
        except _BROKEN:
            return Surface(sums="unreadable")


def _surface(file: IO[bytes]) -> Surface:
    if _list_size(file) > LIST_LIMIT:
        raise ValueError("too much in it")
    with zipfile.ZipFile(file) as archive:
        prefix = _prefix(archive.namelist())
        main = _read(archive, prefix + MAIN, MAIN_LIMIT)
        links = _links(main)
        wrong_main = _differs(_listed(archive, prefix, links), [main])
        wrong_data = _differs(links["MD5ChecksumPointData"], _data(archive, prefix, links))
    return _described(file, _sums(wrong_main, wrong_data))


def _sums(main: bool | None, data: bool | None) -> str:
    if main and data:
        return "both_differ"
    if main or data:
        return "main_differs" if main else "data_differs"
    return "none" if main is None else "match"


def _list_size(file: IO[bytes]) -> int:
    """Return how long the list of an archive says it is, before anything reads it whole."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - _TAIL_ROOM))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _TAIL.size:
        raise ValueError("no archive")
    return int(_TAIL.unpack_from(tail, at)[5])


def _prefix(names: Iterable[str]) -> str:
    """Return the folder inside the archive that holds the description: none, or one."""
    found = [name for name in names if name.rpartition("/")[2] == MAIN and name.count("/") < 2]
    return min(found, key=len)[: -len(MAIN)]


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    with archive.open(name) as member:
        data = member.read(limit + 1)
    if len(data) > limit:
        raise ValueError("too long")
    return data


class _Links:
    """Takes the links and sums out of a description, and refuses one that defines anything."""

    def __init__(self) -> None:
        self.found = {"ChecksumFile": "", "PointDataLink": "", "MD5ChecksumPointData": ""}
        self._open = ""

    def start(self, name: str, _: object) -> None:
        self._open = name.rpartition(":")[2]
        if self._open in self.found:
            self.found[self._open] = ""

    def text(self, data: str) -> None:
        if self._open in self.found:
            self.found[self._open] += data

    def end(self, _: str) -> None:
        self._open = ""

    def doctype(self, *_: object) -> None:
        raise ValueError("a description defines nothing")  # attack: entities that grow or fetch


def _links(main: bytes) -> dict[str, str]:
    links, parser = _Links(), expat.ParserCreate()
    parser.StartElementHandler = links.start
    parser.EndElementHandler = links.end
    parser.CharacterDataHandler = links.text
    parser.StartDoctypeDeclHandler = links.doctype
    parser.Parse(main, True)
    return {name: text.strip() for name, text in links.found.items()}


def _listed(archive: zipfile.ZipFile, prefix: str, links: dict[str, str]) -> str:
    """Return the sum that the list names for the description, empty where there is no list."""
    name = prefix + (links["ChecksumFile"] or "md5checksum.hex")
    if name not in archive.namelist():
        return ""
    words = _read(archive, name, _SUMS_LIMIT).decode("utf-8-sig", errors="replace").split()
    return words[0] if words else ""


def _data(archive: zipfile.ZipFile, prefix: str, links: dict[str, str]) -> Iterable[bytes]:
    """Yield the measured points as bytes; nothing where they stand in the description itself."""
    name = prefix + links["PointDataLink"]
    if not links["PointDataLink"] or name not in archive.namelist():
        return
    done = 0
    with archive.open(name) as member:
        while piece := member.read(_PIECE):
            done += len(piece)
            if done > DATA_LIMIT:
                raise ValueError("too long")
            yield piece


def _differs(told: str, pieces: Iterable[bytes]) -> bool | None:
    """Say whether a sum is another than the one that is told; None: none is."""
    if not told:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest() != told.lower()


def _described(file: IO[bytes], sums: str) -> Surface:
    import x3pio  # here, because it brings numpy, for the few who send surfaces

    file.seek(0)
    try:
        found = x3pio.info(file, verify=False)
        *rows, columns = found.shape
        said: dict[str, Any] = {
            "kind": found.feature_type.name.lower(),
            "columns": min(columns, _MOST),
            "rows": min(rows[0] if rows else 1, _MOST),
            "layers": min(found.layer_count, _MOST),
            "step_x_pm": _step(found.header.x),
            "step_y_pm": _step(found.header.y),
        }
        if (metadata := found.metadata) is not None:
            day = metadata.date
            said["measured_at"] = "" if day is None else day.date().isoformat()
            by = metadata.instrument
            said["instrument"] = _line(by.manufacturer, by.model, by.serial)
    except _BROKEN:
        return Surface(sums=sums)  # the sums could be checked; what it is, nobody can say
    return Surface(sums=sums, **said)


def _step(axis: Any) -> int:
    return min(round(axis.increment * _PICO), 10**15) if axis.is_incremental else 0


def _line(*parts: str) -> str:
    """Return words of a file as one line that can be sealed and shown."""
    words = " ".join(" ".join(part for part in parts if part.upper() != "N/A").split())
    plain = "".join(sign for sign in words if sign.isprintable())
    return unicodedata.normalize("NFC", plain)[:_LINE]
