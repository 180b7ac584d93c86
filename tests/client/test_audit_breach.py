"""What could be exposed, to whom, and since when one is aware; and what is missing in the log."""

import pytest
from msgspec.structs import replace

from seefen.client.audit.filters import Filter
from seefen.client.audit.gaps import MOST, gaps
from seefen.client.cli.views import breaches
from seefen.client.wording import stamp
from seefen.protocol.errors import RefusedError
from tests.client.cli.test_views import printed
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert
from tests.client.test_audit_store import item
from tests.client.test_audit_work import REF, Story, story

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["story"]


async def test_a_lost_device_says_what_it_could_have_shown(story: Story) -> None:
    audit, belgrade = story.skopje.audit, story.belgrade
    (found,) = await audit.breach(belgrade.officer)
    (exposed,) = found.exposed
    assert (exposed.case, exposed.opened) == (CHANNEL, (REF,))
    assert exposed.objects == 1
    assert not exposed.renewed
    assert found.until == 0, "it is in force"
    # The certificate is dated back; the authority log says where it was let in.
    assert found.admitted is not None
    engine = story.skopje._engine
    link = engine.directory.link(("device", belgrade._engine.keys.device))
    assert link is not None
    first = (await audit.list(wanted=Filter(op="all", case=CHANNEL)))[0]
    assert (found.admitted.entry, found.admitted.after) == (link.index, 0)
    assert found.admitted.before == first.at
    said = f"IN FORCE since its admission before {stamp(first.at)} (entry {link.index} of the"
    assert said in " ".join(printed(breaches.breaches([found])).split())
    assert found.tell == (BELGRADE, SKOPJE)
    assert found.due_at == found.aware_at + 72 * 3600
    assert any(BELGRADE in text for text in found.unknown)
    again = await audit.breach(belgrade.officer)
    assert again[0].aware_at == found.aware_at, "the clock starts once"


async def test_a_device_that_came_later_was_let_in_between_two_entries(story: Story) -> None:
    skopje, place = story.skopje, story.place
    await skopje.audit.list()
    last = (await skopje.audit.list(wanted=Filter(op="all")))[-1]
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    await skopje.sync()
    late = place.network.of(SKOPJE, nth=2).device.hex()
    (found,) = await skopje.audit.breach(late)
    assert found.admitted is not None
    assert found.admitted.after >= last.at > 0
    assert found.admitted.before == 0, "nothing was made behind it"
    assert "its admission after 20" in printed(breaches.breaches([found]))
    (found,) = await skopje.audit.breach(late)  # behind the entry of the look before
    assert found.admitted is not None
    assert found.admitted.after <= found.admitted.before <= skopje._engine.now()


async def test_a_case_says_to_whom_it_was_shown(story: Story) -> None:
    (found,) = await story.skopje.audit.breach(CHANNEL)
    readers = {(one.node, one.officer): one.times for one in found.readers}
    assert readers[BELGRADE, story.belgrade.officer] == 1
    assert found.exposed[0].opened == (REF,)
    with pytest.raises(RefusedError) as caught:
        await story.skopje.audit.breach("nobody")
    assert caught.value.rule == "unknown-breach"


async def test_who_was_removed_keeps_what_he_had_and_is_told(story: Story) -> None:
    skopje, belgrade = story.skopje, story.belgrade
    number = (await skopje.cases.open("Pistols", [BELGRADE])).number
    for n in range(3):
        await skopje.cases.send(number, f"note {n}")
    await belgrade.sync()
    await skopje.cases.remove(number, [BELGRADE])
    await skopje.cases.send(number, "not for Belgrade any more")
    await skopje.sync()

    (device,) = await skopje.audit.breach(belgrade.officer)
    (exposed,) = [one for one in device.exposed if one.case == number]
    assert (exposed.objects, exposed.members) == (3, (SKOPJE,))
    assert exposed.renewed
    ((was, until_),) = [(one.node, one.until) for one in exposed.former]
    assert was == BELGRADE
    assert 0 < until_ <= skopje._engine.now()
    (case,) = await skopje.audit.breach(number)
    assert case.tell == (SKOPJE, BELGRADE)
    assert f"and keeps what it had: {BELGRADE}" in printed(breaches.breaches([case]))

    await skopje.cases.add(number, [BELGRADE])
    await skopje.sync()
    (case,) = await skopje.audit.breach(number)
    assert case.exposed[0].former == ()
    assert set(case.tell) == {SKOPJE, BELGRADE}


@pytest.mark.parametrize("what", ["", "0", "8", "d", "DIGITS"])
async def test_a_slip_of_the_finger_starts_no_clock(story: Story, what: str) -> None:
    skopje, belgrade = story.skopje, story.belgrade
    if not what:  # an agent has no officer: nothing is no name of one
        await story.place.broker.take(story.place.network.enrol(SKOPJE, ("auditor",), agent=True))
        await skopje.sync()
    text = belgrade.device_hex[:7] if what == "DIGITS" else what
    before = skopje._engine.vault.run("SELECT name FROM setting WHERE name GLOB 'breach*'")
    with pytest.raises(RefusedError) as caught:
        await skopje.audit.breach(text)
    assert caught.value.rule == "unknown-breach"
    after = skopje._engine.vault.run("SELECT name FROM setting WHERE name GLOB 'breach*'")
    assert after == before


async def test_when_one_became_aware_is_stated_corrected_and_entered(story: Story) -> None:
    skopje, belgrade = story.skopje, story.belgrade
    now, device = skopje._engine.now(), belgrade.device_hex[:8]
    (asked,) = await skopje.audit.breach(device)
    assert asked.stated == 0
    for aware in (now - 7200, now - 3600):  # the second corrects the first
        (found,) = await skopje.audit.breach(device, aware)
        assert (found.aware_at, found.due_at) == (aware, aware + 72 * 3600)
        assert found.stated >= now
    (again,) = await skopje.audit.breach(device)
    assert again.aware_at == now - 3600, "and it stays"
    for wrong in (skopje._engine.now() + 60, 0, -5):
        with pytest.raises(RefusedError):
            await skopje.audit.breach(device, wrong)
    said = [one.query for row in await skopje.audit.list() if row.search
            for one in row.search.sought or ()]  # fmt: skip
    assert len([text for text in said if text.startswith(f"breach {device}, aware since 20")]) == 2
    shown = printed(breaches.breaches([again]))
    assert f"{BELGRADE} alone can end it: call its admin now" in shown
    assert "as stated here" in shown
    (own,) = await skopje.audit.breach(story.place.network.of(SKOPJE, nth=1).device.hex()[:8])
    assert "end it now, 'seefen device revoke" in printed(breaches.breaches([own]))


async def test_after_a_revocation_it_says_until_when(story: Story) -> None:
    skopje = story.skopje
    lost = story.place.network.of(SKOPJE, nth=1)
    await skopje.devices.revoke(lost.device.hex()[:12], "lost")
    await skopje.alerts.send(alert(), CHANNEL)  # under a new key
    (found,) = await skopje.audit.breach(lost.device.hex()[:12])
    assert found.until > 0
    (exposed,) = [one for one in found.exposed if one.case == CHANNEL]
    assert exposed.renewed
    assert exposed.objects == 1, "what came after it was not for it"


async def test_one_pseudonym_at_two_nodes_is_not_one_breach(story: Story) -> None:
    skopje, place = story.skopje, story.place
    await place.broker.take(place.network.enrol(BELGRADE, ("field",), officer=skopje.officer))
    await skopje.sync()
    with pytest.raises(RefusedError, match=f"of {BELGRADE}") as caught:
        await skopje.audit.breach(skopje.officer)
    assert caught.value.rule == "several-officers"


# --- what is missing ---------------------------------------------------------------------------


async def test_what_is_missing_is_named_or_counted_and_never_left_out(story: Story) -> None:
    engine, store = story.skopje._engine, story.skopje.audit.store
    device = story.place.network.of(SKOPJE, nth=1).device.hex()
    one = next(store.each(((("act", "search"),),)))
    start = 100_000
    numbers = [*range(3, 3 + 2 * MOST, 2), 700, 703, 800]  # a hole before each
    store.keep(
        [
            (replace(one, idx=start + n, device=device, device_n=n), item(start + n))
            for n in numbers
        ],
        None,
    )
    found = [gap for gap in gaps(engine, store) if _officer(story) in gap.sentence]
    assert len(found) == MOST + 1
    text = f"2 entries of {_officer(story)} are missing: its numbers 1 to 2"
    assert (found[0].sentence, found[0].start, found[0].stop) == (text, 0, start + 3)
    assert len({gap.subject for gap in found}) == len(found)
    assert found[1].sentence == f"an entry of {_officer(story)} is missing: its number 4"
    rest = (699 - (2 * MOST + 1)) + 2 + (799 - 703)
    assert found[-1].sentence == (
        f"and {rest} more entries of {_officer(story)} are missing, in 3 places"
    )
    assert (found[-1].start, found[-1].stop) == (start + 2 * MOST + 2, start + 800)


def _officer(story: Story) -> str:
    network = story.place.network
    id_ = network.of(SKOPJE, nth=1).device
    return story.skopje._engine.directory.device(id_).officer or id_.hex()[:8]
