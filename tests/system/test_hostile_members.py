"""Members that cheat, with the broker's help or without it, against the shipped client."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client.sender import Parcel
from seefen.protocol.frames import Page
from seefen.protocol.suite import tag
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, deaf, until
from tests.system.siege import Siege, numbers, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_attack_12_the_tag_of_a_hidden_version_stops_sending(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.add(place.case, [PRISTINA])
    await belgrade.sync()

    def without_changes(page: Page) -> Page:
        kept = tuple(i for i in page.items if i.kind not in ("case", "casekey"))
        return replace(page, items=kept)

    place.hostile.lie("feed", without_changes)
    await skopje.cases.remove(place.case, [PRISTINA])
    written = await place.count("activity_leaf", "kind = 'object'")
    await belgrade.sync()
    assert belgrade.alarm is not None
    assert "withheld" in belgrade.alarm
    sent = await belgrade.cases.send(place.case, "under the old key")
    assert sent.ref is None
    assert sent.problem is not None
    assert "withholds" in sent.problem
    assert await place.count("activity_leaf", "kind = 'object'") == written
    # Other cases go on, and so does this one once the version is shown.
    other = await belgrade.cases.open("Rifles", [SKOPJE])
    assert (await belgrade.cases.send(other.number, "elsewhere")).ref
    place.hostile.honest()
    await until(lambda: not belgrade.queued(), belgrade)
    await skopje.sync()
    assert len(numbers(skopje, place.case)) == 2
    state, _ = belgrade.find(f"{place.case}#1")
    assert PRISTINA not in state.members


async def test_attack_12_a_tag_that_a_member_planted_stops_nobody(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    state, _ = skopje.find(f"{place.case}#1")
    key = skopje._engine.case_key(state.case, state.generation.gen)
    assert key is not None
    planted = tag(key, "case", state.case, b"", state.version + 1)
    honest = Parcel.add

    def planting(self: Parcel, statement: Any, *keys: Any, **options: Any) -> bytes:
        envelope = honest(self, statement, *keys, **options)
        self.signed[-1] = replace(self.signed[-1], tag=planted)
        return envelope

    with monkeypatch.context() as patched:
        patched.setattr(Parcel, "add", planting)
        await skopje.cases.send(place.case, "two")
    await belgrade.sync()
    assert belgrade.alarm is not None
    assert "carries the tag" in belgrade.alarm
    assert (await belgrade.cases.send(place.case, "three")).ref
