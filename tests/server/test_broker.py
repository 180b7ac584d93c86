"""What the broker takes, and what it refuses."""

import pytest
from msgspec.structs import replace

from seefen.protocol.bundle import Bundle, Content, Signed
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.ledger.record import Record
from seefen.protocol.statements import Head, Object
from seefen.protocol.suite import new_id, random_bytes, tag
from seefen.server import rates
from seefen.server.broker import Broker
from seefen.server.store import Store
from tests.support import casework
from tests.support.database import empty_database
from tests.support.network import EVERY_ROLE, Network
from tests.support.served import refused, served


async def test_a_network_is_founded_once_and_by_its_own_root() -> None:
    async with empty_database() as dsn, Store.open(dsn) as store:
        network, stranger = Network(), Network()
        broker = await Broker.open(store, log_key=network.log_key, clock=lambda: network.at)
        assert broker.directory.size == 0
        await refused("log-key", broker.found(stranger.found()))
        await refused("net", broker.submit(None, network.found(), 0))
        recorded = await broker.found(network.found())
        assert recorded.authority == (0,)
        assert broker.directory.net == network.net
        await refused("founded", broker.found(network.found()))
        await broker.close()
        await refused(
            "log-key", Broker.open(store, log_key=stranger.log_key, clock=lambda: network.at)
        )


async def test_a_message_is_recorded_with_a_receipt_that_anybody_can_check() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        seen = it.head(await it.broker.checkpoint("activity"))
        bundle = casework.message(it.network, author, case)
        recorded = await it.broker.submit(author.device, bundle, seen.size)
        core = it.check_receipt(recorded, seen=seen)
        obj = open_envelope(bundle.statements[0].envelope, "object")
        assert core.req == obj.hash.hex()
        assert (core.act, core.op, core.node) == ("object", "disclose", "skopje-border")
        assert (core.officer, core.to, core.n) == (author.officer, ("belgrade-ffp", core.node), 1)
        record = Record.decode(recorded.entries[0].record)
        assert record.tag == bundle.statements[0].tag
        assert record.authority_size == it.network.directory.size


async def test_what_the_root_has_not_signed_needs_a_login() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        network = it.network
        author = network.of("skopje-border")
        _, opening = casework.open_case(network, author, "belgrade-ffp")
        await refused("login", it.broker.submit(None, opening, 0))
        await refused("login", it.broker.submit(None, network.revoke(author), 0))
        two = network.admit("tirana-lab").statements + network.admit("zagreb-fp").statements
        await refused("wraps", it.broker.submit(None, Bundle(two, (), ()), 0))
        assert await it.sizes() == (11, 0)
        await it.send(None, network.suspend("belgrade-ffp"))
        assert network.directory.in_force("belgrade-ffp") == "suspended"


async def test_an_admission_speaks_of_one_node_alone() -> None:
    async with served() as it:
        one, other = it.network.admit("tirana-lab"), it.network.admit("zagreb-fp")
        both = Bundle(one.statements + other.statements, one.wraps + other.wraps, ())
        await refused("login", it.broker.submit(None, both, 0))


async def test_a_node_cannot_suspend_itself_without_a_login() -> None:
    async with served("skopje-border") as it:
        network = it.network
        statement = open_envelope(
            network.suspend("skopje-border").statements[0].envelope, "suspend"
        )
        by_admin = sign(statement.statement, network.admin("skopje-border").sign)
        bundle = Bundle((Signed("suspend", by_admin, b""),), (), ())
        await refused("login", it.broker.submit(None, bundle, 0))
        await it.send(network.of("skopje-border"), bundle)


async def test_a_device_sends_its_own_statements_only() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author, other = it.network.of("skopje-border"), it.network.of("belgrade-ffp")
        case = await it.open_case(author, "belgrade-ffp")
        bundle = casework.message(it.network, author, case)
        await refused("wrong-device", it.broker.submit(other.device, bundle, 0))
        await refused("unknown-device", it.broker.submit(new_id(), bundle, 0))


async def test_the_same_bundle_again_has_the_same_place() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case, opening = casework.open_case(it.network, author, "belgrade-ffp")
        first = await it.send(author, opening)
        bundle = casework.message(it.network, author, case)
        sent = await it.send(author, bundle)
        await it.message(author, case)
        for before, again in ((first, opening), (sent, bundle)):
            recorded = await it.broker.submit(author.device, again, 0)
            assert [e.record for e in recorded.entries] == [e.record for e in before.entries]
            it.check_receipt(recorded)
        admission = it.network.admit("tirana-lab")
        once = await it.send(None, admission)
        twice = await it.broker.submit(None, admission, 0)
        assert twice.authority == once.authority
        assert await it.sizes() == (16, 4)


async def test_the_same_bundle_of_a_revoked_device_is_refused() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        await it.send(author, it.network.enrol("skopje-border", ("lead", "field")))
        second = it.network.of("skopje-border", nth=1)
        _, opening = casework.open_case(it.network, second, "belgrade-ffp")
        await it.send(second, opening)
        await it.send(author, it.network.revoke(second))
        await refused("revoked", it.broker.submit(second.device, opening, 0))


async def test_the_same_object_with_another_content_key_is_an_alarm(alarms: list[str]) -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        content = replace(bundle.contents[0], key=random_bytes(104))
        await refused(
            "other-bytes",
            it.broker.submit(author.device, replace(bundle, contents=(content,)), 0),
        )
        assert alarms == ["other-bytes"]


async def test_another_object_with_a_known_id_is_refused(alarms: list[str]) -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        network = it.network
        author, other = network.of("skopje-border"), network.of("belgrade-ffp")
        case = await it.open_case(author, "belgrade-ffp")
        taken = await it.message(author, case)
        for _ in range(2):  # known in memory, and after a restart only to the database
            bundle = casework.message(network, other, case)
            obj = open_envelope(bundle.statements[0].envelope, "object").statement
            assert isinstance(obj, Object)
            forged = replace(obj, object=taken)
            signed = replace(bundle.statements[0], envelope=sign(forged, other.sign))
            content = replace(bundle.contents[0], object=taken)
            await refused(
                "other-bytes",
                it.broker.submit(other.device, Bundle((signed,), (), (content,)), 0),
            )
            await it.restart()
        assert alarms == ["other-bytes", "other-bytes"]
        await it.message(other, case)


async def test_a_copied_device_is_found_by_its_number(alarms: list[str]) -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        bundle, copy = (casework.message(it.network, author, case) for _ in range(2))
        await it.send(author, bundle)
        assert not alarms
        await refused("number", it.broker.submit(author.device, copy, 0))
        assert alarms == ["cloned-device"]


async def test_numbers_run_over_all_cases_of_a_device() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        one = await it.open_case(author, "belgrade-ffp", serial=1)
        two = await it.open_case(author, "belgrade-ffp", serial=2)
        first = casework.message(it.network, author, one)
        second = casework.message(it.network, author, two)  # the same device_n, another case
        await it.send(author, first)
        await refused("number", it.broker.submit(author.device, second, 0))
        author.device_n += 1
        gap = casework.message(it.network, author, two)
        await refused("number", it.broker.submit(author.device, gap, 0))


async def test_a_case_number_is_given_once() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        await it.open_case(author, "belgrade-ffp", serial=7)
        _, again = casework.open_case(it.network, author, "belgrade-ffp", serial=7)
        await refused("case-number", it.broker.submit(author.device, again, 0))
        await it.restart()
        await refused("case-number", it.broker.submit(author.device, again, 0))
        await it.open_case(author, "belgrade-ffp", serial=8)


async def test_a_bundle_stands_whole_or_not_at_all() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        good = casework.message(it.network, author, case)
        it.network.take(good)
        second = casework.message(it.network, author, case)
        obj = open_envelope(second.statements[0].envelope, "object").statement
        assert isinstance(obj, Object)
        wrong = replace(second.statements[0], envelope=sign(replace(obj, gen=9), author.sign))
        both = Bundle((*good.statements, wrong), (), good.contents + second.contents)
        await refused("stale-generation", it.broker.submit(author.device, both, 0))
        assert await it.sizes() == (11, 2)
        fine = Bundle(good.statements + second.statements, (), good.contents + second.contents)
        recorded = await it.broker.submit(author.device, fine, 0)
        assert [entry.index for entry in recorded.entries] == [2, 3]


async def test_a_change_of_members_needs_its_new_key() -> None:
    async with served("skopje-border", "belgrade-ffp", "tirana-lab") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        change = casework.change_members(it.network, author, case, add=("tirana-lab",))
        alone = Bundle(change.statements[:1], (), ())
        await refused("bundle-shape", it.broker.submit(author.device, alone, 0))
        await it.send(author, change)
        assert it.network.cases[case].members == ("skopje-border", "belgrade-ffp", "tirana-lab")


async def test_what_nobody_named_is_refused() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        bundle = casework.message(it.network, author, case)
        signed, content = bundle.statements[0], bundle.contents[0]
        for rule, bad in {
            "wraps": replace(bundle, wraps=(b"planted",)),
            "contents": replace(bundle, contents=()),
            "body": replace(bundle, contents=(replace(content, body=content.body + b"x"),)),
            "tag": replace(bundle, statements=(replace(signed, tag=b"short"),)),
            "unknown-kind": replace(bundle, statements=(replace(signed, kind="release"),)),
        }.items():
            await refused(rule, it.broker.submit(author.device, bad, 0))
        extra = replace(bundle, contents=(content, Content(new_id(), content.key, b"")))
        await refused("contents", it.broker.submit(author.device, extra, 0))
        twice = replace(bundle, statements=(signed, signed))
        await refused("bundle-shape", it.broker.submit(author.device, twice, 0))
        assert await it.sizes() == (11, 2)
        await it.send(author, bundle)


async def test_the_record_carries_the_tag_of_its_author_or_noise() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        bundle = casework.message(it.network, author, case)
        plain = replace(bundle, statements=(replace(bundle.statements[0], tag=b""),))
        recorded = await it.broker.submit(author.device, plain, 0)
        drawn = Record.decode(recorded.entries[0].record).tag
        key = it.network.keys[case, 1]
        assert drawn != tag(key, "object", case, author.device, 3)
        assert drawn != bytes(16)


async def test_a_file_waits_for_its_parts() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        root, leaves = random_bytes(32), random_bytes(32)
        bundle = casework.file(it.network, author, case, root=root, size=5000)
        await refused("parts-missing", it.broker.submit(author.device, bundle, 0))
        async with it.database() as connection:
            await connection.execute(
                "INSERT INTO blob (root, size, parts, leaves, present, complete, node)"
                " VALUES ($1, 5000, 1, $2, $3, false, 'skopje-border')",
                *(root, leaves, b"\x00"),
            )
            await refused("parts-missing", it.broker.submit(author.device, bundle, 0))
            await connection.execute("UPDATE blob SET complete = true")
        await it.send(author, bundle)
        again = await it.broker.submit(author.device, bundle, 0)
        assert again.entries[0].index == 2


async def test_the_first_ack_counts() -> None:
    async with served("skopje-border", "belgrade-ffp", "tirana-lab") as it:
        network = it.network
        author, reader = network.of("skopje-border"), network.of("belgrade-ffp")
        stranger = network.of("tirana-lab")
        await it.send(reader, network.enrol("belgrade-ffp", ("field", "keyholder")))
        second = network.of("belgrade-ffp", nth=1)
        case = await it.open_case(author, "belgrade-ffp")
        obj = await it.message(author, case)
        sent = await it.send(reader, casework.ack(network, reader, case, obj))
        core = it.check(sent.entries[0], sent.checkpoint)
        assert (core.act, core.op, core.to, core.n) == ("ack", "collect", ("skopje-border",), 1)
        late = casework.ack(network, second, case, obj)
        await refused("acknowledged", it.broker.submit(second.device, late, 0))
        await it.restart()
        await refused("acknowledged", it.broker.submit(second.device, late, 0))
        await it.send(second, casework.ack(network, second, case, obj, "read"))
        unknown = casework.ack(network, reader, case, new_id())
        await refused("scope", it.broker.submit(reader.device, unknown, 0))
        outside = casework.ack(network, stranger, case, obj)
        await refused("not-a-reader", it.broker.submit(stranger.device, outside, 0))


async def test_a_revoked_device_can_do_nothing_more() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        network = it.network
        admin = network.of("skopje-border")
        await it.send(admin, network.enrol("skopje-border", ("field", "keyholder", "lead")))
        lost = network.of("skopje-border", nth=1)
        case = await it.open_case(lost, "belgrade-ffp")
        bundle = casework.message(network, lost, case)
        await it.send(admin, network.revoke(lost))
        await refused("revoked", it.broker.submit(lost.device, bundle, 0))
        stale = casework.message(network, admin, case)
        await refused("stale-generation", it.broker.submit(admin.device, stale, 0))
        await it.send(admin, network.renew("skopje-border", "case", "alert"))
        await it.send(admin, casework.renew_key(network, admin, case, "revoked"))
        await it.message(admin, case)


async def test_growth_is_proved_from_what_a_device_has_seen() -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author, "belgrade-ffp")
        seen: Head | None = None
        for _ in range(20):
            bundle = casework.message(it.network, author, case)
            recorded = await it.broker.submit(author.device, bundle, seen.size if seen else 0)
            it.take(bundle, recorded)
            core = it.check_receipt(recorded, **({"seen": seen} if seen else {}))
            assert core.case == case.hex()
            head = it.head(recorded.checkpoint)
            seen = Head(head.size, head.root)
        assert seen is not None
        assert seen.size == 22


async def test_a_machine_of_every_role_is_enough_to_begin() -> None:
    async with served() as it:
        await it.send(None, it.network.admit("pristina-fp", machines=[EVERY_ROLE, ("field",)]))
        assert len(it.network.directory.devices("pristina-fp")) == 2


async def test_attack_50_a_stolen_admin_writes_so_many_records_of_keys_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everybody keeps each certificate for ever and checks it."""
    monkeypatch.setattr(rates, "RECORDS", 12)
    async with served("skopje-border", "belgrade-ffp") as it:
        admin = it.network.of("skopje-border")
        last = it.network.enrol("skopje-border", ("field",))
        written = len(last.statements)
        await it.send(admin, last)
        while written + len(last.statements) <= 12:
            last = it.network.enrol("skopje-border", ("field",))
            await it.send(admin, last)
            written += len(last.statements)
        too_many = it.network.enrol("skopje-border", ("field",))
        await refused("records", it.broker.submit(admin.device, too_many, 0))
        # Nor does a device that he has made himself.
        fresh = it.network.of("skopje-border", "field", nth=1)
        await refused("records", it.broker.submit(fresh.device, too_many, 0))
        # What stands is told again, the lost are revoked, others write, and tomorrow he does too.
        assert (await it.broker.submit(admin.device, last, 0)).authority
        await it.send(admin, it.network.revoke(it.network.of("skopje-border", nth=1)))
        other = it.network.of("belgrade-ffp")
        await it.send(other, it.network.enrol("belgrade-ffp", ("field",)))
        it.network.at += rates.DAY + 1
        await it.send(admin, it.network.enrol("skopje-border", ("field",)))
