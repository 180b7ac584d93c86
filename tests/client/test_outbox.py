"""The outbox: nothing is lost or doubled by a kill, and a big file holds up no alert."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import files
from seefen.client.drafts import FIRST, Attach
from seefen.client.values import Sent
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import random_bytes
from seefen.server.blobs import Blobs
from seefen.server.errors import FullError
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, until
from tests.client.test_photos import JPEG


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def photo(folder: Path, name: str = "IMG_0001.jpg") -> Path:
    path = folder / name
    path.write_bytes(random_bytes(1_500_000))
    return path


class Killed(BaseException):
    """The process is gone: nothing after this line runs."""


async def killed(*_: object, **__: object) -> Any:
    raise Killed


@pytest.mark.parametrize("where", ["before sealing", "before uploading"])
async def test_a_kill_before_the_photographs_left_loses_none(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    skopje = await channel(place, BELGRADE)
    outbox: Any = skopje._outbox
    if where == "before sealing":
        outbox._seal_file = killed
    else:
        monkeypatch.setattr(files, "upload", killed)
    with pytest.raises(Killed):
        await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path)])
    monkeypatch.undo()
    await place.open.aclose()

    async with place.briefly(SKOPJE) as again:
        await until(lambda: not again.queued(), again)
        objects = again.channels._casework.find(CHANNEL)
        assert objects.object_count == 2
        assert [one.ref for one in again.alerts.list()] == [f"{CHANNEL}#1"]
        folder = again._engine.home / "outbox"
        await until(lambda: not list(folder.iterdir()), again)
        assert again.alarm is None


async def test_a_photograph_that_is_gone_after_a_kill_is_named(place: Site, tmp_path: Path) -> None:
    skopje = await channel(place, BELGRADE)
    outbox: Any = skopje._outbox
    outbox._seal_file = killed
    path = photo(tmp_path)
    with pytest.raises(Killed):
        await skopje.alerts.send(alert(), CHANNEL, [path])
    await place.open.aclose()
    path.unlink()

    async with place.briefly(SKOPJE) as again:
        await until(lambda: not again.queued(), again)
        assert path.name in (again.alarm or "")


async def test_a_broker_without_room_is_named_and_gets_the_photograph_later(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Blobs) -> None:
        raise FullError("the broker's disk is nearly full", rule="disk")

    skopje = await channel(place, BELGRADE)
    monkeypatch.setattr(Blobs, "_require_room", full)
    sent = await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path)])
    assert sent.ref == f"{CHANNEL}#1", "the alert itself is small and goes first"
    (waiting,) = skopje.queued()
    assert waiting.problem == "the broker's disk is nearly full [disk]"
    assert skopje.online

    monkeypatch.undo()
    await until(lambda: not skopje.queued(), skopje)
    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]
    assert skopje.channels._casework.find(CHANNEL).object_count == 2


async def test_sealed_leftovers_of_a_kill_are_deleted(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    folder = skopje._engine.home / "outbox"
    await place.open.aclose()
    folder.mkdir(exist_ok=True)
    (folder / "00.sealed").write_bytes(b"half of a photograph")

    async with place.briefly(SKOPJE):
        assert list(folder.iterdir()) == []


async def test_a_photograph_that_is_not_there_is_said_before_anything_leaves(
    place: Site, tmp_path: Path
) -> None:
    skopje = await channel(place, BELGRADE)
    with pytest.raises(RefusedError) as caught:
        await skopje.alerts.send(alert(), CHANNEL, [tmp_path / "IMG_9999.jpg"])

    assert caught.value.rule == "file"
    assert skopje.alerts.list() == []
    assert skopje.queued() == []


async def test_a_file_with_too_long_a_name_is_named_before_anything_leaves(
    place: Site, tmp_path: Path
) -> None:
    skopje = await channel(place, BELGRADE)
    long = photo(tmp_path, "ш" * 59 + ".jpg")  # 122 bytes

    with pytest.raises(RefusedError, match=r"^ш{40}: name: has more than 120 bytes") as refused:
        await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path), long])

    assert refused.value.rule == "file-name"
    assert skopje.queued() == []
    assert skopje.alerts.list() == []


@pytest.mark.parametrize("name", ["cut.jpg", "zero\u200bwidth.jpg"])
async def test_what_would_be_refused_later_is_refused_before_anything_leaves(
    place: Site, tmp_path: Path, name: str
) -> None:
    skopje = await channel(place, BELGRADE)
    bad = photo(tmp_path, name)
    if name == "cut.jpg":
        bad.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    with pytest.raises(RefusedError):
        await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path), bad])

    assert skopje.queued() == []
    assert skopje.alerts.list() == []


async def test_who_is_told_that_a_file_stays_is_told_that_the_alert_left(
    place: Site, tmp_path: Path
) -> None:
    skopje = await channel(place, BELGRADE)
    gone, outbox = photo(tmp_path), skopje._outbox
    flush = outbox.flush

    async def and_gone() -> list[Sent]:
        gone.unlink(missing_ok=True)
        return await flush()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "flush", and_gone)
        with pytest.raises(RefusedError, match=r"^seefen-border#1 leaves without one") as refused:
            await skopje.alerts.send(alert(), CHANNEL, [gone])
    assert refused.value.rule == "left-out"
    assert len(skopje.alerts.list()) == 1


async def test_the_close_up_of_the_serial_number_leaves_first(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    wheel, serial = photo(tmp_path, "wheel.jpg"), photo(tmp_path, "serial.jpg")
    wheel.write_bytes(JPEG)
    await skopje.alerts.send(alert(), CHANNEL, [wheel, Attach(serial, FIRST)])
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade)
    covers = [one.cover for one in belgrade.cases.show(CHANNEL).objects]
    assert [c.what[0].code for c in covers[1:] if c] == ["serial_closeup", "photograph"]


async def test_an_alert_passes_a_file_that_is_on_its_way(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await channel(place, BELGRADE)
    real, started, may_go = files.upload, asyncio.Event(), asyncio.Event()

    async def slow(*rest: Any) -> None:
        started.set()
        await may_go.wait()
        await real(*rest)

    monkeypatch.setattr(files, "upload", slow)
    first = asyncio.create_task(skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path)]))
    await started.wait()
    second = await skopje.alerts.send(alert(), CHANNEL)
    assert second.ref == f"{CHANNEL}#2"
    may_go.set()

    assert [one.ref for one in (await first).files] == [f"{CHANNEL}#3"]


async def test_a_name_that_is_no_text_is_sent_and_said(place: Site, tmp_path: Path) -> None:
    skopje = await channel(place, BELGRADE)
    odd = tmp_path / b"caf\x65\xcc\x81\xff.jpg".decode("utf-8", "surrogateescape")
    odd.write_bytes(b"a photograph")
    sent = await skopje.alerts.send(alert(), CHANNEL, [odd])

    assert sent.files[0].ref == f"{CHANNEL}#2"
    assert sent.files[0].remark.startswith("caf\u00e9\ufffd.jpg: what is no letter")
