"""To whom reasons and searches are sealed: never to who was taken out, and nobody waits for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Access, Search
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def sealed_to(client: Client, kind: type[Access | Search], index: int) -> list[tuple[str, int]]:
    """Return the mailboxes to which a reason or an account was sealed."""
    item = client.audit.store.item(index)
    assert item is not None
    statement = open_envelope(item.envelope, item.kind).statement
    assert isinstance(statement, kind)
    return [(one.node, one.gen) for one in statement.reasons]


async def test_attack_28_why_is_not_sealed_to_who_was_taken_out(place: Site) -> None:
    network, take = place.network, place.broker.take
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    for _ in range(2):
        await skopje.alerts.send(alert(), CHANNEL)
    await take(network.enrol(BELGRADE, ("field",)))
    await take(network.enrol(BELGRADE, ("keyholder", "admin")))
    await take(network.enrol(BELGRADE, ("auditor",)))
    field = await place.client(BELGRADE, nth=1)
    keyholder = await place.client(BELGRADE, nth=2)
    lost = network.of(BELGRADE, nth=3)
    await until(lambda: len(field.alerts.list()) == 2, field)
    assert not field.journal.is_unsealed

    await take(network.revoke(lost))
    for client in (field, keyholder):
        await client.sync()
    # He is at the border, at night, and reads what came.
    first = (await field.alerts.show(f"{CHANNEL}#1", **WHY, reason="a call")).entry_index
    field.search("zastava", **WHY)
    second = await field.journal.upload()
    assert second is not None
    assert field.journal.is_unsealed
    # What an auditor must take up waits for one.
    with pytest.raises(RefusedError) as stale:
        await keyholder.audit.person_found("Zoran Invented")
    assert stale.value.rule == "stale-mailbox"
    with pytest.raises(RefusedError, match="an auditor renews them"):
        await keyholder.audit.sample(3)

    auditor = await place.client(BELGRADE)
    await auditor.sync()  # an auditor's command renews what the lost device held
    await field.sync()
    assert not field.journal.is_unsealed
    third = (await field.alerts.show(f"{CHANNEL}#2", **WHY, reason="a call")).entry_index
    field.search("zastava")
    fourth = await field.journal.upload()
    assert fourth is not None
    assert (await keyholder.audit.person_found("Zoran Invented")).found == ()
    rows = {row.index: row for row in await auditor.audit.list()}
    assert all(rows[one].proved for one in (first, second, third, fourth)), rows
    gen = auditor._engine.directory.mailbox(BELGRADE, "audit")
    assert gen is not None
    ours, theirs = (BELGRADE, gen.version), (SKOPJE, 1)
    assert sealed_to(auditor, Access, first) == [theirs]
    assert sealed_to(auditor, Search, second) == []
    assert sealed_to(auditor, Access, third) == [ours, theirs]
    assert sealed_to(auditor, Search, fourth) == [ours]
    assert rows[first].reason is None
    assert rows[third].reason == "a call"
    verdict = await auditor.audit.verdict()
    assert verdict.ok, verdict
