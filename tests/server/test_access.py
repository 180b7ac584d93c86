"""Access: what opens a body, and what stands in the log before it does."""

import asyncio

from msgspec.structs import replace

from seefen.protocol.access import commit_reason
from seefen.protocol.ledger.record import Record
from seefen.protocol.suite import commit
from tests.support import casework
from tests.support.served import refused, served

NODES = ("skopje-border", "belgrade-ffp")


async def test_an_access_opens_the_object_it_names() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        reason = commit_reason("the register of seized weapons")
        ask = casework.access(it.network, reader, case, bundle.contents[0].object, reason=reason)
        released = await it.ask(reader, ask)
        assert [(k.object, k.key) for k in released.keys] == [
            (bundle.contents[0].object, bundle.contents[0].key)
        ]
        core = it.check_receipt(released)
        assert (core.act, core.op, core.officer) == ("access", "consult", reader.officer)
        assert (core.purpose, core.basis, core.n) == ("tracing", "national-law", 1)
        record = Record.decode(released.entry.record)
        assert record.detail_commitment == reason.detail
        assert record.tag == ask.tag


async def test_no_reason_is_a_commitment_to_nothing_and_never_zeros() -> None:
    async with served(*NODES) as it:
        author = it.network.of(NODES[0])
        case = await it.open_case(author, NODES[1])
        await it.message(author, case)
        async with it.database() as connection:
            rows = await connection.fetch("SELECT record, detail_salt FROM activity_leaf")
        details = [Record.decode(row["record"]).detail_commitment for row in rows]
        assert details == [commit(row["detail_salt"], b"") for row in rows]
        assert len({row["detail_salt"] for row in rows}) == len(rows)


async def test_a_shift_opens_the_objects_of_its_case() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        objects = [await it.message(author, case, body) for body in (b"one", b"two")]
        ask = casework.access(it.network, reader, case, *objects, scope="case")
        released = await it.ask(reader, ask)
        assert [key.object for key in released.keys] == objects
        assert it.check_receipt(released).object == ""


async def test_what_is_out_of_scope_is_refused_and_no_access_is_logged() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, reader = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1], serial=1)
        other = await it.open_case(author, NODES[1], serial=2)
        mine, theirs = await it.message(author, case), await it.message(author, other)
        before = await it.sizes()
        object_only = casework.access(network, reader, case, mine)
        widened = replace(object_only, objects=(mine, theirs))
        shift = casework.access(network, reader, case, theirs, scope="case")
        late = casework.access(network, reader, case, mine, scope="case", starts=before[1])
        watch = casework.access(network, reader, case, mine, scope="watch")
        for ask in (widened, shift, late, watch):
            await refused("scope", it.broker.ask(reader.device, ask))
        for seconds in (-3600, 13 * 3600):
            ask = casework.access(network, reader, case, mine, scope="case", seconds=seconds)
            await refused("until", it.broker.ask(reader.device, ask))
        stranger = network.of("tirana-lab")
        outside = casework.access(network, stranger, case, mine)
        await refused("not-a-reader", it.broker.ask(stranger.device, outside))
        await refused("wrong-device", it.broker.ask(author.device, object_only))
        await it.broker.denials.settled()
        assert await it.sizes() == (before[0], before[1] + 1)  # the stranger's attempt, alone
        await it.ask(reader, object_only)


async def test_a_device_without_the_key_gets_nothing() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, keyholder = network.of(NODES[0]), network.of(NODES[1])
        await it.send(keyholder, network.enrol(NODES[1], ("field",)))
        field = network.of(NODES[1], nth=1)
        case = await it.open_case(author, NODES[1])
        obj = await it.message(author, case)
        ask = casework.access(network, field, case, obj)
        await refused("not-a-reader", it.broker.ask(field.device, ask))
        await it.send(keyholder, casework.assign(network, keyholder, case, field))
        assert (await it.ask(field, ask)).keys


async def test_a_member_who_came_late_does_not_open_what_was_before() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, late = network.of(NODES[0]), network.of("tirana-lab")
        case = await it.open_case(author, NODES[1])
        old = await it.message(author, case)
        await it.send(author, casework.change_members(network, author, case, add=("tirana-lab",)))
        new = await it.message(author, case)
        ask = casework.access(network, late, case, old)
        await refused("not-a-reader", it.broker.ask(late.device, ask))
        assert (await it.ask(late, casework.access(network, late, case, new))).keys


async def test_a_revoked_device_opens_nothing_not_even_again() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, admin = network.of(NODES[0]), network.of(NODES[1])
        await it.send(admin, network.enrol(NODES[1], ("keyholder",)))
        reader = network.of(NODES[1], nth=1)
        case = await it.open_case(author, NODES[1])
        obj = await it.message(author, case)
        ask = casework.access(network, reader, case, obj)
        await it.ask(reader, ask)
        await it.send(admin, network.revoke(reader))
        await refused("revoked", it.broker.ask(reader.device, ask))
        again = casework.access(network, reader, case, obj)
        await refused("revoked", it.broker.ask(reader.device, again))


async def test_the_same_access_again_gives_keys_and_no_second_entry() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, reader = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        first, second = await it.message(author, case), await it.message(author, case)
        ask = casework.access(network, reader, case, first, scope="case")
        released = await it.ask(reader, ask)
        sizes = await it.sizes()
        for objects in ((first,), (second,), (first, second)):
            again = await it.broker.ask(reader.device, replace(ask, objects=objects))
            assert again.entry.index == released.entry.index
            assert tuple(key.object for key in again.keys) == objects
            it.check_receipt(again)
        assert await it.sizes() == sizes
        await it.restart()
        assert (await it.broker.ask(reader.device, ask)).keys == released.keys


async def test_an_access_that_has_ended_gives_nothing_again() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, reader = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        obj = await it.message(author, case)
        ask = casework.access(network, reader, case, obj, seconds=600)
        await it.ask(reader, ask)
        network.at += 601
        await refused("until", it.broker.ask(reader.device, ask))


async def test_an_access_and_a_revoke_at_the_same_time_are_ordered() -> None:
    """Whichever comes first: no key goes out after the revoke stands (attack 27)."""
    async with served(*NODES) as it:
        network = it.network
        author, admin = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        obj = await it.message(author, case)
        for _ in range(5):
            await it.send(admin, network.enrol(NODES[1], ("keyholder",), renew=False))
            reader = network.of(NODES[1], nth=1)
            ask = casework.access(network, reader, case, obj)
            revoke = network.revoke(reader, "left")
            answers = await asyncio.gather(
                it.broker.ask(reader.device, ask),
                it.broker.submit(admin.device, revoke, 0),
                return_exceptions=True,
            )
            network.take(revoke)
            if isinstance(answers[0], BaseException):
                assert getattr(answers[0], "rule", "") == "revoked"
            else:
                size = Record.decode(answers[0].entry.record).authority_size
                assert network.directory.revoked(reader.device, size=size) is None
