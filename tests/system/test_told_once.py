"""A broker that lies once and is honest ever after: what it kept back or changed comes after all.

The alarm stays. The officer reads the very message that the lie was about.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import again, alarms, missing
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Page, Push, Released
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, deaf, until
from tests.client.test_assigning import field
from tests.system.siege import Siege, numbers, siege

ACCESS = "kind = 'access'"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def stripped(kind: str) -> Callable[[Any], Any]:
    """Return a lie that takes the wraps from what is of a kind; one without any is no lie."""

    def strip(page: Any) -> Any:
        items = tuple(replace(i, wraps=()) if i.kind == kind else i for i in page.items)
        return page if items == page.items else replace(page, items=items)

    return strip


def bodies(change: Callable[[bytes], bytes]) -> Callable[[Page], Page]:
    """Return a lie that changes the bodies of a page."""

    def changed(page: Page) -> Page:
        items = tuple(replace(i, body=change(i.body)) if i.body else i for i in page.items)
        return page if items == page.items else replace(page, items=items)

    return changed


def emptied(_: bytes) -> bytes:
    return b""


def flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def said(client: Any) -> list[str]:
    """Return the alarms of a device."""
    return [one.sentence for one in alarms.kept(client._engine.vault)]


async def words(client: Any, ref: str) -> str:
    """Open a note and return its words."""
    text: str = (await client.read(ref, **WHY)).message.text
    return text


async def restarted(place: Siege) -> Any:
    """Start the client of Belgrade anew."""
    await place.place.open.aclose()
    return await place.place.client(BELGRADE)


async def test_attack_wraps_of_a_mailbox_that_were_stripped_once_come_after_all(
    place: Siege,
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    machine = place.place.network.of(BELGRADE)
    told = place.hostile.lie("authority", stripped("mailbox"), to=machine)
    await place.place.broker.take(place.place.network.renew(BELGRADE, "case"))
    await skopje.sync()
    case = (await skopje.cases.open("Rifles", [BELGRADE])).number
    await skopje.cases.send(case, "two")
    await belgrade.sync()
    await belgrade.sync()
    assert told.told
    assert said(belgrade) == [
        f"the wrap of the case mailbox of {BELGRADE}, generation 2, was withheld [withheld]"
    ]
    with pytest.raises(SeefenError) as refused:
        await belgrade.read(f"{case}#1", **WHY)
    assert refused.value.rule == "withheld"
    # What is honest goes on meanwhile.
    assert (await belgrade.read(f"{place.case}#1", **WHY)).message
    belgrade = await restarted(place)
    await belgrade.sync()
    with pytest.raises(SeefenError):
        await belgrade.read(f"{case}#1", **WHY)

    place.hostile.honest()
    await belgrade.sync()
    assert await words(belgrade, f"{case}#1") == "two"
    assert len(said(belgrade)) == 1


async def test_attack_wraps_of_a_key_that_were_stripped_once_come_after_all(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    place.hostile.lie("feed", stripped("casekey"), times=1, to=place.place.network.of(BELGRADE))
    case = (await skopje.cases.open("Rifles", [BELGRADE])).number
    await skopje.cases.send(case, "two")
    await belgrade.sync()
    assert said(belgrade) == [f"the wrap of the key of {case} was withheld [withheld]"]
    with pytest.raises(SeefenError) as refused:
        await belgrade.read(f"{case}#1", **WHY)
    assert refused.value.rule == "withheld"

    await belgrade.sync()
    assert await words(belgrade, f"{case}#1") == "two"
    assert missing.waiting(belgrade._engine.vault) == []


async def test_attack_the_wrap_of_an_assignment_that_was_stripped_once_comes_after_all(
    place: Siege,
) -> None:
    _, belgrade = await place.story("one")
    officer, _ = await field(place.place, 1)
    deaf(officer)
    await belgrade.sync()
    place.hostile.lie("feed", stripped("assign"), times=1)
    await belgrade.cases.assign(place.case, officer.officer)
    await officer.sync()
    assert said(officer) == [f"the wrap of the key of {place.case} was withheld [withheld]"]
    with pytest.raises(SeefenError) as refused:
        await officer.read(f"{place.case}#1", **WHY)
    assert refused.value.rule == "withheld"
    await officer.sync()
    assert await words(officer, f"{place.case}#1") == "one"


@pytest.mark.parametrize("lie", [emptied, flipped])
async def test_attack_a_body_that_was_kept_back_or_changed_once_comes_after_all(
    place: Siege, lie: Callable[[bytes], bytes]
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    told = place.hostile.lie("feed", bodies(lie), to=place.place.network.of(BELGRADE))
    await skopje.cases.send(place.case, "two")
    ref = f"{place.case}#2"
    await belgrade.sync()
    await belgrade.sync()
    assert told.told == 2
    sentence = f"the broker passed on another body of {ref} than was signed for [body]"
    if lie is emptied:
        sentence = f"the body of {ref} was withheld [withheld]"
    assert said(belgrade) == [sentence]
    kept = place.evidence(BELGRADE)
    assert [one["rule"] for one in kept] == ([] if lie is emptied else ["body"])
    # No key is asked for while there is nothing to open: nobody has read it.
    for _ in range(2):
        with pytest.raises(SeefenError) as refused:
            await belgrade.read(ref, **WHY)
        assert refused.value.rule == "withheld"
    assert await place.count("activity_leaf", ACCESS) == 0
    belgrade = await restarted(place)

    place.hostile.honest()
    for _ in range(2):
        assert await words(belgrade, ref) == "two"
    assert await place.count("activity_leaf", ACCESS) == 1
    assert said(belgrade) == [sentence]


async def test_attack_what_is_missing_is_asked_for_in_parts_and_the_rest_goes_on(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "ASKS", 1)
    monkeypatch.setattr(again, "SPAN", 1)
    skopje, belgrade = await place.story()
    deaf(belgrade)
    told = place.hostile.lie("feed", bodies(emptied), to=place.place.network.of(BELGRADE))
    for n in range(3):
        await skopje.cases.send(place.case, f"message {n}")
    await belgrade.sync()
    assert told.told == 1
    await belgrade.sync()
    assert told.told == 2
    place.hostile.honest()
    await skopje.cases.send(place.case, "afterwards")
    for _ in range(3):
        await belgrade.sync()
    assert belgrade._engine.vault.run("SELECT 1 FROM object WHERE sealed IS NULL") == []
    assert numbers(belgrade, place.case) == [1, 2, 3, 4]


async def test_attack_an_alert_whose_body_was_kept_back_under_a_watch_opens_without_an_entry(
    place: Siege,
) -> None:
    skopje, belgrade = await channel(place.place, BELGRADE), await place.place.client(BELGRADE)
    await belgrade.watch.on(**WHY)

    def without(push: Push) -> Push:
        return replace(push, item=replace(push.item, body=b""))

    place.hostile.lie("push", without, to=place.place.network.of(BELGRADE))
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    place.hostile.honest()
    before = await place.count("activity_leaf", ACCESS)
    await belgrade.sync()
    assert [one.fetched for one in belgrade.alerts.list()] == [True]
    assert await place.count("activity_leaf", ACCESS) == before
    assert f"the body of {CHANNEL}#1 was withheld [withheld]" in said(belgrade)


async def test_attack_a_released_key_that_was_changed_once_blames_nobody_for_sure(
    place: Siege,
) -> None:
    _, belgrade = await place.story("one")

    def changed(got: Released) -> Released:
        return replace(got, keys=tuple(replace(k, key=flipped(k.key)) for k in got.keys))

    place.hostile.lie("access", changed, times=1)
    with pytest.raises(SeefenError):
        await belgrade.read(f"{place.case}#1", **WHY)
    (sentence,) = said(belgrade)
    assert "its author spoiled it, or the broker" in sentence
    assert await words(belgrade, f"{place.case}#1") == "one"
