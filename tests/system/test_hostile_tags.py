"""What the broker hides at the end of a case: members and agents find it by its tags."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.agent import Agent
from seefen.client.agent.alarms import CRITICAL, Alarm, read
from seefen.client.sender import Parcel
from seefen.protocol.encoding import decode
from seefen.protocol.frames import AuditPage, FeedFrom, Frame, Page
from seefen.protocol.suite import tag
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf, until
from tests.system.siege import Siege, numbers, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def without(*kinds: str) -> Callable[[Page], Page]:
    """Return a lie: neither these statements nor their numbers are shown."""

    def change(page: Page) -> Page:
        items = tuple(i for i in page.items if i.kind not in kinds)
        stubs = tuple(s for s in page.stubs if s.kind not in kinds)
        return replace(page, items=items, stubs=stubs)

    return change


def withheld(client: Client) -> list[str]:
    return [sentence for sentence in client.alarms if "is withheld" in sentence]


def agent_of(client: Client, folder: Path) -> Agent:
    agent = Agent(client, folder, witness=folder.with_name("witness"))
    agent.alarms._stream = io.StringIO()
    agent.load()
    return agent


def raised(agent: Agent) -> list[Alarm]:
    found = read(agent.folder / "alarms.jsonl")
    return [alarm for alarm in found if alarm.kind == "withheld-entry"]


async def test_attack_14_the_last_messages_are_dropped(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    place.hostile.lie("feed", without("object"), to=place.place.network.of(BELGRADE))
    for word in ("two", "three"):
        await skopje.cases.send(place.case, word)
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1]
    assert ["a message of" in sentence for sentence in withheld(belgrade)] == [True, True]
    # What comes behind them later is found too, and who sent them sees that they went nowhere.
    await skopje.cases.send(place.case, "four")
    await belgrade.sync()
    assert len(withheld(belgrade)) == 3
    await skopje.sync()
    steps = [one.state for one in skopje.cases.show(place.case).objects]
    assert steps == ["delivered", "recorded", "recorded", "recorded"]
    # The rest goes on, and what was hidden is asked for again.
    assert (await belgrade.cases.send(place.case, "elsewhere")).ref
    place.hostile.honest()
    await belgrade.sync()
    await until(lambda: len(numbers(belgrade, place.case)) == 5, belgrade)
    assert belgrade.logs.withheld() == []


async def test_attack_32_a_reading_that_is_hidden_from_the_owner_shows(
    place: Siege, tmp_path: Path
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(skopje)
    await place.place.broker.take(
        place.place.network.enrol(SKOPJE, ("auditor",), renew=False, agent=True)
    )
    with_keys = agent_of(skopje, tmp_path / "agent")
    without_keys = agent_of(await place.place.client(SKOPJE, nth=1), tmp_path / "watcher")
    await with_keys.round()
    place.hostile.lie("feed", without("access", "ack"))  # an ack behind it would show the gap
    await belgrade.read(f"{place.case}#1", **WHY)
    await belgrade.sync()
    await with_keys.round()  # by itself: no command of an officer was there before it
    sentence, *more = withheld(skopje)
    assert "a reading of" in sentence
    assert BELGRADE in sentence
    assert all("a receipt of" in one for one in more)
    await without_keys.round()
    assert [one.text for one in raised(with_keys)] == [sentence, *more]
    assert {one.severity for one in raised(with_keys)} == {CRITICAL}
    assert raised(without_keys) == []  # it holds no key of a case, and cannot know
    assert (await skopje.cases.send(place.case, "two")).ref
    # Shown late: it was hidden all the same, and is not said again.
    place.hostile.honest()
    await skopje.sync()
    await with_keys.round()
    assert skopje.logs.withheld() == []
    assert len(raised(with_keys)) == 1 + len(more)


async def test_attack_32_a_reading_before_its_node_was_removed_shows(place: Siege) -> None:
    """Under the key of before, by a node that is no member any more when somebody looks."""
    skopje, belgrade = await place.story()
    pristina = await place.place.client(PRISTINA)
    case = (await skopje.cases.open("Rifles", [BELGRADE, PRISTINA])).number
    await skopje.cases.send(case, "one")
    await until(lambda: numbers(pristina, case), pristina)
    deaf(pristina)
    place.hostile.lie("feed", without("access", "ack"), to=place.place.network.of(PRISTINA))
    await until(lambda: numbers(belgrade, case), belgrade)
    await belgrade.read(f"{case}#1", **WHY)
    await skopje.sync()
    await skopje.cases.remove(case, [BELGRADE])
    await pristina.sync()
    assert any("a reading of" in one and BELGRADE in one for one in withheld(pristina))
    assert (await pristina.cases.send(case, "two")).ref


async def test_attack_32_a_reading_whose_text_is_kept_from_the_owner_shows(
    place: Siege, tmp_path: Path
) -> None:
    """All are told that somebody read, and the auditors of the owner's node not what he said."""
    skopje, belgrade = await place.story("one")
    deaf(skopje)
    await place.place.broker.take(
        place.place.network.enrol(SKOPJE, ("auditor",), renew=False, agent=True)
    )
    agent = agent_of(await place.place.client(SKOPJE, nth=1), tmp_path / "watcher")
    await agent.round()

    def closed(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(i for i in page.items if i.kind != "access"))

    place.hostile.lie("audit", closed)
    await belgrade.read(f"{place.case}#1", **WHY)
    await agent.round()
    (alarm,) = raised(agent)
    assert alarm.severity == CRITICAL
    assert "keeps its text from the auditors" in alarm.text
    assert BELGRADE in alarm.text
    assert withheld(skopje) == []
    await agent.round()
    assert len(raised(agent)) == 1


async def test_a_tag_of_a_reading_that_a_member_planted_is_one_alarm_and_stops_nobody(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a statement of another case, which Skopje is not shown: it may be what it says."""
    skopje, belgrade = await place.story("one")
    deaf(skopje)
    other = (await belgrade.cases.open("Rifles", [PRISTINA])).number
    state, _ = belgrade.find(f"{place.case}#1")
    key = belgrade._engine.case_key(state.case, state.generation.gen)
    assert key is not None
    reader = place.place.network.of(SKOPJE).device
    planted = tag(key, "access", state.case, reader, state.last(reader).case_n + 1)
    honest = Parcel.add

    def planting(self: Parcel, statement: object, *keys: object, **options: object) -> bytes:
        envelope = honest(self, statement, *keys, **options)  # type: ignore[arg-type]
        self.signed[-1] = replace(self.signed[-1], tag=planted)
        return envelope

    with monkeypatch.context() as patched:
        patched.setattr(Parcel, "add", planting)
        await belgrade.cases.send(other, "of no concern")
    await skopje.sync()
    (sentence,) = withheld(skopje)
    assert "has planted its tag" in sentence
    assert (await skopje.cases.send(place.case, "two")).ref
    starts: list[int] = []

    async def heard(frame: Frame) -> Frame:
        starts.append(decode(frame.body, FeedFrom).cursor)
        return frame

    place.hostile.before("feed", heard)
    for _ in range(20):
        await skopje.sync()
    # It is asked for less and less often: what was planted stands for ever.
    assert 3 <= sum(start < max(starts) for start in starts) <= 6
    assert len(withheld(skopje)) == 1
