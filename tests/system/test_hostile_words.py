"""An officer's own words, recorded where nobody else believes them: they are said again."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, doubts
from seefen.client.drafts import Attachment
from seefen.protocol.bundle import decode_bundle
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Recorded, Send
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.receipt import Entry
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf
from tests.support.hostile import LIMIT
from tests.support.shadow import database
from tests.system.siege import Siege, numbers, siege
from tests.system.test_hostile_judging import hide, row_of

MADE_ANEW = ("entry", "number", "object", "step", "case_key", "mark", "draft")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def records(place: Siege, client: Client) -> Callable[[Recorded | None], Awaitable[Recorded]]:
    """Return the lie by which the broker records what it must refuse, with all that it keeps."""
    mine = place.place.network.of(client.node)

    async def recorded(answer: Recorded | None) -> Recorded:
        if answer is not None:
            return answer
        sent = decode(place.hostile.asked.body, Send, limit=LIMIT)
        bundle = decode_bundle(sent.bundle)
        ((one,), (content,)) = bundle.statements, bundle.contents
        obj: Any = open_envelope(one.envelope, "object").statement
        like = await row_of(place, "object")
        n = decode_core(like["core"]).n + 1
        like |= {"node": obj.node, "device_id": mine.device, "object_id": obj.object}
        index = await place.plant_entry(
            like, one.envelope, officer=client.officer, tag=one.tag, n=n
        )
        kept = (obj.object, index, obj.case, obj.gen, n, obj.node, 0, content.body, content.key)
        async with database(place.place.broker.dsn) as connection:
            await connection.execute(
                "INSERT INTO object VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", *kept
            )
        row = await row_of(place, "object", index + 1)
        log = (await place.shadow())._log("activity")
        entry = Entry(index, row["record"], row["core"], row["salt"], log.inclusion(index))
        at = place.place.broker.services.clock()
        return Recorded((), (entry,), log.note(at), log.consistency(sent.seen))

    return recorded


@pytest.mark.parametrize("waits", [False, True])
async def test_attack_what_was_recorded_under_an_old_key_is_said_again(
    place: Siege, tmp_path: Path, *, waits: bool
) -> None:
    """The broker hides a new key, records what is written under the old one, and shows the key.

    It has the ids of what it recorded, and takes none of them a second time; what refers to them
    may wait in the outbox.
    """
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    mine = place.place.network.of(BELGRADE)
    at = await place.count("activity_leaf")
    await skopje.cases.add(place.case, [PRISTINA])
    hide(place, at, at + 1)
    words = [f"under the old key, {n}" for n in range(5)]
    times = len(words) + (not waits)
    lie = records(place, belgrade)
    told = place.hostile.lie("send", lie, to=mine, times=times, instead=True)
    for n, word in enumerate(words, 2):
        assert (await belgrade.cases.send(place.case, word)).ref == f"{place.case}#{n}"
    fixed = await belgrade.amend.correct(f"{place.case}#2", "misread", "the new", was="the old")
    assert (fixed.queued, told.told) == (waits, times)
    state, _ = belgrade.find(f"{place.case}#2")
    paper, vault = tmp_path / "paper.txt", belgrade._engine.vault
    paper.write_text("of the first")
    sql = "SELECT object FROM object WHERE case_id = ? AND n = 2"
    ((of,),) = vault.run(sql, state.case)
    file = Attachment(state.case, of, "H0", os.fsencode(paper), original=False)
    vault.run("INSERT INTO attachment (fields) VALUES (?)", encode(file))
    place.hostile.honest()
    for _ in range(2):  # what waited is held back until the key is known to be shown
        await belgrade.sync()
    assert belgrade.queued() == []
    await skopje.sync()
    one, *said, fix, _ = numbers(skopje, place.case)
    assert one == 1
    for n, word in zip(said, words, strict=True):
        message: Any = (await skopje.read(f"{place.case}#{n}", **WHY)).message
        assert message.text == word
    correction: Any = (await skopje.read(f"{place.case}#{fix}", **WHY)).message
    shown = skopje._engine.vault
    ((first,),) = shown.run("SELECT object FROM object WHERE n = ?", said[0])
    assert correction.of == first
    assert shown.run("SELECT n FROM object WHERE reply_to = ? ORDER BY n", first) == [
        (fix,), (fix + 1,),
    ]  # fmt: skip
    assert numbers(belgrade, place.case) == numbers(skopje, place.case)


async def test_a_case_that_is_judged_anew_without_a_lie_is_as_it_was(place: Siege) -> None:
    skopje, belgrade = await place.story("one", "two")
    wrong = str((await belgrade.cases.send(place.case, "M57, C-84417")).ref)
    await skopje.cases.add(place.case, [PRISTINA])
    pristina = await place.place.client(PRISTINA)
    await pristina.cases.send(place.case, "three")
    await belgrade.amend.correct(wrong, "misread", "C-84477", was="C-84417")
    for client in (skopje, belgrade, pristina):
        await client.sync()
        for n in numbers(client, place.case):
            if client.node != PRISTINA or n > 3:
                await client.read(f"{place.case}#{n}", **WHY)
    await skopje.cases.remove(place.case, [PRISTINA])
    clients = (skopje, belgrade, pristina)
    for client in (*clients, *clients):
        await client.sync()
    for client in clients:
        deaf(client)
        vault, before = client._engine.vault, kept(client)
        for case in vault.cases():
            doubts.came_late(vault, case)
        await client.sync()
        assert (kept(client), client.alarms) == (before, ()), client.node
        assert not doubts.doubted(vault)


def kept(client: Client) -> dict[str, list[str]]:
    """Return what a device keeps of its cases, row by row, and which words it finds."""
    vault = client._engine.vault
    found = {one: sorted(map(repr, vault.run(f"SELECT * FROM {one}"))) for one in MADE_ANEW}
    return found | {"word": sorted(map(repr, vault.run("SELECT rowid FROM word")))}
