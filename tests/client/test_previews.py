"""Previews: small, from the pixels alone, ahead of the photographs, and never in their place."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from seefen.client import files, previews
from seefen.client.drafts import Attach
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import FileNote, encode_message
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, until

PLACE, MAKE = "Tabanovce 42.2N", "TelephoneMaker"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def photograph(path: Path, kind: str = "JPEG", size: tuple[int, int] = (1200, 900)) -> Path:
    """Write a large photograph that was held sideways: grey, the upper left corner red."""
    picture = Image.effect_noise(size, 60).convert("RGB")
    picture.paste((255, 0, 0), (0, 0, size[0] // 4, size[1] // 4))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x010E] = 6, MAKE, PLACE
    if kind == "PNG":
        picture.save(path, kind, exif=exif)
    else:
        picture.save(path, kind, quality=95, exif=exif, comment=PLACE.encode())
    return path


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_it_is_small_upright_and_says_nothing_of_place_and_device(
    kind: str, tmp_path: Path
) -> None:
    path = photograph(tmp_path / "wheel", kind)
    assert previews.is_wanted(path)
    data = previews.preview_of(path)
    assert data is not None
    assert len(data) <= previews.MOST
    for told in (PLACE, MAKE, "Exif"):
        assert told.encode() not in data
    with Image.open(BytesIO(data)) as made:
        assert (made.format, made.mode) == ("JPEG", "RGB")
        assert not made.getexif()
        assert made.height > made.width >= 400  # turned as the photograph is seen
        red = made.getpixel((made.width - 5, 5))  # its upper left corner is the right one now
        assert isinstance(red, tuple)
        assert red[0] > 200
        assert max(red[1:]) < 60


def test_what_is_small_or_no_picture_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, other, broken = (tmp_path / name for name in ("a.jpg", "b.pdf", "c.jpg"))
    photograph(small, size=(64, 48))
    other.write_bytes(b"%PDF-1.7" + bytes(previews.LARGE))
    broken.write_bytes(b"\xff\xd8\xff\xe0" + bytes(previews.LARGE))
    assert [previews.is_wanted(path) for path in (small, other, broken)] == [False, False, True]
    assert previews.preview_of(broken) is None
    # A drawing of a hundred thousand times its size on the disk is not unpacked.
    monkeypatch.setattr(previews, "_PIXELS", 1000)
    assert previews.preview_of(photograph(tmp_path / "d.jpg")) is None


def test_the_serial_number_leaves_first_then_small_ones_then_the_rest(tmp_path: Path) -> None:
    large, small = photograph(tmp_path / "a.jpg"), photograph(tmp_path / "b.jpg", size=(64, 48))
    tiny = photograph(tmp_path / "c.jpg", size=(64, 48))
    order = previews.first([Attach(small, "serial_closeup"), Attach(large), Attach(tiny)])
    assert [(one.path.name, preview) for one, preview in order] == [
        ("b.jpg", False), ("a.jpg", True), ("a.jpg", False), ("c.jpg", False),
    ]  # fmt: skip
    order = previews.first([Attach(large, "serial_closeup"), Attach(large), Attach(tiny)])
    assert [(one.role, one.path.name, preview) for one, preview in order] == [
        ("serial_closeup", "a.jpg", True), ("", "a.jpg", True),
        ("serial_closeup", "a.jpg", False), ("", "a.jpg", False), ("", "c.jpg", False),
    ]  # fmt: skip


def test_a_preview_names_its_photograph_and_nothing_else_does() -> None:
    note = FileNote(name="a.preview.jpg", size=1, sha256=bytes(32), role="preview")
    with pytest.raises(RefusedError, match="names the photograph"):
        encode_message(note)
    with pytest.raises(RefusedError, match="names the photograph"):
        encode_message(FileNote(name="a", size=1, sha256=bytes(32), preview_of=bytes(32)))


async def test_it_is_there_while_the_photograph_is_still_on_its_way(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    photo = photograph(tmp_path / "wheel.jpg")
    narrow, go_on = asyncio.Event(), asyncio.Event()
    upload = files.upload

    async def slow(*args: Any) -> None:
        if args[3] == "wheel.jpg":
            narrow.set()
            await go_on.wait()
        await upload(*args)

    monkeypatch.setattr(files, "upload", slow)
    sending = asyncio.create_task(skopje.alerts.send(alert(), CHANNEL, [photo]))
    await narrow.wait()
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    assert belgrade.cases.show(CHANNEL).objects[1].subject == "preview"
    got = await belgrade.files.get(f"{CHANNEL}#2", tmp_path / "got", **WHY)
    assert got.name == "wheel.preview.jpg"
    go_on.set()
    assert not any(one.queued for one in (await sending).files)


async def test_it_comes_first_and_the_photograph_follows_byte_for_byte(
    place: Site, tmp_path: Path
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    photo = photograph(tmp_path / "spare wheel.jpg")
    sent = await skopje.alerts.send(alert(), CHANNEL, [photo], original=True)
    assert [one.ref for one in sent.files] == [f"{CHANNEL}#3"], "the preview is part of it"
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade)
    views = belgrade.cases.show(CHANNEL).objects[1:]
    assert [view.subject for view in views] == ["preview", "photograph"]

    folder = tmp_path / "got"
    small = await belgrade.files.get(f"{CHANNEL}#2", folder, **WHY)
    whole = await belgrade.files.get(f"{CHANNEL}#3", folder, **WHY)
    assert (small.name, whole.name) == ("spare wheel.preview.jpg", "spare wheel.jpg")
    assert whole.read_bytes() == photo.read_bytes()
    assert small.stat().st_size <= previews.MOST
    view = belgrade.files.view(f"{CHANNEL}#2")
    assert view.preview_of == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert belgrade.files.view(f"{CHANNEL}#3").preview_of == ""
