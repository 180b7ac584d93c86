"""An older backup is put back, and mirrors bring the log to the very same root."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import copytree

import asyncpg
import pytest
from msgspec.structs import replace

from seefen.client.agent.mirror import LogMirror
from seefen.client.agent.openings import Cursors, Openings
from seefen.protocol.bundle import Bundle
from seefen.protocol.frames import FeedFrom, LogFrom
from seefen.protocol.ledger.mirror import Kept, decode_kept, encode_kept
from seefen.protocol.ledger.note import Checkpoint, sign_checkpoint
from seefen.protocol.ledger.tree import check_consistency
from seefen.protocol.suite import PlainKey
from seefen.server import doctor
from seefen.server.config import SetupError
from seefen.server.fsck import Fsck
from seefen.server.high_water import HighWater
from seefen.server.mirrors import Mirror, open_mirror
from seefen.server.proofs import Prover
from seefen.server.rebuilding import Rebuilder, Rebuilt
from seefen.server.store import Store
from tests.support import casework
from tests.support.database import drop_database, empty_database, postgres
from tests.support.network import Network
from tests.support.served import Served, refused

NODES = ("skopje-border", "belgrade-ffp")
ORIGIN = "seefen"
MANY = 280  # entries: more than a tile


class Depot(Served):
    """A broker whose database can be copied away and put back."""

    def __init__(self, dsn: str, store: Store, network: Network, mark: Path) -> None:
        super().__init__(dsn, store, network)
        self.high_water = HighWater(mark, network.log_key.public)
        self.stack = AsyncExitStack()
        self.old = ""
        self.forked: Bundle | None = None  # what could have been written after the backup

    async def open(self) -> None:
        """Open store and broker on the database."""
        self.store = await self.stack.enter_async_context(Store.open(self.dsn))
        await self.start()

    async def close(self) -> None:
        """Close both: nobody is connected."""
        await self.broker.close()
        await self.stack.aclose()

    async def back_up(self) -> None:
        """Copy the database away."""
        await self.close()
        self.old = f"{_name(self.dsn)}_old"
        await _execute(f"CREATE DATABASE {self.old} TEMPLATE {_name(self.dsn)}")
        await self.open()

    async def put_back(self) -> None:
        """Put the copy in the place of the database; the mark stays what it is."""
        await self.close()
        await drop_database(_name(self.dsn))
        await _execute(f"CREATE DATABASE {_name(self.dsn)} TEMPLATE {self.old}")
        assert self.high_water is not None
        self.high_water = HighWater(self.high_water.path, self.network.log_key.public)
        self.store = await self.stack.enter_async_context(Store.open(self.dsn))

    async def rebuild(self, *mirrors: Path) -> Rebuilt:
        """Run what `seefen-server recover` runs."""
        assert self.high_water is not None
        key = self.network.log_key
        work = Rebuilder(self.store, Prover(self.store, key), self.high_water, ORIGIN, key.public)
        return await work.run([open_mirror(str(path)) for path in mirrors])

    async def mirror(self, folder: Path, node: str, *, less: int = 0) -> Path:
        """Mirror both logs and the entries of a node, as its agent does."""
        broker, device = self.broker, self.network.of(node).device
        heads, key = broker.heads, self.network.log_key
        authority = await broker.authority(device, LogFrom(0, 4096, 0))
        records = (await broker.records(device, LogFrom(0, 4096, 0))).records
        for log, size, leaves in (
            ("authority", heads.authority.size, [item.envelope for item in authority.items]),
            ("activity", heads.activity.size - less, list(records)),
        ):
            kept = LogMirror(folder / log)
            staged = kept.stage(leaves[:size])
            note = sign_checkpoint(Checkpoint(f"{ORIGIN}/{log}", size, staged.root), key, 1)
            kept.keep(staged, note)
        openings = Openings(folder / "entries")
        page = await broker.audit(device, LogFrom(0, 4096, 0))
        found = [
            Kept(i.entry.index, i.kind, i.entry.record, i.entry.core, i.entry.salt, i.envelope,
                 (), b"")
            for i in page.items
        ]  # fmt: skip
        feed = await broker.feed(device, FeedFrom(0, 1000, 0))
        found += [
            Kept(i.entry.index, i.kind, i.entry.record, i.entry.core, i.entry.salt, i.envelope,
                 i.wraps, i.body)
            for i in feed.items
        ]  # fmt: skip
        openings.keep(found, Cursors())
        return folder


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Depot]:
    """Give a broker of two nodes that goes on after its backup."""
    async with empty_database() as dsn, Store.open(dsn) as first:
        network = Network(origin=ORIGIN)
        await first.close()
        it = Depot(dsn, first, network, tmp_path / "high-water")
        await it.open()
        try:
            await it.broker.found(network.found())
            network.take(network.found())
            await it.admit(*NODES)
            yield it
        finally:
            await it.close()
            if it.old:
                await drop_database(it.old)


async def gone_on(it: Depot, many: int = 5) -> tuple[bytes, bytes, Bundle]:
    """Let much happen after a backup; return the case, an older object, and a newer bundle."""
    skopje, belgrade = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(skopje, NODES[1])
    older = await it.message(skopje, case)
    it.forked = casework.message(it.network, skopje, case, b"another history")
    await it.back_up()
    await it.send(belgrade, it.network.enrol(NODES[1], ("field",)))
    newer = casework.message(it.network, skopje, case, b"what must not be lost")
    await it.send(skopje, newer)
    await it.ask(belgrade, casework.access(it.network, belgrade, case, older))
    await it.send(belgrade, casework.ack(it.network, belgrade, case, older))
    for _ in range(many):
        await it.message(belgrade, case)
    return case, older, newer


async def test_fault_31_recover_reaches_the_very_same_root_and_devices_go_on(
    it: Depot, tmp_path: Path
) -> None:
    case, older, newer = await gone_on(it, MANY)
    skopje, belgrade = it.network.of(NODES[0]), it.network.of(NODES[1])
    before = it.broker.heads
    mirrors = [await it.mirror(tmp_path / node, node) for node in NODES]

    await it.put_back()
    await it.start()
    assert "the database is older than what was signed" in it.broker.frozen
    await refused("frozen", it.broker.feed(belgrade.device, FeedFrom(0, 10, 0)))
    await it.broker.close()

    rebuilt = await it.rebuild(mirrors[1])
    assert rebuilt.heads.activity == before.activity
    assert rebuilt.heads.authority == before.authority
    assert rebuilt.activity >= MANY
    assert rebuilt.lost == []
    again = await it.rebuild(*mirrors)  # a second time changes nothing
    assert (again.heads, again.activity, again.authority) == (rebuilt.heads, 0, 0)
    assert (await Fsck(it.store).whole()).problems == []

    await it.start()
    assert it.broker.frozen == ""
    assert it.broker.heads.activity == before.activity
    # Numbers, chain and members are those they were: everybody goes on, on the same log.
    last = await it.message(belgrade, case)
    page = await it.broker.feed(skopje.device, FeedFrom(0, 1000, before.activity.size))
    assert [i.entry.index for i in page.items][-1] == before.activity.size
    now = it.broker.heads.activity
    check_consistency(
        before.activity.size, before.activity.root, now.size, now.root, page.consistency
    )
    bodies = {i.body for i in page.items}
    assert newer.contents[0].body in bodies
    # An older key is given as ever; a newer one was lost, until its author sends it again.
    for object_, given in ((older, 1), (last, 1), (newer.contents[0].object, 0)):
        asked = casework.access(it.network, belgrade, case, object_)
        assert len((await it.ask(belgrade, asked)).keys) == given
    await it.broker.submit(skopje.device, newer, 0)
    asked = casework.access(it.network, belgrade, case, newer.contents[0].object)
    (key,) = (await it.ask(belgrade, asked)).keys
    assert key.key == newer.contents[0].key


async def test_fault_32_a_replica_that_lagged_and_is_promoted_signs_nothing_until_it_is_whole(
    it: Depot, tmp_path: Path
) -> None:
    await gone_on(it)
    newest = it.broker.heads
    mirror = await it.mirror(tmp_path / "mirror", NODES[0])
    await it.close()
    # The primary is gone; what takes its place ends where it had come to. The mark is beside it.
    it.dsn = it.dsn.replace(_name(it.dsn), it.old)
    assert it.high_water is not None
    it.high_water = HighWater(it.high_water.path, it.network.log_key.public)
    await it.open()
    assert f"had {newest.activity.size}" in it.broker.frozen
    await refused("frozen", it.broker.checkpoint("activity"))
    await it.broker.close()
    await it.rebuild(mirror)
    await it.start()
    assert not it.broker.frozen
    assert (it.broker.heads.activity, it.broker.heads.authority) == (
        newest.activity, newest.authority,
    )  # fmt: skip


async def test_what_no_mirror_opens_is_named_and_filled_later(it: Depot, tmp_path: Path) -> None:
    await gone_on(it)
    before = it.broker.heads
    one, other = [await it.mirror(tmp_path / node, node) for node in NODES]
    # What this mirror says of the entries is not what their records commit to: it has nothing.
    block = one / "entries" / "000000000"
    forged = [replace(k, core=k.core.replace(b'"v":1', b'"v":2')) for k in _kept(block)]
    block.write_bytes(
        encode_kept(forged[:2] + [replace(k, salt=bytes(32)) for k in _kept(block)[2:]])
    )
    await it.put_back()
    rebuilt = await it.rebuild(one)
    assert rebuilt.heads.activity == before.activity
    assert rebuilt.lost
    looked = await Fsck(it.store).whole()
    assert (looked.lost, looked.problems) == (len(rebuilt.lost), [])
    said = await doctor._texts(it.store)
    assert not said.good
    assert f"{len(rebuilt.lost)} entries stand without theirs ({rebuilt.lost[0]}" in said.text
    assert "the mirror of another node may have them" in said.text
    found = rebuilt.keyless
    filled = await it.rebuild(one, other)
    assert found + filled.keyless == 5 + 1
    assert filled.bodiless == 0
    assert filled.filled == len(rebuilt.lost)
    assert filled.lost == []
    assert (await doctor._texts(it.store)).good
    assert filled.heads.activity == before.activity
    assert (await Fsck(it.store).whole()).problems == []
    await it.start()
    assert it.broker.frozen == ""


async def test_fault_31_bad_mirrors_take_nothing_from_what_a_good_one_has(
    it: Depot, tmp_path: Path
) -> None:
    await gone_on(it)
    before, bodies = it.broker.heads, await _bodies(it)
    good = await it.mirror(tmp_path / "good", NODES[0])
    bad = [tmp_path / how for how in ("labels", "bodies", "wraps")]
    for folder in bad:
        copytree(good, folder)
        block = folder / "entries" / "000000000"
        block.write_bytes(encode_kept(_spoilt(_kept(block), folder.name)))

    await it.put_back()
    rebuilt = await it.rebuild(*bad, good)
    assert rebuilt.heads.activity == before.activity
    assert (rebuilt.lost, rebuilt.bodiless, rebuilt.wrapless) == ([], 0, 0)
    assert await _bodies(it) == bodies
    assert b"junk" not in await _wraps_of(it)
    assert (await Fsck(it.store).whole()).problems == []
    await it.start()


async def test_a_second_run_fills_bodies_and_keys_that_the_first_mirror_lacked(
    it: Depot, tmp_path: Path
) -> None:
    await gone_on(it)
    skopje, belgrade = it.network.of(NODES[0]), it.network.of(NODES[1])
    await it.open_case(skopje, NODES[1], serial=2)
    good, bare = [await it.mirror(tmp_path / name, NODES[0]) for name in ("good", "bare")]
    other = await it.mirror(tmp_path / "other", NODES[1])
    block = bare / "entries" / "000000000"
    block.write_bytes(encode_kept([replace(k, body=b"", wraps=()) for k in _kept(block)]))
    bodies, wraps = await _bodies(it), await _wraps_of(it)

    await it.put_back()
    first = await it.rebuild(bare)
    assert (first.lost, first.bodiless, first.wrapless) == ([], 6, 1)
    few = await _wraps_of(it)
    again = await it.rebuild(bare)  # no more can be had from it, and nothing is lost by trying
    assert (again.bodiless, again.wrapless, again.healed) == (6, 1, 0)
    healed = await it.rebuild(good, other)
    assert (healed.bodiless, healed.wrapless, healed.healed) == (0, 0, 7)
    assert healed.heads == first.heads
    assert await _bodies(it) == bodies
    assert len(await _wraps_of(it) & wraps) > len(few)
    await it.start()
    assert (await it.broker.feed(belgrade.device, FeedFrom(0, 1000, 0))).items


def _spoilt(kept: list[Kept], how: str) -> list[Kept]:
    """Return what somebody sends who wants the broker to come back without its text."""
    if how == "labels":  # one true opening, said of every entry
        one = next(k for k in kept if k.core)
        return [replace(one, index=n) for n in range(40)]
    if how == "bodies":
        return [replace(k, body=b"junk") for k in kept]
    return [replace(k, wraps=(b"junk",)) for k in kept]


async def _bodies(it: Depot) -> list[bytes]:
    async with it.database() as looking:
        return [row[0] for row in await looking.fetch("SELECT body FROM object ORDER BY idx")]


async def _wraps_of(it: Depot) -> set[bytes]:
    async with it.database() as looking:
        return {row[0] for row in await looking.fetch("SELECT data FROM wrap")}


async def test_a_mirror_that_is_short_or_another_changes_nothing(it: Depot, tmp_path: Path) -> None:
    await gone_on(it)
    short = await it.mirror(tmp_path / "short", NODES[0], less=3)
    whole = await it.mirror(tmp_path / "whole", NODES[0])
    await it.put_back()
    before = await it.store.heads()

    with pytest.raises(SetupError, match=r"and the mirrors reach") as caught:
        await it.rebuild(short)
    assert "another node's agent" in caught.value.hint
    with pytest.raises(SetupError, match=r"and the mirrors reach 11$"):
        await it.rebuild()

    (bundle,) = (whole / "activity/tile/entries/000.p").iterdir()
    records = bytearray(bundle.read_bytes())
    records[-40] ^= 1
    bundle.write_bytes(records)
    with pytest.raises(SetupError, match=r"is not the one that was signed"):
        await it.rebuild(whole)
    stranger = PlainKey.generate()
    note = sign_checkpoint(Checkpoint(f"{ORIGIN}/activity", 999, bytes(32)), stranger, 1)
    (short / "activity/checkpoint").write_text(note)
    with pytest.raises(SetupError, match=r"is not one of this log"):
        await it.rebuild(short)
    with pytest.raises(SetupError, match=r"is no mirror"):
        await it.rebuild(tmp_path)
    assert await it.store.heads() == before
    await it.start()


async def test_a_database_that_grew_anew_is_not_mixed_with_the_old_log(
    it: Depot, tmp_path: Path
) -> None:
    await gone_on(it)
    whole = await it.mirror(tmp_path / "whole", NODES[0])
    await it.put_back()
    assert it.high_water is not None
    assert it.forked is not None
    # The operator has deleted the mark and let the broker go on: another log begins.
    it.high_water.begin(await it.store.heads())
    await it.start()
    await it.broker.submit(it.network.of(NODES[0]).device, it.forked, 0)
    await it.broker.close()
    before = await it.store.heads()
    with pytest.raises(SetupError, match=r"is not the one that was signed"):
        await it.rebuild(whole)
    assert await it.store.heads() == before
    await it.start()


def test_a_source_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"there is no folder"):
        open_mirror(str(tmp_path / "nowhere"))
    assert isinstance(open_mirror("https://mirror.example/"), Mirror)


def _kept(block: Path) -> list[Kept]:
    return decode_kept(block.read_bytes())


def _name(dsn: str) -> str:
    return dsn.split("?")[0].rpartition("/")[2]


async def _execute(query: str) -> None:
    connection = await asyncpg.connect(postgres().dsn)
    try:
        await connection.execute(query)
    finally:
        await connection.close()
