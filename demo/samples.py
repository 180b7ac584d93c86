"""Files for the demonstration, made by this project: the same bytes every time, of nothing real.

Three photographs are drawn, with the EXIF data a telephone adds without asking, one page
of a register is set as PDF, and one breech face is measured that never existed (X3P, the
open format of ISO 25178-72 that ballistic laboratories exchange).
"""

import hashlib
import math
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

SIZE: Final = (1024, 768)
SCAN: Final = 200  # points on each side
STEP_M: Final = 3.125e-06
_STEEL, _DARK, _LIGHT = (142, 147, 152), (38, 40, 43), (206, 209, 212)
_GPS, _DATE, _MAKE, _MODEL, _WHEN = 0x8825, 0x0132, 0x010F, 0x0110, 0x9003


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of the demonstration and what it shows; ``role`` is a code of ``file_role``."""

    path: Path
    role: str
    media_type: str


def write_samples(folder: Path) -> list[Sample]:
    """Write the sample files into a folder and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[tuple[str, str, str, Callable[[], bytes]]] = [
        ("spare-wheel.jpg", "concealment", "image/jpeg", lambda: _photograph(_wheel)),
        ("serial.jpg", "serial_closeup", "image/jpeg", lambda: _photograph(_serial)),
        ("proof-mark.jpg", "proof_marks", "image/jpeg", lambda: _photograph(_proof)),
        ("registry.pdf", "register_extract", "application/pdf", _page),
        ("breech-face.x3p", "surface_scan", "application/x-x3p", _scan),
    ]
    samples = list[Sample]()
    for name, role, media_type, make in made:
        path = folder / name
        path.write_bytes(make())
        samples.append(Sample(path, role, media_type))
    return samples


# --- photographs ---------------------------------------------------------------


def _photograph(draw: Callable[[ImageDraw.ImageDraw], None]) -> bytes:
    image = Image.new("RGB", SIZE, _LIGHT)
    pen = ImageDraw.Draw(image)
    for y in range(0, SIZE[1], 3):  # a little grain, so that it is no flat drawing
        shade = 190 + (y * 7919) % 23
        pen.line([(0, y), (SIZE[0], y)], fill=(shade, shade, shade + 3))
    draw(pen)
    out = BytesIO()
    image.save(out, "JPEG", quality=88, exif=_exif())
    return out.getvalue()


def _exif() -> Image.Exif:
    """Return what a telephone writes: maker, time, and a position (invented, in the sea)."""
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL] = "Invented", "Phone 1"
    exif[_DATE] = "2026:03:14 02:49:10"
    exif.get_ifd(0x8769)[_WHEN] = "2026:03:14 02:49:10"
    exif.get_ifd(_GPS).update(
        {1: "N", 2: (42.0, 13.0, 30.25), 3: "E", 4: (17.0, 2.0, 36.5), 29: "2026:03:14"}
    )
    return exif


def _wheel(pen: ImageDraw.ImageDraw) -> None:
    pen.ellipse([180, 50, 850, 720], fill=_DARK)
    pen.ellipse([300, 170, 730, 600], fill=_STEEL, outline=_LIGHT, width=6)
    for row, x in ((250, 340), (250, 520), (370, 330), (370, 530), (480, 420)):
        _pistol(pen, x, row)


def _pistol(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    pen.rectangle([x, y, x + 150, y + 28], fill=(60, 62, 66), outline=_DARK)
    pen.polygon(
        [(x + 96, y + 28), (x + 140, y + 28), (x + 158, y + 92), (x + 118, y + 92)], fill=_DARK
    )
    pen.arc([x + 66, y + 24, x + 104, y + 56], 0, 180, fill=_DARK, width=4)


def _serial(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle([60, 240, 964, 540], fill=_STEEL, outline=_DARK, width=5)
    for x in range(70, 915, 11):
        pen.line([(x, 250), (x + 40, 530)], fill=(148, 153, 158))
    # Cyrillic on the pistol; nobody can see that on metal, and the font has no Cyrillic.
    _stamp(pen, (170, 320), "C-84417", 130)
    pen.rectangle([60, 600, 964, 640], fill=(232, 224, 150))
    for mark in range(31):  # a ruler in millimetres
        pen.line([(70 + mark * 29, 600), (70 + mark * 29, 612 + 16 * (mark % 10 == 0))], fill=_DARK)


def _proof(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle([60, 180, 964, 620], fill=_STEEL, outline=_DARK, width=5)
    pen.ellipse([380, 240, 640, 500], outline=_DARK, width=9)
    points = [(510, 262), (566, 452), (404, 330), (616, 330), (454, 452)]
    pen.polygon(points, outline=_DARK, width=7)
    _stamp(pen, (430, 520), "68", 70)


def _stamp(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int) -> None:
    font = ImageFont.load_default(size)
    pen.text((at[0] + 3, at[1] + 3), text, font=font, fill=_LIGHT)
    pen.text(at, text, font=font, fill=_DARK)


# --- a page of a register --------------------------------------------------------

_PAGE: Final = (
    (18, "REGISTER OF SMALL ARMS (INVENTED)"),
    (12, "Book 14, page 207"),
    (12, ""),
    (12, "1968  manufactured, Zastava, pistol M57, 7,62 x 25"),
    (12, "1969  issued, unit 4417"),
    (12, "1992  written off"),
    (12, ""),
    (10, "Extract made for a demonstration. Nothing in it exists."),
)


def _page() -> bytes:
    lines = ["BT", "72 760 Td"]
    for size, text in _PAGE:
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        lines += [f"/F1 {size} Tf", f"({escaped}) Tj", "0 -26 Td"]
    content = "\n".join([*lines, "ET"]).encode("ascii")
    return _pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
        b"/Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    )


def _pdf(*objects: bytes) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = list[int]()
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


# --- a surface scan --------------------------------------------------------------

_MAIN: Final = """<?xml version="1.0" encoding="UTF-8"?>
<p:ISO5436_2 xmlns:p="http://www.opengps.eu/2008/ISO5436_2">
  <Record1>
    <Revision>ISO5436 - 2000</Revision>
    <FeatureType>SUR</FeatureType>
    <Axes>
      <CX><AxisType>I</AxisType><DataType>D</DataType><Increment>{step}</Increment><Offset>0</Offset></CX>
      <CY><AxisType>I</AxisType><DataType>D</DataType><Increment>{step}</Increment><Offset>0</Offset></CY>
      <CZ><AxisType>A</AxisType><DataType>F</DataType><Increment>1</Increment><Offset>0</Offset></CZ>
    </Axes>
  </Record1>
  <Record2>
    <Date>2026-03-14T09:30:00</Date>
    <Creator>seefen demonstration</Creator>
    <Instrument>
      <Manufacturer>none</Manufacturer><Model>computed</Model><Serial>0</Serial><Version>1</Version>
    </Instrument>
    <CalibrationDate>2026-03-14T09:00:00</CalibrationDate>
    <ProbingSystem><Type>Software</Type><Identification>none</Identification></ProbingSystem>
    <Comment>Invented breech face, parallel marks</Comment>
  </Record2>
  <Record3>
    <MatrixDimension><SizeX>{size}</SizeX><SizeY>{size}</SizeY><SizeZ>1</SizeZ></MatrixDimension>
    <DataLink>
      <PointDataLink>bindata/data.bin</PointDataLink>
      <MD5ChecksumPointData>{md5}</MD5ChecksumPointData>
    </DataLink>
  </Record3>
  <Record4><ChecksumFile>md5checksum.hex</ChecksumFile></Record4>
</p:ISO5436_2>
"""


def _scan() -> bytes:
    heights = [_height(x, y) for y in range(SCAN) for x in range(SCAN)]
    data = struct.pack(f"<{len(heights)}f", *heights)
    main = _MAIN.format(step=STEP_M, size=SCAN, md5=_md5(data)).encode()
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("main.xml", main),
            ("bindata/data.bin", data),
            ("md5checksum.hex", f"{_md5(main)} *main.xml\n".encode()),
        ):
            # A fixed date: the same bytes every time.
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 14, 9, 30, 0)), content)
    return out.getvalue()


def _height(x: int, y: int) -> float:
    """Return the height in metres: parallel marks, a firing pin dent, a slope."""
    marks = 0.8e-6 * math.sin(x * 0.42 + 0.6 * math.sin(x * 0.051)) + 0.3e-6 * math.sin(x * 1.7)
    away = math.hypot(x - SCAN / 2, y - SCAN / 2)
    dent = -40e-6 * max(0.0, 1 - (away / 38) ** 2)
    return marks + dent + 0.01e-6 * y


def _md5(data: bytes) -> str:
    # The format asks for MD5: a check against accidents, never against people.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
