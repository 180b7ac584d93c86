"""The feed: what a node receives, what it only counts, and what comes late."""

from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Page
from seefen.protocol.statements import Activity
from seefen.protocol.suite import sha256
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
        # One entry a page: what came before is due with the entry that let it in.
        steps = [await it.feed(late, cursor, 1) for cursor in range(3, 8)]
        assert [kinds(step) for step in steps][2] == [(0, "case"), (1, "casekey"), (5, "case")]
        assert [step.upto for step in steps] == [4, 5, 6, 7, 8]


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
