"""What was forwarded: a reader believes nothing that its sender says, and shows no part of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.protocol.errors import SeefenError, UntrustedError
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, until
from tests.client.test_forwarding import BOTH, scene


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_attack_19_a_member_passes_on_what_he_may_not(place: Site) -> None:
    _, belgrade, pristina, case = await scene(place)
    original = belgrade.onward._original(BOTH, belgrade.onward._row(BOTH))
    forged = belgrade.onward._forwarded(original, "")

    def anything(*_: object) -> None:
        """A program that keeps to nothing."""

    belgrade._messaging.permit = anything
    belgrade._outbox.permit = anything
    sent = str((await belgrade.cases.publish(case, forged)).ref)
    await until(lambda: [c for c in pristina.cases.list() if c.unread], pristina)
    with pytest.raises(UntrustedError, match="has not let it go to pristina-ffp") as refused:
        await pristina.read(sent, **WHY)
    assert refused.value.rule == "onward-permission"
    assert not pristina.check("\u0421-84417", **WHY).exact
    assert pristina.search("Zastava").views == ()
    export = await pristina.export.make(case, **WHY)
    assert export.messages == ()
    assert "has not let it go" in export.covers[0].why
    with pytest.raises(SeefenError):
        await pristina.onward.forward(sent, case)
