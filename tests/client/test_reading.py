"""Reading: each opening has its entry, and what is owed to the author's node is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, outbox
from seefen.client.connection import Connection
from seefen.client.sender import Parcel
from seefen.client.views import Row
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError, UntrustedError
from seefen.protocol.messages import Note
from seefen.protocol.objects import new_content_key, wrap_content_key
from seefen.protocol.statements import Object
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    PRISTINA,
    SKOPJE,
    WHY,
    alert,
    channel,
    deaf,
    until,
)

REF = f"{CHANNEL}#1"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def accesses(client: Client) -> list[int]:
    return [row[0] for row in client._engine.vault.run("SELECT idx FROM access ORDER BY idx")]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the verbs that all clients ask from here on."""
    verbs: list[str] = []
    real = Connection.request

    async def request(self: Connection, verb: str, body: object, answer: type[Any]) -> Any:
        verbs.append(verb)
        return await real(self, verb, body, answer)

    monkeypatch.setattr(Connection, "request", request)
    return verbs


async def test_what_an_absence_left_owed_is_told_in_one_bundle(
    place: Site, asked: list[str]
) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await belgrade.sync()
    deaf(belgrade)
    for _ in range(5):
        await skopje.alerts.send(alert(), CHANNEL)
    asked.clear()
    await belgrade.sync()

    assert asked.count("send") == 1
    refs = [f"{CHANNEL}#{n}" for n in range(1, 6)]
    await until(lambda: all(skopje.alerts.reach(ref)[0].delivered_at for ref in refs), skopje)


async def test_one_that_was_told_by_a_colleague_does_not_hold_the_others(place: Site) -> None:
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: skopje.alerts.reach(REF)[0].delivered_at, belgrade, skopje)
    await belgrade._stop()
    colleague = await place.client(BELGRADE, "field", nth=1)
    deaf(colleague)
    await skopje.alerts.send(alert(), CHANNEL)
    engine = colleague._engine
    async with engine.lock:
        await engine.sync()
    owe(colleague, told=True)
    await colleague.sync()

    await until(lambda: skopje.alerts.reach(f"{CHANNEL}#2")[0].delivered_at, skopje)
    assert colleague.alarm is None
    assert owed(colleague) == 0


async def test_a_receipt_that_came_later_is_not_asked_for_again(
    place: Site, asked: list[str]
) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    deaf(belgrade)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: skopje.alerts.reach(REF)[0].delivered_at, belgrade, skopje)
    owe(belgrade)  # as after a cut: the receipt was fetched by the next question
    asked.clear()
    await belgrade.sync()

    assert "send" not in asked
    assert owed(belgrade) == 0


async def test_one_that_never_goes_through_does_not_hold_the_others(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    deaf(belgrade)
    for _ in range(3):
        await skopje.alerts.send(alert(), CHANNEL)
    engine, acks = belgrade._engine, belgrade._reader.acks
    async with engine.lock:
        await engine.sync()
    stuck = engine.vault.run("SELECT object FROM object ORDER BY object LIMIT 1")[0][0]
    real = acks._add_acks

    def add(parcel: Parcel, due: Sequence[Row], step: str) -> None:
        if any(row.object == stuck for row in due):
            raise OutOfTurnError("not the device's next number", rule="number")
        real(parcel, due, step)

    monkeypatch.setattr(acks, "_add_acks", add)
    await belgrade.sync()
    assert owed(belgrade) == 1
    monkeypatch.undo()
    await belgrade.sync()
    assert owed(belgrade) == 0


def owe(client: Client, *, told: bool = False) -> None:
    """Let a client owe what it has told; with ``told`` it knows of no receipt either."""
    vault = client._engine.vault
    if told:
        vault.run("DELETE FROM step")
    for (known,) in vault.run("SELECT object FROM object"):
        vault.run("DELETE FROM setting WHERE name = ?", f"step/delivered/{known.hex()}")
        vault.put(f"owe/delivered/{known.hex()}", b"1")


def owed(client: Client) -> int:
    return len(client._engine.vault.run("SELECT name FROM setting WHERE name GLOB 'owe/*'"))


async def test_a_colleague_who_reads_our_own_message_leaves_an_entry(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    skopje = await channel(place)
    await skopje.alerts.send(alert(), CHANNEL)
    colleague = await place.client(SKOPJE, "field", nth=1)
    await until(colleague.alerts.list, colleague)
    with pytest.raises(RefusedError) as caught:
        await colleague.alerts.show(REF)
    assert caught.value.rule == "purpose-needed"

    opened = await colleague.alerts.show(REF, **WHY)
    assert accesses(colleague) == [opened.entry_index]
    assert accesses(skopje) == []


async def test_who_reads_again_after_the_shift_leaves_another_entry(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    first = await belgrade.alerts.show(REF, **WHY)
    assert (await belgrade.alerts.show(REF)).entry_index == first.entry_index
    belgrade._engine.vault.run("UPDATE object SET shown_until = 1")
    again = await belgrade.alerts.show(REF)

    assert again.entry_index > first.entry_index
    assert accesses(belgrade) == [first.entry_index, again.entry_index]


async def test_after_the_shift_nothing_is_shown_without_the_broker(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(REF, **WHY)
    belgrade._engine.vault.run("UPDATE object SET shown_until = 1")
    await belgrade._engine.connection.close()
    belgrade._engine.connection._address = type(belgrade._engine.connection._address)(
        "https://127.0.0.1:9", place.broker.ca
    )

    with pytest.raises(SeefenError):
        await belgrade.alerts.show(REF)


async def test_an_acknowledgement_that_is_refused_is_asked_for_once(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    connection: Any = belgrade._engine.connection
    deaf(belgrade)
    await skopje.alerts.send(alert(), CHANNEL)
    real, asked = connection.request, 0

    async def refusing(verb: str, *rest: Any) -> Any:
        nonlocal asked
        if verb != "send":
            return await real(verb, *rest)
        asked += 1
        raise RefusedError("not today", rule="not-a-reader")

    connection.request = refusing
    await belgrade.sync()
    await belgrade.sync()
    assert asked == 1
    assert "not today" in (belgrade.alarm or "")

    connection.request = real
    assert (await belgrade.alerts.show(REF, **WHY)).message


async def test_a_spoiled_message_closes_no_other(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    deaf(belgrade)
    for _ in range(2):
        await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    vault = belgrade._engine.vault
    vault.run("UPDATE object SET sealed = ? WHERE n = 1", b"spoiled by its author")
    await belgrade.watch.on(**WHY)

    fetched = {one.ref: one.fetched for one in belgrade.alerts.list()}
    assert fetched == {REF: False, f"{CHANNEL}#2": True}
    assert "does not open" in (belgrade.alarm or "")


async def test_a_message_that_its_author_spoiled_is_entered_once_however_often_it_is_tried(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = (await skopje.cases.open("Operation", [BELGRADE])).number

    def spoiled(obj: Object, key: bytes, _content: bytes) -> bytes:
        return wrap_content_key(obj, key, new_content_key())

    with monkeypatch.context() as altered:
        altered.setattr(outbox, "wrap_content_key", spoiled)
        await skopje.cases.send(case, "spoiled")
    await belgrade.sync()
    for _ in range(3):
        with pytest.raises(UntrustedError):
            await belgrade.read(f"{case}#1", **WHY)
    assert len(accesses(belgrade)) == 1


async def test_a_file_that_finds_no_room_is_a_sentence(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Operation", [BELGRADE])
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 " * 1000)
    sent = await skopje.cases.send(case.number, "", [scan])
    ref = sent.files[0].ref
    assert ref is not None
    await until(lambda: len(belgrade._engine.vault.run("SELECT 1 FROM object")) == 2, belgrade)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(RefusedError) as caught:
        await belgrade.files.get(ref, blocked, **WHY)
    assert caught.value.rule == "file"

    sealed = belgrade.files.view(ref).size
    path = await belgrade.files.get(ref, tmp_path / "got")
    assert belgrade.files.view(ref).size == path.stat().st_size < sealed  # it is padded
    assert path.read_bytes() == scan.read_bytes()


async def test_a_file_that_is_asked_for_twice_at_once_is_fetched_once(
    place: Site, tmp_path: Path
) -> None:
    """Both would write the same file, and the first to end would name what the second writes."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Operation", [BELGRADE])
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 " * 400_000)
    sent = await skopje.cases.send(case.number, "", [scan])
    ref = sent.files[0].ref
    assert ref is not None
    await until(lambda: len(belgrade._engine.vault.run("SELECT 1 FROM object")) == 2, belgrade)
    both = (belgrade.files.get(ref, tmp_path / "got", **WHY) for _ in range(2))
    got = await asyncio.gather(*both, return_exceptions=True)

    (refused,) = [one for one in got if isinstance(one, RefusedError)]
    assert "fetched already" in str(refused)
    (path,) = (tmp_path / "got").iterdir()
    assert path in got
    assert path.read_bytes() == scan.read_bytes()
    await belgrade.files.get(ref, tmp_path / "again")  # and later it may be


async def test_a_note_is_read_by_its_author_without_an_entry(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = await skopje.cases.open("Operation", [BELGRADE])
    sent = await skopje.cases.send(case.number, "mine")
    assert sent.ref is not None
    opened = await skopje.read(sent.ref)

    assert isinstance(opened.message, Note)
    assert accesses(skopje) == []
