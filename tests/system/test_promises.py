"""The three promises, attacked at a real broker with a real database and real devices."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from demo.tamper import intruder
from demo.wiretap import search
from seefen.client import Client
from seefen.client.connection import Connection
from seefen.client.views import rows
from seefen.client.wire import Wire
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import FeedFrom, Frame, Page, Push, Released
from seefen.protocol.ledger.note import Checkpoint
from tests.client.homes import PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, deaf, until
from tests.system.siege import siege

SECRETS = ("С-84417", "Zastava", "Miloš", "zapisnik.txt", "Pištolji u točku")  # noqa: RUF001

FIELDS = {
    "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type",
    "dpop", "host", "sec-websocket-key", "sec-websocket-version", "upgrade", "user-agent",
}  # fmt: skip


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


@pytest.fixture
async def belgrade(place: Site) -> Client:
    """Belgrade's client, with an alert it has seen the cover of and not opened."""
    skopje = await channel(place, BELGRADE)
    belgrade = await place.client(BELGRADE)
    deaf(belgrade)
    await skopje.alerts.send(alert(), CHANNEL)
    await belgrade.sync()
    return belgrade


async def test_attack_10_a_rewound_log_is_refused_also_after_a_restart(
    place: Site, belgrade: Client
) -> None:
    await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
    async with intruder(place.broker.dsn) as villain:
        await villain.rewind(2, place.broker.config.data)
    with pytest.raises(UntrustedError) as refused:
        await belgrade.sync()
    assert refused.value.rule == "rewind"
    belgrade_home = place.home(place.network.of(BELGRADE))
    await place.open.aclose()
    with pytest.raises(UntrustedError) as again:
        await _reopened(belgrade_home)
    assert again.value.rule == "rewind"
    assert list((belgrade_home / "evidence").glob("activity-rewind-*.json"))


async def _reopened(home: Path) -> None:
    async with Client.open(home, PASSPHRASE) as restarted:
        await restarted.sync()


async def test_attack_30_no_content_key_comes_before_its_entry(
    place: Site, belgrade: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection: Any = await asyncpg.connect(place.broker.dsn)
    try:
        key: bytes = await connection.fetchval(
            "SELECT content_key FROM object ORDER BY idx LIMIT 1"
        )
        heard: list[bytes] = []
        listen = Wire._hand_out

        def overhear(self: Wire, frame: Frame) -> None:
            heard.append(frame.body)
            listen(self, frame)

        monkeypatch.setattr(Wire, "_hand_out", overhear)
        # All that a device may ask without an entry: both logs, feed, records, proofs.
        belgrade._engine.vault.put_number("cursor", 0)
        await belgrade.sync()
        await belgrade.audit.verify()
        with pytest.raises(SeefenError):
            await belgrade.alerts.show(f"{CHANNEL}#1")  # no purpose was stated
        assert heard
        assert not any(key in body for body in heard)
        opened = await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
        assert any(key in body for body in heard)
        kind = await connection.fetchval(
            "SELECT kind FROM activity_leaf WHERE idx = $1", opened.entry_index
        )
        assert kind == "access"
    finally:
        await connection.close()


async def test_attack_30_a_broker_that_cannot_write_the_entry_gives_no_key(
    place: Site, belgrade: Client
) -> None:
    connection: Any = await asyncpg.connect(place.broker.dsn)
    try:
        before = await connection.fetchval("SELECT count(*) FROM activity_leaf")
        await connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON activity_leaf EXECUTE FUNCTION full_disk()"
        )
        with pytest.raises(SeefenError):
            await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
        assert belgrade.alerts.list()[0].fetched is False
        assert await connection.fetchval("SELECT count(*) FROM activity_leaf") == before
        await connection.execute("DROP TRIGGER full_disk ON activity_leaf")
        # It resumes by itself: the same access is asked again and entered once.
        opened = await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
        assert opened.message.message_id
    finally:
        await connection.close()


async def test_attack_31_a_key_without_a_true_entry_opens_nothing(
    belgrade: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Connection.request
    spoilt: list[Released] = []

    async def without_entry(self: Connection, verb: str, body: object, answer: Any) -> Any:
        given = await honest(self, verb, body, answer)
        if isinstance(given, Released):
            # The broker kept no entry: it shows one of somebody else, and the true key.
            spoilt.append(given)
            record = bytearray(given.entry.record)
            record[-1] ^= 1
            return replace(given, entry=replace(given.entry, record=bytes(record)))
        return given

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "request", without_entry)
        with pytest.raises(UntrustedError):
            await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
    assert spoilt
    assert belgrade.alerts.list()[0].fetched is False
    await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
    assert belgrade.alerts.list()[0].fetched is True


async def test_attack_31_a_push_with_a_key_and_no_release_opens_nothing(
    place: Site, belgrade: Client
) -> None:
    engine = belgrade._engine
    row = rows(engine, "n = 1")[0]
    connection: Any = await asyncpg.connect(place.broker.dsn)
    try:
        key = await connection.fetchval(
            "SELECT content_key FROM object WHERE object_id = $1", row.object
        )
    finally:
        await connection.close()
    head = engine.trust.head("activity")
    page = await engine.connection.request("feed", FeedFrom(0, 500, head.size), Page)
    item = next(i for i in page.items if i.envelope == row.envelope)
    push = Push(item, None, b"", key, page.checkpoint, page.consistency)
    under = Checkpoint(engine.trust.origin("activity"), head.size, head.root)
    with pytest.raises(UntrustedError) as refused:
        belgrade.watch.take_release(push, under)
    assert refused.value.rule == "no-release"
    assert belgrade.alerts.list()[0].fetched is False


async def test_a_removed_member_is_handed_nothing_more(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Pistols", [BELGRADE])
    await skopje.cases.send(case.number, "before")
    await belgrade.sync()
    await skopje.cases.remove(case.number, [BELGRADE])
    with pytest.raises(SeefenError) as refused:
        await belgrade.read(f"{case.number}#1", **WHY)
    assert refused.value.rule == "not-a-member"
    assert belgrade.cases.show(case.number).objects[0].fetched is False


async def test_attack_59_the_broker_holds_none_of_the_words(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    file = tmp_path / "zapisnik.txt"
    file.write_text("Miloš · С-84417 · " * 1000)  # noqa: RUF001
    case = await skopje.cases.open("Pištolji u točku", [BELGRADE])
    await skopje.cases.send(case.number, "Zastava С-84417, Miloš", [file])  # noqa: RUF001
    await belgrade.sync()
    await belgrade.read(f"{case.number}#1", **WHY, reason="Miloš")
    await belgrade.files.get(f"{case.number}#2", tmp_path / "out", **WHY)
    dump = tmp_path / "dump.bin"
    connection: Any = await asyncpg.connect(place.broker.dsn)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        for row in tables:
            with dump.open("ab") as out:
                await connection.copy_from_table(row["tablename"], output=out, format="binary")
    finally:
        await connection.close()
    blobs = place.broker.config.blobs
    found = await asyncio.to_thread(search, "", (dump, blobs), SECRETS)
    assert found.size > 20_000
    assert found.found == ()
    control = await asyncio.to_thread(search, "", (dump,), (SKOPJE, case.number))
    assert control.found == tuple(sorted((SKOPJE, case.number)))


async def test_attack_59_nothing_that_a_device_sends_has_a_word_in_it(tmp_path: Path) -> None:
    """Every path, header, body and frame, as the broker has them without the TLS (I5)."""
    file = tmp_path / "zapisnik.txt"
    file.write_text("Miloš · С-84417 · " * 10_000)  # noqa: RUF001
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        skopje, belgrade = await channel(place.place, BELGRADE), await place.place.client(BELGRADE)
        await until(belgrade.channels.list, belgrade)
        await belgrade.watch.on(**WHY, reason="Miloš")
        case = (await skopje.cases.open("Pištolji u točku", [BELGRADE])).number
        words = "Zastava С-84417, Miloš"  # noqa: RUF001
        await skopje.cases.send(case, words, [file])
        await skopje.alerts.send(alert(), CHANNEL)
        await until(lambda: [one.fetched for one in belgrade.alerts.list()] == [True], belgrade)
        await until(lambda: len(belgrade.cases.show(case).objects) == 2, belgrade)
        await belgrade.read(f"{case}#1", **WHY, reason="Miloš")
        await belgrade.files.get(f"{case}#2", tmp_path / "out", **WHY, reason="Miloš")
        await belgrade.alerts.answer(f"{CHANNEL}#1", "taken", "Miloš · Zastava")
        assert belgrade.check("С-84417", **WHY).count == 1  # noqa: RUF001
        await belgrade.sync()
        await until(lambda: not skopje.queued() + belgrade.queued(), skopje, belgrade)
        heard, arrived, fields = place.hostile.heard, place.hostile.arrived, place.hostile.fields
    assert {"send", "access", "feed", "POST /v1/token"} <= heard.keys()
    assert any(asked.startswith("PUT /v1/blobs/") and "/parts/" in asked for asked in heard)
    assert fields == FIELDS, "what else does a header say, and to whom?"
    dump = tmp_path / "arrived.bin"
    dump.write_bytes(b"\n".join(arrived))
    found = await asyncio.to_thread(search, "", (dump,), (*SECRETS, "Tabanovce", SKOPJE))
    assert found.found == (SKOPJE,)
