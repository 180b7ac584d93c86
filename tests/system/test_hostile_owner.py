"""Who owns the database writes into it what no broker would: it grants nothing, and it shows."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.bundle import Bundle, decode_bundle
from seefen.protocol.encoding import decode
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Frame, Send
from seefen.protocol.keys import (
    CASE_DEVICE,
    CASE_NODE,
    mailbox_scope,
    unwrap_case_key,
    wrap_mailbox_seed,
)
from seefen.protocol.ledger.record import decode_core, encode_core
from seefen.protocol.statements import Access, DeviceWrap, Mailbox, Node
from seefen.protocol.suite import (
    KemKey,
    SigningKey,
    key_commitment,
    new_id,
    random_bytes,
    sha256,
)
from tests.client.scenes import BELGRADE, SKOPJE, WHY, deaf
from tests.support.hostile import LIMIT
from tests.support.network import Network
from tests.support.shadow import database
from tests.support.waiting import until
from tests.system.siege import Siege, numbers, siege

GHOSTS = "ghost-office"
UNIQUE = """
    SELECT conname FROM pg_constraint WHERE conrelid = 'activity_leaf'::regclass AND contype = 'u'
"""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def ghost_device(network: Network) -> tuple[str, bytes, KemKey]:
    """Return a device of Belgrade that certifies itself, and its receiving key."""
    machine = network.machine(BELGRADE, ("admin", "field", "keyholder", "lead"))
    return "device", network.certify(machine, by=SigningKey.generate()), machine.kem


def own_mailbox(network: Network, gen: int) -> tuple[Mailbox, bytes, KemKey]:
    """Return a mailbox of Belgrade with a key of the broker's, which Belgrade can open."""
    old = network.directory.mailbox(BELGRADE, "case")
    assert old is not None
    seed = random_bytes(32)
    key = KemKey.from_secret(seed)
    bare: Mailbox = replace(
        old, nonce=new_id(), version=gen, prev=random_bytes(32), seen=network.directory.head(),
        kem=key.public, wraps=(), link=b"" if gen == 1 else bytes(104),
        key_id=key_commitment(seed, network.net, mailbox_scope(BELGRADE, "case"), gen),
    )  # fmt: skip
    holder = network.of(BELGRADE, "keyholder")
    wrap = wrap_mailbox_seed(seed, holder.kem.public, bare)
    return replace(bare, wraps=(DeviceWrap(holder.device, sha256(wrap)),)), wrap, key


async def plant_ghost(place: Siege) -> KemKey:
    """Plant a device of Belgrade that certifies itself."""
    kind, envelope, key = ghost_device(place.place.network)
    await place.plant(kind, envelope)
    return key


async def plant_mailbox(place: Siege) -> KemKey:
    """Plant the next mailbox of Belgrade, signed by nobody there."""
    made, _, key = own_mailbox(place.place.network, 2)
    await place.plant("mailbox", sign(made, SigningKey.generate()))
    return key


async def plant_mailbox_again(place: Siege) -> KemKey:
    """Plant the mailbox of Belgrade that there is, with another seed and a wrap that opens."""
    made, wrap, key = own_mailbox(place.place.network, 1)
    async with database(place.place.broker.dsn) as connection:
        await connection.execute("INSERT INTO wrap VALUES ($1, $2)", sha256(wrap), wrap)
    await place.plant("mailbox", sign(made, SigningKey.generate()))
    return key


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(plant_ghost, id="ghost"),
        pytest.param(plant_mailbox, id="next"),
        pytest.param(plant_mailbox_again, id="again"),
    ],
)
async def test_attack_01_03_a_key_of_the_brokers_own_gets_nothing(
    place: Siege, forge: Callable[[Siege], Awaitable[KemKey]]
) -> None:
    skopje, belgrade = await place.story("one")
    key = await forge(place)
    for client in (skopje, belgrade):
        await client.sync()
        assert client.alarm is not None
        assert "has no effect" in client.alarm
        assert len(client._engine.directory.devices(BELGRADE)) == 1
    case = await skopje.cases.open("Rifles", [BELGRADE])
    await skopje.cases.send(case.number, "two")
    await belgrade.sync()
    assert (await belgrade.read(f"{case.number}#1", **WHY)).message
    state, _ = skopje.find(f"{case.number}#1")
    casekey = skopje._engine.trust.require_state(state.case).generation.statement
    wrapped_to = {(w.node, w.gen) for w in casekey.mailboxes}
    assert wrapped_to == {(SKOPJE, 1), (BELGRADE, 1)}
    assert casekey.devices == ()
    # Nor does any wrap that the broker holds open with the key it made.
    async with database(place.place.broker.dsn) as connection:
        wraps = [row["data"] for row in await connection.fetch("SELECT data FROM wrap")]
    assert wraps
    assert not any(_opens(wrap, key, casekey) for wrap in wraps)


def _opens(wrap: bytes, key: KemKey, casekey: Any) -> bool:
    for purpose in (CASE_NODE, CASE_DEVICE):
        try:
            unwrap_case_key(
                wrap, key, casekey, purpose=purpose, author=casekey.device, named=(sha256(wrap),)
            )
        except SeefenError:
            continue
        return True
    return False


async def test_fault_22_a_node_that_the_root_did_not_sign_is_nobody(place: Siege) -> None:
    skopje, _ = await place.story("one")
    network = place.place.network
    admitted = network.admit(GHOSTS)
    node = open_envelope(admitted.statements[0].envelope, "node").statement
    assert isinstance(node, Node)
    admin = next(m for m in network.machines.values() if m.node == GHOSTS)
    await place.plant("node", sign(node, SigningKey.generate(), admin.sign))
    await skopje.sync()
    assert skopje.alarm is not None
    assert "has no effect" in skopje.alarm
    assert [one.name for one in skopje.nodes()] == sorted((SKOPJE, BELGRADE))
    with pytest.raises(SeefenError):
        await skopje.cases.add(place.case, [GHOSTS])
    assert (await skopje.cases.send(place.case, "two")).ref


async def test_fault_24_the_second_statement_with_one_number_has_no_effect(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    network = place.place.network
    first, second = network.renew(BELGRADE, "case"), network.renew(BELGRADE, "case")
    await place.place.broker.take(first)
    await place.plant("mailbox", second.statements[0].envelope)
    for client in (skopje, belgrade):
        await client.sync()
        assert client.alarm is not None
        assert "has no effect" in client.alarm
        mailbox = client._engine.directory.mailbox(BELGRADE, "case")
        assert mailbox is not None
        assert mailbox == _mailbox(first)
    case = await skopje.cases.open("Rifles", [BELGRADE])
    await skopje.cases.send(case.number, "two")
    await belgrade.sync()
    assert belgrade.cases.show(case.number).readable


def _mailbox(bundle: Bundle) -> Any:
    return open_envelope(bundle.statements[0].envelope, "mailbox").statement


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("core = overlay(core placing '9' from 20)", id="text"),
        pytest.param("salt = sha256(salt)", id="salt"),
    ],
)
async def test_fault_08_09_a_text_or_salt_edited_in_the_database_is_named(
    place: Siege, change: str
) -> None:
    skopje, belgrade = await place.story("one", "two")
    deaf(belgrade)
    ref = (await skopje.cases.send(place.case, "three")).ref
    index = await _newest(place)
    async with database(place.place.broker.dsn) as connection:
        await connection.execute(f"UPDATE activity_leaf SET {change} WHERE idx = $1", index)
    with pytest.raises(SeefenError) as refused:
        await belgrade.sync()
    assert refused.value.rule in ("core-commitment", "core")
    assert belgrade.alarm is not None
    assert f"entry {index} " in belgrade.alarm
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    assert any(f"entry {index}" in problem for problem in verdict.problems)
    # All else is read as before.
    assert (await belgrade.read(f"{place.case}#1", **WHY)).message
    assert ref


async def _newest(place: Siege) -> int:
    async with database(place.place.broker.dsn) as connection:
        found: int = await connection.fetchval(
            "SELECT max(idx) FROM activity_leaf WHERE kind = 'object'"
        )
        return found


async def test_fault_16_an_access_the_broker_invents_is_laid_to_nobody(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    await belgrade.read(f"{place.case}#1", **WHY)
    index = await _invent(place, belgrade)
    await skopje.sync()
    rows = await skopje.audit.list(node=BELGRADE)
    invented = [row for row in rows if row.index == index]
    assert [row.proved for row in invented] == [False]
    assert invented[0].problem
    assert [row.proved for row in rows if row.index != index] == [True]
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    assert any(f"entry {index}" in problem for problem in verdict.problems)
    assert (await skopje.cases.send(place.case, "two")).ref


async def _invent(place: Siege, victim: Client) -> int:
    """Write a second access of a device, all of it in order but the signature."""
    async with database(place.place.broker.dsn) as connection:
        row = await connection.fetchrow("SELECT * FROM activity_leaf WHERE kind = 'access'")
    access = open_envelope(row["envelope"], "access").statement
    assert isinstance(access, Access)
    number = victim._engine.vault.get_number("device_n") + 1
    last = victim._engine.trust.require_state(access.case).last(access.device).case_n
    forged = replace(access, nonce=new_id(), device_n=number, case_n=last + 1)
    return await place.plant_entry(row, sign(forged, SigningKey.generate()))


async def test_fault_20_what_a_device_signed_once_is_not_entered_twice(place: Siege) -> None:
    """He read once; a broker that enters it again, at night, makes no second reading of it."""
    skopje, belgrade = await place.story("one")
    await belgrade.read(f"{place.case}#1", **WHY)
    belgrade.search("Zastava", **WHY)
    await belgrade.journal.upload()
    assert (await skopje.audit.verdict()).ok
    assert (await belgrade.audit.verdict()).ok
    for kind, auditor in (("access", skopje), ("search", belgrade)):
        async with database(place.place.broker.dsn) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM activity_leaf WHERE kind = $1 ORDER BY idx LIMIT 1", kind
            )
            for (name,) in await connection.fetch(UNIQUE):  # whoever owns it is bound by none
                await connection.execute(f"ALTER TABLE activity_leaf DROP CONSTRAINT {name}")
        now = replace(decode_core(row["core"]), at=int(time.time() * 1000))
        again = {**dict(row), "core": encode_core(now)}
        index = await place.plant_entry(again, row["envelope"])
        verdict = await auditor.audit.verdict()
        said = [one for one in verdict.problems if one.startswith(f"entry {index}: ")]
        assert said == [
            f"entry {index}: its device gave the number {row['device_n']} once, and entry "
            f"{row['idx']} has it"
        ]
        rows = {one.index: one.proved for one in await auditor.audit.list()}
        assert (rows[row["idx"]], rows[index]) == (True, False)
    # Who exports is told what no reader of the file can know.
    assert (await skopje.audit.verdict()).readings == 1
    exported = await skopje.audit.export()
    assert any("once, and entry" in finding for finding in exported.findings)
    for look in (skopje.audit.verify, skopje.audit.verdict):
        skopje.audit.store.clear()  # also when both come at once
        assert [one for one in (await look()).problems if "once, and entry" in one]


@pytest.mark.parametrize("backdated", [False, True])
async def test_attack_26_what_a_revoked_device_signed_is_not_shown(
    place: Siege, backdated: bool
) -> None:
    skopje, belgrade = await place.story("one")
    thief = belgrade._engine
    kept: list[Send] = []

    async def keep(frame: Frame) -> None:
        kept.append(decode(frame.body, Send, limit=LIMIT))

    place.hostile.before("send", keep)
    sending = asyncio.create_task(belgrade.cases.send(place.case, "signed in time, sent late"))
    await until(lambda: bool(kept), seconds=30)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    place.hostile.honest()
    before = place.place.network.directory.size
    await place.place.broker.take(place.place.network.revoke(place.place.network.of(BELGRADE)))
    # The log goes on, and each record says how long the other log was.
    await skopje.cases.send(place.case, "after the revocation")
    bundle = decode_bundle(kept[0].bundle)
    async with database(place.place.broker.dsn) as connection:
        row = await connection.fetchrow(
            "SELECT * FROM activity_leaf WHERE kind = 'object' ORDER BY idx LIMIT 1"
        )
        await connection.execute(
            "INSERT INTO object SELECT $1, $2, case_id, gen, 2, $3, 0, $4, content_key"
            " FROM object LIMIT 1",
            bundle.contents[0].object, await place.count("activity_leaf"), BELGRADE,
            bundle.contents[0].body,
        )  # fmt: skip
    size = before if backdated else place.place.network.directory.size
    index = await place.plant_entry(
        {**dict(row), "node": BELGRADE, "device_id": thief.keys.device,
         "object_id": bundle.contents[0].object},
        bundle.statements[0].envelope, authority_size=size, officer=belgrade.officer,
    )  # fmt: skip
    await skopje.sync()
    assert numbers(skopje, place.case) == [1, 2]
    assert skopje.alarm is not None
    assert f"entry {index} was refused" in skopje.alarm
    assert ("[fork]" if backdated else "[revoked]") in skopje.alarm
    assert (await skopje.cases.send(place.case, "goes on")).ref
