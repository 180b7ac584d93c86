"""Devices that are lost or copied, and messages that are said to be outdated, end to end."""

import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.drafts import Draft, keep
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.frames import Frame, Push
from seefen.protocol.keys import CASE_DEVICE, CASE_NODE, unwrap_case_key
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.messages import Message, encode_message
from seefen.protocol.messages.cover import encode_cover
from seefen.protocol.objects import parts_root, unwrap_content_key
from seefen.protocol.statements import Member
from seefen.protocol.suite import KemKey, new_id, sha256
from seefen.server import denials
from tests.client.homes import PASSPHRASE
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, alert, channel, until
from tests.support.shadow import database
from tests.system.siege import Siege, siege

SEIZED = (BELGRADE, "case")  # the mailbox whose seed the thief has


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_attack_28_65_a_lost_device_ends_the_key_at_every_member(place: Siege) -> None:
    """The broker gives the thief all it has: no wrap of the next key opens with his keys."""
    network = place.place.network
    await place.place.broker.take(network.enrol(BELGRADE, ("field", "keyholder")))
    skopje = await place.place.client(SKOPJE)
    pristina = await place.place.client(PRISTINA)
    case = (await skopje.cases.open("Pistols", [BELGRADE, PRISTINA])).number
    await skopje.cases.send(case, "while it was ours")
    await pristina.sync()
    thief = network.of(BELGRADE, "keyholder", nth=1)
    seeds = [seed for (node, box, _), seed in network.seeds.items() if (node, box) == SEIZED]
    stolen = [thief.kem, *map(KemKey.from_secret, seeds)]
    assert await _opened(place, stolen) == {1}

    await place.place.broker.take(network.revoke(thief))
    for writer in (pristina, skopje):
        await writer.sync()
        assert (await writer.cases.send(case, "after the loss")).ref
        gens = [statement.gen for statement in await _statements(place, "object")]
        assert gens[0] == 1
        assert min(gens[1:]) > 1, "a message went under the key that the thief has"
    assert await _opened(place, stolen) == {1}


async def _statements(place: Siege, kind: str) -> list[Any]:
    async with database(place.place.broker.dsn) as connection:
        rows = await connection.fetch(
            "SELECT envelope FROM activity_leaf WHERE kind = $1 ORDER BY idx", kind
        )
    return [open_envelope(row["envelope"], kind).statement for row in rows]


async def _opened(place: Siege, keys: list[KemKey]) -> set[int]:
    """Return the generations of case keys that open with some of these keys."""
    async with database(place.place.broker.dsn) as connection:
        wraps = [row["data"] for row in await connection.fetch("SELECT data FROM wrap")]
    found = set[int]()
    for casekey in await _statements(place, "casekey"):
        for wrap in wraps:
            for key in keys:
                for purpose in (CASE_NODE, CASE_DEVICE):
                    try:
                        unwrap_case_key(
                            wrap, key, casekey, purpose=purpose, author=casekey.device,
                            named=(sha256(wrap),),
                        )  # fmt: skip
                    except SeefenError:
                        continue
                    found.add(casekey.gen)
    return found


async def test_attack_36_of_a_device_and_its_copy_one_is_refused(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: set[tuple[str, object]] = set()

    def note(rule: str, **of: object) -> None:
        alarms.add((rule, of.get("device")))

    monkeypatch.setattr(denials, "alarm", note)
    await place.story("one")
    await place.place.open.aclose()
    home = place.place.home(place.place.network.of(BELGRADE))
    copy = home.with_name("copy")
    shutil.copytree(home, copy)
    async with Client.open(home, PASSPHRASE) as belgrade, Client.open(copy, PASSPHRASE) as cloned:
        assert (await belgrade.cases.send(place.case, "two")).ref
        before = await place.count("activity_leaf", "kind = 'object'")
        sent = await cloned.cases.send(place.case, "in the name of the device")
        assert sent.ref is None
        assert "[number]" in (sent.problem or "")
        assert await place.count("activity_leaf", "kind = 'object'") == before
    device = place.place.network.of(BELGRADE).device
    assert alarms == {("cloned-device", device)}


async def test_attack_16_an_alert_that_expired_and_is_delivered_again_stays_expired(
    place: Siege,
) -> None:
    """By a push and by the feed, to who has it and to who comes on watch after its end."""
    await place.place.broker.take(place.place.network.enrol(BELGRADE, ("field",)))
    skopje, belgrade = await channel(place.place), await place.place.client(BELGRADE)
    mine, over = place.place.network.of(BELGRADE), f"{CHANNEL}#1"
    held: list[Push] = []

    def hear(push: Push) -> Push:
        held.append(push)
        return push

    place.hostile.lie("push", hear, to=mine)
    state, expires = skopje._casework.find(CHANNEL, "channel"), skopje._engine.now() - 1
    await skopje._messaging.send(state, alert(), expires=expires)
    await skopje.alerts.send(alert(), CHANNEL)  # and one that still matters
    await until(lambda: len(held) >= 2 and _has(belgrade, 2), belgrade)
    for push in tuple(held):
        await place.hostile.say(Frame(0, "push", encode(push)), to=mine)
    belgrade._engine.vault.put_number("cursor", 0)
    await belgrade.sync()
    async with place.place.briefly(BELGRADE, "field", nth=1) as newcomer:
        await until(partial(_has, newcomer, 2), newcomer)
        for client in (belgrade, newcomer):
            assert {one.ref for one in client.alerts.list() if one.expired} == {over}
            assert [due.ref for due in client.requests.waiting()] == [f"{CHANNEL}#2"]
    # Nor does a watch that begins now look into it.
    await belgrade.watch.on(**WHY)
    opened = {one.ref for one in belgrade.alerts.list() if one.fetched}
    assert opened == {f"{CHANNEL}#2"}
    assert belgrade.alarm is None


async def test_attack_16_an_outdated_alert_delivered_again_stays_outdated(place: Siege) -> None:
    skopje, belgrade = await channel(place.place), await place.place.client(BELGRADE)
    held: list[Push] = []

    def hear(push: Push) -> Push:
        held.append(push)
        return push

    place.hostile.lie("push", hear, to=place.place.network.of(BELGRADE))
    await skopje.alerts.send(alert(), CHANNEL)
    state, _ = skopje.find(f"{CHANNEL}#1")
    await until(lambda: len(belgrade.alerts.list()) == 1, belgrade)
    older = skopje._engine.vault.one("SELECT object FROM object WHERE n = 1")
    assert older is not None
    # A member says of another node's alert that it is outdated: nobody believes that.
    for client, number in ((belgrade, 2), (skopje, 3)):
        client._outbox.add_message(state.case, alert(), supersedes=older[0])
        await until(partial(_idle, client), client)
        await until(partial(_has, belgrade, number), belgrade)
        found = {one.ref: one.superseded_by for one in belgrade.alerts.list()}
        assert found[f"{CHANNEL}#1"] == (f"{CHANNEL}#3" if client is skopje else "")
    for push in tuple(held):
        await place.hostile.say(Frame(0, "push", encode(push)), to=place.place.network.of(BELGRADE))
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 4, belgrade)
    outdated = [one.ref for one in belgrade.alerts.list() if one.superseded_by]
    assert held
    assert outdated == [f"{CHANNEL}#1"]
    # Nor does one come back that its own node took back.
    await skopje.amend.recall(f"{CHANNEL}#3", "wrong_data")
    gone = f"{CHANNEL}#3"
    await until(lambda: {it.ref: it.recalled_by for it in belgrade.alerts.list()}[gone], belgrade)
    for push in tuple(held):
        await place.hostile.say(Frame(0, "push", encode(push)), to=place.place.network.of(BELGRADE))
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 5, belgrade)
    assert {it.ref: it.recalled_by for it in belgrade.alerts.list()}[gone]
    with pytest.raises(RefusedError, match="took"):
        await belgrade.alerts.show(gone, **WHY)
    assert belgrade.alarm is None


def _idle(client: Client) -> bool:
    return not client.queued()


def _has(client: Client, count: int) -> bool:
    return len(client.alerts.list()) == count


@pytest.mark.parametrize("elsewhere", [False, True], ids=["18", "19"])
async def test_attack_18_19_a_ciphertext_sent_on_by_a_member_opens_nowhere(
    place: Siege, elsewhere: bool
) -> None:
    """Belgrade signs Skopje's ciphertext as its own, with its true key, here or in another case."""
    skopje, belgrade = await place.story()
    await skopje.cases.add(place.case, [PRISTINA])
    await skopje.cases.send(place.case, "what Skopje said")
    await belgrade.sync()
    opened = await belgrade.read(f"{place.case}#1", **WHY)
    target = place.case
    if elsewhere:
        target = (await belgrade.cases.open("Rifles", [PRISTINA])).number
    await _send_on(belgrade, opened.message, target)
    pristina = await place.place.client(PRISTINA)
    ref = pristina.cases.show(target).objects[-1].ref
    with pytest.raises(SeefenError) as refused:
        await pristina.read(ref, **WHY)
    assert refused.value.rule == "body"
    honest = await belgrade.cases.send(target, "what Belgrade says")
    assert honest.ref
    await pristina.sync()
    assert (await pristina.read(honest.ref, **WHY)).message


async def _send_on(client: Client, message: Message, target: str) -> None:
    """Put another node's sealed message into the outbox as one's own."""
    engine, outbox = client._engine, client._outbox
    found = engine.vault.one(
        "SELECT envelope, sealed, wrapped FROM object WHERE wrapped IS NOT NULL"
    )
    assert found is not None
    envelope, sealed, wrapped = found
    obj: Any = open_envelope(envelope, "object").statement
    generation = engine.case_key(obj.case, obj.gen)
    assert generation is not None
    bare = outbox._bare(client._casework.find(target).case, file=False)
    draft = Draft(
        bare.case, bare.object, bare.nonce, bare.created_at, "H2", None, None, "", "",
        encode_cover(message.cover()), sealed, unwrap_content_key(obj, generation, wrapped),
        len(sealed), parts_root([leaf_hash(sealed)]), encode_message(message),
    )  # fmt: skip
    keep(engine.vault, draft)
    await until(lambda: not client.queued(), client)


async def test_attack_02_a_node_that_no_lead_of_the_owner_added_is_in_no_case(place: Siege) -> None:
    """A member signs it with its true key, and the owner of the database writes it down."""
    skopje, belgrade = await place.story("one")
    machine = place.place.network.of(BELGRADE)
    async with database(place.place.broker.dsn) as connection:
        row = await connection.fetchrow("SELECT * FROM activity_leaf WHERE kind = 'case'")
    opened = open_envelope(row["envelope"], "case")
    case: Any = opened.statement
    last = belgrade._engine.trust.require_state(case.case).last(machine.device)
    forged = replace(
        case, nonce=new_id(), node=BELGRADE, device=machine.device, version=2, prev=opened.hash,
        device_n=belgrade._engine.vault.get_number("device_n") + 1, case_n=last.case_n + 1,
        members=(*case.members, Member(PRISTINA, 2)),
    )  # fmt: skip
    like = {**dict(row), "node": BELGRADE, "device_id": machine.device}
    index = await place.plant_entry(like, sign(forged, machine.sign), officer=belgrade.officer)
    for client in (skopje, belgrade):
        await client.sync()
        assert client.alarm is not None
        assert f"entry {index} was refused" in client.alarm
        assert PRISTINA not in client.find(f"{place.case}#1")[0].members
    await skopje.cases.send(place.case, "two")  # the broker, who was lied to, may refuse it
    other = await skopje.cases.open("Rifles", [BELGRADE])
    assert (await skopje.cases.send(other.number, "goes on")).ref
    for casekey in await _statements(place, "casekey"):
        assert PRISTINA not in [wrap.node for wrap in casekey.mailboxes]
