"""A broker with the log key, that shows another history than the one it has promised.

Each test ends with the honest log: the client goes on with it, and the alarm stays.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import FeedFrom, Page
from tests.client.scenes import BELGRADE, SKOPJE, deaf, until
from tests.support.shadow import Shadow
from tests.system.siege import Siege, numbers, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def refused(place: Siege, client: Client, *rules: str) -> None:
    """See a sync refused by a rule, with evidence, and the device as it was."""
    with pytest.raises(UntrustedError) as caught:
        await client.sync()
    assert caught.value.rule in rules
    assert client.alarm is not None
    (kept,) = place.evidence(client.node)
    assert kept["rule"] == caught.value.rule
    assert kept["heads"][0].startswith("seefen/activity\n")
    assert kept["heads"][1].startswith("seefen/activity\n")
    assert kept["heads"][0] != kept["heads"][1]


async def goes_on(place: Siege, client: Client) -> None:
    """See everything work again with the honest log, and the alarm kept."""
    place.hostile.honest()
    sent = await client.cases.send(place.case, "after the lie")
    assert sent.ref is not None
    number = int(sent.ref.partition("#")[2])
    assert numbers(client, place.case) == list(range(1, number + 1))
    assert client.alarm is not None


async def test_fault_01_a_log_that_is_one_shorter_is_a_rewind(place: Siege) -> None:
    skopje, _ = await place.story("one")
    deaf(skopje)
    shadow = await place.shadow()
    shadow.grows = False
    shadow.records.pop()
    shadow.show()
    await refused(place, skopje, "rewind")
    await goes_on(place, skopje)


def drop(shadow: Shadow) -> None:
    del shadow.records[3]


def swap(shadow: Shadow) -> None:
    shadow.records[2], shadow.records[4] = shadow.records[4], shadow.records[2]


def repeat(shadow: Shadow) -> None:
    shadow.records[4] = shadow.records[3]


@pytest.mark.parametrize(
    ("change", "more"),
    [
        pytest.param(drop, 2, id="dropped"),
        pytest.param(swap, 0, id="swapped"),
        pytest.param(swap, 2, id="swapped-longer"),
        pytest.param(repeat, 1, id="doubled"),
    ],
)
async def test_fault_05_07_20_leaves_dropped_swapped_or_doubled_are_no_part_of_the_log(
    place: Siege, change: Callable[[Shadow], None], more: int
) -> None:
    skopje, belgrade = await place.story("one", "two")
    deaf(belgrade)
    shadow = await place.shadow()
    change(shadow)
    shadow.show(to=place.place.network.of(BELGRADE))
    for n in range(more):
        await skopje.cases.send(place.case, f"more {n}")
    await refused(place, belgrade, "consistency", "fork")
    assert numbers(belgrade, place.case) == [1, 2]
    await goes_on(place, belgrade)


async def test_fault_02_two_roots_at_one_size_meet_in_the_next_message(place: Siege) -> None:
    """The whole of attack 9 with shipped clients: each is shown a log that is whole in itself."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.send(place.case, "two")
    shadow = await place.shadow()
    true, record = shadow.records[-1]
    # The tag of the newest record is another one: all that is opened still fits.
    shadow.records[-1] = (true, record[:9] + bytes(16) + record[25:])
    shadow.show(to=place.place.network.of(BELGRADE))
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2]
    await until(lambda: skopje.alarm is not None, skopje)
    assert skopje.alarm is not None
    assert "another activity log" in skopje.alarm
    (kept,) = place.evidence(SKOPJE)
    assert kept["rule"] == "fork"
    assert kept["theirs"] != kept["ours"]


async def test_fault_03_a_fork_of_a_thousand_entries_does_not_merge_again(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    shadow = await place.shadow()
    shadow.grows = False
    for n in range(1000):  # what stands in the other log while the two are kept apart
        shadow.records.append((None, bytes([1]) + n.to_bytes(88, "big")))
    machine = place.place.network.of(BELGRADE)
    shadow.show(to=machine)
    await belgrade.sync()
    assert belgrade._engine.trust.head("activity").size == len(shadow.records)
    for n in range(2):
        await skopje.cases.send(place.case, f"in the true log {n}")
    place.hostile.honest()
    await refused(place, belgrade, "rewind", "consistency", "fork")
    # It has believed the other log and never goes back: its alarm is for people to settle.
    with pytest.raises(UntrustedError):
        await belgrade.sync()
    assert len(place.evidence(BELGRADE)) == 1


async def test_fault_20_an_entry_appended_twice_is_shown_once(place: Siege) -> None:
    _, belgrade = await place.story("one")
    deaf(belgrade)
    engine = belgrade._engine
    page = await engine.connection.request("feed", FeedFrom(0, 500, 0), Page)
    item = next(i for i in page.items if i.kind == "object")
    shadow = await place.shadow()
    shadow.grows = False
    shadow.records.append((None, item.entry.record))
    shadow.repeat(item, len(shadow.records) - 1)
    shadow.show(to=place.place.network.of(BELGRADE))
    await belgrade.sync()
    assert belgrade.alarm is not None
    assert "number" in belgrade.alarm
    assert numbers(belgrade, place.case) == [1]
