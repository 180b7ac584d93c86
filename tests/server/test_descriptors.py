"""While a process has no descriptor left, nothing that was written is lost to those who listen."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from seefen.protocol.errors import SeefenError
from seefen.server import high_water, proofs
from seefen.server.high_water import HighWater, Times
from seefen.server.proofs import Prover
from tests.server.test_high_water import heads
from tests.server.test_races_processes import rest
from tests.support import casework
from tests.support.network import Network
from tests.support.served import Served, served
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Served]:
    """Give a broker with a mark."""
    async with served(*NODES, mark=tmp_path / "high-water") as it:
        yield it


def full(_: Path) -> bytes:
    """Stand for a process that holds as many descriptors as it may."""
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("seconds", [0.02, 0.8])
async def test_what_is_written_without_a_descriptor_is_pushed_once_there_is_one(
    it: Served, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(author, NODES[1], form="channel")
    got = list[bytes]()
    it.broker.attach(reader.device, got.append, lambda: None)
    bundle = casework.message(it.network, author, case)
    await rest(it.broker)  # no look comes to its help
    with monkeypatch.context() as patch:
        patch.setattr(high_water, "_bytes_of", full)
        sent = asyncio.create_task(it.broker.submit(author.device, bundle, 0))
        await asyncio.sleep(seconds)
    with suppress(SeefenError):  # its author asks again
        await sent
    await until(lambda: got)
    assert bundle.contents[0].key in got[0] or bundle.statements[0].envelope in got[0]


class Bench:
    """A prover whose mark can be unreadable, and another process."""

    def __init__(self, path: Path) -> None:
        """Begin at 100 seconds."""
        self.network = Network()
        key = self.network.log_key
        self.mark, self.other = (HighWater(path, key.public) for _ in range(2))
        assert self.mark.found(heads(3, 5))
        self.mark.advance(heads(3, 9), Times(1000))
        self.prover = Prover(None, key, self.mark)  # type: ignore[arg-type]
        self.prover.see(heads(3, 5), 100)

    def of(self, size: int) -> int | None:
        """Return with which time a size would be signed."""
        return self.prover._stamps["activity"].of(size)


def test_what_was_seen_unreadable_is_dated_as_it_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "high-water")
    with monkeypatch.context() as patch:
        patch.setattr(high_water, "_bytes_of", full)
        bench.prover.see(heads(3, 6), 101)
        bench.prover.make_up()
        assert bench.of(6) is None
    bench.prover.see(heads(3, 7), 110)
    assert (bench.of(6), bench.of(7)) == (101, 110)


def test_what_others_did_meanwhile_may_be_before_it_or_after_and_then_it_is_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one signed a longer head at 103, and began anew with its clock behind."""
    bench = Bench(tmp_path / "high-water")
    with monkeypatch.context() as patch:
        patch.setattr(high_water, "_bytes_of", full)
        bench.prover.see(heads(3, 6), 101)
    bench.other.advance(heads(3, 8), Times(50, since=105))
    bench.prover.make_up()
    assert bench.of(6) is None
    bench.prover.see(heads(3, 8), 106)
    assert bench.of(8) == 106


def test_what_waits_to_be_dated_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path / "high-water")
    monkeypatch.setattr(proofs, "KEPT", 3)
    with monkeypatch.context() as patch:
        patch.setattr(high_water, "_bytes_of", full)
        for size in range(6, 10):
            bench.prover.see(heads(3, size), 101)
    bench.prover.make_up()
    assert [bench.of(size) is None for size in range(6, 10)] == [True, False, False, False]
