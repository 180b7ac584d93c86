"""Entries that an older program checked: the verdict says that it rests on them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.audit.filters import this_month
from seefen.client.audit.judged import Judged
from seefen.protocol.encoding import decode, encode
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, honest, spoil
from tests.client.test_audit_explained import hiding, story
from tests.client.test_audit_withheld import run

NAME = "audited/judged"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def older(client: Client, *, written: bool) -> None:
    """Leave the entries as an older program left them, which wrote down what it is, or did not."""
    vault = client._engine.vault
    if not written:
        vault.run("DELETE FROM setting WHERE name = ?", NAME)
        return
    value = vault.get(NAME)
    assert value is not None
    vault.put(NAME, encode(Judged(b"older", decode(value, Judged).before)))


async def said(client: Client) -> list[str]:
    return [text for text in (await client.audit.verdict()).limits if "older version" in text]


@pytest.mark.parametrize("written", [True, False])
async def test_a_verdict_over_entries_of_an_older_program_says_so(
    place: Site, *, written: bool
) -> None:
    skopje, _ = await story(place)
    assert await said(skopje) == []
    last = skopje.audit.store.ends[1]
    older(skopje, written=written)
    await skopje.alerts.send(alert(), CHANNEL)
    for _ in range(2):  # what comes now is checked by this one, and changes nothing of it
        assert await said(skopje) == [
            f"entries before {last + 1} count as an older version of this program judged them: "
            "'seefen audit verify' judges them anew"
        ]
    shown = await run(skopje, "audit")
    assert shown.code == 0, "it is no fault of anybody"
    assert "judged them: 'seefen audit verify' judges them anew" in " ".join(shown.out.split())
    made = await skopje.audit.report(this_month(skopje._engine.now()))
    assert any("older version" in text for text in made.unchecked)

    assert (await skopje.audit.verify()).ok
    assert await said(skopje) == []
    await skopje.alerts.send(alert(), CHANNEL)
    assert await said(skopje) == []


async def test_a_check_that_was_not_shown_all_has_not_judged_all_anew(place: Site) -> None:
    """What is kept from it counts as the older program judged it, and that is still said."""
    skopje, _ = await story(place)
    await skopje.audit.verdict()
    hidden = skopje.audit.store.ends[0]
    older(skopje, written=True)
    spoil(skopje, "audit", hiding(hidden), once=False)
    assert not (await skopje.audit.verify()).ok
    assert len(await said(skopje)) == 1
    honest(skopje)
    assert (await skopje.audit.verify()).ok
    assert await said(skopje) == []
