"""Coming up: from what is stored, and only if it is what was written."""

import pytest

from seefen.protocol.frames import LogFrom
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.server.broker import Broker
from seefen.server.cases import rebuild_case
from seefen.server.recovery import LedgerChangedError
from tests.support import casework
from tests.support.served import Connection, Served, served

NODES = ("skopje-border", "belgrade-ffp")


async def eventful(it: Served) -> bytes:
    """Return a case in which everything has happened that can happen to a case."""
    network = it.network
    author, reader = network.of(NODES[0]), network.of(NODES[1])
    await it.admit("tirana-lab")
    await it.send(reader, network.enrol(NODES[1], ("field",)))
    field = network.of(NODES[1], nth=1)
    case = await it.open_case(author, NODES[1])
    obj = await it.message(author, case)
    await it.send(reader, casework.assign(network, reader, case, field))
    await it.ask(field, casework.access(network, field, case, obj))
    await it.message(field, case)
    await it.send(author, casework.change_members(network, author, case, add=("tirana-lab",)))
    await it.message(reader, case)
    await it.send(reader, casework.ack(network, reader, case, obj))
    await it.send(author, casework.change_members(network, author, case, remove=("tirana-lab",)))
    await it.send(reader, network.revoke(field))
    await it.send(reader, network.renew(NODES[1], "alert"))
    await it.send(author, casework.renew_key(network, author, case, "revoked"))
    await it.message(author, case)
    return case


async def test_a_case_built_from_the_tables_is_the_one_that_came_about() -> None:
    async with served(*NODES) as it:
        case = await eventful(it)
        rows = await it.store.case(case)
        assert rows is not None
        assert rebuild_case(case, rows) == it.network.cases[case]


async def test_after_a_restart_everything_goes_on() -> None:
    async with served(*NODES) as it:
        case = await eventful(it)
        head = await it.broker.checkpoint("activity")
        await it.restart()
        assert await it.broker.checkpoint("activity") == head
        assert it.broker.directory.head() == it.network.directory.head()
        await it.message(it.network.of(NODES[0]), case)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE activity_leaf SET record = set_byte(record, 30, 255 - get_byte(record, 30))"
        " WHERE idx = 1",
        "DELETE FROM activity_leaf WHERE idx = 1",
        "UPDATE ledger_head SET activity_size = activity_size - 1",
        "UPDATE ledger_head SET activity_root = sha256('another')",
        "UPDATE ledger_head SET activity_range = decode(repeat('00', 8), 'hex')",
        "UPDATE ledger_head SET authority_root = sha256('another')",
        "UPDATE authority_leaf SET envelope = envelope || '\\x00'::bytea WHERE idx = 3",
        "DELETE FROM authority_leaf WHERE idx = (SELECT max(idx) FROM authority_leaf)",
        "DELETE FROM ledger_head",
    ],
)
async def test_fault_10_a_ledger_that_was_changed_outside_is_not_served(change: str) -> None:
    async with served(*NODES) as it:
        await eventful(it)
        async with it.database() as intruder:
            await intruder.execute(change)
        with pytest.raises(LedgerChangedError, match="changed outside"):
            await Broker.open(it.store, log_key=it.network.log_key, clock=lambda: it.network.at)


async def test_a_leaf_that_somebody_planted_has_no_effect(alarms: list[str]) -> None:
    """Whoever writes to the database can add a leaf; it grants nothing (decision 8)."""
    async with served(*NODES) as it:
        author = it.network.of(NODES[0])
        planted = it.network.revoke(author).statements[0].envelope
        forged = planted[:-1] + bytes([planted[-1] ^ 1])
        async with it.database() as intruder:
            await plant(it, intruder, forged)
        await it.restart()
        assert alarms == ["broken-leaf"]
        assert it.broker.directory.revoked(author.device) is None
        page = await it.broker.authority(author.device, LogFrom(0, 100, 0))
        assert page.items[-1].envelope == forged


async def plant(it: Served, intruder: Connection, envelope: bytes) -> None:
    """Add a leaf to the authority log as a thief of the whole server would."""
    head = await it.store.heads()
    tree = CompactRange.decode(head.authority.range)
    tree.append(leaf_hash(envelope))
    await intruder.execute(
        "INSERT INTO authority_leaf VALUES ($1, 'revoke', sha256($2), $2)",
        *(head.authority.size, envelope),
    )
    await intruder.execute(
        "UPDATE ledger_head SET authority_size = $1, authority_root = $2, authority_range = $3",
        *(tree.size, tree.root(), tree.encode()),
    )
