"""Joint action days: each hour counts once, for whoever told it, and a report ends the day."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.actiondays import HOUR, ActionDayView, HourView
from seefen.client.cli.views import actions
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import (
    ActionDay,
    ActionReport,
    Message,
    NodeSum,
    Tally,
    decode_cover,
    decode_message,
    encode_cover,
    encode_message,
)
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, channel, until

REF = f"{CHANNEL}#1"
FIRST = 1_778_302_800  # 2026-05-09T05:00Z
DAY = ActionDay(
    name="Parcels",
    starts="2026-05-09T05:30Z",
    ends="2026-05-09T09:00Z",
    coordinator=BELGRADE,
    counted=("firearm", "round"),
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def opened(place: Site, day: ActionDay = DAY) -> tuple[Client, Client, Client]:
    """Return the clients of three nodes, all on watch, in whose channel a day was opened."""
    skopje = await channel(place)
    others = [await place.client(node) for node in (BELGRADE, PRISTINA)]
    await until(lambda: all(one.channels.list() for one in others), *others)
    for one in (skopje, *others):
        await one.watch.on(**WHY)
    await skopje.duty.action_days.open(CHANNEL, day)
    await until(lambda: all(one.duty.action_days.list() for one in others), *others)
    return skopje, others[0], others[1]


def sums(client: Client) -> Mapping[str, Any]:
    return client.duty.action_days.show(REF).sums


async def test_hours_add_up_and_an_hour_told_again_counts_once(place: Site) -> None:
    skopje, belgrade, pristina = await opened(place)
    await skopje.duty.action_days.tally(REF, {"firearm": 3}, FIRST)
    await skopje.duty.action_days.tally(REF, {"firearm": 4, "round": 340}, FIRST)
    await skopje.duty.action_days.tally(REF, {"firearm": 1}, FIRST + HOUR)
    await pristina.duty.action_days.tally(REF, {"round": 0}, FIRST)
    whole = {SKOPJE: {"firearm": 5, "round": 340}, PRISTINA: {"round": 0}}
    await until(lambda: sums(belgrade) == whole, belgrade)
    view = belgrade.duty.action_days.show(REF)
    assert view.silent == (BELGRADE,)
    assert [(one.hour, one.node) for one in view.hours] == [
        (FIRST, PRISTINA), (FIRST, SKOPJE), (FIRST + HOUR, SKOPJE),
    ]  # fmt: skip
    table = actions.table(view).splitlines()
    assert table[0] == '"action_day","hour","node","firearm","round","exercise","said_in"'
    assert table[2].startswith(f'"{REF}","2026-05-09T05:00Z","{SKOPJE}","4","340","no"')

    for wrong, why in (
        (({"arrest": 1}, FIRST), "arrest is not counted"),
        (({"firearm": 1}, FIRST - HOUR), "no hour"),
        (({"firearm": 1}, FIRST + 60), "no hour"),
        (({"firearm": 1}, FIRST + 4 * HOUR), "no hour"),
    ):
        with pytest.raises(RefusedError, match=why):
            await skopje.duty.action_days.tally(REF, *wrong)

    with pytest.raises(RefusedError, match=f"{BELGRADE} coordinates"):
        await skopje.duty.action_days.close(REF)
    await belgrade.duty.action_days.close(REF, "thanks")
    report = belgrade.duty.action_days.show(REF).report
    told = await belgrade.read(report)
    assert isinstance(told.message, ActionReport)
    assert {one.node: one.counts for one in told.message.sums} == whole
    assert told.message.silent == (BELGRADE,)
    await until(lambda: skopje.duty.action_days.show(REF).report, skopje)
    with pytest.raises(OutOfTurnError, match="is closed"):
        await skopje.duty.action_days.tally(REF, {"firearm": 9}, FIRST)
    await say(skopje, tally(skopje, {"firearm": 9}))
    await until(lambda: belgrade.duty.action_days.show(REF).late == 1, belgrade)
    assert sums(belgrade) == whole


async def test_an_hour_whose_tally_was_taken_back_stays_empty_and_it_is_said(place: Site) -> None:
    skopje, belgrade, _ = await opened(place)
    for count in (3, 30):
        await skopje.duty.action_days.tally(REF, {"firearm": count}, FIRST)
    await skopje.duty.action_days.tally(REF, {"firearm": 1}, FIRST + HOUR)
    whole = {SKOPJE: {"firearm": 31}}
    await until(lambda: sums(belgrade) == whole, belgrade)
    await skopje.amend.recall(f"{CHANNEL}#2", "wrong_data")  # replaced: it changes nothing
    await skopje.amend.recall(f"{CHANNEL}#3", "wrong_data")
    await until(lambda: belgrade.duty.action_days.show(REF).emptied, belgrade)
    for one in (skopje, belgrade):
        view = one.duty.action_days.show(REF)
        assert view.sums == {SKOPJE: {"firearm": 1}}
        assert [(back.node, back.hour, back.ref) for back in view.emptied] == [
            (SKOPJE, FIRST, f"{CHANNEL}#3")
        ]
    assert f"told anew: {SKOPJE} " in printed(actions.shown(view))
    # Erased, nobody here knows of which hour it was: that is said, and no number is made up.
    await belgrade.amend.erase(f"{CHANNEL}#3")
    view = belgrade.duty.action_days.show(REF)
    assert (view.unread, view.closed) == (1, 0)
    assert view.sums == {SKOPJE: {"firearm": 1}}
    assert "1 tally is taken back and not read here" in printed(actions.shown(view))

    await skopje.duty.action_days.tally(REF, {"firearm": 0}, FIRST)
    await until(lambda: sums(belgrade) == {SKOPJE: {"firearm": 1}}, belgrade)
    view = skopje.duty.action_days.show(REF)
    assert view.emptied == ()
    assert view.hours[0].counts == {"firearm": 0}

    # A newer version of the day would lose every tally from view.
    with pytest.raises(RefusedError, match="open another"):
        await skopje.amend.replace(REF, replace(DAY, ends="2026-05-09T10:00Z"))


def day_of(client: Client) -> bytes:
    state, number = client.find(REF)
    sql = "SELECT object FROM object WHERE case_id = ? AND n = ?"
    row = client._engine.vault.one(sql, state.case, number)
    assert row is not None
    return bytes(row[0])


def tally(client: Client, counts: dict[str, int], **change: Any) -> Tally:
    hour = datetime.fromtimestamp(FIRST, UTC).isoformat()
    return replace(Tally(of=day_of(client), hour=hour, counts=counts), **change)


async def say(client: Client, message: Message) -> None:
    """Say something about the day as a program that checks nothing would."""
    state, _ = client.find(REF)
    await client._messaging.send(state, message, reply_to=day_of(client))


async def test_attack_a_node_counts_twice_for_another_or_closes_the_day(place: Site) -> None:
    skopje, belgrade, pristina = await opened(place)
    await skopje.duty.action_days.tally(REF, {"firearm": 3}, FIRST)
    other_zone = "2026-05-09T07:00+02:00"  # the same hour
    for message in (
        tally(pristina, {"firearm": 1}),
        tally(pristina, {"firearm": 2}, hour=other_zone),
        tally(pristina, {"firearm": 7}, exercise=True),
        tally(pristina, {"firearm": 7}, of=bytes(16)),
        ActionReport(of=day_of(pristina), sums=(NodeSum(node=SKOPJE, counts={"firearm": 0}),)),
    ):
        await say(pristina, message)
    seen = {SKOPJE: {"firearm": 3}, PRISTINA: {"firearm": 2}}
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 7, belgrade)
    await until(lambda: not belgrade.duty.action_days.show(REF).closed, belgrade)
    assert sums(belgrade) == seen
    view = belgrade.duty.action_days.show(REF)
    assert (view.report, view.late) == ("", 0)

    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    field = await place.client(SKOPJE, nth=1)
    await until(field.channels.list, field)
    with pytest.raises(UntrustedError):
        await field.duty.action_days.open(CHANNEL, DAY)
    await field.cases.publish(CHANNEL, DAY)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 8, belgrade)
    assert len(belgrade.duty.action_days.list()) == 1


async def test_what_is_sealed_here_is_said_and_stops_the_report(place: Site) -> None:
    skopje, belgrade, _ = await opened(place)
    belgrade.watch.off()
    await skopje.duty.action_days.tally(REF, {"firearm": 3}, FIRST)
    await until(lambda: belgrade.duty.action_days.show(REF).closed == 1, belgrade)
    assert sums(belgrade) == {}
    with pytest.raises(RefusedError, match="not open here"):
        await belgrade.duty.action_days.close(REF)
    await belgrade.watch.on(**WHY)
    assert sums(belgrade) == {SKOPJE: {"firearm": 3}}
    with pytest.raises(RefusedError, match="opens no action day"):
        belgrade.duty.action_days.show(f"{CHANNEL}#2")


async def test_attack_an_absurd_day_or_tally_stops_nothing(place: Site) -> None:
    for wrong in ("9999-12-31T23:59-12:00", "2027-06-01T00:00Z"):
        with pytest.raises(RefusedError, match="ends"):
            replace(DAY, ends=wrong).check()
    with pytest.raises(RefusedError, match="starts"):
        replace(DAY, starts="0001-01-01T00:00+12:00").check()
    with pytest.raises(RefusedError, match="hour"):
        Tally(of=bytes(16), hour="9999-12-31T23:00-12:00", counts={}).check()
    view = ActionDayView(
        ref=REF, name="x", starts=-(10**14), ends=10**14, coordinator=BELGRADE, nodes=(),
        counted=(), exercise=False, hours=(HourView(BELGRADE, 10**14, {}, REF),), sums={},
        silent=(), closed=0, late=0, report="",
    )  # fmt: skip
    # Of a hostile client, whose form nobody checked.
    assert "x" in str(actions.listed([view]))
    assert BELGRADE in str(actions.shown(view)) + actions.table(view)

    _, belgrade, pristina = await opened(place)
    await say(pristina, tally(pristina, {"firearm": 1_000_000}))
    await until(lambda: sums(belgrade) == {PRISTINA: {"firearm": 1_000_000}}, belgrade)
    with pytest.raises(RefusedError):
        await pristina.duty.action_days.tally(REF, {"firearm": 1_000_001}, FIRST)
    most = NodeSum(node=PRISTINA, counts={"firearm": 10**9})
    whole = ActionReport(of=bytes(16), sums=(most, replace(most, node=SKOPJE)))
    assert decode_message(encode_message(whole)) == whole
    assert decode_cover(encode_cover(whole.cover())).what[1].n == 10**9
    assert (await belgrade.duty.action_days.close(REF)).ref
