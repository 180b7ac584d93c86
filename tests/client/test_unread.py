"""What nobody has read nobody has searched for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TraceReply
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY
from tests.client.test_requests import REPLY, TRACE, asked


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_attack_a_node_finds_no_record_of_what_it_has_never_read(place: Site) -> None:
    strict = replace(TRACE, handling="H2", tlp="TLP:AMBER+STRICT")
    _, belgrade, pristina, ref = await asked(place, strict)
    for search in (REPLY, replace(REPLY, outcome="not_traced")):
        with pytest.raises(RefusedError, match="was not opened") as refused:
            await belgrade.requests.move(ref, search)
        assert refused.value.rule == "unread"
    assert belgrade.queued() == []
    refusing = TraceReply(offence="trafficking", outcome="refused", refusal_ground="ongoing")
    unread = await pristina.requests.move(ref, refusing)  # its mark was not seen: the strictest
    await belgrade.read(ref, **WHY)
    read = await belgrade.requests.move(ref, REPLY)
    for client, sent, tlp in (
        (pristina, unread, "TLP:RED"), (belgrade, read, "TLP:AMBER+STRICT"),
    ):  # fmt: skip
        message = (await client.read(str(sent.ref))).message
        assert (message.handling, message.tlp) == ("H2", tlp)
