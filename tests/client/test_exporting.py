"""Exports at a real broker: what was opened here and no more, each with its entry."""

import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client import Client
from seefen.client.connection import UnreachableError
from seefen.client.exporting import (
    NOT_OPENED,
    REPLACED,
    SHIFT_OVER,
    TAKEN_BACK,
    Export,
    as_json,
    json_schema,
)
from seefen.client.sheets import COLUMNS, as_csv
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Note, from_json, to_json
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def told(place: Site, alerts: int = 1) -> tuple[Client, Client]:
    """Return the clients of two nodes, and the first has sent alerts to the second."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    for _ in range(alerts):
        await skopje.alerts.send(case_a.alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == alerts, belgrade)
    return skopje, belgrade


def shift_ends(client: Client, ref: str) -> None:
    """Let the shift in which a device opened a message be over."""
    state, number = client.find(ref)
    vault = client._engine.vault
    sql = "UPDATE object SET shown_until = 1 WHERE case_id = ? AND n = ?"
    vault.run(sql, state.case, number)
    vault.run("DELETE FROM setting WHERE name GLOB 'basis/*'")


def whys(made: Export) -> list[tuple[str, str]]:
    return [(cover.ref, cover.why) for cover in made.covers]


async def test_what_was_never_opened_is_a_cover_and_leaves_no_entry(place: Site) -> None:
    skopje, belgrade = await told(place)
    before = await entries(belgrade)
    made = await belgrade.export.make(CHANNEL, **WHY)
    assert made.messages == ()
    assert whys(made) == [(f"{CHANNEL}#1", NOT_OPENED)]
    assert made.covers[0].subject == belgrade.alerts.list()[0].subject
    with pytest.raises(RefusedError) as refused:
        await belgrade.export.make(f"{CHANNEL}#1", **WHY)
    assert refused.value.rule == "not-opened"
    assert await entries(belgrade) == before
    assert skopje.alerts.reach(f"{CHANNEL}#1")[0].read_at is None


async def test_what_is_not_open_says_that_it_is_an_exercise(place: Site, tmp_path: Path) -> None:
    (tmp_path / "annex.txt").write_text("invented")
    skopje, belgrade = await told(place)
    await skopje.alerts.send(replace(case_a.alert(), exercise=True), CHANNEL,
                             [tmp_path / "annex.txt"])  # fmt: skip
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade)
    made = await belgrade.export.make(CHANNEL, **WHY)
    assert [one.exercise for one in made.covers] == [False, True, True]
    cells = [dict(zip(COLUMNS, row, strict=True)) for row in csv.reader(as_csv(made).splitlines())]
    assert [row["exercise"] for row in cells[1:]] == ["no", "yes", "yes"]


async def entries(client: Client) -> int:
    return sum(1 for row in await client.audit.list() if row.scope == "object")


async def test_what_is_open_goes_out_under_its_entry(place: Site) -> None:
    _, belgrade = await told(place, alerts=2)
    opened = await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, accept=True)
    made = await belgrade.export.make(CHANNEL, with_persons=True)
    (one,) = made.messages
    assert (one.ref, one.entry) == (f"{CHANNEL}#1", opened.entry_index)
    assert whys(made) == [(f"{CHANNEL}#2", NOT_OPENED)]
    assert one.handling_text == "Not to be passed on without permission of the provider."
    assert one.conditions == case_a.alert().conditions
    assert one.left_out_fields == ()
    document: dict[str, Any] = json.loads(as_json(made))
    assert from_json(json.dumps(document["messages"][0]["message"])) == opened.message
    assert json.loads(to_json(opened.message)) == document["messages"][0]["message"]
    bare = await belgrade.export.make(f"{CHANNEL}#1")
    assert "vehicle.plate" in bare.messages[0].left_out_fields
    assert "SK-0000-ZZ" not in as_json(bare)
    assert "SK-0000-ZZ" in as_json(made)


async def test_attack_what_an_earlier_shift_opened_goes_out_without_an_entry(
    place: Site,
) -> None:
    _, belgrade = await told(place)
    first = await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, accept=True)
    before = await entries(belgrade)
    shift_ends(belgrade, f"{CHANNEL}#1")
    made = await belgrade.export.make(CHANNEL)
    assert made.messages == ()
    assert whys(made) == [(f"{CHANNEL}#1", SHIFT_OVER)]
    with pytest.raises(RefusedError) as refused:
        await belgrade.export.make(f"{CHANNEL}#1")
    assert refused.value.rule == "purpose-needed"
    assert await entries(belgrade) == before
    again = await belgrade.export.make(CHANNEL, **WHY)
    assert again.messages[0].entry > first.entry_index
    assert await entries(belgrade) == before + 1


async def test_attack_what_was_taken_back_is_exported(place: Site) -> None:
    skopje, belgrade = await told(place, alerts=3)
    for number in (1, 2, 3):
        await belgrade.alerts.show(f"{CHANNEL}#{number}", **WHY, accept=True)
    recall = await skopje.amend.recall(f"{CHANNEL}#1", "wrong_data")
    newer = await skopje.amend.confirm(f"{CHANNEL}#2")
    await until(lambda: len(belgrade.alerts.list()) == 4, belgrade)
    for client in (belgrade, skopje):
        made = await client.export.make(CHANNEL)
        assert [(one.ref, one.why, one.by) for one in made.left_out] == [
            (f"{CHANNEL}#1", TAKEN_BACK, recall.ref),
            (f"{CHANNEL}#2", REPLACED, newer.ref),
        ]
        assert f"{CHANNEL}#3" in {one.ref for one in made.messages}
        assert not {f"{CHANNEL}#1", f"{CHANNEL}#2"} & {one.ref for one in made.messages}
        with pytest.raises(RefusedError) as refused:
            await client.export.make(f"{CHANNEL}#1")
        assert refused.value.rule == "recalled"


async def test_what_came_under_a_watch_is_read_by_exporting_it(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await until(lambda: [it for it in belgrade.channels.list() if it.readable], belgrade)
    await belgrade.watch.on((CHANNEL,), **WHY)
    await skopje.alerts.send(case_a.alert(), CHANNEL)
    await until(lambda: [it for it in belgrade.alerts.list() if it.fetched], belgrade)
    assert belgrade.alerts.list()[0].state == "delivered"
    await belgrade.export.make(CHANNEL)
    await until(lambda: skopje.alerts.reach(f"{CHANNEL}#1")[0].read_at, skopje)


async def test_without_the_broker_what_is_open_goes_out_and_the_rest_says_why(
    place: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    skopje, belgrade = await told(place, alerts=2)
    annex = tmp_path / "annex.pdf"
    annex.write_bytes(b"invented")
    await skopje.cases.send(CHANNEL, "See annex", [annex])
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 4, belgrade)
    await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, accept=True)
    await belgrade.alerts.show(f"{CHANNEL}#2", **WHY, accept=True)
    shift_ends(belgrade, f"{CHANNEL}#1")

    async def cut(*_: Any) -> Any:
        raise UnreachableError("the line was cut", rule="broker")

    monkeypatch.setattr(belgrade._engine.connection, "request", cut)
    made = await belgrade.export.make(CHANNEL, **WHY)
    assert [one.ref for one in made.messages] == [f"{CHANNEL}#2"]
    assert [why for _, why in whys(made)] == [
        f"{SHIFT_OVER}, and the broker does not open it again now",
        NOT_OPENED,
        "a file: fetch it by itself",
    ]


async def test_one_s_own_words_go_out_and_a_case_that_is_not_there_is_named(place: Site) -> None:
    skopje, _ = await told(place)
    await skopje.cases.send(CHANNEL, "A note")
    made = await skopje.export.make(CHANNEL)
    assert [one.type for one in made.messages] == ["SeizureAlert", Note.TYPE]
    assert made.messages[1].left_out_fields == ("text",)
    for name, rule in (("SF-2026-QQQ-00001", "unknown-case"), (f"{CHANNEL}#9", "unknown-object")):
        with pytest.raises(RefusedError) as refused:
            await skopje.export.make(name)
        assert refused.value.rule == rule


async def test_the_schema_says_what_is_exported(place: Site) -> None:
    _, belgrade = await told(place)
    await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, accept=True)
    document: dict[str, Any] = json.loads(as_json(await belgrade.export.make(CHANNEL)))
    schema = json_schema()
    whole = schema["$defs"]["Export"]
    assert set(document) == set(whole["properties"])
    assert set(document["messages"][0]) == set(schema["$defs"]["ExportedMessage"]["properties"])
