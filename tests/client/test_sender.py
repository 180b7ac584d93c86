"""Sending: only a believed receipt ends it, and numbers are the same on both sides."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client.connection import UnreachableError
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import Recorded
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    PRISTINA,
    SKOPJE,
    WHY,
    alert,
    channel,
    deaf,
    honest,
    spoil,
    until,
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_an_empty_receipt_lets_nothing_go(place: Site) -> None:
    skopje = await channel(place)
    spoil(skopje, "send", lambda told: Recorded((), (), told.checkpoint, told.consistency))
    sent = await skopje.alerts.send(alert(), CHANNEL)
    assert sent.queued
    assert "receipt" in str(sent.problem)

    await until(lambda: not skopje.queued(), skopje)
    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]


async def test_an_answer_that_does_not_parse_is_no_refusal(place: Site) -> None:
    skopje = await channel(place)
    connection: Any = skopje._engine.connection
    real = connection._exchange

    async def garbled(verb: str, body: bytes) -> Any:
        frame = await real(verb, body)
        return replace(frame, body=b"\xff") if verb == "send" else frame

    connection._exchange = garbled
    assert (await skopje.alerts.send(alert(), CHANNEL)).queued
    connection._exchange = real
    await until(lambda: not skopje.queued(), skopje)

    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]
    assert (await skopje.alerts.send(alert(), CHANNEL)).ref == f"{CHANNEL}#2"


async def test_who_writes_at_the_same_time_gets_the_numbers_of_the_log(place: Site) -> None:
    # A reference is read out on the telephone: it must name one message at both ends.
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await until(lambda: bool(belgrade.channels.list()), belgrade)
    deaf(skopje)
    theirs = await belgrade.alerts.send(alert(), CHANNEL)
    ours = await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)

    assert (theirs.ref, ours.ref) == (f"{CHANNEL}#1", f"{CHANNEL}#2")
    for client in (skopje, belgrade):
        senders = {one.ref: one.sender for one in client.alerts.list()}
        assert senders == {f"{CHANNEL}#1": BELGRADE, f"{CHANNEL}#2": SKOPJE}
        assert client.alarm is None


async def test_a_key_admitted_meanwhile_costs_the_sender_nothing(place: Site) -> None:
    # The receipt is judged by an authority log that the sender has not seen yet.
    skopje = await channel(place, BELGRADE)
    deaf(skopje)
    await place.broker.take(place.network.enrol(PRISTINA, ("field",)))
    sent = await skopje.alerts.send(alert(), CHANNEL)

    assert sent.ref == f"{CHANNEL}#1"
    assert skopje.alarm is None
    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]


async def test_a_revocation_counts_only_when_it_stands_in_the_log(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    skopje = await place.client(SKOPJE)
    lost = place.network.of(SKOPJE, "field", nth=1)
    spoil(skopje, "send", lambda told: replace(told, authority=(0,)))
    with pytest.raises(UntrustedError) as caught:
        await skopje.devices.revoke(lost.officer, "lost")

    assert caught.value.rule == "receipt"


async def test_a_lost_answer_to_an_access_is_kept_with_its_reason(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade)

    def cut(_: Any) -> Any:
        raise UnreachableError("the line was cut", rule="broker")

    spoil(belgrade, "access", cut)
    with pytest.raises(UnreachableError) as caught:
        await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, reason="a call from Skopje")
    assert caught.value.rule == "on-its-way", "it is entered by itself: not done again"
    await belgrade.sync()
    kept = belgrade._engine.vault.run("SELECT idx, reason FROM access")
    assert [reason for _, reason in kept] == ["a call from Skopje"]

    opened = await belgrade.alerts.show(f"{CHANNEL}#1")
    assert opened.entry_index == kept[0][0]
    assert len(belgrade._engine.vault.run("SELECT 1 FROM access")) == 1


async def test_what_may_be_done_already_is_not_called_undone(place: Site) -> None:
    skopje = await place.client(SKOPJE)

    def cut(_: Any) -> Any:
        raise UnreachableError("the line was cut", rule="broker")

    spoil(skopje, "send", cut)
    with pytest.raises(UnreachableError) as caught:
        await skopje.channels.open(CHANNEL, [BELGRADE])
    assert caught.value.rule == "on-its-way"
    await until(skopje.channels.list, skopje)

    connection: Any = skopje._engine.connection

    async def away() -> None:
        cut(None)

    connection.open = away
    with pytest.raises(UnreachableError) as caught:
        await skopje.channels.open("seefen-sea", [BELGRADE])
    assert caught.value.rule == "broker", "nothing is on its way"
    del connection.open
    await skopje.sync()
    assert [one.number for one in skopje.channels.list()] == [CHANNEL]


async def test_a_refusal_is_numbered_and_signed_again(place: Site) -> None:
    # The members changed while nobody told this device: the broker says so, it goes on.
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await until(lambda: bool(belgrade.channels.list()), belgrade)
    deaf(belgrade)
    await skopje.channels.remove(CHANNEL, [PRISTINA])
    sent = await belgrade.alerts.send(alert(), CHANNEL)

    assert sent.ref == f"{CHANNEL}#1"
    assert belgrade.alarm is None


async def test_honest_again(place: Site) -> None:
    skopje = await channel(place)
    spoil(skopje, "send", lambda told: replace(told, entries=()), once=False)
    assert (await skopje.alerts.send(alert(), CHANNEL)).queued
    assert len(skopje.queued()) == 1
    honest(skopje)
    await until(lambda: not skopje.queued(), skopje)
