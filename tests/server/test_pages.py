"""Pages of the logs, and what they show when somebody changes the database."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditPage, CaseFrom, LogFrom, Span
from seefen.protocol.keys import unwrap_mailbox_seed
from seefen.protocol.ledger.tree import (
    check_consistency,
    check_inclusion,
    inclusion_plan,
    leaf_hash,
    root_of,
)
from seefen.protocol.suite import KemKey, sha256
from seefen.server import pages
from seefen.server.rows import AuthorityRow
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, refused, served
from tests.support.waiting import until

NODES, LATE = ("skopje-border", "belgrade-ffp"), "tirana-lab"
ALL = LogFrom(0, 4096, 0)


async def story(it: Served) -> tuple[Machine, Machine, bytes]:
    """A case of two nodes: case, key, object, access, object (0 to 4)."""
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(author, NODES[1])
    obj = await it.message(author, case)
    await it.ask(reader, casework.access(it.network, reader, case, obj))
    await it.message(author, case)
    return author, reader, case


async def audit(it: Served, machine: Machine) -> AuditPage:
    return await it.broker.audit(machine.device, ALL)


def acts(page: AuditPage) -> list[tuple[int, str]]:
    return [(item.entry.index, item.kind) for item in page.items]


async def test_everybody_replays_the_same_authority_log() -> None:
    async with served(*NODES) as it:
        reader = it.network.of(NODES[1])
        page = await it.broker.authority(reader.device, ALL)
        head = it.head(page.checkpoint, "authority")
        assert root_of([leaf_hash(item.envelope) for item in page.items]) == head.root
        assert head.root == it.network.directory.head().root
        mailbox = it.network.directory.mailbox(NODES[1], "case")
        assert mailbox is not None
        wraps = [w for item in page.items for w in item.wraps]
        assert len(wraps) == 3, "the mailboxes of its own node, and no others"
        ours: KemKey = reader.kem
        named = {w.hash for w in mailbox.wraps}
        wrap = next(w for w in wraps if sha256(w) in named)
        assert unwrap_mailbox_seed(wrap, ours, mailbox) == it.network.seeds[NODES[1], "case", 1]
        invited = await it.broker.authority(None, LogFrom(3, 2, 0))
        assert (invited.start, [item.kind for item in invited.items]) == (3, ["mailbox"] * 2)
        assert not any(item.wraps for item in invited.items)


async def test_the_authority_log_grows_under_proofs() -> None:
    async with served(*NODES) as it:
        old = it.network.directory.head()
        await it.admit("tirana-lab")
        reader = it.network.of(NODES[1])
        page = await it.broker.authority(reader.device, LogFrom(old.size, 100, old.size))
        head = it.head(page.checkpoint, "authority")
        check_consistency(old.size, old.root, head.size, head.root, page.consistency)
        proof = await it.broker.consistency(Span("authority", old.size, head.size))
        assert proof.hashes == page.consistency


async def test_records_are_open_to_every_node() -> None:
    async with served(*NODES, "tirana-lab") as it:
        await story(it)
        page = await it.broker.records(it.network.of("tirana-lab").device, ALL)
        head = it.head(page.checkpoint)
        assert head.size == len(page.records) == 5
        assert root_of([leaf_hash(record) for record in page.records]) == head.root
        part = await it.broker.records(it.network.of("tirana-lab").device, LogFrom(1, 2, 0))
        assert (part.start, part.records) == (1, page.records[1:3])


async def test_an_auditor_opens_what_his_node_did_and_what_was_done_in_its_cases() -> None:
    async with served(*NODES, "tirana-lab") as it:
        author, reader, _ = await story(it)
        assert acts(await audit(it, author)) == [
            *((0, "case"), (1, "casekey"), (2, "object"), (3, "access"), (4, "object")),
        ]
        page = await audit(it, reader)
        assert acts(page) == [(3, "access")]
        core = it.check(page.items[0].entry, page.checkpoint)
        assert core.officer == reader.officer
        assert core.req == sha256(page.items[0].envelope).hex()
        assert page.upto == 5
        outside = await audit(it, it.network.of("tirana-lab"))
        assert (outside.items, outside.upto) == ((), 5)


async def test_a_release_is_shown_to_both_sides() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        await it.ask(reader, casework.access(it.network, reader, case, scope="watch"))
        seen: list[bytes] = []
        it.broker.attach(reader.device, seen.append, lambda: None)
        await it.message(author, case)
        await until(lambda: seen)
        for machine in (author, reader):
            assert (4, "release") in acts(await audit(it, machine))


async def test_pages_of_the_audit_follow_each_other() -> None:
    async with served(*NODES) as it:
        author, _, _ = await story(it)
        found: list[tuple[int, str]] = []
        start = 0
        while start < 5:
            page = await it.broker.audit(author.device, LogFrom(start, 2, 0))
            found += acts(page)
            start = page.upto
        assert [index for index, _ in found] == list(range(5))


@pytest.mark.parametrize(("window", "piece"), [(1, 128), (3, 2), (1 << 17, 1)])
async def test_an_audit_is_whole_however_little_is_looked_through_for_a_page(
    window: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small node has few entries among millions: what lies between is not read at once."""
    monkeypatch.setattr(pages, "WINDOW", window)
    monkeypatch.setattr(pages, "PIECE", piece)
    async with served(*NODES, LATE) as it:
        author, reader, case = await story(it)
        late = it.network.of(LATE)
        for machine, ask, indices in (
            (author, LogFrom(0, 4, 0), [0, 1, 2, 3, 4]),
            (reader, LogFrom(0, 4, 0), [3]),
            (author, CaseFrom(case, 0, 4, 0), [3]),
        ):
            found: list[int] = []
            steps = 0
            while ask.start < 5:
                page = await it.broker.audit(machine.device, ask)
                assert ask.start < page.upto <= min(5, ask.start + window)
                found += [item.entry.index for item in page.items]
                ask, steps = replace(ask, start=page.upto), steps + 1
            assert found == indices
            assert steps >= 5 / window
        leaves = await it.broker.authority(author.device, ALL)
        assert len(leaves.items) == it.network.directory.size
        found, cursor = list[int](), 0
        while cursor < 5:
            step = await it.feed(reader, cursor)
            found += [item.entry.index for item in step.items]
            assert cursor < step.upto <= 5
            cursor = step.upto
        assert found == [0, 1, 2, 4]
        # A node in no case goes to the end at once, and one that comes late to where it came.
        assert (await it.feed(late)).upto == 5
        await it.send(author, casework.change_members(it.network, author, case, add=(LATE,)))
        first = await it.feed(late)
        assert first.upto == (7 if window > 5 else 5)
        assert (await it.feed(late, 5)).upto == (6 if window == 1 else 7)


async def test_no_more_is_read_than_a_page_can_hold() -> None:
    asked: list[int] = []

    async def read(start: int, limit: int) -> list[AuthorityRow]:
        asked.append(limit)
        return [AuthorityRow(n, "mailbox", b"", bytes(1000)) for n in range(start, start + limit)]

    rows, ended = await pages.read_pieces(read, 7, 4096, 200_000)
    assert [row.idx for row in rows] == list(range(7, 7 + 201))
    assert not ended
    assert asked == [pages.PIECE] * 2


async def test_only_auditors_and_admins_open_entries() -> None:
    async with served(*NODES) as it:
        admin = it.network.of(NODES[1])
        await it.send(admin, it.network.enrol(NODES[1], ("field", "keyholder", "lead")))
        await refused("role", audit(it, it.network.of(NODES[1], nth=1)))


async def test_the_checkpoint_is_of_one_of_two_logs() -> None:
    async with served(*NODES) as it:
        assert it.head(await it.broker.checkpoint("authority"), "authority").size == 11
        assert it.head(await it.broker.checkpoint("activity")).size == 0
        await refused("unknown-log", it.broker.checkpoint("other"))


def _check_records(it: Served, records: Sequence[bytes], checkpoint: str) -> None:
    head = it.head(checkpoint)
    leaves = [leaf_hash(record) for record in records]
    if len(leaves) != head.size or root_of(leaves) != head.root:
        raise UntrustedError("the records are not those of the checkpoint", rule="fork")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE activity_leaf SET record = set_byte(record, 30, 255 - get_byte(record, 30))"
        " WHERE idx = 3",
        "DELETE FROM activity_leaf WHERE idx = 3",
        "DELETE FROM activity_leaf WHERE idx = 4",
    ],
    ids=["a record altered", "an entry removed", "the last entry removed"],
)
async def test_a_changed_record_is_shown_and_does_not_fit_the_checkpoint(change: str) -> None:
    async with served(*NODES) as it:
        author, _, _ = await story(it)
        async with it.database() as intruder:
            await intruder.execute(change)
        page = await it.broker.records(author.device, ALL)
        with pytest.raises(UntrustedError):
            _check_records(it, page.records, page.checkpoint)


async def test_an_altered_core_is_shown_and_does_not_open_its_record() -> None:
    async with served(*NODES) as it:
        author, reader, _ = await story(it)
        async with it.database() as intruder:
            await intruder.execute(
                "UPDATE activity_leaf SET core = convert_to(replace(convert_from(core, 'UTF8'),"
                " 'tracing', 'hobbies'), 'UTF8') WHERE idx = 3"
            )
        page = await audit(it, reader)
        with pytest.raises(UntrustedError) as caught:
            it.check(page.items[0].entry, page.checkpoint)
        assert caught.value.rule == "core-commitment"
        assert acts(await audit(it, author))[3] == (3, "access")


async def test_a_removed_entry_is_missed_by_its_number() -> None:
    async with served(*NODES) as it:
        author, reader, _ = await story(it)
        async with it.database() as intruder:
            await intruder.execute("DELETE FROM activity_leaf WHERE idx = 3")
        assert acts(await audit(it, reader)) == []
        page = await it.feed(author)
        assert 3 not in [stub.index for stub in page.stubs]
        assert page.upto == 5


async def test_a_rewound_log_is_seen_by_everybody(alarms: list[str]) -> None:
    async with served(*NODES) as it:
        author = it.network.of(NODES[0])
        case = await it.open_case(author, NODES[1])
        async with it.database() as intruder:
            old = await intruder.fetchrow("SELECT * FROM ledger_head")
            assert old is not None
            await it.message(author, case)
            new = it.head(await it.broker.checkpoint("activity"))
            places = ", ".join(f"${n}" for n in range(1, len(old) + 1))
            await intruder.execute("DELETE FROM ledger_head")
            await intruder.execute(f"INSERT INTO ledger_head VALUES ({places})", *old.values())
            rewound = it.head(await it.broker.checkpoint("activity"))
            assert (new.size, rewound.size) == (3, 2)
            proof = await it.broker.consistency(Span("activity", rewound.size, new.size))
            with pytest.raises(UntrustedError):
                check_consistency(*(rewound.size, rewound.root, new.size, new.root), proof.hashes)
            records = await it.broker.records(author.device, LogFrom(0, 4096, 3))
            assert len(records.records) == 2
            assert records.consistency == ()
            bundle = casework.message(it.network, author, case)
            await refused("ledger-changed", it.broker.submit(author.device, bundle, 0))
            await until(lambda: "ledger-changed" in alarms)
            await intruder.execute("DELETE FROM ledger_head")
            await refused("ledger-changed", it.broker.checkpoint("activity"))
            current = await intruder.fetchval("SELECT count(*) FROM activity_leaf")
            assert current == 3


async def test_what_was_put_back_is_trusted_again() -> None:
    async with served(*NODES) as it:
        author, _, case = await story(it)
        async with it.database() as intruder:
            head = await intruder.fetchrow("SELECT * FROM ledger_head")
            row = await intruder.fetchrow("DELETE FROM activity_leaf WHERE idx = 3 RETURNING *")
            assert head is not None
            assert row is not None
            await intruder.execute("UPDATE ledger_head SET activity_size = 2")
            await refused(
                "ledger-changed",
                it.broker.submit(author.device, casework.message(it.network, author, case), 0),
            )
            places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
            await intruder.execute(f"INSERT INTO activity_leaf VALUES ({places})", *row.values())
            await intruder.execute("UPDATE ledger_head SET activity_size = 5")
        await it.message(author, case)
        page = await it.broker.records(author.device, ALL)
        _check_records(it, page.records, page.checkpoint)


async def test_a_proof_of_inclusion_is_that_of_the_tree() -> None:
    async with served(*NODES) as it:
        author, _, _ = await story(it)
        page = await audit(it, author)
        head = it.head(page.checkpoint)
        for item in page.items:
            entry = item.entry
            assert len(entry.proof) == len(inclusion_plan([entry.index], head.size).proofs[0])
            check_inclusion(leaf_hash(entry.record), entry.index, head.size, entry.proof, head.root)
