"""A name is opened by two persons, each entered; by one, or from a bent file, never."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import Filter
from seefen.client.audit.naming import Half, Register
from seefen.client.cli.complaints import explain
from seefen.client.cli.views import persons
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import signing_message
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.naming import NameEntry, SignedName, name_in, open_half, seal_name
from seefen.protocol.suite import SigningKey
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import SKOPJE

pytestmark = pytest.mark.asyncio(loop_scope="module")
NODE = "prizren-ffp"
ONE, TWO = "Ljubica Petrovska", "Оливер Ристески"


class Story(NamedTuple):
    place: Site
    admin: Client
    keyholder: Client
    auditor: Client
    register: Register


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """A node with an admin, a keyholder and an auditor, and two names in its register."""
    folder: Path = tmp_path_factory.mktemp("names")
    async with site(folder, SKOPJE) as place:
        roles = (("admin",), ("keyholder", "lead"), ("auditor",))
        await place.broker.take(place.network.admit(NODE, machines=roles))
        admin, keyholder, auditor = [
            await place.client(NODE, role) for role in ("admin", "keyholder", "auditor")
        ]
        for client in (admin, keyholder, auditor):
            await client.sync()
        register = admin.audit.name_put(keyholder.officer, ONE, None)
        register = admin.audit.name_put(auditor.officer, TWO, register)
        yield Story(place, admin, keyholder, auditor, register)


def bent(register: Register, officer: str, entry: NameEntry, key: SigningKey) -> Register:
    """Return a register in which an entry is another, signed by somebody's key."""
    payload = encode(entry)
    signature = key.sign(signing_message("name", entry.net, payload), power=False)
    signed = encode(SignedName(payload, signature))
    return replace(register, names={**register.names, officer: signed.hex()})


def entry_of(register: Register, officer: str) -> NameEntry:
    return name_in(decode(bytes.fromhex(register.names[officer]), SignedName))


async def test_two_persons_open_a_name_and_both_are_entered(story: Story) -> None:
    _, _, keyholder, auditor, register = story
    half = await keyholder.audit.name_half(auditor.officer, register)
    told = await auditor.audit.name_told(register, half)
    assert (told.officer, told.name) == (auditor.officer, TWO)
    assert told.given.officer == keyholder.officer
    assert TWO in printed(persons.told(told))
    rows = await auditor.audit.list(wanted=Filter(op="consult"))
    asked = [
        (row.officer, one.query)
        for row in rows
        if row.search is not None
        for one in row.search.sought or ()
        if one.query.startswith("name of")
    ]
    about = f"name of {auditor.officer}"
    assert asked == [
        (keyholder.officer, about), (auditor.officer, f"{about}, half of entry {half.entry}"),
    ]  # fmt: skip
    assert ONE not in str(register)


async def test_attack_one_person_alone_opens_no_name(story: Story) -> None:
    _, admin, keyholder, auditor, register = story
    officer = keyholder.officer
    entry = entry_of(register, officer)
    halves: dict[str, bytes] = {}
    for client, box in ((auditor, "audit"), (keyholder, "case")):
        engine = client._engine
        for name in ("audit", "case"):
            mailbox = engine.directory.mailbox(NODE, name)
            assert mailbox is not None
            seed = engine.mailbox_seed(NODE, name, mailbox.version)
            assert (seed is not None) == (name == box), "each holds one mailbox, and no other"
            if seed is not None:
                halves[box] = open_half(entry, mailbox, seed)
    # A half is noise: of one name as likely as of any other.
    assert all(ONE.encode()[:4] not in half for half in halves.values())
    assert halves["audit"] != halves["case"]
    for client, ask in ((auditor, "half"), (admin, "half")):
        with pytest.raises(UntrustedError) as caught:
            await client.audit.name_half(officer, register)
        assert caught.value.rule == "role", ask
    half = await keyholder.audit.name_half(officer, register)
    for client in (keyholder, admin):
        with pytest.raises(UntrustedError):
            await client.audit.name_told(register, half)


async def test_attack_halves_of_two_names_open_neither(story: Story) -> None:
    _, admin, keyholder, auditor, register = story
    one, two = keyholder.officer, auditor.officer
    half = await keyholder.audit.name_half(one, register)
    other = await keyholder.audit.name_half(two, register)
    swapped: list[Half] = [
        replace(half, sealed=other.sealed),
        replace(half, officer=two),
        replace(half, entry=other.entry),
        replace(half, entry=max(half.entry, other.entry) + 1),
        replace(half, sealed=f"{int(half.sealed[:2], 16) ^ 1:02x}{half.sealed[2:]}"),
    ]
    for bad in swapped:
        with pytest.raises(SeefenError):
            await auditor.audit.name_told(register, bad)
    # An entry laid under another pseudonym, its halves exchanged, or written by no admin.
    entry, sign = entry_of(register, one), admin._engine.keys.sign
    theirs, signed = entry_of(register, two), register.names[one]
    lies = [
        replace(register, names={**register.names, one: register.names[two]}),
        bent(register, one, replace(theirs, officer=one), sign),
        bent(register, one, replace(entry, case=theirs.case), sign),
        bent(register, one, replace(entry, audit=entry.case, case=entry.audit), sign),
        bent(register, one, entry, auditor._engine.keys.sign),
        bent(register, one, replace(entry, device=auditor._engine.keys.device),
             auditor._engine.keys.sign),
        replace(register, names={one: f"{signed[:-2]}{int(signed[-2:], 16) ^ 1:02x}"}),
    ]  # fmt: skip
    for lie in lies:
        with pytest.raises(SeefenError):
            await keyholder.audit.name_half(one, lie)
    told = await auditor.audit.name_told(register, half)
    assert told.name == ONE


async def test_a_half_is_worth_nothing_with_a_register_that_was_changed_since(story: Story) -> None:
    _, admin, keyholder, auditor, register = story
    half = await keyholder.audit.name_half(keyholder.officer, register)
    with pytest.raises(RefusedError, match="stays") as known:
        admin.audit.name_put(keyholder.officer, "Somebody Else", register)
    assert known.value.rule == "name-known"
    assert "--anew" in explain(known.value).hint
    later, entry = await admin.audit.name_anew(keyholder.officer, "Somebody Else", register)
    assert entry is not None
    with pytest.raises(UntrustedError, match="not of the name that stands under") as caught:
        await auditor.audit.name_told(later, half)
    assert "gives his half again" in explain(caught.value).hint
    # The auditors are told that a name was exchanged, and the new one opens.
    rows = await auditor.audit.list(officer=admin.officer)
    (written,) = [row for row in rows if row.index == entry]
    assert written.search is not None
    assert [one.query for one in written.search.sought or ()] == [
        f"name of {keyholder.officer}, written anew"
    ]
    half = await keyholder.audit.name_half(keyholder.officer, later)
    assert (await auditor.audit.name_told(later, half)).name == "Somebody Else"
    with pytest.raises(RefusedError) as unknown:
        await admin.audit.name_anew(admin.officer, ONE, register)
    assert unknown.value.rule == "unknown-officer"


async def test_what_is_refused_says_why(story: Story) -> None:
    place, admin, keyholder, _, register = story
    for rule, officer, name, book in (
        ("unknown-officer", "o-0000", ONE, register),
        ("person-name", admin.officer, " ", register),
        ("person-name", admin.officer, "x" * 241, register),
        ("audit-file", admin.officer, ONE, replace(register, node=SKOPJE)),
    ):
        with pytest.raises(RefusedError) as caught:
            admin.audit.name_put(officer, name, book)
        assert caught.value.rule == rule
    with pytest.raises(UntrustedError) as refused:
        keyholder.audit.name_put(keyholder.officer, ONE, register)
    assert refused.value.rule == "role"
    # A name that a device wrote which is lost now may be the thief's.
    await place.broker.take(place.network.revoke(place.network.of(NODE, "admin"), "lost"))
    await keyholder.sync()
    with pytest.raises(UntrustedError):
        await keyholder.audit.name_half(keyholder.officer, register)


async def test_attack_one_person_who_holds_both_halves_gets_no_name(story: Story) -> None:
    everything = await story.place.client(SKOPJE)
    await everything.sync()
    with pytest.raises(UntrustedError) as caught:
        everything.audit.name_put(everything.officer, ONE, None)
    assert caught.value.rule == "two-persons"
    assert f"{everything.officer} is auditor and keyholder" in str(caught.value)
    assert everything.device_hex[:8] in str(caught.value)


async def test_a_node_without_an_auditor_is_told_whom_it_lacks(story: Story) -> None:
    await story.place.broker.take(story.place.network.admit("pec-ffp", machines=(("admin",),)))
    admin = await story.place.client("pec-ffp", "admin")
    await admin.sync()
    with pytest.raises(RefusedError, match="no auditor who could open it") as caught:
        admin.audit.name_put(admin.officer, ONE, None)
    assert "officer add --role auditor" in explain(caught.value).hint


async def test_attack_one_machine_that_holds_both_halves_gets_no_name(story: Story) -> None:
    """An agent has no officer, so the refusal names its device, and what to do about it."""
    network, take = story.place.network, story.place.broker.take
    roles = (("admin",), ("auditor",), ("keyholder", "lead"))
    await take(network.admit("bitola-ffp", machines=roles))
    admin = await story.place.client("bitola-ffp", "admin")
    await admin.sync()
    register = admin.audit.name_put(admin.officer, ONE, None)
    assert not admin.devices.opens_alone(("keyholder",))
    keyholder = network.of("bitola-ffp", "keyholder").officer
    assert admin.devices.opens_alone(("auditor",), keyholder)
    assert admin.devices.opens_alone(("auditor", "keyholder"))
    await take(network.enrol("bitola-ffp", ("auditor", "keyholder"), agent=True))
    agent = next(
        one for one in network.machines.values() if one.node == "bitola-ffp" and not one.officer
    )
    await admin.sync()
    with pytest.raises(UntrustedError) as caught:
        await admin.audit.name_anew(admin.officer, TWO, register)
    assert f"the agent, device {agent.device.hex()[:8]}, is auditor" in str(caught.value)
    assert f"seefen device revoke {agent.device.hex()[:8]} --why replaced" in str(caught.value)
    holder = await story.place.client("bitola-ffp", "keyholder")
    auditor = await story.place.client("bitola-ffp", "auditor")
    await holder.sync()
    await take(network.revoke(agent, "replaced"))
    await admin.sync()
    # What it held is renewed first, or names would still be sealed to it.
    async with holder._engine.lock:
        await holder._engine.sync_authority()
    for device, whose in ((auditor, "an auditor"), (holder, "a keyholder")):
        with pytest.raises(RefusedError, match=f"{whose} renews them") as stale:
            await admin.audit.name_anew(admin.officer, TWO, register)
        assert stale.value.rule == "stale-mailbox"
        if device is auditor:
            with pytest.raises(RefusedError, match=f"{whose} renews them"):
                await holder.audit.name_half(admin.officer, register)
        await device.sync()
        await admin.sync()
    register, _ = await admin.audit.name_anew(admin.officer, TWO, register)
    half = await holder.audit.name_half(admin.officer, register)
    assert (await auditor.audit.name_told(register, half)).name == TWO


async def test_the_same_name_is_never_sealed_twice_alike(story: Story) -> None:
    engine = story.keyholder._engine
    boxes = tuple(engine.directory.mailbox(NODE, box) for box in ("audit", "case"))
    audit, case = boxes
    assert audit is not None
    assert case is not None
    made = [
        name_in(
            seal_name(name, "o-4f2a", (audit, case), device=bytes(16), key=engine.keys.sign, at=1)
        )
        for name in (ONE, ONE, "x")
    ]
    assert len({one.audit for one in made} | {one.case for one in made}) == 6
    assert len({len(one.audit) for one in made} | {len(one.case) for one in made}) == 1
