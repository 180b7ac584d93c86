"""What a device believes to be witnessed: split views, frozen logs, and who may still send."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client, alarms
from seefen.client.cli.views import audits
from seefen.client.trust import Trust
from seefen.client.vault import StoredEntry, Vault
from seefen.client.witnessed import WitnessedHeads
from seefen.client.witnessing import Uncosigned, Witness, watch
from seefen.client.wording import stamp
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import AuthorityItem, AuthorityPage, HeadToCosign, WitnessedHead
from seefen.protocol.ledger.note import parse_note
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.suite import WitnessKey
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, spoil
from tests.support.network import Network
from tests.support.witnesses import Leaves, lines_of, public_of

DAY = 86_400
HONEST, FORK = Leaves.of(60), Leaves.of(60)
FORK.hashes[30:] = Leaves.of(60, branch=b"x").hashes[30:]


class Device:
    """What one device believes, and what a broker shows it of the activity log."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.vault = Vault.in_memory()
        self.trust = Trust(self.vault, network.net, folder)
        founding = AuthorityItem("root", network.founding, ())
        self.trust.learn_root(AuthorityPage(0, (founding,), "", ()))
        self.heads = WitnessedHeads(self.vault, self.trust)
        self.shown = HONEST

    async def prove(self, _: str, old: int, new: int) -> tuple[bytes, ...]:
        return self.shown.proof(old, new)

    async def see(self, tree: Leaves, size: int, at: int) -> None:
        """See a head that the log signs, as with a page."""
        self.shown = tree
        await self.trust.accept("activity", note(self.network, tree, size, at), (), self.prove)

    async def fetch(self, text: str, now: int) -> int:
        """Fetch a witnessed head of the activity log; return how fresh it makes the device."""

        async def ask(log: str) -> str:
            return text if log == "activity" else ""

        await self.heads.fetch(ask, self.prove, now)
        return self.heads.fresh_at("activity")


def note(network: Network, tree: Leaves, size: int, at: int) -> str:
    tree.origin = f"{network.root.origin}/activity"
    return tree.note(size, at, network.log_key)


class Three:
    """Three real witnesses; ``bad`` of them belong to the broker and sign whatever it shows."""

    def __init__(self, folder: Path, needed: int = 2) -> None:
        self.folders = [folder / f"witness-{number}" for number in range(3)]
        self.publics = tuple(Witness.create(one) for one in self.folders)
        self.network = Network(origin="seefen.test", witnesses=self.publics, quorum=needed)
        self.witnesses = [Witness.open(one, self.network.root) for one in self.folders]
        for one in self.witnesses:
            one._clock = lambda: self.at
        self.at = self.network.at

    def sign(self, tree: Leaves, size: int, *, bad: int = 0) -> tuple[str, list[int]]:
        """Return a head with the lines that three witnesses give, and their answers."""
        text = note(self.network, tree, size, self.at)
        shown, answers = text, list[int]()
        for number, one in enumerate(self.witnesses):
            if number < bad:
                secret = bytes.fromhex((self.folders[number] / "witness.key").read_text())
                key = WitnessKey.from_secret(secret)
                body = parse_note(text).text
                shown += lines_of(key, body, self.at, lattice=True, name=one.name)
                continue
            outcome = one.cosign(text, tree.proof(one.head("activity").size, size))
            answers.append(outcome.status)
            shown += outcome.body if outcome.status == 200 else ""
        return shown, answers


@pytest.fixture
def three(tmp_path: Path) -> Three:
    return Three(tmp_path)


@pytest.mark.parametrize("bad", [0, 1])
async def test_attack_09_a_split_view_never_has_a_quorum(
    three: Three, tmp_path: Path, bad: int
) -> None:
    ours, theirs = Device(three.network, tmp_path / "a"), Device(three.network, tmp_path / "b")
    await ours.see(HONEST, 40, three.at)
    await theirs.see(FORK, 45, three.at)
    honest, _ = three.sign(HONEST, 40, bad=bad)
    forked, answers = three.sign(FORK, 45, bad=bad)
    assert answers == [422] * (3 - bad)
    assert await ours.fetch(honest, three.at) == three.at
    assert await theirs.fetch(forked, three.at) == 0
    with pytest.raises(UntrustedError) as caught:
        await theirs.fetch(honest, three.at)
    assert caught.value.rule == "split-view"
    (kept,) = (tmp_path / "b").glob("activity-*.json")
    evidence = json.loads(kept.read_text())
    heads = [parse_note(head).text for head in evidence["heads"]]
    assert heads == [parse_note(forked).text, parse_note(honest).text]
    # The head is kept for ever: the fork is not forgotten, the true log is not taken for it.
    assert theirs.trust.head("activity").size == 45


async def test_attack_62_with_two_of_three_silent_nothing_is_witnessed(
    three: Three, tmp_path: Path
) -> None:
    device = Device(three.network, tmp_path / "a")
    await device.see(HONEST, 40, three.at)
    shown, _ = three.sign(HONEST, 40)
    own = [line for line in shown.splitlines(keepends=True) if three.witnesses[2].name in line]
    alone = note(three.network, HONEST, 40, three.at) + "".join(own)
    assert await device.fetch(alone, three.at) == 0
    assert await device.fetch(shown, three.at) == three.at


async def test_fault_14_old_cosignatures_shown_again_make_nothing_fresh(
    three: Three, tmp_path: Path
) -> None:
    device = Device(three.network, tmp_path / "a")
    await device.see(HONEST, 40, three.at)
    old, _ = three.sign(HONEST, 40)
    at = three.at
    assert await device.fetch(old, at) == at
    # The log signs the old head as its newest, with today's time: nobody saw it today.
    again = note(three.network, HONEST, 40, at + DAY) + old.partition("\n\n")[2].partition("\n")[2]
    assert await device.fetch(again, at + DAY) == at
    three.at = at + DAY
    assert await device.fetch(three.sign(HONEST, 40)[0], three.at) == three.at


async def test_attack_11_a_tail_for_one_device_alone_does_not_stay_fresh(
    three: Three, tmp_path: Path
) -> None:
    device = Device(three.network, tmp_path / "a")
    await device.see(FORK, 30, three.at)
    at = three.at
    assert await device.fetch(three.sign(HONEST, 30)[0], at) == at
    await device.see(FORK, 40, at)  # grows from what is witnessed, and nobody else sees it
    for hour in range(1, 4):
        three.at = at + hour * 3600
        assert await device.fetch(three.sign(HONEST, 30)[0], three.at) == at + 3600
    # A tail that is witnessed in its turn, later than it was seen here, is fresh again.
    other = Device(three.network, tmp_path / "b")
    await other.see(HONEST, 40, three.at)
    assert await other.fetch(three.sign(HONEST, 30)[0], three.at) == three.at
    three.at += 60
    assert await other.fetch(three.sign(HONEST, 40)[0], three.at) == three.at


async def test_the_newest_witnessed_head_is_kept_and_nothing_older(
    three: Three, tmp_path: Path
) -> None:
    device = Device(three.network, tmp_path / "a")
    await device.see(HONEST, 50, three.at)
    first, _ = three.sign(HONEST, 40)
    three.at += 100
    second, _ = three.sign(HONEST, 50)
    assert await device.fetch(second, three.at) == three.at
    assert await device.fetch(first, three.at + 100) == three.at
    found = WitnessedHeads(device.vault, device.trust).newest("activity")
    assert found is not None
    assert (found.signed.checkpoint.size, len(found.by)) == (50, 3)
    for wrong in ("", "no note", note(three.network, HONEST, 50, three.at)):
        assert await device.fetch(wrong, three.at + 200) == three.at


@pytest.mark.parametrize(
    ("index", "off", "said"),
    [
        (20, -3600, ""),  # of before the first look: nobody knows better
        (45, -3600, "entry 45 is dated before"),
        (45, -61, "entry 45 is dated before"),
        (45, -59, ""),
        (45, 150, ""),
        (45, 161, "entry 45 is dated after"),
        (45, 3600, "entry 45 is dated after"),
        (55, 3600, ""),  # the witnesses have not seen it
    ],
)
async def test_fault_11_12_an_entry_is_dated_outside_of_what_the_witnesses_saw(
    three: Three, tmp_path: Path, index: int, off: int, said: str
) -> None:
    """The log has 40 entries at one look of the witnesses, and 50 at the next, 100 s later."""
    device = Device(three.network, tmp_path / "a")
    at = three.at
    await device.see(HONEST, 40, at)
    await device.fetch(three.sign(HONEST, 40)[0], at)
    for number, when in ((index, at + off), (47, at + 50)):
        place = (number, "object", bytes(16), bytes(16), number)
        device.vault.add_entry(StoredEntry(*place, 1, when, b"envelope", b"core"))
    three.at = at + 100
    await device.see(HONEST, 50, three.at)
    assert alarms.unanswered(device.vault) == ()
    await device.fetch(three.sign(HONEST, 50)[0], three.at)
    told = alarms.unanswered(device.vault)
    assert [said in sentence for sentence in told] == [True] * bool(said)


# --- with a real broker ----------------------------------------------------------------------


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Site, list[Witness]]]:
    folders = [tmp_path / f"witness-{number}" for number in range(3)]
    publics = tuple(Witness.create(one) for one in folders)
    publics = (publics[0], publics[1][:32], publics[2])
    async with site(tmp_path, SKOPJE, BELGRADE, witnesses=publics, quorum=2) as place:
        witnesses = [Witness.open(one, place.network.root) for one in folders]
        yield place, witnesses
        for one in witnesses:
            one.close()


async def cosign(client: Client, *witnesses: Witness) -> list[Uncosigned]:
    """Let witnesses have their turn over a client's line, as an agent does."""
    refused: list[Uncosigned] = []
    for one in witnesses:
        refused += await watch(client._engine.connection, one)
    return refused


def shift_clock(client: Client, seconds: int) -> None:
    engine: Any = client._engine
    now = engine.now
    engine.now = lambda: now() + seconds


async def test_attack_11_nothing_is_sent_until_the_quorum_has_seen_the_log(
    place: tuple[Site, list[Witness]],
) -> None:
    at, (one, two, three) = place
    skopje = await at.client(SKOPJE)
    with pytest.raises(RefusedError) as caught:
        await skopje.channels.open(CHANNEL, [BELGRADE])
    assert caught.value.rule == "a-unwitnessed"
    assert "yet" in str(caught.value)
    assert skopje.checkpoint_at == 0
    assert await cosign(skopje, one) == []
    with pytest.raises(RefusedError):
        await skopje.channels.open(CHANNEL, [BELGRADE])
    assert await cosign(skopje, two) == []
    await skopje.channels.open(CHANNEL, [BELGRADE])
    case = await skopje.cases.open("Pistols", [BELGRADE])
    assert not (await skopje.cases.send(case.number, "one")).queued
    assert skopje.checkpoint_at > 0

    # A broker that holds back what the witnesses say has a day.
    first = await skopje._engine._ask_witnessed("activity")
    assert skopje.cases.show(case.number).objects[0].state == "recorded"
    await cosign(skopje, one, two, three)
    await skopje.sync()
    assert skopje.cases.show(case.number).objects[0].state == "witnessed"
    spoil(skopje, "witnessed", lambda _: WitnessedHead(first), once=False)
    shift_clock(skopje, DAY + 61)
    waits = await skopje.cases.send(case.number, "two")
    assert waits.queued
    assert "a-unwitnessed" in str(skopje.queued()[0].problem)
    assert skopje.alarm is None


async def test_attack_11_no_audit_is_in_order_past_what_a_quorum_has_seen_lately(
    place: tuple[Site, list[Witness]],
) -> None:
    at, (one, two, three) = place
    _, view = at.network.view(at.network.of(SKOPJE))
    await at.broker.take(at.network.bundle("view", view))
    skopje = await at.client(SKOPJE)
    for report in (await skopje.audit.verify(), await skopje.audit.verdict()):
        assert not report.ok
        assert report.cosigned.silent == (one.name, two.name, three.name)
    assert "has seen this device's authority log yet" in (await skopje.audit.verify()).stale
    await cosign(skopje, one, three)
    for report in (await skopje.audit.verify(), await skopje.audit.verdict()):
        assert report.ok
        assert sorted(report.cosigned.signed) == sorted((one.name, three.name))
        assert report.cosigned.silent == (two.name,)
    month = f"{datetime.fromtimestamp(at.network.at, UTC):%Y-%m}"
    (part,) = [s for s in (await skopje.audit.report(month)).sections if "Witness" in s.title]
    assert dict(part.lines)[two.name] == "has not cosigned it"
    last = (await skopje.audit.verify()).cosigned.at
    shift_clock(skopje, 2 * DAY + 7200)
    report = await skopje.audit.verify()
    assert not report.ok
    assert report.problems == ()
    assert "for 50 h" in report.stale
    assert report.cosigned.at == last
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    assert report.stale in verdict.problems
    assert (await skopje.audit.view("all").verdict()).problems == (report.stale,)
    shown = " ".join(printed(audits.verdict(verdict)).split())
    assert f"2 of 3 witnesses, {stamp(last)}" in shown
    with pytest.raises(RefusedError) as caught:  # the same that keeps it from sending
        await skopje.channels.open(CHANNEL, [BELGRADE])
    assert report.stale in str(caught.value)


async def test_an_alert_leaves_unwitnessed_and_the_next_good_log_names_who_was_lost_meanwhile(
    place: tuple[Site, list[Witness]],
) -> None:
    at, (one, two, _) = place
    network = at.network
    skopje, belgrade = await at.client(SKOPJE), await at.client(BELGRADE)
    await cosign(skopje, one, two)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    case = await skopje.cases.open("Pistols", [BELGRADE])
    honest = skopje._engine.now
    shift_clock(skopje, DAY + 61)
    sent = await skopje.alerts.send(alert(), CHANNEL)
    assert not sent.queued
    assert (await skopje.cases.send(case.number, "waits")).queued
    assert sent.ref is not None
    spoil(belgrade, "witnessed", lambda _: WitnessedHead(""), once=False)
    await belgrade.sync()
    read = await belgrade.alerts.show(sent.ref, **WHY)
    assert read.view.unwitnessed
    leaves = await at.broker.services.broker._storage.activity(0, 10**6)
    past = [leaf.kind for leaf in leaves if decode_core(leaf.core).emergency]
    assert past == ["object", "access"]  # both acted past it, and the log says so
    # A device that had the key by then is revoked; then the log is seen again.
    lost = network.of(BELGRADE)
    await at.broker.take(network.revoke(lost))
    await skopje.sync()
    assert skopje.alarm is None
    engine: Any = skopje._engine
    engine.now = honest
    await cosign(skopje, one, two)
    await skopje.sync()
    assert sent.ref in str(skopje.alarm)
    assert f"{lost.officer} of {BELGRADE}" in str(skopje.alarm)


async def test_attack_10_a_witness_sees_a_log_that_went_back_or_was_changed(
    place: tuple[Site, list[Witness]],
) -> None:
    at, (one, two, three) = place
    skopje = await at.client(SKOPJE)
    await cosign(skopje, one, two)
    old = [await skopje._engine._ask_witnessed("activity")] * 2
    await skopje.channels.open(CHANNEL, [BELGRADE])
    assert await cosign(skopje, one, two, three) == []
    assert one.head("activity").size > 0
    spoil(skopje, "witness", lambda head: HeadToCosign(old[0], head.consistency), once=False)
    refused = await cosign(skopje, one)
    assert {refusal.rule for refusal in refused} >= {"rewind"}
    assert all("not cosigned" in refusal.text for refusal in refused)


def test_a_root_of_a_later_version_asks_its_own_witnesses(three: Three, tmp_path: Path) -> None:
    root = three.network.root
    later = replace(root, witnesses=(public_of(WitnessKey.generate()),), quorum=1)
    with pytest.raises(RefusedError) as caught:
        Witness.open(three.folders[0], later)
    assert caught.value.rule == "no-witness"
