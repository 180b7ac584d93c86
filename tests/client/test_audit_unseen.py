"""What a network auditor was not shown himself: he says so, and each node counts it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client.audit import fetching
from seefen.protocol import retention as rules
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditPage
from seefen.protocol.suite import SigningKey
from seefen.server import judging, retention
from tests.client.scenes import CHANNEL, SKOPJE, alert, honest, spoil
from tests.client.test_audit_manifests import (
    BOARD,
    Story,
    anything,
    hiding,
    name,
    never,
    published,
    refusal,
    soon,
    story,
)
from tests.support import casework

__all__ = ["story"]


def as_erased(page: AuditPage) -> AuditPage:
    """Show the opening of the channel, entry 0, as a reading whose text was erased."""
    return replace(
        page,
        items=tuple(
            replace(i, kind="access", entry=replace(i.entry, core=b"", salt=b""))
            if i.entry.index == 0
            else i
            for i in page.items
        ),
    )


async def erase(story: Story, patched: pytest.MonkeyPatch) -> None:
    """Erase all readings, as the yearly erasure does."""
    for module in (rules, retention):
        patched.setattr(module, "cutoff", soon)
    patched.setattr(fetching, "told_end", never)
    kept = story.place.broker.services.broker.retention
    kept.years = 1
    assert await kept.run(sure=True)


async def newcomer(story: Story) -> Any:
    """Return another network auditor, who comes after the erasure."""
    place = story.place
    await place.broker.take(place.network.enrol(BOARD, ("auditor",)))
    later = await place.client(BOARD, nth=1)
    await name(place, place.network.of(BOARD, nth=1))
    await later.sync()
    return later


async def test_attack_an_opening_that_is_shown_as_erased_hides_no_case_from_its_owner(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a leaf without a text the kind is the broker's word, and openings never lose theirs."""
    _, _, skopje, _ = story
    await erase(story, monkeypatch)
    later = await newcomer(story)
    await skopje.audit.verdict()
    spoil(later, "view", as_erased, once=False)
    made = {one.of: one for one in await later.audit.manifests.publish()}
    (said,) = [one for one in later.alarms if "missing-opening" in one]
    assert said.startswith("who opened case ")
    assert said in (*later.audit.manifests.problems(),)
    others = "SELECT count(*) FROM audited WHERE case_id <> '' AND node <> ? AND idx < ?"
    ((of_the_channel,),) = skopje.audit.store.run(others, SKOPJE, made[SKOPJE].upto)
    assert of_the_channel
    sql = "SELECT count(*) FROM audited WHERE act = 'gone' AND idx < ?"
    ((gone,),) = skopje.audit.store.run(sql, made[SKOPJE].upto)
    assert made[SKOPJE].closed == gone + 1 + of_the_channel, "of these it says nothing to Skopje"
    await skopje.alerts.send(alert(), CHANNEL)
    await later.audit.manifests.publish()
    assert len([one for one in later.alarms if "missing-opening" in one]) == 1, "said once"
