"""How a request stands at each node: who ends it takes no word from those who had answered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client.cli.views import requests
from seefen.protocol.messages import TraceReply
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, until
from tests.client.test_requests import asked, life


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_a_closed_request_shows_what_each_node_had_said(place: Site) -> None:
    skopje, belgrade, _, ref = await asked(place)
    no = TraceReply(offence="trafficking", outcome="refused", refusal_ground="ongoing")
    await belgrade.requests.move(ref, no)
    await until(lambda: life(skopje, ref, BELGRADE).state == "refused", skopje)
    await skopje.requests.close(ref, "solved", "3")
    await until(lambda: life(belgrade, ref, BELGRADE).state == "closed", belgrade)
    for client in (skopje, belgrade):
        one = life(client, ref, BELGRADE)
        assert one.word is not None
        assert (one.state, one.said, one.word.state) == ("closed", "solved, decisive", "refused")
        assert one.word.said.startswith("refused, ")  # and the ground
        assert one.word.officer == belgrade.officer
        assert life(client, ref, PRISTINA).word is None  # it had said nothing
        shown = printed(requests.shown(client.requests.show(ref), node=client.node))
        assert one.word.said in shown
        assert "solved, decisive" in shown
