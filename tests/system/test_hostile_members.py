"""Members that cheat, with the broker's help or without it, against the shipped client."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client.sender import Parcel
from seefen.protocol import keys as handed
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Page
from seefen.protocol.suite import random_bytes, tag
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf, until
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


async def test_attack_05_a_member_that_is_given_another_key_finds_out(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The opener wraps one key to himself and another one to Belgrade, and names both wraps."""
    skopje, belgrade = await place.story("one")
    mailbox = place.place.network.directory.mailbox(BELGRADE, "case")
    assert mailbox is not None
    honest = handed.wrap_case_key
    other = random_bytes(32)

    def another_key(key: bytes, kem: bytes, *rest: Any, **options: Any) -> bytes:
        return honest(other if kem == mailbox.kem else key, kem, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(handed, "wrap_case_key", another_key)
        split = await skopje.cases.open("Split", [BELGRADE])
    await skopje.cases.send(split.number, "for some")
    await belgrade.sync()
    assert belgrade.alarm is not None
    assert "does not open" in belgrade.alarm
    state, _ = belgrade.find(f"{split.number}#1")
    assert belgrade._engine.case_key(state.case, 1) is None
    with pytest.raises(SeefenError) as refused:
        await belgrade.read(f"{split.number}#1", **WHY)
    assert refused.value.rule == "d-no-key"
    assert (await belgrade.cases.send(place.case, "elsewhere")).ref
