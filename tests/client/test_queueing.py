"""The queue: what waits, and taking it back before it leaves; never what has left."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, files, previews
from seefen.client.connection import UnreachableError
from seefen.client.drafts import Attachment, Draft
from seefen.client.queueing import KEPT_BACK, MAY_HAVE_LEFT, WAITS
from seefen.protocol.encoding import encode
from seefen.protocol.errors import OutOfTurnError, RefusedError
from tests.client.homes import PASSPHRASE, Site
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until
from tests.client.test_emergencies import asked, cases, night
from tests.client.test_outbox import Killed, photo
from tests.client.test_previews import photograph
from tests.support import waiting
from tests.support.faultproxy import Bad, FaultProxy


class Lines:
    """A broker and the line to it."""

    def __init__(self, place: Site, proxy: FaultProxy) -> None:
        self.place = place
        self.proxy = proxy

    async def skopje(self) -> Client:
        """Return Skopje's client, whose line is then gone."""
        client = await channel(self.place, BELGRADE)
        await client.sync()
        self.down()
        await waiting.until(lambda: not client.online)
        return client

    def down(self) -> None:
        self.proxy.bad = Bad(down=True)
        self.proxy.cut()

    def up(self) -> None:
        self.proxy.bad = Bad()


@pytest.fixture
async def lines(tmp_path: Path) -> AsyncIterator[Lines]:
    async with proxied(tmp_path, SKOPJE, BELGRADE) as (place, proxy):
        yield Lines(place, proxy)


def alike(folder: Path, names: Sequence[str]) -> list[Path]:
    """Write large photographs whose previews have one name; each shows something else."""
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
    kinds = ["PNG" if name.endswith("png") else "JPEG" for name in names]
    return [photograph(folder / name, kind) for name, kind in zip(names, kinds, strict=True)]


async def nothing(*_: object) -> None:
    """Stand for a kill before anything is sealed."""


def objects(client: Client) -> int:
    return client.channels._casework.find(CHANNEL).object_count


async def test_what_waits_is_listed_with_its_files_and_why(lines: Lines, tmp_path: Path) -> None:
    skopje = await lines.skopje()
    large = photograph(tmp_path / "wheel.jpg")
    assert previews.is_wanted(large)
    await skopje.alerts.send(alert(), CHANNEL, [large, photo(tmp_path, "b.pdf")])
    await skopje.alerts.send(alert(), CHANNEL)
    first, second = skopje.queue.list()
    assert (first.what, first.case, first.subject) == (
        "SeizureAlert",
        CHANNEL,
        "1 pistol, border crossing, preliminary",
    )
    assert first.files == 2, "the preview is part of its photograph"
    assert (first.state, first.problem, second.files) == (WAITS, "", 0)
    assert first.size > 1_000_000
    assert abs(first.made_at - skopje._engine.now()) < 60
    assert len(skopje.queued()) == 4, "two alerts and two files"


async def test_what_is_dropped_never_leaves_with_its_files(lines: Lines, tmp_path: Path) -> None:
    skopje = await lines.skopje()
    await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path), photo(tmp_path, "b.jpg")])
    await skopje.alerts.send(alert(), CHANNEL)
    wrong, right = skopje.queue.list()
    gone = await skopje.queue.drop(wrong.id)
    assert (gone, skopje.queue.list()) == (wrong, [right])
    assert list(skopje._outbox.folder.iterdir()) == []

    lines.up()
    await until(lambda: not skopje.queued(), skopje)
    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"], "no gap behind it"
    assert objects(skopje) == 1
    assert skopje.alarm is None


async def test_nothing_is_dropped_while_something_leaves(lines: Lines) -> None:
    skopje = await lines.skopje()
    await skopje.alerts.send(alert(), CHANNEL)
    (kept,) = skopje.queue.list()
    async with skopje._engine.lock:
        dropping = asyncio.create_task(skopje.queue.drop(kept.id))
        for _ in range(10):
            await asyncio.sleep(0)
        assert skopje.queue.list() == [kept]
    assert await dropping == kept


async def test_what_has_left_is_named_and_not_dropped(lines: Lines) -> None:
    skopje = await lines.skopje()
    await skopje.alerts.send(alert(), CHANNEL)
    (kept,) = skopje.queue.list()
    lines.up()
    await until(lambda: not skopje.queued(), skopje)
    with pytest.raises(OutOfTurnError, match=f"it has left, as {CHANNEL}#1") as refused:
        await skopje.queue.drop(kept.id)
    assert refused.value.rule == "has-left"
    with pytest.raises(RefusedError) as unknown:
        await skopje.queue.drop("0000")
    assert unknown.value.rule == "unknown-waiting"


@pytest.mark.parametrize("arrived", [False, True])
async def test_what_was_on_its_way_may_have_left(lines: Lines, *, arrived: bool) -> None:
    skopje = await channel(lines.place, BELGRADE)
    await skopje.sync()
    connection: Any = skopje._engine.connection
    real = connection._exchange

    async def cut(verb: str, body: bytes) -> Any:
        if verb == "send":
            if arrived:
                await real(verb, body)
            raise UnreachableError("the line was cut", rule="broker")
        return await real(verb, body)

    connection._exchange = cut
    await skopje.alerts.send(alert(), CHANNEL)
    (kept,) = skopje.queue.list()
    assert kept.state == MAY_HAVE_LEFT
    with pytest.raises(OutOfTurnError, match="may have left"):
        skopje.queue.find(kept.id)
    with pytest.raises(OutOfTurnError) as refused:
        await skopje.queue.drop(kept.id)
    assert refused.value.rule == "may-have-left"

    connection._exchange = real
    await until(lambda: not skopje.queued(), skopje)
    assert objects(skopje) == 1, "once, whether it had arrived or not"
    with pytest.raises(OutOfTurnError, match="has left"):
        skopje.queue.find(kept.id)


async def test_what_is_kept_back_says_why_and_is_dropped(lines: Lines) -> None:
    skopje = await channel(lines.place, BELGRADE)

    def refuse(_: object) -> None:
        raise RefusedError("row 14", rule="pair-policy")

    skopje._outbox.permit = refuse
    await skopje.alerts.send(alert(), CHANNEL)
    (kept,) = skopje.queue.list()
    assert (kept.state, kept.problem) == (KEPT_BACK, "row 14 [pair-policy]")
    await skopje.queue.drop(kept.id[:4])
    assert skopje.queued() == []


async def test_a_file_whose_message_has_left_is_dropped_by_itself(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await channel(lines.place, BELGRADE)

    async def cut(*_: object) -> None:
        raise UnreachableError("the line was cut", rule="broker")

    with monkeypatch.context() as patch:
        patch.setattr("seefen.client.files.upload", cut)
        await skopje.alerts.send(alert(), CHANNEL, [photograph(tmp_path / "wheel.jpg")])
        (kept,) = skopje.queue.list()
        assert (kept.what, kept.subject) == ("FileNote", "wheel.jpg")
        assert kept.of == f"{CHANNEL}#1"
        await skopje.queue.drop(kept.id)
    await skopje.sync()
    assert skopje.queued() == []
    assert objects(skopje) == 1, "neither the photograph nor its preview"
    assert list(skopje._outbox.folder.iterdir()) == []


@pytest.mark.parametrize("names", [("a/IMG_1.jpg", "b/IMG_1.jpg"), ("x.jpg", "x.png")])
@pytest.mark.parametrize("sealed", [True, False])
async def test_what_is_dropped_takes_previews_of_one_name_with_it(
    lines: Lines, tmp_path: Path, names: tuple[str, str], *, sealed: bool
) -> None:
    skopje = await lines.skopje()
    with pytest.MonkeyPatch.context() as patch:
        if not sealed:
            patch.setattr(skopje._outbox, "prepare", nothing)
        await skopje.alerts.send(alert(), CHANNEL, alike(tmp_path, names))
    (kept,) = skopje.queue.list()
    assert kept.files == 2
    await skopje.queue.drop(kept.id)
    assert (skopje._outbox.waiting(), skopje._outbox.attachments()) == ([], [])
    lines.up()
    await until(lambda: skopje.online, skopje)
    await skopje.sync()
    assert objects(skopje) == 0


async def test_no_file_leaves_whose_message_never_did(lines: Lines, tmp_path: Path) -> None:
    skopje = await lines.skopje()
    await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path)])
    outbox = skopje._outbox
    outbox.drop([number for number, draft, _ in outbox.waiting() if not draft.file])
    lines.up()
    await until(lambda: any(one.state == KEPT_BACK for one in skopje.queue.list()), skopje)
    (kept,) = skopje.queue.list()
    assert kept.problem == "the message of IMG_0001.jpg was not sent [alone]"
    assert objects(skopje) == 0
    await skopje.queue.drop(kept.id)
    assert skopje.queued() == []


async def test_the_preview_that_has_left_is_named_until_it_is_recalled(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await channel(lines.place, BELGRADE)
    upload = files.upload

    async def narrow(*args: Any) -> None:
        if str(args[3]).endswith(".preview.jpg"):
            return await upload(*args)
        raise UnreachableError("the line was cut", rule="broker")

    monkeypatch.setattr(files, "upload", narrow)
    both = alike(tmp_path, ("a/IMG_1.jpg", "b/IMG_1.jpg"))
    await skopje.alerts.send(alert(), CHANNEL, both)
    kept = skopje.queue.list()
    assert [one.subject for one in kept] == ["IMG_1.jpg"] * 2
    assert [one.preview for one in kept] == [f"{CHANNEL}#2", f"{CHANNEL}#3"], "by what they show"
    assert skopje.queue.find(kept[1].id).preview == f"{CHANNEL}#3"
    assert (await skopje.queue.drop(kept[1].id)).preview == f"{CHANNEL}#3"
    assert skopje.queue.list() == kept[:1]
    await skopje.amend.recall(f"{CHANNEL}#2", "wrong_data")
    assert [one.preview for one in skopje.queue.list()] == [""]


async def test_a_preview_that_was_recorded_when_the_process_was_killed_is_named(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await channel(lines.place, BELGRADE)
    outbox: Any = skopje._outbox
    finish = outbox._finish

    def die(id_: int, draft: Draft) -> Any:
        if draft.file:
            raise Killed
        return finish(id_, draft)

    monkeypatch.setattr(outbox, "_finish", die)
    with pytest.raises(Killed):
        await skopje.alerts.send(alert(), CHANNEL, [photograph(tmp_path / "wheel.jpg")])
    home = skopje._engine.home
    await lines.place.open.aclose()
    async with Client.open(home, PASSPHRASE, patience=0) as away:
        (kept,) = away.queue.list()
        assert (kept.subject, kept.preview) == ("wheel.jpg", f"{CHANNEL}#2")


async def test_attack_the_preview_of_another_is_not_called_ours(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await channel(lines.place, BELGRADE), await lines.place.client(BELGRADE)
    upload = files.upload

    async def cut(connection: Any, *args: Any) -> None:
        if connection is skopje._engine.connection:
            raise UnreachableError("the line was cut", rule="broker")
        await upload(connection, *args)

    monkeypatch.setattr(files, "upload", cut)
    large = photograph(tmp_path / "wheel.jpg")
    await skopje.alerts.send(alert(), CHANNEL, [large])
    draft = skopje._outbox.waiting()[0][1]
    assert draft.reply_to is not None
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    of, path = draft.reply_to, bytes(large)
    theirs = Attachment(draft.case, of, "H2", path, original=False, preview=True)
    sql = "INSERT INTO attachment (fields) VALUES (?)"
    belgrade._engine.vault.run(sql, encode(theirs))
    await until(lambda: objects(skopje) == 2, belgrade, skopje)
    await skopje.files.get(f"{CHANNEL}#2", tmp_path / "got", **WHY)
    assert [one.preview for one in skopje.queue.list()] == [""]


async def test_a_file_dropped_while_it_is_sealed_is_not_kept(lines: Lines, tmp_path: Path) -> None:
    skopje = await lines.skopje()
    outbox: Any = skopje._outbox
    seal = outbox._seal_file

    async def drop_it(kept: Any) -> Any:
        sealed = await seal(kept)
        (kept,) = skopje.queue.list()
        await skopje.queue.drop(kept.id)
        return sealed

    outbox._seal_file = drop_it
    assert (await skopje.alerts.send(alert(), CHANNEL, [photo(tmp_path)])).ref is None
    assert skopje.queued() == []
    assert list(outbox.folder.iterdir()) == []


async def test_a_vault_that_is_opened_away_lets_nothing_leave(lines: Lines) -> None:
    skopje = await lines.skopje()
    await skopje.alerts.send(alert(), CHANNEL)
    home = skopje._engine.home
    await lines.place.open.aclose()
    lines.up()
    async with Client.open(home, PASSPHRASE, patience=0) as away:
        (kept,) = away.queue.list()
        before = lines.proxy.up
        await away.queue.drop(kept.id)
        assert not away.online
        assert away._keeper is None, "nor is the line tried while he thinks"
        assert lines.proxy.up == before
    async with lines.place.briefly(SKOPJE) as again:
        assert again.queued() == []
        assert objects(again) == 0
        assert again.alarm is None


async def test_what_is_sent_is_kept_while_another_waits_for_a_dead_line(lines: Lines) -> None:
    skopje = await channel(lines.place, BELGRADE)
    skopje.keep_draft("alert", b"{}")
    async with skopje._engine.lock:
        sending = asyncio.create_task(skopje.alerts.send(alert(), CHANNEL, form="alert"))
        await waiting.until(skopje.queue.list)
        assert skopje._engine.vault.synced, "also a power cut leaves it"
        assert skopje.draft("alert") is None, "never both: it would be sent twice"
    assert (await sending).ref == f"{CHANNEL}#1"


async def test_a_question_in_an_emergency_that_is_dropped_can_be_put_again(lines: Lines) -> None:
    skopje, belgrade = await lines.place.client(SKOPJE), await lines.place.client(BELGRADE)
    officer = await night(lines.place, belgrade)
    [number] = await cases(skopje, officer)
    permit = officer._outbox.permit

    def stuck(_: object) -> None:
        raise RefusedError("a newer policy is closed", rule="paper-unread")

    officer._outbox.permit = stuck
    await officer.duty.emergencies.ask(number, **WHY)
    [kept] = officer.queue.list()
    assert (kept.what, kept.case) == ("EmergencyAsk", "house")
    await officer.queue.drop(kept.id)
    assert officer.duty.emergencies.list() == []
    officer._outbox.permit = permit
    assert (await officer.duty.emergencies.ask(number, **WHY)).ref


async def test_the_answer_to_a_colleagues_emergency_must_leave(lines: Lines) -> None:
    skopje, belgrade = await lines.place.client(SKOPJE), await lines.place.client(BELGRADE)
    officer = await night(lines.place, belgrade)
    await cases(skopje, officer)

    def stuck(draft: Draft) -> None:
        if b"EmergencyOpened" in draft.plain:
            raise RefusedError("a newer policy is closed", rule="paper-unread")

    with pytest.MonkeyPatch.context() as held:
        held.setattr(belgrade._outbox, "permit", stuck)
        await asked(belgrade, officer, officer.cases.list()[0].number)
        [kept] = belgrade.queue.list()
        with pytest.raises(RefusedError) as refused:
            await belgrade.queue.drop(kept.id)
    assert refused.value.rule == "stays"
