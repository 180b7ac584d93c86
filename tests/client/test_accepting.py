"""Conditions are accepted before the rest is shown; codes with the purpose, or with the watch."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.accepting import ConditionsError
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Note
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, until

WORDS = "Not before Monday."


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def bound(text: str, words: str = WORDS) -> Note:
    return Note(text=text, handling="H3", conditions=words)


async def both(place: Site) -> tuple[Client, Client]:
    return await place.client(SKOPJE), await place.client(BELGRADE)


async def test_conditions_are_accepted_once_for_a_case_and_their_words(
    place: Site, tmp_path: Path
) -> None:
    skopje, belgrade = await both(place)
    case = (await skopje.cases.open("Terms", [BELGRADE])).number
    annex = tmp_path / "annex.pdf"
    annex.write_bytes(b"%PDF-1.7")
    for note in (Note(text="by its code"), bound("one"), bound("two"), bound("x", "Ask first.")):
        await skopje.cases.publish(case, note)
    await skopje._messaging.send(skopje.cases._casework.find(case), bound("file", "Z"), (annex,))
    await until(lambda: len(belgrade.cases.show(case).objects) == 6, belgrade)

    # A code alone is accepted with what the officer states; that is kept.
    assert (await belgrade.read(f"{case}#1", **WHY)).accepted_at
    with pytest.raises(ConditionsError) as refused:
        await belgrade.read(f"{case}#2")
    assert (refused.value.rule, refused.value.handling) == ("conditions", "H3")
    assert refused.value.conditions == WORDS
    opened = await belgrade.read(f"{case}#2", accept=True)
    assert opened.accepted_at
    assert (await belgrade.read(f"{case}#2")).accepted_at == opened.accepted_at
    assert (await belgrade.read(f"{case}#3")).accepted_at == opened.accepted_at
    with pytest.raises(ConditionsError, match="Ask first"):  # others, of the same code
        await belgrade.read(f"{case}#4")
    assert (await skopje.read(f"{case}#4")).accepted_at is None  # its author

    export = await belgrade.export.make(case)
    assert [one.ref for one in export.messages] == [f"{case}#1", f"{case}#2", f"{case}#3"]
    assert {c.ref: c.why for c in export.covers}[f"{case}#4"] == "its conditions were not accepted"
    whole = await belgrade.export.make(f"{case}#4", accept=True)
    assert whole.messages[0].conditions == "Ask first."

    with pytest.raises(ConditionsError):
        await belgrade.read(f"{case}#5")
    with pytest.raises(ConditionsError):
        await belgrade.files.get(f"{case}#6", tmp_path / "got")
    assert not (tmp_path / "got").exists()
    got = await belgrade.files.get(f"{case}#6", tmp_path / "got", accept=True)
    assert got.read_bytes() == annex.read_bytes()


async def test_a_duty_officer_accepts_with_the_watch(place: Site) -> None:
    skopje, belgrade = await both(place)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    await skopje.cases.publish(CHANNEL, bound("one"))
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 1, belgrade)
    with pytest.raises(ConditionsError):
        await belgrade.read(f"{CHANNEL}#1", **WHY)
    await belgrade.watch.on(**WHY)
    assert (await belgrade.read(f"{CHANNEL}#1")).accepted_at

    belgrade.watch.off()
    await skopje.cases.publish(CHANNEL, bound("two", "Other words."))
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    with pytest.raises(ConditionsError):
        await belgrade.read(f"{CHANNEL}#2")


async def test_attack_conditions_are_stepped_round_by_a_file_or_by_forwarding(
    place: Site, tmp_path: Path
) -> None:
    skopje, belgrade = await both(place)
    case = (await skopje.cases.open("Terms", [BELGRADE])).number
    annex = tmp_path / "annex.pdf"
    annex.write_bytes(b"%PDF-1.7")
    await skopje._messaging.send(skopje.cases._casework.find(case), bound("file"), (annex,))
    await until(lambda: len(belgrade.cases.show(case).objects) == 2, belgrade)
    for accept in (False, True):  # nobody accepts what he was not shown
        with pytest.raises(RefusedError, match=f"open {case}#1 first") as refused:
            await belgrade.files.get(f"{case}#2", tmp_path / "got", accept=accept)
        assert refused.value.rule == "conditions"
    with pytest.raises(ConditionsError):
        await belgrade.read(f"{case}#1", **WHY)
    back = await belgrade.cases.open("Back", [SKOPJE])
    with pytest.raises(ConditionsError):
        await belgrade.onward.forward(f"{case}#1", back.number)
    await belgrade.read(f"{case}#1", accept=True)
    assert (await belgrade.onward.forward(f"{case}#1", back.number)).ref
    assert (await belgrade.files.get(f"{case}#2", tmp_path / "got")).exists()
