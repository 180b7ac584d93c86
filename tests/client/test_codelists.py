"""Code lists: an update proposes, an admin of the own node adopts, the next version alone."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from seefen.client import Client, codelists
from seefen.client.cli import main
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import (
    TABLES,
    CodelistUpdate,
    ListRow,
    encode_message,
    label,
    learn,
    message_from_form,
)
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, until

ROW = ListRow(code="8x57", label="8 x 57 IS", source="C.I.P. 2026")
FORM = {"place": "Merdare", "items": [{"category": "rifle", "calibre": "8 x 57 IS"}]}


@pytest.fixture(autouse=True)
def shipped() -> Iterator[None]:
    """Give the tables back as they were shipped: what is learned is of a process."""
    kept = {table: dict(codes) for table, codes in TABLES.items()}
    yield
    for table, codes in kept.items():
        TABLES[table].clear()
        TABLES[table].update(codes)
    learn("calibre", {})


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def update(version: int = 2, table: str = "calibre", row: ListRow = ROW) -> CodelistUpdate:
    return CodelistUpdate(table=table, version=version, rows=(row,))


async def proposed(belgrade: Client, skopje: Client, *updates: CodelistUpdate) -> None:
    await belgrade.channels.open(CHANNEL, [SKOPJE])
    for one in updates:
        await belgrade.cases.publish(CHANNEL, one)
    await until(skopje.channels.list, skopje)
    await skopje.watch.on(**WHY)
    await until(lambda: len(skopje.cases.show(CHANNEL).objects) == len(updates), skopje)
    for n in range(len(updates)):
        await skopje.read(f"{CHANNEL}#{n + 1}", **WHY)


async def test_what_an_admin_adopted_is_written_shown_and_kept(
    place: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await proposed(belgrade, skopje, update(), update(3, row=ListRow(
        code="8x57", label="8 x 57 I.S.", source="C.I.P. 2027")))  # fmt: skip
    await skopje.sync()
    with pytest.raises(RefusedError, match="calibre"):
        message_from_form("SeizureAlert", FORM)
    with pytest.raises(OutOfTurnError, match="the next is 2"):
        await skopje.duty.codelists.adopt(f"{CHANNEL}#2")

    await skopje.duty.codelists.adopt(f"{CHANNEL}#1")
    await skopje.sync()
    alert = message_from_form("SeizureAlert", FORM)
    assert b"8x57" in encode_message(alert)
    assert label("calibre", "8x57") == "8 x 57 IS"
    assert skopje.duty.codelists.version("calibre") == 2
    with pytest.raises(OutOfTurnError, match="the next is 3"):
        await skopje.duty.codelists.adopt(f"{CHANNEL}#1")
    await skopje.duty.codelists.adopt(f"{CHANNEL}#2")
    await skopje.sync()
    assert label("calibre", "8x57") == "8 x 57 I.S."
    assert "9x19" in TABLES["calibre"]

    home = place.home(place.network.of(SKOPJE))
    del TABLES["calibre"]["8x57"]  # a new process
    assert main(["--home", str(home), "schema", "calibre"]) == 0
    assert "C.I.P. 2027 (adopted, version 3)" in capsys.readouterr().out
    assert label("calibre", "8x57") == "8 x 57 I.S."


async def test_attack_another_node_or_a_field_device_changes_the_codes(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await proposed(belgrade, skopje, update())  # by the owner of the channel, and its admin
    await skopje.house.say(update(3))  # out of order
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    field = await place.client(SKOPJE, nth=1)
    await until(lambda: field.house.said(CodelistUpdate), field)
    await field.house.say(update())
    await until(lambda: len(skopje.house.said(CodelistUpdate)) == 2, skopje)
    await skopje.sync()
    assert skopje.duty.codelists.list() == []
    assert "8x57" not in TABLES["calibre"]
    await field.read(f"{CHANNEL}#1", **WHY)
    with pytest.raises(UntrustedError):
        await field.duty.codelists.adopt(f"{CHANNEL}#1")


@pytest.mark.parametrize("table", ["handling", "urgency", "answer", "act", "form", "source_eval"])
def test_attack_an_update_changes_what_a_handling_code_or_an_answer_is(
    table: str, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match="does not grow"):
        codelists.check(update(table=table), 1)
    with pytest.raises(RefusedError):
        learn(table, {"x": "y"})
    forged = codelists.Adopted(table, "H0", "free to share", "nobody", 2)
    (tmp_path / codelists.NAME).write_bytes(msgspec.json.encode([forged]))
    assert codelists.read(tmp_path) == []


def test_two_codes_of_one_name_are_refused_and_a_broken_file_is_none(tmp_path: Path) -> None:
    same = ListRow(code="luger", label="9 MM luger", source="x")
    with pytest.raises(RefusedError, match="called as 9x19 is"):
        codelists.check(update(row=same), 1)
    (tmp_path / codelists.NAME).write_bytes(b"[[[")
    assert codelists.read(tmp_path) == []


async def test_attack_a_field_device_takes_adopted_codes_back_or_replaces_them(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    field = await place.client(SKOPJE, nth=1)
    await proposed(belgrade, skopje, update())
    await skopje.duty.codelists.adopt(f"{CHANNEL}#1")
    await until(lambda: field.house.said(CodelistUpdate), field)
    ref = field.house.said(CodelistUpdate)[0].ref
    await field.amend.replace(ref, update(row=ListRow(code="9", label="Nine", source="-")))
    await until(lambda: len(skopje.house.said(CodelistUpdate)) == 2, skopje)
    assert [one.code for one in skopje.duty.codelists.list()] == ["8x57"]
