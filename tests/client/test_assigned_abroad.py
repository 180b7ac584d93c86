"""What an officer writes to whom his node assigned a case, as the other nodes take it."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.values import Sent
from seefen.client.views import row_of
from seefen.protocol.case_chain import apply
from seefen.protocol.errors import OutOfTurnError
from seefen.protocol.messages import Note
from seefen.server import judging
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until
from tests.client.test_assigning import field, request


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def scene(place: Site) -> tuple[Client, Client, Client, str]:
    """Let Skopje ask Belgrade; return both, a field officer of Belgrade's, and the case."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer, _ = await field(place, 1)
    await belgrade.sync()
    number = (await skopje.cases.open("Tabanovce", [BELGRADE])).number
    await skopje.requests.ask(number, request())
    await until(lambda: belgrade.requests.list() and officer.cases.list(), belgrade, officer)
    return skopje, belgrade, officer, number


async def hand_over(belgrade: Client, officer: Client, number: str) -> None:
    await belgrade.cases.assign(number, officer.officer)
    await until(lambda: officer.cases.list()[0].readable, officer)


async def text(client: Client, sent: Sent) -> str:
    """Open what was sent."""
    message = (await client.read(str(sent.ref), **WHY)).message
    assert isinstance(message, Note)
    return message.text


async def test_what_an_assigned_officer_answers_reaches_who_asked(place: Site) -> None:
    skopje, belgrade, officer, number = await scene(place)
    await hand_over(belgrade, officer, number)
    await officer.requests.answer(f"{number}#1", "taken")
    sent = await officer.cases.send(number, "what the register says")
    await until(lambda: len(skopje.cases.show(number).objects) == 3, skopje, belgrade)
    [life] = skopje.requests.show(f"{number}#1").lives
    assert life.state == "taken"
    assert await text(skopje, sent) == "what the register says"
    await skopje.cases.send(number, "thank you")
    await until(lambda: len(officer.cases.show(number).objects) == 4, belgrade, officer)
    assert [one.alarm for one in (skopje, belgrade, officer)] == [None, None, None]


async def test_an_assigned_officer_waits_until_a_keyholder_has_renewed_the_key(place: Site) -> None:
    # Skopje does not see that he was assigned: a key of his would split the case.
    skopje, belgrade, officer, number = await scene(place)
    await hand_over(belgrade, officer, number)
    await place.broker.take(place.network.enrol(BELGRADE, ("keyholder",)))
    await place.broker.take(place.network.revoke(place.network.of(BELGRADE, nth=2)))
    await until(lambda: officer.cases.list(), officer)
    await officer.sync()
    sent = await officer.cases.send(number, "his word")
    assert sent.queued
    assert "to which the case was assigned, cannot" in str(sent.problem)
    await belgrade.cases.send(number, "a new key")
    await until(lambda: len(officer.cases.show(number).objects) == 2, officer)
    await hand_over(belgrade, officer, number)
    await until(lambda: not officer.queued(), officer)
    await until(lambda: len(skopje.cases.show(number).objects) == 3, skopje)
    assert all(one.cover_open for one in skopje.cases.show(number).objects)
    assert skopje.alarm is None


async def test_attack_67_a_device_that_was_not_assigned_and_the_broker_take_nothing_back(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker lets an officer pass who has no key; he replaces what his node said."""
    skopje, belgrade, officer, number = await scene(place)
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    late = await place.client(SKOPJE, nth=1)
    await belgrade.cases.send(number, "what Belgrade said")
    await until(lambda: len(officer.cases.show(number).objects) == 2, officer)
    state, at = officer.find(f"{number}#2")
    said = row_of(officer._engine, state, at).object
    monkeypatch.setattr(judging, "apply", partial(apply, reader="a broker that lies"))
    officer._engine.keychain.keep_case_key(state.case, 1, bytes(32))
    with pytest.raises(OutOfTurnError, match="is not believed here"):
        await officer._messaging.send(state, Note(text="never mind"), supersedes=said)

    await until(lambda: len(skopje.cases.show(number).objects) == 3, skopje)
    _, theirs, his = skopje.cases.show(number).objects
    assert (theirs.superseded_by, his.cover_open, his.type) == ("", False, "")
    assert f"the cover of a message from {BELGRADE} does not open" in str(skopje.alarm)
    await until(lambda: len(late.cases.show(number).objects) == 3, late, skopje)
    await skopje.cases.assign(number, late.officer)
    await until(lambda: late.cases.list()[0].readable, late)
    assert late.cases.show(number).objects[1].superseded_by == ""
    await belgrade.sync()
    assert "[not-a-reader]" in str(belgrade.alarm)  # his own node knows better

    sent = await belgrade.cases.send(number, "and more")
    await skopje.sync()
    assert await text(skopje, sent) == "and more"
