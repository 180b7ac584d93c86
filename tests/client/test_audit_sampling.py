"""Samples: drawn from the readings of the verdict, by a seed that nobody chooses, one at a time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import this_month
from seefen.client.audit.sampling import NONCE, Rule, draw
from seefen.client.cli.complaints import explain
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuditItem, AuditPage
from seefen.protocol.ledger.record import decode_core, encode_core
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, honest, spoil, until
from tests.client.test_audit_withheld import run

pytestmark = pytest.mark.asyncio(loop_scope="module")
REF = f"{CHANNEL}#1"


class Story(NamedTuple):
    place: Site
    skopje: Client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """Two readings at Skopje's channel, one by each node."""
    folder: Path = tmp_path_factory.mktemp("samples")
    async with site(folder, SKOPJE, BELGRADE) as place:
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        await until(belgrade.alerts.list, belgrade)
        await belgrade.alerts.show(REF, **WHY)
        await belgrade.alerts.send(alert(), CHANNEL)
        await until(lambda: [one for one in skopje.alerts.list() if one.sender == BELGRADE], skopje)
        await skopje.alerts.show(f"{CHANNEL}#2", **WHY)
        yield Story(place, skopje)


async def drawn_later(client: Client, count: int, month: str = "") -> None:
    """Let the log grow, if only by the auditor's own looks, until a sample is drawn."""
    while (await client.audit.sample(count, month)).root == "":
        await client.audit.list()


async def test_a_sample_is_fixed_before_its_seed_is_known(story: Story) -> None:
    audit = story.skopje.audit
    first = await audit.sample(3)
    assert (first.root, first.rows) == ("", ())
    assert first.entry is not None
    assert first.entry < first.size
    await drawn_later(story.skopje, 3)
    drawn = await audit.sample(3)
    assert len(drawn.rows) == min(3, drawn.of)
    again = await audit.sample(3)
    assert [row.index for row in again.rows] == [row.index for row in drawn.rows]
    assert all(drawn.start <= row.index < drawn.stop for row in drawn.rows)
    with pytest.raises(RefusedError):
        await audit.sample(0)
    anew = await audit.sample(3, anew=True)
    assert anew.root == ""
    assert anew.stop > drawn.stop, "what came since can be drawn, too"
    assert (await audit.sample(3, anew=True)).size == anew.size, "nobody chooses among seeds"
    await drawn_later(story.skopje, 3)


async def test_attack_looks_of_the_auditor_do_not_thin_a_sample(story: Story) -> None:
    audit = story.skopje.audit
    for _ in range(4):
        await audit.list()
    fixed = await audit.sample(4)
    assert fixed.of == (await audit.verdict()).readings == 2
    await drawn_later(story.skopje, 4)
    drawn = await audit.sample(4)
    assert {row.what for row in drawn.rows} == {"opened"}
    assert len(drawn.rows) == drawn.of == 2


async def test_attack_a_broker_that_chooses_the_root_does_not_choose_the_sample(
    story: Story,
) -> None:
    """It draws the salt of the last entry anew until it likes the root; the rest it cannot read."""
    audit, month = story.skopje.audit, this_month(story.skopje._engine.now())
    fixed = await audit.sample(1, month)
    assert fixed.nonce == "", "nobody is shown it before the root is known"
    assert fixed.entry is not None
    await drawn_later(story.skopje, 1, month)
    drawn = await audit.sample(1, month)
    assert len(bytes.fromhex(drawn.nonce)) == NONCE
    item = audit.store.item(fixed.entry)
    assert item is not None
    known = b"".join((item.entry.core, item.entry.record, item.entry.salt, item.envelope))
    assert drawn.nonce.encode() not in known
    assert bytes.fromhex(drawn.nonce) not in known
    made = Rule(drawn.count, drawn.start, drawn.stop, drawn.size, drawn.entry, drawn.nonce)
    root = bytes.fromhex(drawn.root)
    assert draw(audit.store, made, root) == [row.index for row in drawn.rows]
    others = [replace(made, nonce=bytes([n]).hex() * NONCE) for n in range(64)]
    assert len({draw(audit.store, one, root)[0] for one in others}) == drawn.of == 2


async def test_what_is_not_proved_is_left_out_of_no_sample_in_silence(story: Story) -> None:
    skopje, month = story.skopje, this_month(story.skopje._engine.now())
    await drawn_later(skopje, 1, month)
    (one, *_) = [row.index for row in await skopje.audit.list() if row.what == "opened"]

    def blamed(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(map(bent, page.items)))

    def bent(item: AuditItem) -> AuditItem:
        core = decode_core(item.entry.core)
        text = encode_core(replace(core, purpose="trace")) if item.entry.index == one else None
        return item if text is None else replace(item, entry=replace(item.entry, core=text))

    spoil(skopje, "audit", blamed, once=False)
    await skopje.audit.verify()
    said = await run(skopje, "audit", "sample", 1, "--month", month)
    assert (said.code, "1 entry is NOT PROVED, and counted nowhere" in said.out) == (1, True)
    assert "Drawn: all 1 readings" in said.out
    honest(skopje)
    said = await run(skopje, "audit", "sample", 1, "--month", month)
    assert (said.code, "NOT PROVED" in said.out) == (0, False)


async def test_attack_nobody_chooses_among_seeds_of_several_samples(story: Story) -> None:
    skopje, place = story.skopje, story.place
    waits = await skopje.audit.sample(1)
    for count, anew in ((2, False), (2, True), (500, False)):
        with pytest.raises(RefusedError, match="a sample of 1 waits for its seed") as caught:
            await skopje.audit.sample(count, anew=anew)
        assert caught.value.rule == "sample-waits"
        assert "with that number draws it" in explain(caught.value).hint
    # Nor from a vault that lost the rule: a command that was killed behind its entry.
    skopje._engine.vault.run("DELETE FROM setting WHERE name GLOB 'audit/sample-rule/*'")
    with pytest.raises(RefusedError):
        await skopje.audit.sample(2)
    assert (await skopje.audit.sample(1, anew=True)).size == waits.size
    # Nor on another device of the same officer; another period is another question.
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",), officer=skopje.officer))
    async with place.briefly(SKOPJE, "auditor", nth=1) as other:
        assert other.officer == skopje.officer
        with pytest.raises(RefusedError, match="a sample of 1 waits"):
            await other.audit.sample(2)
        assert (await other.audit.sample(1)).size == waits.size
    month = this_month(skopje._engine.now())
    assert (await skopje.audit.sample(2, month)).root == ""
    # A month has one spelling: with another it would be another question, and another seed.
    spelt = f"{month[:5]}{int(month[5:])}" if month[5] == "0" else month.replace("20", "２０", 1)  # noqa: RUF001
    with pytest.raises(RefusedError) as other_month:
        await skopje.audit.sample(2, spelt)
    assert other_month.value.rule == "month"
    await drawn_later(skopje, 1)
    assert (await skopje.audit.sample(2, "")).size > waits.size


async def test_nothing_is_fixed_where_there_is_no_reading(story: Story) -> None:
    audit = story.skopje.audit
    before = len(await audit.list())
    with pytest.raises(RefusedError, match="no reading of 2020-01") as caught:
        await audit.sample(2, "2020-01")
    assert caught.value.rule == "no-readings"
    assert len(await audit.list()) == before + 1, "the look before, and no rule"
    with pytest.raises(RefusedError):
        await audit.sample(2, "*")
