"""Node cards: whom to call, in a node's own words and nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.cards import NodeCard
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import NodeStatus
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, alert, channel, until

CARD = NodeStatus(state="open", telephone="+000 11 111", hours="00-24", languages=("mk", "en"))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def card(client: Client, node: str = BELGRADE) -> NodeCard:
    return next(one for one in client.duty.cards.list() if one.node == node)


async def test_a_card_is_known_once_it_was_opened_and_stands_where_nobody_was_reached(
    place: Site,
) -> None:
    skopje = await channel(place)
    belgrade = await place.client(BELGRADE)
    await until(belgrade.channels.list, belgrade)
    await belgrade.duty.cards.publish(CARD)
    sent = await skopje.alerts.send(alert(), CHANNEL)
    await skopje.sync()
    assert card(skopje).telephone == ""
    assert {reach.phone for reach in skopje.alerts.reach(str(sent.ref))} == {""}

    await skopje.watch.on(**WHY)
    assert card(skopje).telephone == CARD.telephone
    assert card(skopje).said_in == f"{CHANNEL}#1"
    phones = {reach.node: reach.phone for reach in skopje.alerts.reach(str(sent.ref))}
    assert phones == {BELGRADE: CARD.telephone, PRISTINA: ""}
    assert card(skopje, PRISTINA) == NodeCard(PRISTINA, card(skopje, PRISTINA).title, None)


async def test_the_newest_card_counts_and_an_exercise_or_one_taken_back_does_not(
    place: Site,
) -> None:
    skopje = await channel(place)
    await skopje.duty.cards.publish(CARD)
    newer = NodeStatus(
        state="reduced", telephone="+000 22 222", until="2026-05-10T07:00+02:00", text="annex B"
    )
    [sent] = await skopje.duty.cards.publish(newer, [CHANNEL])
    await skopje.duty.cards.publish(NodeStatus(state="open", telephone="+1", exercise=True))
    assert (card(skopje, SKOPJE).telephone, card(skopje, SKOPJE).state) == (
        newer.telephone, "reduced",
    )  # fmt: skip
    await skopje.amend.recall(str(sent.ref), "wrong_data")
    assert card(skopje, SKOPJE).telephone == CARD.telephone


async def test_attack_a_field_device_gives_its_node_another_telephone(place: Site) -> None:
    skopje = await channel(place)
    await skopje.duty.cards.publish(CARD)
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    field = await place.client(SKOPJE, nth=1)
    false = NodeStatus(state="open", telephone="+999")
    with pytest.raises(UntrustedError) as refused:
        await field.duty.cards.publish(false)
    assert refused.value.rule == "role"
    await field.cases.publish(CHANNEL, false)  # as a client of his own would
    await skopje.watch.on(**WHY)
    assert card(skopje, SKOPJE).telephone == CARD.telephone


async def test_a_card_needs_a_telephone_and_a_channel(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    with pytest.raises(RefusedError, match="in no channel"):
        await skopje.duty.cards.publish(CARD)
    with pytest.raises(RefusedError, match="telephone"):
        await skopje.duty.cards.publish(NodeStatus(state="open"))
