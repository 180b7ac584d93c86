"""What a broker and a member together can have believed, and what is left of it when it is judged
anew with what was hidden: keys, openings, clones, ids, and the officer's own words.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client, doubts, keying
from seefen.client.outbox import _add_object
from seefen.client.sender import Parcel
from seefen.protocol import keys as handed
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Item, Page
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.messages import Note
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Case, Member
from seefen.protocol.suite import new_id, sha256
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf
from tests.support.shadow import database
from tests.system.siege import Siege, later, numbers, siege, without


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def row_of(place: Siege, kind: str, index: int | None = None) -> dict[str, Any]:
    """Return the newest entry of a kind before an index, as the broker's table has it."""
    sql = "SELECT * FROM activity_leaf WHERE kind = $1 AND idx < $2 ORDER BY idx DESC LIMIT 1"
    async with database(place.place.broker.dsn) as connection:
        return dict(await connection.fetchrow(sql, kind, 1 << 40 if index is None else index))


async def lawless(place: Siege) -> None:
    """Let the broker's database take what it must not: its owner can."""
    async with database(place.place.broker.dsn) as connection:
        for unique in ("hash", "device_id_device_n", "case_id_device_id_case_n"):
            sql = f"ALTER TABLE activity_leaf DROP CONSTRAINT activity_leaf_{unique}_key"
            await connection.execute(sql)


def hide(place: Siege, *indices: int) -> None:
    """Hide entries from Belgrade."""
    lie = without(lambda item: item.entry.index in indices)
    place.hostile.lie("feed", lie, to=place.place.network.of(BELGRADE))


def signed(client: Client, case: str, text: str, **changes: Any) -> bytes:
    """Return a message of a device in an envelope that it never sent, with its next numbers."""
    engine, outbox = client._engine, client._outbox
    state = client._casework.find(case)
    id_ = outbox.add_message(state.case, Note(message_id=new_id(), text=text))
    draft = next(draft for number, draft, _ in outbox.waiting() if number == id_)
    outbox.drop([id_])
    parcel = Parcel(engine)
    _add_object(engine, parcel, replace(draft, **changes), mark=False)
    return parcel.signed[0].envelope


async def plant_object(place: Siege, client: Client, envelope: bytes) -> int:
    """Let the broker record a message of a device; return where."""
    obj: Any = open_envelope(envelope, "object").statement
    like = await row_of(place, "object")
    like |= {"node": obj.node, "device_id": obj.device, "object_id": obj.object}
    n = decode_core(like["core"]).n + 1
    return await place.plant_entry(like, envelope, officer=client.officer, n=n)


def texts(client: Client, case: str) -> list[str]:
    """Return from whom the messages of a case are, and their numbers."""
    return [f"{one.number} {one.sender}" for one in client.cases.show(case).objects]


async def removed(place: Siege, *words: str) -> tuple[Client, Client, Client, int]:
    """Open a case of three, remove Pristina unseen by it and Belgrade, and go on; return where."""
    skopje, belgrade = await place.story("elsewhere")
    pristina = await place.place.client(PRISTINA)
    place.case = (await skopje.cases.open("Rifles", [BELGRADE, PRISTINA])).number
    await skopje.cases.send(place.case, "one")
    for client in (belgrade, pristina, skopje):
        await client.sync()
        deaf(client)
    at = await place.count("activity_leaf")
    await skopje.cases.remove(place.case, [PRISTINA])
    for word in words:
        await skopje.cases.send(place.case, word)
    hide(place, *range(at, await place.count("activity_leaf")))
    return skopje, belgrade, pristina, at


async def test_attack_a_key_of_who_was_removed_gives_way_to_the_true_one(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He renews the key while his removal is hidden: both are the second key of the case."""
    _, belgrade, pristina, at = await removed(place, "two")
    engine, ours = pristina._engine, belgrade._engine
    state, parcel = pristina._casework.find(place.case), Parcel(engine)
    false = keying.add_renewal(engine, parcel, state, "age")
    like = await row_of(place, "casekey")
    like |= {"node": PRISTINA, "device_id": engine.keys.device}
    async with database(place.place.broker.dsn) as connection:
        for wrap in parcel.wraps:
            await connection.execute("INSERT INTO wrap VALUES ($1, $2)", sha256(wrap), wrap)
    index = await place.plant_entry(like, parcel.signed[0].envelope, officer=pristina.officer)
    await belgrade.sync()
    assert ours.case_key(state.case, 2) == false

    place.hostile.honest()
    hide(place, at + 1, at + 2)  # the removal is shown, and its key is not: his is in use no more
    await belgrade.sync()
    assert f"entry {index} was believed, and is refused now" in " ".join(belgrade.alarms)
    assert ours.case_key(state.case, 2) is None
    place.hostile.honest()
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    monkeypatch.undo()
    key, generation = ours.case_key(state.case, 2), ours.trust.require_state(state.case).generation
    assert key is not None
    assert generation.statement.node == SKOPJE
    handed.check_case_key(key, generation.statement)
    message: Any = (await belgrade.read(f"{place.case}#2", **WHY)).message
    assert message.text == "two"


async def test_attack_a_key_of_who_was_removed_gives_way_at_once(place: Siege) -> None:
    """As before, and both records come at the same time: the true key is learned in its place."""
    _, belgrade, pristina, _ = await removed(place, "two")
    engine, ours = pristina._engine, belgrade._engine
    state, parcel = pristina._casework.find(place.case), Parcel(engine)
    keying.add_renewal(engine, parcel, state, "age")
    like = await row_of(place, "casekey")
    like |= {"node": PRISTINA, "device_id": engine.keys.device}
    async with database(place.place.broker.dsn) as connection:
        for wrap in parcel.wraps:
            await connection.execute("INSERT INTO wrap VALUES ($1, $2)", sha256(wrap), wrap)
    await place.plant_entry(like, parcel.signed[0].envelope, officer=pristina.officer)
    await belgrade.sync()
    place.hostile.honest()
    await belgrade.sync()
    key, generation = ours.case_key(state.case, 2), ours.trust.require_state(state.case).generation
    assert key is not None
    assert generation.statement.node == SKOPJE
    handed.check_case_key(key, generation.statement)
    assert [
        one.subject for one in belgrade.cases.show(place.case).objects if not one.cover_open
    ] == []


async def test_attack_what_a_removed_node_wrote_goes_once_its_removal_is_shown(
    place: Siege,
) -> None:
    """The removal comes by the feed, behind what was written after it, and is taken in at once."""
    _, belgrade, pristina, _ = await removed(place)
    index = await plant_object(place, pristina, signed(pristina, place.case, "still here"))
    await belgrade.sync()
    assert texts(belgrade, place.case) == [f"1 {SKOPJE}", f"2 {PRISTINA}"]
    place.hostile.honest()
    await belgrade.sync()
    assert texts(belgrade, place.case) == [f"1 {SKOPJE}"]
    assert f"entry {index} was believed, and is refused now" in " ".join(belgrade.alarms)


async def test_attack_a_clone_that_was_believed_gives_way_to_what_it_was_a_clone_of(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the machine signs another message with the number of one that is hidden."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await lawless(place)
    clone = signed(skopje, place.case, "of the clone")
    true = await place.count("activity_leaf")
    await skopje.cases.send(place.case, "two")
    index = await plant_object(place, skopje, clone)
    hide(place, true)
    await belgrade.sync()
    assert len(numbers(belgrade, place.case)) == 2
    place.hostile.honest()
    await skopje.cases.send(place.case, "three")
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    monkeypatch.undo()
    assert f"entry {index} was believed, and is refused now" in " ".join(belgrade.alarms)
    assert numbers(belgrade, place.case) == [1, 2, 3]
    for n, text in enumerate(("one", "two", "three"), 1):
        message: Any = (await belgrade.read(f"{place.case}#{n}", **WHY)).message
        assert message.text == text


async def test_attack_a_message_that_was_recorded_twice_is_not_lost_with_its_copy(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second record is shown first, and opened; then the first one, in its place."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await lawless(place)
    true = await place.count("activity_leaf")
    await skopje.cases.send(place.case, "the second rifle")
    like = await row_of(place, "object")
    await place.plant_entry(like, like["envelope"], officer=skopje.officer)
    hide(place, true)
    await belgrade.sync()
    assert (await belgrade.read(f"{place.case}#2", **WHY)).message
    assert [one.ref for one in belgrade.search("rifle", **WHY).views] == [f"{place.case}#2"]
    hide(place, true, await place.count("activity_leaf"))
    for text in ("three", "four"):
        await skopje.cases.send(place.case, text)
    await belgrade.sync()
    place.hostile.honest()
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    monkeypatch.undo()
    assert numbers(belgrade, place.case) == [1, 2, 3, 4]
    assert [one.ref for one in belgrade.search("rifle", **WHY).views] == [f"{place.case}#2"]
    before = await place.count("activity_leaf", "kind = 'access'")
    message: Any = (await belgrade.read(f"{place.case}#2", **WHY)).message
    assert message.text == "the second rifle"
    assert await place.count("activity_leaf", "kind = 'access'") == before


@pytest.mark.parametrize("first", [False, True])
async def test_attack_a_message_under_the_id_of_another_hides_neither_unseen(
    place: Siege, *, first: bool
) -> None:
    """A member knows the id, and the broker lets his message pass; it may be shown first."""
    skopje, belgrade = await place.story()
    pristina = await place.place.client(PRISTINA)
    place.case = (await skopje.cases.open("Rifles", [BELGRADE, PRISTINA])).number
    for client in (belgrade, pristina, skopje):
        await client.sync()
        deaf(client)
    true = await place.count("activity_leaf")
    await skopje.cases.send(place.case, "one")
    obj: Any = open_envelope((await row_of(place, "object"))["envelope"], "object").statement
    index = await plant_object(
        place, pristina, signed(pristina, place.case, "in its place", object=obj.object)
    )
    if first:
        hide(place, true)
    await belgrade.sync()
    if first:
        assert texts(belgrade, place.case) == [f"1 {PRISTINA}"]
        place.hostile.honest()
        await skopje.cases.send(place.case, "two")
        await belgrade.sync()
    assert texts(belgrade, place.case)[0] == f"1 {SKOPJE}"
    assert f"entry {index} has the id or number of another message" in " ".join(belgrade.alarms)
    message: Any = (await belgrade.read(f"{place.case}#1", **WHY)).message
    assert message.text == "one"


async def test_attack_an_opening_put_before_the_known_one_opens_nothing(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member signs an opening of his own for the case, and the log has it before the true one."""
    skopje, belgrade = await place.story("elsewhere")
    pristina = await place.place.client(PRISTINA)
    for client in (belgrade, pristina):
        deaf(client)
    at = await place.count("activity_leaf")
    await skopje.cases.open("Of no concern to Belgrade", [PRISTINA])
    place.case = (await skopje.cases.open("Rifles", [BELGRADE])).number
    await skopje.cases.send(place.case, "one")
    engine, mine = pristina._engine, place.place.network.of(BELGRADE)
    parcel, case = Parcel(engine), skopje._casework.find(place.case).case
    number = f"SF-2026-{engine.directory.node(PRISTINA).code}-00099"
    false = parcel.activity(
        Case, "case", case, version=1, prev=bytes(32), form="case", number=number,
        members=(Member(PRISTINA, 1), Member(BELGRADE, 1)), title=b"a title", retain_until=0,
    )  # fmt: skip
    like = await row_of(place, "case")
    made = place.made(like, parcel.add(false), officer=pristina.officer)
    shadow = await place.shadow()
    shadow.records[at] = (None, made["record"])
    entry = Entry(at, made["record"], made["core"], made["salt"], ())
    shadow.extra.append(Item("case", entry, made["envelope"], (), b""))
    shadow.show(to=mine)
    two = await place.count("activity_leaf")
    hide(place, at, two)
    for text in ("two", "three"):
        await skopje.cases.send(place.case, text)
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2]
    place.hostile.honest()
    shadow.show(to=mine)
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2, 3]
    assert belgrade._engine.trust.require_state(case).owner == SKOPJE


async def test_attack_what_was_hidden_is_told_of_though_another_process_fetched_it(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows knows of all up to a later entry; he gave way to a command, which fetched it."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    hidden = await place.count("activity_leaf")
    for text in ("two", "three"):
        await skopje.cases.send(place.case, text)
    hide(place, hidden)
    await belgrade.sync()
    after = belgrade.end_events()
    place.hostile.honest()
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    monkeypatch.undo()
    await place.place.open.aclose()
    belgrade = await place.place.client(BELGRADE)
    for told in ([f"{place.case}#2"], []):
        asyncio.get_running_loop().call_soon(belgrade.end_events)
        events = [one.ref async for one in belgrade.events(after=after) if one.what == "arrived"]
        assert [ref for ref in events if ref == f"{place.case}#2"] == told


async def test_fault_a_line_that_breaks_while_a_case_is_read_again_is_no_attempt(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a bad line would make a case wait for a day, though the broker was never asked."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    own = (await belgrade.cases.send(place.case, "two")).ref
    for client in (skopje, belgrade):
        await client.sync()
    hidden = await place.count("activity_leaf")
    for text in ("three", "four"):
        await skopje.cases.send(place.case, text)
    first = list[Page]()

    async def cut(page: Page) -> Page | None:
        if not first:
            first.append(page)
            return replace(page, items=tuple(i for i in page.items if i.entry.index != hidden))
        await place.hostile.cut()
        return None

    told = place.hostile.lie("feed", cut, to=place.place.network.of(BELGRADE))
    await belgrade.sync()
    assert told.told == 2
    (one,) = doubts.doubted(belgrade._engine.vault).values()
    assert one.tries == 0
    place.hostile.honest()
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2, 3, 4]
    # How far the own message got stands in receipts, which are judged anew, too.
    shown = {one.ref: one.state for one in belgrade.cases.show(place.case).objects}
    assert shown[str(own)] == "delivered"
