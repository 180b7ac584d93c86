"""The files and messages of the demonstration: they open, and they are what they say."""

import hashlib
import io
import re
import zipfile
from pathlib import Path

import pytest
import x3pio
from PIL import Image

from demo import case_a
from demo.samples import SCAN, STEP_M, write_samples
from seefen.protocol.matching import Exactness, compare
from seefen.protocol.messages import Message, encode_message
from seefen.protocol.messages.codes import FILE_ROLE

OBJECT = bytes(range(16))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module", autouse=True)
def _written(folder: Path) -> None:
    write_samples(folder)


def test_they_are_the_same_bytes_every_time(folder: Path, tmp_path: Path) -> None:
    again = write_samples(tmp_path / "again")
    assert len(again) == 5
    for sample in again:
        assert sample.role in FILE_ROLE
        assert sample.path.read_bytes() == (folder / sample.path.name).read_bytes()


@pytest.mark.parametrize("name", ["spare-wheel.jpg", "serial.jpg", "proof-mark.jpg"])
def test_photographs_carry_what_a_telephone_adds(folder: Path, name: str) -> None:
    with Image.open(folder / name) as image:
        image.load()
        assert image.format == "JPEG"
        assert image.size == (1024, 768)
        assert image.getexif().get_ifd(0x8825)[1] == "N"


def test_the_surface_scan_is_valid(folder: Path) -> None:
    surface = x3pio.read(folder / "breech-face.x3p")  # checks both MD5 sums
    assert isinstance(surface, x3pio.Surface)
    assert surface.layers[0].z.shape == (SCAN, SCAN)
    assert surface.header.x.increment == STEP_M
    with zipfile.ZipFile(folder / "breech-face.x3p") as archive:
        assert archive.testzip() is None
        listed = archive.read("md5checksum.hex").split()[0].decode()
        main = archive.read("main.xml")
        assert hashlib.md5(main, usedforsecurity=False).hexdigest() == listed


def test_a_changed_scan_is_noticed_by_the_reader_of_the_format(folder: Path) -> None:
    changed = io.BytesIO()
    with zipfile.ZipFile(folder / "breech-face.x3p") as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, data[:-1] + bytes([data[-1] ^ 1]) if name.endswith("data.bin") else data
            )
    with pytest.raises(x3pio.X3pChecksumError):
        x3pio.read(io.BytesIO(changed.getvalue()))


def test_the_page_is_a_whole_pdf(folder: Path) -> None:
    data = (folder / "registry.pdf").read_bytes()
    assert data.startswith(b"%PDF-1.4")
    assert data.endswith(b"%%EOF\n")
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n", 1)[0])
    assert data[start:].startswith(b"xref\n0 6\n")
    places = [int(line[:10]) for line in data[start:].split(b"\n")[3:8]]
    for number, place in enumerate(places, start=1):
        assert data[place:].startswith(b"%d 0 obj\n" % number)
    length = re.search(rb"/Length (\d+) >>\nstream\n", data)
    assert length is not None
    assert data[length.end() + int(length[1]) :].startswith(b"\nendstream")


def test_every_message_of_the_case_can_be_sent() -> None:
    messages: list[Message] = [
        case_a.alert(),
        case_a.answer(OBJECT),
        case_a.trace_request(),
        case_a.trace_reply(OBJECT),
        case_a.note(OBJECT),
    ]
    bodies = [encode_message(message) for message in messages]
    assert len(bodies[0]) < 3072  # an alert leaves a bad telephone line within seconds
    whole = b"".join(bodies)
    spoken = [word for word in case_a.CANARIES if word.encode() in whole]
    assert {*case_a.CANARIES} - {*spoken} == {
        case_a.TITLE,
        *("spare-wheel.jpg", "serial.jpg", "proof-mark.jpg", "registry.pdf", "breech-face.x3p"),
    }


def test_canaries_are_long_enough_not_to_stand_in_noise_by_chance() -> None:
    assert all(len(word.encode()) >= 6 for word in case_a.CANARIES)


def test_the_pistol_of_the_case_looks_latin_and_is_not() -> None:
    serial = case_a.pistol().serial_as_read
    assert compare(serial, "C-84417") is Exactness.LOOK_ALIKE
    assert not serial.isascii()
