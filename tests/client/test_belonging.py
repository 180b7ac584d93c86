"""What was taken back is followed by nothing: no photograph that waits, and no newer version."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, files
from seefen.client.belonging import require_standing
from seefen.client.connection import UnreachableError
from seefen.client.drafts import Draft
from seefen.client.lines import AT_ONCE
from seefen.client.queueing import KEPT_BACK
from seefen.protocol.errors import RefusedError
from seefen.protocol.objects import PART_SIZE, RUN
from seefen.protocol.suite import random_bytes
from tests.client.homes import Site
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, until
from tests.client.test_outbox import photo
from tests.client.test_previews import photograph
from tests.support import waiting
from tests.support.faultproxy import Bad, FaultProxy

ALERT, SECOND = f"{CHANNEL}#1", f"{CHANNEL}#2"


@pytest.fixture
async def lines(tmp_path: Path) -> AsyncIterator[tuple[Site, FaultProxy]]:
    async with proxied(tmp_path, SKOPJE, BELGRADE) as pair:
        yield pair


async def cut(*_: object) -> None:
    raise UnreachableError("the line was cut", rule="broker")


def objects(client: Client) -> int:
    return client.channels._casework.find(CHANNEL).object_count


def parts(place: Site) -> int:
    """Return how many bytes of files the broker has."""
    folder = place.broker.config.data / "blobs"
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def half_sent(place: Site, file: Path) -> Client:
    """Return Skopje's client, whose alert has left without its photograph."""
    skopje = await channel(place, BELGRADE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "upload", cut)
        sent = await skopje.alerts.send(alert(), CHANNEL, [file])
    assert sent.ref == ALERT
    return skopje


async def away(client: Client, proxy: FaultProxy) -> None:
    proxy.bad = Bad(down=True)
    proxy.cut()
    await waiting.until(lambda: not client.online)


def kept(client: Client) -> list[tuple[str, str, str]]:
    return [(one.what, one.state, one.problem) for one in client.queue.list()]


async def test_a_photograph_of_what_was_taken_back_stays_here(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    skopje = await half_sent(lines[0], photo(tmp_path))
    before = parts(lines[0])
    recall = (await skopje.amend.recall(ALERT, "wrong_data")).ref
    assert recall == SECOND
    for _ in range(3):
        await skopje.sync()
    assert parts(lines[0]) == before, "not even its sealed bytes go up"
    assert objects(skopje) == 2
    why = f"{ALERT} was taken back ({SECOND}): what belongs to it stays here [taken-back]"
    assert kept(skopje) == [("FileNote", KEPT_BACK, why)]

    # It was right after all: what waited goes.
    await skopje.requests.withdraw(SECOND, "It was right after all")
    await until(lambda: not skopje.queued(), skopje)
    assert objects(skopje) == 4


async def test_what_is_kept_back_of_a_recall_is_dropped(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    skopje = await half_sent(lines[0], photo(tmp_path))
    await skopje.amend.recall(ALERT, "wrong_data")
    await skopje.sync()
    (one,) = skopje.queue.list()
    await skopje.queue.drop(one.id)
    assert skopje.queued() == []
    assert list(skopje._outbox.folder.iterdir()) == []


async def test_a_photograph_stays_here_while_the_recall_waits(
    lines: tuple[Site, FaultProxy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, proxy = lines
    skopje = await channel(place, BELGRADE)
    outbox: Any = skopje._outbox
    upload = outbox._upload

    async def up_and_cut(draft: Any, progress: Any) -> None:
        outbox._left = float("inf")  # its parts are at the broker, and it is not entered yet
        await upload(draft, progress)
        await away(skopje, proxy)

    monkeypatch.setattr(outbox, "_upload", up_and_cut)
    assert (await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path)])).ref == ALERT
    assert (await skopje.amend.recall(ALERT, "wrong_data")).queued
    proxy.bad = Bad()
    await until(lambda: len(skopje.queue.list()) == 1, skopje)
    assert objects(skopje) == 2, "the alert and its recall: the photograph was older, and waits"
    assert [one.state for one in skopje.queue.list()] == [KEPT_BACK]


async def test_a_recall_that_is_dropped_keeps_nothing_back(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    place, proxy = lines
    skopje = await half_sent(place, photo(tmp_path))
    await away(skopje, proxy)
    await skopje.amend.recall(ALERT, "wrong_data")
    await skopje.queue.drop(next(one.id for one in skopje.queue.list() if one.what == "Recall"))
    proxy.bad = Bad()
    await until(lambda: not skopje.queued(), skopje)
    assert objects(skopje) == 2


async def test_a_recall_of_another_that_waits_keeps_nothing_back(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    skopje = await half_sent(lines[0], photo(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "upload", cut)
        other = str((await skopje.alerts.send(alert(), CHANNEL)).ref)
        permit = skopje._outbox.permit

        def refuse(draft: Draft) -> None:
            if b"Recall" in draft.plain:
                raise RefusedError("row 14", rule="pair-policy")
            permit(draft)

        skopje._outbox.permit = refuse
        await skopje.amend.recall(other, "wrong_data")
    await until(lambda: objects(skopje) == 3, skopje)
    assert [one.what for one in skopje.queue.list()] == ["Recall"]


async def test_a_photograph_on_its_way_up_is_stopped_by_a_recall(
    lines: tuple[Site, FaultProxy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = lines
    large = tmp_path / "film.mp4"
    large.write_bytes(random_bytes(PART_SIZE) * (2 * AT_ONCE * RUN))
    skopje = await half_sent(place, large)
    begun, goes_on = list[int](), asyncio.Event()
    send_parts = skopje._engine.connection.send_parts

    async def slow(url: str, *rest: Any) -> None:
        begun.append(1)
        await goes_on.wait()
        await send_parts(url, *rest)

    monkeypatch.setattr(skopje._engine.connection, "send_parts", slow)
    syncing = asyncio.create_task(skopje.sync())
    await waiting.until(lambda: len(begun) == AT_ONCE)
    await skopje.amend.recall(ALERT, "wrong_data")
    goes_on.set()
    await syncing
    assert len(begun) == AT_ONCE, "no part more, of twice as many"
    assert objects(skopje) == 2
    assert [one.state for one in skopje.queue.list()] == [KEPT_BACK]


async def test_a_colleagues_recall_keeps_the_photograph_back(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    place, _ = lines
    await place.broker.take(place.network.enrol(SKOPJE, ("keyholder", "field")))
    skopje = await half_sent(place, photo(tmp_path))
    colleague = await place.client(SKOPJE, nth=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "upload", cut)
        await until(colleague.alerts.list, skopje, colleague)
        await colleague.amend.recall(ALERT, "wrong_data")
        await until(lambda: objects(skopje) == 2, skopje)
    await skopje.sync()
    assert objects(skopje) == 2
    assert [one.state for one in skopje.queue.list()] == [KEPT_BACK]


async def test_a_newer_version_that_waits_does_not_outlive_the_recall(
    lines: tuple[Site, FaultProxy],
) -> None:
    """It would be an alert of its own, which nobody has taken back."""
    place, proxy = lines
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await away(skopje, proxy)
    assert (await skopje.amend.confirm(ALERT)).queued
    assert (await skopje.amend.recall(ALERT, "wrong_data")).queued
    proxy.bad = Bad()
    await until(lambda: all(one.recalled_by for one in belgrade.alerts.list()), skopje, belgrade)
    assert [one.what for one in skopje.queue.list()] == ["SeizureAlert"]
    assert len(belgrade.alerts.list()) == 1


async def test_a_photograph_whose_preview_was_taken_back_stays_here(
    lines: tuple[Site, FaultProxy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = lines
    skopje = await channel(place, BELGRADE)
    upload = files.upload

    async def narrow(*args: Any) -> None:
        if str(args[3]).endswith(".preview.jpg"):
            return await upload(*args)
        raise UnreachableError("the line was cut", rule="broker")

    monkeypatch.setattr(files, "upload", narrow)
    (tmp_path / "b").mkdir()
    both = [photograph(tmp_path / "a.jpg"), photograph(tmp_path / "b" / "a.jpg")]
    await skopje.alerts.send(alert(), CHANNEL, both)
    assert [one.preview for one in skopje.queue.list()] == [SECOND, f"{CHANNEL}#3"]
    await skopje.amend.recall(SECOND, "wrong_data")
    monkeypatch.undo()
    await until(lambda: len(skopje.queue.list()) == 1, skopje)
    assert [one.state for one in skopje.queue.list()] == [KEPT_BACK], "the other one has left"


async def test_a_correction_that_waits_does_not_leave_after_the_recall(
    lines: tuple[Site, FaultProxy],
) -> None:
    """It would say once more what was taken back, to all who had it."""
    place, proxy = lines
    skopje = await channel(place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await away(skopje, proxy)
    assert (await skopje.amend.correct(ALERT, "misread", "C-84477")).queued
    assert (await skopje.amend.recall(ALERT, "wrong_data")).queued
    proxy.bad = Bad()
    await until(lambda: objects(skopje) == 2, skopje)
    assert [(one.what, one.state) for one in skopje.queue.list()] == [("Correction", KEPT_BACK)]
    await skopje.requests.withdraw(SECOND, "It was right after all")
    await until(lambda: not skopje.queued(), skopje)
    assert objects(skopje) == 4


async def test_a_recall_that_was_refused_keeps_no_photograph_back(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    skopje = await half_sent(lines[0], photo(tmp_path))
    permit = skopje._outbox.permit

    def refuse(draft: Draft) -> None:
        if b"Recall" in draft.plain:
            raise RefusedError("row 14", rule="pair-policy")
        permit(draft)

    skopje._outbox.permit = refuse
    assert (await skopje.amend.recall(ALERT, "wrong_data")).problem == "row 14 [pair-policy]"
    await until(lambda: objects(skopje) == 2, skopje)
    assert [one.what for one in skopje.queue.list()] == ["Recall"]


async def test_a_recall_that_waits_for_a_fresh_log_keeps_the_photograph_back(
    lines: tuple[Site, FaultProxy], tmp_path: Path
) -> None:
    """Nothing of this leaves past such a log; once it is fresh, both would leave at once."""
    place, proxy = lines
    skopje = await half_sent(place, photo(tmp_path))
    await away(skopje, proxy)
    await skopje.amend.recall(ALERT, "wrong_data")
    problem = "(a) no quorum has seen the log yet [a-unwitnessed]"
    skopje._engine.vault.run("UPDATE draft SET problem = ?", problem)
    [file] = [one for _, one, _ in skopje._outbox.waiting() if one.file]
    with pytest.raises(RefusedError, match="the recall waits, too"):
        require_standing(skopje._engine, file)
