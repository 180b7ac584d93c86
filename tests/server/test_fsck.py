"""Hashing everything again: whatever was changed in the tables is named."""

from collections.abc import AsyncIterator

import pytest

from seefen.protocol.ledger.tiles import WIDTH
from seefen.server.fsck import HOUR, NIGHT, Fsck, Looked, Rounds, say
from seefen.server.metrics import COUNTED, WHOLE_FSCK
from tests.support.served import Served, served

NODES = ("skopje-border", "belgrade-ffp")
INDEX = 7
DAY = 24 * HOUR * 20_000  # unix seconds: midnight, UTC


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    """Give a log of more than a tile."""
    async with served(*NODES) as it:
        author = it.network.of(NODES[0])
        case = await it.open_case(author, NODES[1])
        while it.broker.heads.activity.size < WIDTH + 20:
            await it.message(author, case)
        yield it


async def changed(it: Served, sql: str) -> tuple[Looked, Looked]:
    """Return what a whole look and a look at all tiles find after a change of the tables."""
    copies = ("activity_leaf", "authority_leaf", "log_tile", "ledger_head")
    async with it.database() as intruder:
        for table in copies:
            await intruder.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        try:
            await intruder.execute(sql)
            fsck = Fsck(it.store)
            return await fsck.whole(), await fsck.part(100)
        finally:
            for table in copies:
                await intruder.execute(f"DELETE FROM {table}")
                await intruder.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
                await intruder.execute(f"DROP TABLE kept_{table}")


async def test_what_is_as_it_was_written_is_found_whole(it: Served) -> None:
    fsck, heads = Fsck(it.store), it.broker.heads
    looked = await fsck.whole()
    assert (looked.problems, looked.lost) == ([], 0)
    assert looked.entries == heads.activity.size + heads.authority.size
    looked = await fsck.part(1)  # a little: one tile at least
    assert (looked.problems, looked.entries) == ([], WIDTH)


COLUMN = f"WHERE idx = {INDEX}"
TAG = "set_byte(record, 12, 255 - get_byte(record, 12))"
FLIP = "set_byte({0}, 40, 255 - get_byte({0}, 40))"


# What is changed, what is said, and whether a look at the full tiles alone finds it too.
CHANGES = {
    "fault 8: a core": (
        f"UPDATE activity_leaf SET core = {FLIP.format('core')} {COLUMN}",
        f"activity entry {INDEX}: ",
        True,
    ),
    "fault 9: a salt": (
        f"UPDATE activity_leaf SET salt = set_byte(salt, 3, 255 - get_byte(salt, 3)) {COLUMN}",
        "do not belong together",
        True,
    ),
    "fault 10: a commitment": (
        f"UPDATE activity_leaf SET record = {FLIP.format('record')} {COLUMN}",
        f"activity entry {INDEX}",
        True,
    ),
    "fault 10: a tag": (
        f"UPDATE activity_leaf SET record = {TAG} {COLUMN}",
        f"tile 0/0 and activity entry {INDEX} differ",
        True,
    ),
    "fault 10: a hash in a tile": (
        f"UPDATE log_tile SET data = set_byte(data, {INDEX * 32}, "
        f"255 - get_byte(data, {INDEX * 32}))",
        f"tile 0/0 and activity entry {INDEX} differ",
        True,
    ),
    "an envelope": (
        f"UPDATE activity_leaf SET envelope = {FLIP.format('envelope')} {COLUMN}",
        "its signed statement is another",
        True,
    ),
    "a column": (
        f"UPDATE activity_leaf SET case_id = sha256('other') {COLUMN}",
        "the columns by which it is found",
        True,
    ),
    "an entry": (
        f"DELETE FROM activity_leaf {COLUMN}",
        f"activity entry {INDEX} is missing",
        True,
    ),
    "the newest entries": (
        f"DELETE FROM activity_leaf WHERE idx >= {WIDTH + 5}",
        f"activity entry {WIDTH + 5} is missing",
        False,
    ),
    "a tile": ("DELETE FROM log_tile", "tile 0/0 is missing", True),
    "a tag where no full tile is": (
        f"UPDATE activity_leaf SET record = {TAG} WHERE idx = {WIDTH + 5}",
        "does not have the root in the head row",
        False,
    ),
    "an envelope of the authority log": (
        f"UPDATE authority_leaf SET envelope = {FLIP.format('envelope')} WHERE idx = 4",
        "authority entry 4: its envelope was changed",
        False,
    ),
    "an entry of the authority log": (
        "DELETE FROM authority_leaf WHERE idx = 4",
        "authority entry 4 is missing",
        False,
    ),
    "the head row": (
        "UPDATE ledger_head SET activity_root = sha256('another')",
        "does not have the root in the head row",
        False,
    ),
}


async def test_fault_08_09_10_what_was_changed_in_the_database_is_named(it: Served) -> None:
    for name, (sql, said, in_part) in CHANGES.items():
        whole, part = await changed(it, sql)
        for looked in (whole, part) if in_part else (whole,):
            assert any(said in problem for problem in looked.problems), (name, looked.problems)
    assert (await Fsck(it.store).whole()).problems == []


# A view in place of the table: reading this entry raises what PostgreSQL says of a bad checksum.
DAMAGE = f"""
    ALTER TABLE activity_leaf RENAME TO whole_leaf;
    CREATE FUNCTION page(idx bigint, record bytea) RETURNS bytea STABLE LANGUAGE plpgsql AS $$
    BEGIN
        IF idx = {WIDTH + 3} THEN
            RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = 'data_corrupted';
        END IF;
        RETURN record;
    END $$;
    CREATE VIEW activity_leaf AS
    SELECT idx, page(idx, record) AS record, core, salt, detail_salt, kind, case_id, node,
           device_id, device_n, case_n, object_id, hash, envelope
      FROM whole_leaf;
"""


async def test_fault_08_a_page_that_cannot_be_read_is_named_and_the_looks_go_on(
    it: Served, alarms: list[str]
) -> None:
    rounds, night = Rounds(it.store, DAY), DAY + NIGHT * HOUR
    async with it.database() as intruder:
        await intruder.execute(DAMAGE)
        await intruder.execute(f"UPDATE whole_leaf SET core = {FLIP.format('core')} {COLUMN}")
        looked = await Fsck(it.store).whole()
        size = it.broker.heads.activity.size
        unread = f"activity entries {WIDTH} to {size - 1} cannot be read from the database "
        assert [p for p in looked.problems if p.startswith(unread)] == [
            f"{unread}(DataCorruptedError)"
        ]
        # What stands on whole pages is looked at all the same.
        assert any(f"activity entry {INDEX}: " in p for p in looked.problems)
        await rounds.look(night)
        assert set(alarms) == {"leaf-mismatch"}

        alarms.clear()
        await intruder.execute("ALTER TABLE ledger_head RENAME TO kept_head")
        await rounds.look(night + HOUR)
        assert alarms == ["fsck-failed"]
        await intruder.execute("ALTER TABLE kept_head RENAME TO ledger_head")
        alarms.clear()
        await rounds.look(night + 2 * HOUR)  # the next hour looks again
        assert alarms == ["leaf-mismatch"]
    assert COUNTED.get_sample_value("seefen_last_whole_fsck") == night


async def test_all_is_looked_at_also_when_an_hour_steps_over_the_night() -> None:
    async with served(NODES[0]) as it:
        rounds = Rounds(it.store, DAY)
        for at, whole in (
            (NIGHT * HOUR - 1, False),
            ((NIGHT + 1) * HOUR + 1, False),  # an hour of sleep, and the time of a look
            (27 * HOUR, True),
            (28 * HOUR, False),
        ):
            WHOLE_FSCK.set(0)
            await rounds.look(DAY + at)
            assert bool(COUNTED.get_sample_value("seefen_last_whole_fsck")) is whole, at


def test_each_thing_that_differs_is_an_alarm(alarms: list[str]) -> None:
    looked = Looked()
    for number in range(60):
        looked.name(f"activity entry {number}")
    say(looked)
    assert alarms == ["leaf-mismatch"] * 51  # the last says how many more
    assert looked.more == 10
