"""The feed: what a node receives, what it only counts, and what comes late."""

from random import Random

import pytest

from seefen.client.paging import Place
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Before, Page, Stub
from seefen.protocol.statements import Activity
from seefen.protocol.suite import sha256
from seefen.server import feed
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, refused, served

NODES = ("skopje-border", "belgrade-ffp")


def kinds(page: Page) -> list[tuple[int, str]]:
    return [(item.entry.index, item.kind) for item in page.items]


def numbers_have_no_gaps(it: Served, page: Page, case: bytes) -> bool:
    """Tell whether a page shows each number of each device in a case, items and stubs."""
    seen: dict[bytes, list[int]] = {}
    found: list[tuple[int, bytes, int]] = []
    for item in page.items:
        statement = open_envelope(item.envelope, item.kind).statement
        assert isinstance(statement, Activity)
        if statement.case == case:
            found.append((item.entry.index, statement.device, statement.case_n))
    found += [(s.index, s.device, s.case_n) for s in page.stubs if s.case == case]
    for _, device, number in sorted(found):
        seen.setdefault(device, []).append(number)
    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


async def story(it: Served) -> tuple[bytes, Machine, Machine]:
    """A case with a message, an assignment, an access and an ack: entries 0 to 5."""
    network = it.network
    author, reader = network.of(NODES[0]), network.of(NODES[1])
    await it.send(reader, network.enrol(NODES[1], ("field",)))
    case = await it.open_case(author, NODES[1])  # 0, 1
    obj = await it.message(author, case, b"a body")  # 2
    field = network.of(NODES[1], nth=1)
    await it.send(reader, casework.assign(network, reader, case, field))  # 3
    await it.ask(reader, casework.access(network, reader, case, obj))  # 4
    await it.send(reader, casework.ack(network, reader, case, obj))  # 5
    return case, author, reader


async def test_a_node_receives_what_is_for_it_and_counts_the_rest() -> None:
    async with served(*NODES) as it:
        case, author, reader = await story(it)
        for_reader = await it.feed(reader)
        assert kinds(for_reader) == [(0, "case"), (1, "casekey"), (2, "object"), (3, "assign")]
        assert [(s.index, s.kind) for s in for_reader.stubs] == [(4, "access"), (5, "ack")]
        for_author = await it.feed(author)
        assert kinds(for_author) == [(0, "case"), (1, "casekey"), (2, "object"), (5, "ack")]
        assert [(s.index, s.kind) for s in for_author.stubs] == [(3, "assign"), (4, "access")]
        for page in (for_author, for_reader):
            assert page.upto == 6
            assert numbers_have_no_gaps(it, page, case)


async def test_each_gets_its_own_wraps_and_no_others() -> None:
    async with served(*NODES) as it:
        case, author, reader = await story(it)
        field = it.network.of(NODES[1], nth=1)
        key = it.network.cases[case].generations[0].statement
        by_node = {wrap.node: wrap.hash for wrap in key.mailboxes}
        for machine in (author, reader, field):
            casekey = (await it.feed(machine)).items[1]
            assert [sha256(wrap) for wrap in casekey.wraps] == [by_node[machine.node]]
        assert len((await it.feed(field)).items[3].wraps) == 1
        assert (await it.feed(reader)).items[3].wraps == ()


async def test_a_message_brings_its_sealed_body_and_a_file_does_not() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, reader = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        bundle = casework.message(network, author, case)
        await it.send(author, bundle)
        root = bytes(range(32))
        async with it.database() as connection:
            await connection.execute(
                "INSERT INTO blob (root, size, parts, leaves, present, complete, node)"
                " VALUES ($1, 5, 1, $2, $3, true, 'skopje-border')",
                *(root, bytes(32), b"\x01"),
            )
        await it.send(author, casework.file(network, author, case, root=root, size=5))
        items = (await it.feed(reader)).items
        assert [item.body for item in items[2:]] == [bundle.contents[0].body, b""]


async def test_pages_follow_each_other_without_a_hole() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        for _ in range(10):
            await it.message(author, case)
        found: list[tuple[int, str]] = []
        cursor, pages = 0, 0
        while cursor < 12:
            page = await it.feed(reader, cursor, 5)
            assert page.upto > cursor
            found += kinds(page)
            cursor, pages = page.upto, pages + 1
        assert pages == 3
        assert [index for index, _ in found] == list(range(12))
        assert (await it.feed(reader, 12)).items == ()
        assert (await it.feed(reader, 12)).upto == 12


async def test_a_page_ends_before_it_grows_too_large() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        for _ in range(4):
            await it.message(author, case, bytes(900_000))
        first = await it.feed(reader)
        assert first.upto < 6
        rest = await it.feed(reader, first.upto)
        assert [i for i, _ in kinds(first) + kinds(rest)] == list(range(6))
        assert all(item.body for item in (first.items + rest.items) if item.kind == "object")


async def test_a_node_that_comes_late_gets_the_chain_and_counts_the_objects() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, late = network.of(NODES[0]), network.of("tirana-lab")
        first = await it.open_case(author, NODES[1], serial=1)  # 0, 1
        await it.message(author, first)  # 2
        before = await it.feed(late)
        assert (before.items, before.stubs, before.upto) == ((), (), 3)
        other = await it.open_case(author, "tirana-lab", serial=2)  # 3, 4
        await it.send(author, casework.change_members(network, author, first, add=("tirana-lab",)))
        await it.message(author, first)  # 5, 6: the change; 7
        page = await it.feed(late, before.upto)
        assert sorted(kinds(page)) == [
            *((0, "case"), (1, "casekey"), (3, "case"), (4, "casekey")),
            *((5, "case"), (6, "casekey"), (7, "object")),
        ]
        assert [(s.index, s.kind) for s in page.stubs] == [(2, "object")]
        wraps = {item.entry.index: len(item.wraps) for item in page.items}
        assert (wraps[1], wraps[6]) == (0, 1), "it cannot open what was before"
        assert numbers_have_no_gaps(it, page, first)
        assert numbers_have_no_gaps(it, page, other)
        assert page.before == (Before(first, 0),)  # the one object there is the one of the stub
        # One entry a page: what came before is due with the entry that let it in.
        shown: list[tuple[int, str]] = []
        ends: list[tuple[int, int]] = [(3, 0)]
        while ends[-1] != (8, 0):
            step = await it.feed(late, ends[-1][0], 1, ends[-1][1])
            assert len(step.items) <= 2, "one of the backlog, and one behind it"
            shown += kinds(step)
            ends.append((step.upto, step.within))
        assert ends[1:] == [(4, 0), (5, 0), (5, 1), (6, 0), (7, 0), (8, 0)]
        whole = kinds(page)
        assert sorted(shown) == sorted(whole)
        assert len(shown) == len(whole)


@pytest.mark.parametrize("limit", [1, 2])
async def test_a_backlog_that_is_as_long_as_a_page_ends_with_it(limit: int) -> None:
    """Nothing stands between its last key and the entry that let the node in."""
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, late = network.of(NODES[0]), network.of("tirana-lab")
        for serial in (1, 2):
            case = await it.open_case(author, NODES[1], serial=serial)
            added = casework.change_members(network, author, case, add=("tirana-lab",))
            await it.send(author, added)
        shown: list[int] = []
        place, more = Place(), True
        while more:
            page = await it.feed(late, place.cursor, limit, place.within)
            shown += [item.entry.index for item in page.items]
            assert page.within in (0, 1, 5), "it is the index of a key that is due"
            place, more = place.behind(page, 8)
        assert place == Place(8)
        assert sorted(shown) == list(range(8))


async def test_a_page_ends_between_two_backlogs_where_the_database_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A device waits so long for a page, and would ask for the same one again."""
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, late = network.of(NODES[0]), network.of("tirana-lab")
        cases = [await it.open_case(author, NODES[1], serial=n) for n in (1, 2, 3)]  # 0 to 5
        for case in cases:  # 6, 8 and 10
            added = casework.change_members(network, author, case, add=("tirana-lab",))
            await it.send(author, added)
        whole = await it.feed(late)
        assert (whole.upto, len(whole.before)) == (12, 3)
        monkeypatch.setattr(feed, "BACKLOG_SECONDS", 0)
        shown: list[tuple[int, str]] = []
        ends: list[tuple[int, int]] = [(0, 0)]
        while ends[-1] != (12, 0):
            page = await it.feed(late, ends[-1][0], within=ends[-1][1])
            assert len(page.before) == 1, "one at least: it goes on"
            shown += kinds(page)
            ends.append((page.upto, page.within))
        assert ends[1:] == [(8, 0), (10, 0), (12, 0)]
        assert sorted(shown) == sorted(kinds(whole))


async def test_of_a_long_backlog_a_node_gets_the_chain_in_pages_and_each_device_once() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, reader, late = (network.of(node) for node in (*NODES, "tirana-lab"))
        case = await it.open_case(author, NODES[1])
        for _ in range(5):
            obj = await it.message(author, case)
            await it.ask(reader, casework.access(network, reader, case, obj))
            await it.send(author, casework.renew_key(network, author, case))
        await it.send(author, casework.change_members(network, author, case, add=("tirana-lab",)))
        last = await it.message(author, case)
        await it.ask(reader, casework.access(network, reader, case, last))
        await it.ask(late, casework.access(network, late, case, last))
        joined = 2 + 5 * 3
        size = joined + 5
        shown: list[int] = []
        stubs: list[Stub] = []
        ends: list[tuple[int, int]] = [(0, 0)]
        while ends[-1][0] < size:
            page = await it.feed(late, ends[-1][0], 3, ends[-1][1])
            assert (page.upto, page.within) > ends[-1], "it goes on"
            assert len(page.items) <= 2 * 3, "so many of the backlog, and so many behind it"
            if page.before:
                # The last of the author before is the key: nothing but the reader is left to tell.
                assert page.before == (Before(case, 5),)
                assert [(s.device, s.case_n) for s in page.stubs] == [(reader.device, 5)]
            ends.append((page.upto, page.within))
            shown += [item.entry.index for item in page.items]
            stubs += page.stubs
        chain = [0, 1, *(4 + 3 * n for n in range(5))]
        assert shown == [*chain, joined, joined + 1, joined + 2]
        assert [stub.index for stub in stubs] == [joined - 2, joined + 3, joined + 4]
        assert {upto for upto, within in ends if within} == {joined}
        # The same at once: one page, and no more of it than there are versions, keys and devices.
        page = await it.feed(late)
        assert [item.entry.index for item in page.items] == shown
        assert list(page.stubs) == stubs


async def test_how_far_each_device_was_is_what_the_log_says() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, reader = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        rng = Random(3)
        for n in range(24):
            obj = await it.message(rng.choice((author, reader)), case)
            by = rng.choice((author, reader))
            if n % 5 == 4:
                await it.send(author, casework.renew_key(network, author, case))
            else:
                await it.ask(by, casework.access(network, by, case, obj))
        _, size = await it.sizes()
        rows = await it.store.activity(0, size)
        for stop in range(1, size + 1):
            reached, objects = await it.store.reached(case, stop)
            last = {row.device: row for row in rows if row.idx < stop}
            expected = [
                (row.idx, row.kind, row.device, row.case_n)
                for row in sorted(last.values(), key=lambda row: row.idx)
                if row.kind not in ("case", "casekey")
            ]
            assert [(r.idx, r.kind, r.device, r.case_n) for r in reached] == expected
            assert not any(row.envelope or row.core for row in reached)
            assert objects == sum(row.kind == "object" for row in rows if row.idx < stop)


async def test_a_row_that_is_gone_from_the_database_ends_no_search_for_the_last_number() -> None:
    async with served(*NODES) as it:
        author = it.network.of(NODES[0])
        case = await it.open_case(author, NODES[1])  # its numbers 1 and 2
        for _ in range(6):
            await it.message(author, case)  # 3 to 8, at the indices 2 to 7
        async with it.database() as connection:
            await connection.execute("DELETE FROM activity_leaf WHERE idx IN (3, 4)")
        found = [(await it.store.reached(case, stop))[0] for stop in range(3, 9)]
        assert [[row.case_n for row in rows] for rows in found] == [[3], [3], [3], [6], [7], [8]]


async def test_a_device_admitted_later_reads_from_the_beginning() -> None:
    async with served(*NODES) as it:
        case, _, reader = await story(it)
        await it.send(reader, it.network.enrol(NODES[1], ("keyholder",)))
        page = await it.feed(it.network.of(NODES[1], nth=2))
        assert page.upto == 6
        assert numbers_have_no_gaps(it, page, case)


async def test_who_has_left_sees_that_he_left_and_no_object_after() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, left = network.of(NODES[0]), network.of("tirana-lab")
        case = await it.open_case(author, NODES[1], "tirana-lab")
        await it.send(
            author, casework.change_members(network, author, case, remove=("tirana-lab",))
        )
        await it.message(author, case)
        page = await it.feed(left)
        assert kinds(page) == [(0, "case"), (1, "casekey"), (2, "case"), (3, "casekey")]
        assert [(s.index, s.kind) for s in page.stubs] == [(4, "object")]
        assert page.items[3].wraps == ()


async def test_a_stranger_sees_nothing() -> None:
    async with served(*NODES, "tirana-lab") as it:
        await story(it)
        page = await it.feed(it.network.of("tirana-lab"))
        assert (page.items, page.stubs, page.upto) == ((), (), 6)


async def test_the_feed_is_for_devices_in_force() -> None:
    async with served(*NODES) as it:
        _, _, reader = await story(it)
        field = it.network.of(NODES[1], nth=1)
        await it.send(reader, it.network.revoke(field))
        await refused("revoked", it.feed(field))
        it.network.at += 400 * 86_400
        await refused("expired", it.feed(reader))
