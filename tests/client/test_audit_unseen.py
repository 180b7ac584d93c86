"""What a network auditor was not shown himself: he says so, and each node counts it."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client.audit import fetching, lateness, manifests
from seefen.client.audit.comparing import compare
from seefen.client.audit.filters import Filter
from seefen.client.cli.views import audits
from seefen.client.cores import agrees
from seefen.protocol import retention as rules
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditPage, Page, Stub
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Viewed, decode_statement
from seefen.protocol.suite import SigningKey
from seefen.server import judging, retention
from tests.client.cli.test_views import printed
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, honest, spoil, until
from tests.client.test_audit_manifests import (
    BOARD,
    Story,
    anything,
    hiding,
    name,
    never,
    refusal,
    soon,
    story,
)
from tests.support import casework
from tests.support.vectors import own

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


def everybody(*_: object) -> None:
    """Answer for each entry that every node must see it."""


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
    found = (await skopje.audit.verdict()).manifests
    assert found.unexplained == 1 + of_the_channel
    assert not found.is_clear
    await skopje.alerts.send(alert(), CHANNEL)
    await later.audit.manifests.publish()
    assert len([one for one in later.alarms if "missing-opening" in one]) == 1, "said once"


async def test_fault_19_a_node_is_told_of_how_much_a_network_auditor_had_no_text(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept from the node and from him: no manifest names it, and nothing else is missing."""
    _, board, skopje, _ = story
    index = await refusal(story)
    for client, verb in ((board, "view"), (skopje, "audit")):
        spoil(client, verb, hiding(index), once=False)
    await board.audit.manifests.publish()
    found = await skopje.audit.verdict()
    assert found.ok, "a text that was lost in a restore is none either"
    assert found.manifests.unexplained == 1
    assert not found.manifests.is_clear
    said = f"{board.officer} of {BOARD} had no text of 1 entry, 1 of them NOT ERASED"
    assert said in found.manifests.sentence
    printed_ = printed(audits.verdict(found))
    assert said in " ".join(printed_.split())
    honest(skopje)
    await erase(story, monkeypatch)
    later = (await skopje.audit.verdict()).manifests
    assert later.unexplained == 1, "what is erased afterwards explains nothing"


async def test_fault_18_what_is_shown_only_when_asked_for_once_more_leaves_a_trace(
    story: Story,
) -> None:
    _, board, skopje, _ = story
    index = await refusal(story)
    await board.audit.manifests.publish()
    spoil(skopje, "audit", hiding(index))  # the first page alone
    found = await skopje.audit.verdict()
    assert found.manifests.hidden == ()
    assert not found.ok
    (alarm_,) = found.alarms
    assert f"entry {index} was shown to your node only when asked for once more" in alarm_.sentence
    assert len((await skopje.audit.verdict()).alarms) == 1


async def test_what_was_erased_before_a_network_auditor_came_is_explained(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, skopje, _ = story
    await erase(story, monkeypatch)
    later = await newcomer(story)
    made = [one for one in await later.audit.manifests.publish() if one.of == SKOPJE]
    found = (await skopje.audit.verdict()).manifests
    assert made[0].closed
    assert (found.unexplained, found.is_clear) == (0, True)
    assert "had no text of" in found.sentence


async def test_attack_two_network_auditors_protect_as_well_as_the_better_one(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One names nothing, with the broker; so the broker must hide what the other says."""
    place, board, skopje, _ = story
    index = await refusal(story)
    made = [one for one in await board.audit.manifests.publish() if one.of == SKOPJE]
    await place.broker.take(place.network.enrol(BELGRADE, ("auditor",)))
    by = place.network.of(BELGRADE, nth=1)
    await name(place, by)
    size = place.broker.services.broker.heads.activity.size
    bundle = casework.manifest(place.network, by, SKOPJE, size)
    await place.broker.services.broker.submit(by.device, bundle, 0)
    spoil(skopje, "audit", hiding(index, made[0].entry), once=False)
    found = (await skopje.audit.verdict()).manifests
    who = f"{board.officer} of {BOARD}"
    assert found.upto == size
    assert f"none yet of {who}" in found.sentence
    monkeypatch.setattr(lateness, "LATE", -1)
    late = (await skopje.audit.verdict()).manifests
    assert (who, 0) in [(one.who, one.entry) for one in late.late]
    assert not late.is_clear
    honest(skopje)
    monkeypatch.undo()
    await board.audit.manifests.publish()
    last = await skopje.audit.verdict()
    assert last.manifests.upto == size, "as far as all of them have spoken"
    assert last.manifests.hidden == ()
    assert any("only when asked for once more" in one.sentence for one in last.alarms)


async def test_who_was_named_a_moment_ago_is_not_late(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is late with what was made since he is shown every core."""
    place, board, skopje, _ = story
    await skopje.audit.verdict()
    await name(place, place.network.of(BOARD), expires=place.network.at + 99 * 3600)
    monkeypatch.setattr(lateness, "LATE", -1)
    await skopje.sync()
    assert compare(skopje._engine, skopje.audit.store).late == ()
    await skopje.audit.verdict()
    (late,) = (await skopje.audit.verdict()).manifests.late
    assert late.who == f"{board.officer} of {BOARD}"


async def test_attack_a_network_auditor_who_is_wrong_makes_no_node_red_for_ever(
    story: Story,
) -> None:
    """He names Belgrade's searches to Skopje: his word, until somebody explains it."""
    _, board, skopje, belgrade = story
    await belgrade.audit.verdict()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifests, "must_see", everybody)
        await board.audit.manifests.publish()
    found = await skopje.audit.verdict()
    assert found.manifests.hidden
    (alarm_,) = found.alarms
    assert alarm_.sentence.startswith(f"{board.officer} of {BOARD} says in entry")
    assert "telephone" in alarm_.sentence
    await skopje.audit.acknowledge(alarm_.name, "they named others' entries to us")
    again = await skopje.audit.verdict()
    assert again.ok, again
    assert again.manifests.settled == found.manifests.hidden


async def test_attack_a_manifest_in_his_name_that_he_did_not_sign_is_gone_on_from_by_nobody(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the broker chooses where his next manifest begins, and what is said to nobody."""
    place, board, _, _ = story
    size = place.broker.services.broker.heads.activity.size
    by = place.network.of(BOARD)
    monkeypatch.setattr(judging, "check_manifest", anything)
    monkeypatch.setattr(by, "sign", SigningKey.generate())
    bundle = casework.manifest(place.network, by, SKOPJE, size)
    monkeypatch.undo()
    monkeypatch.setattr(judging, "check_manifest", anything)
    await place.broker.services.broker.submit(by.device, bundle, 0)
    with pytest.raises(UntrustedError, match="sign"):
        await board.audit.manifests.publish()


async def test_a_hole_in_manifests_is_settled_when_it_is_acknowledged(story: Story) -> None:
    _, board, skopje, _ = story
    made = [one for one in await board.audit.manifests.publish() if one.of == SKOPJE]
    spoil(skopje, "audit", hiding(made[0].entry), once=False)
    await board.audit.manifests.publish()
    found = await skopje.audit.verdict()
    assert len(found.manifests.broken) == 1
    assert {*found.manifests.broken} < {one.sentence for one in found.alarms}
    for one in found.alarms:
        await skopje.audit.acknowledge(one.name, "lost in a restore; all nodes were told")
    again = await skopje.audit.verdict()
    assert again.ok, again
    assert len(again.alarms) == len(found.alarms)


def test_attack_a_broker_shows_a_look_to_another_than_whose_cores_they_were() -> None:
    (vector,) = (c for c in own("statements/kinds.json")["cases"] if c["kind"] == "viewed")
    viewed = decode_statement(bytes.fromhex(vector["payload"]), "viewed")
    assert isinstance(viewed, Viewed)
    core = Core(
        act="viewed", at=0, op="consult", node=BOARD, device=viewed.device.hex(), officer="",
        case="", case_n=0, device_n=0, object="", n=0, to=(SKOPJE,), purpose="", basis="",
        emergency=0, req="", under=(), outcome="ok",
    )  # fmt: skip
    assert agrees(core, viewed)
    assert agrees(replace(core, to=()), replace(viewed, of=""))
    for odd in (
        {"to": ()}, {"to": (BELGRADE,)}, {"to": (SKOPJE, BELGRADE)}, {"node": BELGRADE},
        {"device": "00" * 16}, {"device_n": 1}, {"case": "00" * 16}, {"outcome": "role"},
    ):  # fmt: skip
        assert not agrees(replace(core, **odd), viewed), odd


async def test_attack_a_stub_takes_nothing_out_of_a_manifest(story: Story) -> None:
    """A stub is proved by nothing: told of a case that is not ours, it covered what was hidden."""
    _, board, skopje, belgrade = story
    await belgrade.cases.open("Pistols", [SKOPJE])
    await until(lambda: len(skopje._engine.vault.cases()) == 2, skopje)
    index = await refusal(story)
    trust = skopje._engine.trust
    states = map(trust.require_state, skopje._engine.vault.cases())
    (state,) = (one for one in states if one.owner == BELGRADE)
    number = state.last(belgrade._engine.keys.device).case_n + 1
    told = Stub(index, "access", state.case, belgrade._engine.keys.device, number)

    def tell(page: Page) -> Page:
        return replace(page, stubs=(*page.stubs, told))

    spoil(skopje, "feed", tell)
    await skopje.sync()
    assert skopje._engine.vault.has_entry(index)
    spoil(skopje, "audit", hiding(index), once=False)
    await board.audit.manifests.publish()
    found = await skopje.audit.verdict()
    assert found.manifests.hidden == (index,)
    assert not found.ok


async def test_attack_what_explains_one_leaf_without_an_opening_explains_no_other(
    story: Story,
) -> None:
    _, board, skopje, _ = story
    lost, hidden = (row.index for row in (await skopje.audit.list(wanted=Filter(op="all")))[:2])
    view = board.audit.view("all")
    spoil(board, "view", hiding(lost), once=False)
    found = await view.verdict()
    (one,) = found.findings
    assert (len(found.problems), len(found.alarms)) == (1, 1)
    await view.acknowledge(one.name, "lost in the restore of March")
    assert not (await view.verdict()).ok, "its alarm is for itself"
    await board.audit.acknowledge(found.alarms[0].name, "the same")
    found = await view.verdict()
    assert (found.ok, found.sentence) == (True, "IN ORDER (1 finding known)")
    assert "KNOWN" in printed(audits.viewed(found))
    honest(board)
    board.audit.view("all").store.clear()
    spoil(board, "view", hiding(lost, hidden), once=False)
    found = await view.verdict()
    assert not found.ok
    assert [f"entry {hidden} has no opening" in text for text in found.problems] == [True]
