"""The auditor of the whole network: what is hidden from a node is named by one who saw it."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit import fetching, lateness, manifests
from seefen.client.cores import agrees
from seefen.protocol import retention as rules
from seefen.protocol.envelope import Opened, check_signed_by, open_envelope
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import AuditPage, CaseFrom
from seefen.protocol.ledger.note import open_checkpoint
from seefen.protocol.ledger.record import Core
from seefen.protocol.manifest import must_see
from seefen.protocol.receipt import Entry, check_entry
from seefen.protocol.statements import Manifest, Statement, decode_statement
from seefen.server import judging, retention
from seefen.server.store.erasures import ErasureRows
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, honest, spoil, until
from tests.support import casework
from tests.support.network import Network
from tests.support.vectors import own

BOARD = "oversight-board"
DAY = 86_400


class Story(NamedTuple):
    place: Site
    board: Client
    skopje: Client
    belgrade: Client


@pytest_asyncio.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """Belgrade has read an alert of Skopje's channel; the board is shown every core."""
    async with site(tmp_path, SKOPJE, BELGRADE, BOARD) as place:
        await name(place, place.network.of(BOARD))
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        await until(belgrade.alerts.list, belgrade)
        await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, reason="a call")
        await until(lambda: skopje.alerts.reach(f"{CHANNEL}#1")[0].read_at, skopje, belgrade)
        yield Story(place, await place.client(BOARD), skopje, belgrade)


async def name(place: Site, machine: Any, of: str = "", **changes: int) -> None:
    await place.broker.take(Network.bundle("view", place.network.view(machine, of, **changes)[1]))


async def published(board: Client) -> dict[str, int]:
    return {one.of: one.named for one in await board.audit.manifests.publish()}


def hiding(*indices: int) -> Callable[[AuditPage], AuditPage]:
    def hide(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(i for i in page.items if i.entry.index not in indices))

    return hide


async def readings(client: Client) -> list[int]:
    return [row.index for row in await client.audit.list() if row.what == "opened"]


# --- the network auditor ----------------------------------------------------------------


async def test_a_manifest_names_what_each_node_is_shown(story: Story) -> None:
    _, board, skopje, belgrade = story
    assert board.audit.manifests.is_due()
    first = await board.audit.manifests.publish()
    assert {one.of for one in first} == {SKOPJE, BELGRADE, BOARD}
    assert {(one.start, one.closed) for one in first} == {(0, 0)}
    assert not board.audit.manifests.is_due()
    for client in (skopje, belgrade):
        found = await client.audit.verdict()
        (one,) = (one for one in first if one.of == client.node)
        assert found.ok, found
        assert found.manifests.upto == one.upto
        assert found.manifests.auditors == (f"{board.officer} of {BOARD}",)
        assert found.manifests.sentence.endswith("nothing differs")
        shown = [f.idx for f in client.audit.store.between(0, one.upto)]
        assert len(shown) == one.named
        assert one.named < one.upto or client is skopje, "all of it is of a case of theirs"
    again = await board.audit.manifests.publish()
    assert {one.start for one in again} == {first[0].upto}, "each goes on where the last ended"
    row = next(r for r in await skopje.audit.list() if r.what.startswith("published"))
    assert (row.ref, row.node, row.proved) == (SKOPJE, BOARD, True)


async def test_a_manifest_that_would_be_too_long_goes_in_parts(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, board, skopje, _ = story
    monkeypatch.setattr(manifests, "MOST", 2)
    monkeypatch.setattr(manifests, "TOGETHER", 3)
    made = [one for one in await board.audit.manifests.publish() if one.of == SKOPJE]
    assert len(made) > 2
    assert max(one.named for one in made) == 2
    assert [one.start for one in made[1:]] == [one.upto for one in made[:-1]]
    found = await skopje.audit.verdict()
    assert found.ok
    assert found.manifests.upto == made[-1].upto


async def test_fault_19_a_leaf_without_an_opening_is_named_by_the_network_auditor(
    story: Story,
) -> None:
    _, board, skopje, belgrade = story
    (read,) = await readings(skopje)
    for other in (skopje, belgrade):
        spoil(other, "audit", hiding(read), once=False)
    spoil(board, "view", hiding(read), once=False)
    made = await board.audit.manifests.publish()
    assert {one.closed for one in made} == {1}
    sentence = f"entry {read} has no opening, and nothing in the log allows it"
    assert any(one.startswith(sentence) for one in board.alarms)
    assert "missing-opening" in board.alarms[-1]
    verdict = await board.audit.view("all").verdict()
    assert verdict.problems[0].startswith(sentence)
    honest(board)
    assert (await board.audit.view("all").verdict()).problems == ()
    assert any(one.startswith(sentence) for one in board.alarms), "it stays, until it is explained"


async def test_fault_19_an_opening_of_something_else_is_none(story: Story) -> None:
    _, board, skopje, _ = story
    (read,) = await readings(skopje)

    def tell(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(replace(i, envelope=b"x") for i in page.items))

    def bend(page: AuditPage) -> AuditPage:
        items = (
            replace(i, entry=replace(i.entry, core=i.entry.core.replace(b'"n":1', b'"n":2')))
            if i.entry.index == read
            else i
            for i in page.items
        )
        return replace(page, items=tuple(items))

    spoil(board, "view", tell, once=False)  # nor is what a view does not show taken
    assert len((await board.audit.view("all").verdict()).problems) > 5
    honest(board)
    spoil(board, "view", bend, once=False)
    made = await board.audit.manifests.publish()
    assert {one.closed for one in made} == {1}
    assert any("the core is not the one in the log" in one for one in board.alarms)


def anything(opened: Opened, *_: object) -> Statement:
    return opened.statement


async def test_attack_only_who_is_shown_everything_publishes_and_is_believed(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, board, skopje, _ = story
    assert not skopje.audit.manifests.is_due()
    with pytest.raises(UntrustedError) as caught:
        await skopje.audit.manifests.publish()
    assert caught.value.rule == "not-a-viewer"
    await name(place, place.network.of(BOARD), since=1, upto=place.network.at + DAY)
    await board.sync()
    assert not board.audit.manifests.is_due()
    with pytest.raises(UntrustedError, match="who is shown every entry"):
        await board.audit.manifests.publish()
    # A broker that lets anybody say it: it is proved to stand there, and nothing is made of it.
    await place.broker.take(place.network.enrol(BELGRADE, ("auditor",)))
    by = place.network.of(BELGRADE, nth=1)
    size = place.broker.services.broker.heads.activity.size
    monkeypatch.setattr(judging, "check_manifest", anything)
    bundle = casework.manifest(place.network, by, SKOPJE, size, *range(size))
    await place.broker.services.broker.submit(by.device, bundle, 0)
    found = await skopje.audit.verdict()
    assert any("this device has no view of the network" in one for one in found.problems)
    assert (found.manifests.upto, found.manifests.hidden) == (0, ())


# --- the auditors of a node ---------------------------------------------------------------


async def refusal(story: Story) -> int:
    """Let Belgrade ask for what is Skopje's, and return where the refusal stands.

    It has no number and misses nowhere: nobody but the auditors of both knows of it.
    """
    place, _, skopje, belgrade = story
    engine = skopje._engine
    (case,) = (c for c in engine.vault.cases() if engine.trust.require_state(c).owner == SKOPJE)
    ask = CaseFrom(case, 0, 100, 0)
    with pytest.raises(RefusedError, match="to the node that opened it"):
        await belgrade._engine.connection.request("case-audit", ask, AuditPage)
    await place.broker.services.broker.denials.settled()
    (row,) = await place.broker.services.broker._storage.activity(*_last(place))
    assert row.kind == "denied"
    return row.idx


def _last(place: Site) -> tuple[int, int]:
    size = place.broker.services.broker.heads.activity.size
    return size - 1, size


async def test_fault_18_an_entry_that_is_hidden_from_one_node_alone_is_named(
    story: Story,
) -> None:
    """Honest to everybody else: no number is missing, and only the manifest knows of it."""
    _, board, skopje, belgrade = story
    index = await refusal(story)
    spoil(skopje, "audit", hiding(index), once=False)
    before = await skopje.audit.verdict()
    assert before.ok, "without a manifest nobody knows"
    await board.audit.manifests.publish()
    found = await skopje.audit.verdict()
    assert not found.ok
    assert (found.gaps, found.problems) == ((), ())
    assert found.manifests.hidden == (index,)
    assert f"entry {index} must have been shown to your node" in found.manifests.sentence
    assert "1 alarm, 1 difference" in found.sentence
    assert found.manifests.problems[0] in (await skopje.audit.verify()).problems
    (alarm_,) = [one for one in found.alarms if "manifest-mismatch" in one.sentence]
    who = f"{board.officer} of {BOARD}"
    assert alarm_.sentence.startswith(f"{who} says in entry ")
    assert f"that your node must have been shown entry {index}, and it was not" in alarm_.sentence
    assert (await belgrade.audit.verdict()).ok
    assert (await belgrade.audit.verdict()).manifests.hidden == ()

    # What is kept lets others see it: the manifest as it was signed, and where it stands.
    (path,) = (skopje._engine.home / "evidence").glob("manifest-mismatch-*.json")
    kept = json.loads(path.read_text("utf-8"))
    assert [one["index"] for one in kept["hidden"]] == [index]
    assert len(kept["hidden"][0]["record"]) == 2 * 89
    opened = open_envelope(bytes.fromhex(kept["manifest"]), "manifest")
    check_signed_by(opened, board._engine.keys.sign.public)
    (proved,) = kept["entries"]
    under = open_checkpoint(
        proved["head"], skopje._engine.trust.origin("activity"), bytes.fromhex(kept["log_key"])
    ).checkpoint
    entry = Entry(
        proved["index"], bytes.fromhex(proved["record"]), kept["core"].encode(),
        bytes.fromhex(kept["salt"]), tuple(bytes.fromhex(one) for one in proved["proof"]),
    )  # fmt: skip
    assert check_entry(entry, under).req == opened.hash.hex()

    # It is explained, and it still is not shown: that is said, and no more. Then it is shown.
    await skopje.audit.acknowledge(alarm_.name, "they mistook us for another node")
    again = await skopje.audit.verdict()
    assert again.ok, again
    assert f"entry {index} named, not shown, and explained" in again.manifests.sentence
    assert not again.manifests.is_clear
    assert len(again.alarms) == 1, "it is not raised by each look"
    honest(skopje)
    last = await skopje.audit.verdict()
    assert last.ok, last
    assert (last.manifests.hidden, last.manifests.settled) == ((), ())
    assert len(last.alarms) == 1


async def test_fault_18_whoever_hides_the_manifests_too_is_late_or_leaves_a_hole(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, board, skopje, _ = story
    index = await refusal(story)
    made = [one for one in await board.audit.manifests.publish() if one.of == SKOPJE]
    spoil(skopje, "audit", hiding(index, made[0].entry), once=False)
    found = await skopje.audit.verdict()
    assert found.ok
    assert found.manifests.sentence == f"no manifest yet of {board.officer} of {BOARD}"
    monkeypatch.setattr(lateness, "LATE", -1)
    late = await skopje.audit.verdict()
    assert late.ok, "who is ill is no broker who cheats"
    assert not late.manifests.is_clear
    said = f"LATE: no manifest of {board.officer} of {BOARD} covers entry 0, over"
    assert f"{said} 48 h old" in late.manifests.sentence
    monkeypatch.setattr(lateness, "OVERDUE", -1)
    week = await skopje.audit.verdict()
    assert not week.ok, "a week is no illness any more"
    assert week.manifests.problems == (f"{said} 7 days old",)
    monkeypatch.undo()
    await board.audit.manifests.publish()
    found = await skopje.audit.verdict()
    assert not found.ok
    # It names the manifest that was hidden, and does not join it.
    assert found.manifests.hidden == (made[0].entry,)
    assert "a manifest of" in found.manifests.problems[1]
    assert found.manifests.problems[1] in [one.sentence for one in found.alarms]
    assert f"begins at {made[0].upto}, and the one before ended at 0" in found.manifests.problems[1]


def test_attack_a_broker_tells_a_node_that_a_manifest_is_about_another() -> None:
    """By its core the broker shows it to whom it is about: both must say the same."""
    (vector,) = (c for c in own("statements/kinds.json")["cases"] if c["kind"] == "manifest")
    statement = decode_statement(bytes.fromhex(vector["payload"]), "manifest")
    assert isinstance(statement, Manifest)
    core = Core(
        act="manifest", at=0, op="consult", node=statement.node, device=statement.device.hex(),
        officer="", case="", case_n=0, device_n=statement.device_n, object="", n=0,
        to=(statement.of,), purpose="", basis="", emergency=0, req="", under=(), outcome="ok",
    )  # fmt: skip
    assert agrees(core, statement)
    for changed in ({"to": (BELGRADE,)}, {"to": ()}, {"device_n": 9}, {"node": BELGRADE}):
        assert not agrees(replace(core, **changed), statement)


async def test_what_was_erased_or_is_on_hold_is_no_difference(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, board, skopje, _ = story
    index = await refusal(story)
    await board.audit.manifests.publish()
    assert (await skopje.audit.verdict()).ok
    await board.audit.manifests.view.catch_up()  # the erasure is all that is new to it then
    kept = board.audit.manifests.view.store.item(index)
    assert kept is not None
    assert kept.entry.core
    for module in (rules, retention):
        monkeypatch.setattr(module, "cutoff", soon)
    monkeypatch.setattr(fetching, "told_end", never)
    rows = ErasureRows(getattr(place.broker.services.broker._storage, "pool"))  # noqa: B009
    await rows.hold(BOARD, 1, "court")
    place.broker.services.broker.retention.years = 1
    assert await place.broker.services.broker.retention.run(sure=True)
    found = await skopje.audit.verdict()
    assert found.ok, found
    assert found.manifests.upto
    assert found.manifests.is_clear
    again = [one for one in await board.audit.manifests.publish() if one.of == SKOPJE]
    assert board.alarms == ()
    kept = board.audit.manifests.view.store.item(index)
    assert kept is not None
    assert kept.entry.core == b"", "what the broker has erased is dropped here, too"
    assert again[0].closed == 1, "a look of Skopje's was erased before it was spoken of"
    assert (await skopje.audit.verdict()).ok
    # Who comes later is shown no text, and says that of these entries he says nothing.
    await place.broker.take(place.network.enrol(BOARD, ("auditor",)))
    later = await place.client(BOARD, nth=1)
    await name(place, place.network.of(BOARD, nth=1))
    await later.sync()
    made = [one for one in await later.audit.manifests.publish() if one.of == SKOPJE]
    assert made[0].closed > 0
    found = await skopje.audit.verdict()
    assert found.ok, found
    assert len(found.manifests.by) == 2


def soon(now: int, years: int) -> int:
    return now + years


def never(*_: object) -> int:
    return 0


def _too_much(core: Core, owner: str) -> frozenset[str]:
    return (must_see(core, owner) or frozenset()) | {BELGRADE}


async def test_a_manifest_that_names_what_is_not_the_nodes_is_said_and_no_alarm(
    story: Story,
) -> None:
    """Belgrade is a member of the channel, so it knows who wrote what there."""
    _, board, _, belgrade = story
    others = [
        index
        for index, device in belgrade._engine.vault.run(
            "SELECT idx, device FROM entry WHERE kind = 'object' ORDER BY idx"
        )
        if device.hex() != belgrade.device_hex
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifests, "must_see", _too_much)
        await board.audit.manifests.publish()
    found = (await belgrade.audit.verdict()).manifests
    assert f"names entry {others[0]}, which is none of your node's" in found.sentence
    assert others[0] not in found.hidden


async def test_without_a_network_auditor_it_is_said(tmp_path: Path) -> None:
    async with site(tmp_path, SKOPJE) as place:
        skopje = await place.client(SKOPJE)
        found = await skopje.audit.verdict()
        assert found.ok
        assert found.manifests.sentence.startswith("the network names no network auditor")
