"""Photographs leave without place, time and device, and with every pixel; the rest untouched."""

import hashlib
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.client import photos
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import FileNote
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until
from tests.support.vectors import ROOT

SECRET = b"Tabanovce 42.2N 21.7E"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body


def exif(orientation: int = 6) -> bytes:
    """Return an Exif segment with an orientation and something that tells the place."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4) + SECRET
    return segment(0xE1, b"Exif\0\0" + tiff)


SCAN = b"\x01\x02\xff\x00\x03\xff\xd0\x04" * 20
JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
TABLES = segment(0xDB, bytes(65)) + segment(0xC0, b"\x08\0\x10\0\x10\1\1\x11\0")
SOS = segment(0xDA, b"\1\1\0\0\x3f\0")
JPEG = (
    b"\xff\xd8" + JFIF + exif() + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)
    + segment(0xED, b"Photoshop 3.0\0" + SECRET) + segment(0xFE, SECRET)
    + segment(0xE2, b"ICC_PROFILE\0\1\1colours") + segment(0xE2, b"MPF\0" + SECRET)
    + TABLES + SOS + SCAN + SOS + SCAN + b"\xff\xd9" + SECRET
)  # fmt: skip


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG = (
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"eXIf", SECRET)
    + chunk(b"tEXt", b"Comment\0" + SECRET) + chunk(b"iCCP", b"p\0\0x") + chunk(b"tIME", bytes(7))
    + chunk(b"IDAT", b"pixels") + chunk(b"IEND", b"") + SECRET
)  # fmt: skip


def riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


_WEBP = (
    riff(b"VP8X", b"\x0c\0\0\0" + bytes(6)) + riff(b"VP8 ", b"pix") + riff(b"EXIF", SECRET)
    + riff(b"XMP ", SECRET)
)  # fmt: skip
WEBP = b"RIFF" + struct.pack("<I", 4 + len(_WEBP)) + b"WEBP" + _WEBP + SECRET


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def clean(folder: Path, data: bytes) -> bytes:
    path = folder / "photo"
    path.write_bytes(data)
    made = photos.cleaned(path)
    assert made is not None
    return made


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP], ids=["jpeg", "png", "webp"])
def test_nothing_of_place_and_device_is_left_and_nothing_changes_twice(
    data: bytes, tmp_path: Path
) -> None:
    made = clean(tmp_path, data)
    assert SECRET not in made
    assert clean(tmp_path, made) == made


def test_a_jpeg_keeps_pixels_colours_and_which_side_is_up(tmp_path: Path) -> None:
    made = clean(tmp_path, JPEG)
    assert made.count(SCAN) == 2
    assert TABLES in made
    assert b"ICC_PROFILE" in made
    assert made.startswith(b"\xff\xd8" + JFIF)
    assert made.endswith(b"\xff\xd9")
    assert made.count(b"Exif\0\0") == 1
    assert struct.pack(">HHIH", 0x0112, 3, 1, 6) in made
    upright = clean(tmp_path, b"\xff\xd8" + exif(1) + TABLES + SOS + SCAN + b"\xff\xd9")
    assert b"Exif" not in upright


def test_a_png_keeps_pixels_and_colours(tmp_path: Path) -> None:
    made = clean(tmp_path, PNG)
    assert chunk(b"IDAT", b"pixels") in made
    assert b"iCCP" in made
    assert made.endswith(chunk(b"IEND", b""))


def test_a_webp_says_no_more_that_exif_follows(tmp_path: Path) -> None:
    made = clean(tmp_path, WEBP)
    assert riff(b"VP8 ", b"pix") in made
    assert made[20] == 0
    assert struct.unpack_from("<I", made, 4)[0] == len(made) - 8


@pytest.mark.parametrize(
    "head",
    [b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypmif1", b"II*\0", b"MM\0*", b"\0\0\0\x18ftypavif"],
)
def test_what_cannot_be_cleaned_is_refused_and_says_how_it_goes(
    head: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(head + SECRET)
    with pytest.raises(RefusedError, match="--original") as refused:
        photos.cleaned(path)
    assert refused.value.rule == "photo"
    assert photos.source_of(path, original=True).data == path


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"PK\3\4x3p", b"GIF89a", b"RIFF1234WAVE"])
def test_other_files_are_none_of_ours(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert photos.cleaned(path) is None


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP], ids=["jpeg", "png", "webp"])
@given(cut=st.integers(12, 400), flip=st.integers(0, 400), to=st.integers(0, 255))
def test_a_damaged_photograph_is_cleaned_or_refused_and_nothing_else(
    data: bytes, cut: int, flip: int, to: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    broken = bytearray(data[:cut])
    if flip < len(broken):
        broken[flip] = to
    path = folder / "broken"
    path.write_bytes(bytes(broken))
    with suppress(RefusedError):  # and no other error
        made = photos.cleaned(path)
        assert made is None or SECRET not in made or flip < len(broken)


def test_real_photographs_lose_their_notes_and_no_pixel(tmp_path: Path) -> None:
    samples = ROOT.parent / "shared" / "samples"
    if not samples.exists():
        pytest.skip("the sample photographs are not beside this repository")
    for name in ("DSCN0010.jpg", "portrait_6.jpg", "image01088.jpg"):
        data = (samples / name).read_bytes()
        made = clean(tmp_path, data)
        assert b"NIKON" not in made
        assert b"GPS" not in made
        scan = data[data.rindex(b"\xff\xda") : data.rindex(b"\xff\xd9")]
        assert scan in made


async def test_a_photograph_is_cleaned_on_its_way_and_its_original_can_be_proved(
    place: Site, tmp_path: Path
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = (await skopje.cases.open("Pistols", (BELGRADE,))).number
    photo, heic = tmp_path / "serial.jpg", tmp_path / "serial.heic"
    photo.write_bytes(JPEG)
    heic.write_bytes(b"\0\0\0\x18ftypheic" + SECRET)
    await skopje.cases.send(case, "Serial", (photo,))
    await skopje.cases.send(case, "As it is", (photo,), original=True)
    await until(lambda: len(belgrade.cases.show(case).objects) == 4, belgrade)
    got = [await belgrade.files.get(f"{case}#{n}", tmp_path / str(n), **WHY) for n in (2, 4)]
    assert SECRET not in got[0].read_bytes()
    assert got[0].read_bytes().count(SCAN) == 2
    assert got[1].read_bytes() == JPEG
    original = hashlib.sha256(JPEG).digest()
    notes = [belgrade.requests._row(f"{case}#{n}").message for n in (2, 4)]
    assert all(isinstance(note, FileNote) for note in notes)
    assert [getattr(note, "cleaned_of", None) for note in notes] == [original, b""]
    # What cannot be cleaned is named before anything leaves.
    with pytest.raises(RefusedError, match=r"serial.heic: a HEIF file says where"):
        await skopje.cases.send(case, "From a telephone", (heic,))
    assert skopje.queued() == []
    assert len(skopje.cases.show(case).objects) == 4
