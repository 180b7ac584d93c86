"""The mirror of a log: whole or not at all, and readable without our code."""

import base64
import hashlib
import os
import random
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from seefen.client.agent import durable
from seefen.client.agent.mirror import LogMirror, MirrorError
from seefen.client.agent.openings import Cursors, Openings
from seefen.protocol.ledger import mirror as format_
from seefen.protocol.ledger.mirror import Kept
from seefen.protocol.ledger.note import Checkpoint, open_checkpoint, sign_checkpoint
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.suite import PlainKey

ORIGIN = "seefen.test/activity"
KEY = PlainKey.from_secret(bytes(32))


def verify(note: str) -> Checkpoint:
    return open_checkpoint(note, ORIGIN, KEY.public).checkpoint


@cache
def entry(index: int) -> bytes:
    return hashlib.sha512(b"%d" % index).digest() + b"%025d" % index


@cache
def root(size: int) -> bytes:
    tree = CompactRange()
    for index in range(size):
        tree.append(leaf_hash(entry(index)))
    return tree.root()


@cache
def note(size: int) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, root(size)), KEY, 1_700_000_000)


def grow(mirror: LogMirror, size: int) -> None:
    staged = mirror.stage([entry(index) for index in range(mirror.size, size)])
    assert staged.root == root(size)
    mirror.keep(staged, note(size))


def again(folder: Path) -> LogMirror:
    mirror = LogMirror(folder)
    mirror.load(verify)
    return mirror


def read_as_c2sp(folder: Path) -> list[bytes]:
    """Return the leaves in a folder, by the pages of C2SP alone, each checked by the tiles."""
    _, size_, root_ = (folder / "checkpoint").read_text().split("\n")[:3]
    size, found = int(size_), list[bytes]()
    for n in range(-(-size // 256)):
        width = min(256, size - n * 256)
        name = f"{n:03}" if width == 256 else f"{n:03}.p/{width}"
        bundle, at = (folder / "tile" / "entries" / name).read_bytes(), 0
        tile = (folder / "tile" / "0" / name).read_bytes()
        for place in range(width):
            long = int.from_bytes(bundle[at : at + 2], "big")
            data = bundle[at + 2 : at + 2 + long]
            at += 2 + long
            assert hashlib.sha256(b"\x00" + data).digest() == tile[place * 32 : place * 32 + 32]
            found.append(data)
        assert at == len(bundle)
        assert len(tile) == width * 32
    assert base64.b64encode(root(size)).decode() == root_
    return found


def test_a_mirror_grows_and_is_read_by_whoever_knows_c2sp(tmp_path: Path) -> None:
    mirror = LogMirror(tmp_path / "log")
    mirror.load(verify)
    steps = random.Random(7)
    size = 0
    while size < 1200:
        size += steps.choice((1, 2, 17, 255, 256, 257))
        grow(mirror, size)
        if steps.random() < 0.5:
            mirror = again(tmp_path / "log")
        assert mirror.size == size
    assert read_as_c2sp(tmp_path / "log") == [entry(index) for index in range(size)]
    # Of partial tiles only those of the newest head are left.
    left = [path for path in (tmp_path / "log").rglob("*") if path.parent.name.endswith(".p")]
    assert {int(path.name) for path in left} <= {size % 256, size // 256}


def test_a_piece_of_a_long_catch_up_moves_no_checkpoint(tmp_path: Path) -> None:
    mirror = LogMirror(tmp_path / "log")
    grow(mirror, 3)
    mirror.keep(mirror.stage([entry(index) for index in range(3, 700)]))
    assert again(tmp_path / "log").size == 3
    grow(mirror, 900)
    assert again(tmp_path / "log").size == 900
    assert len(read_as_c2sp(tmp_path / "log")) == 900


def test_a_leaf_too_long_for_a_bundle_is_kept_beside(tmp_path: Path) -> None:
    long = bytes(70_000)
    mirror = LogMirror(tmp_path / "log")
    staged = mirror.stage([b"short", long])
    head = Checkpoint(ORIGIN, 2, staged.root)
    mirror.keep(staged, sign_checkpoint(head, KEY, 1))
    kept = again(tmp_path / "log")
    assert kept.size == 2
    assert format_.unpack((tmp_path / "log/pages/000.p/2").read_bytes()) == [b"short", long]


class Stopped(BaseException):
    """The process was killed here."""


def _at_once(_: int) -> None:
    pass


class Counter:
    """Ends the process, or fails, at the nth write, sync or renaming."""

    def __init__(self, nth: int, error: BaseException) -> None:
        self.left = nth
        self._error = error

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Count these calls."""
        for owner, name in ((os, "fsync"), (os, "open"), (Path, "replace"), (Path, "unlink")):
            patch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **options: object) -> object:
            self.left -= 1
            if self.left == 0:
                raise self._error
            return real(*args, **options)

        return counted


@pytest.mark.parametrize("error", [Stopped(), OSError(5, "Input/output error")])
def test_fault_35_a_mirror_is_whole_wherever_its_writing_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """After each step the old head or the new one stands, with everything below it."""
    monkeypatch.setattr(os, "fsync", _at_once)  # what it does for the disk cannot be seen here
    for nth in range(1, 200):
        folder, counter = tmp_path / str(nth) / "log", Counter(nth, error)
        mirror = LogMirror(folder)
        with monkeypatch.context() as patch, suppress(type(error)):
            counter.patch(patch)
            grow(mirror, 250)
            grow(mirror, 520)
        if counter.left > 0:
            assert nth > 20
            return
        found = again(folder)
        assert found.size in (0, 250, 520)
        # The process that only failed goes on where it was; one that ended begins anew.
        goes_on = mirror if isinstance(error, OSError) else found
        grow(goes_on, 521)
        assert again(folder).size == 521
        assert len(read_as_c2sp(folder)) == 521
    raise AssertionError("there is no end of steps")


@pytest.mark.parametrize("what", ["checkpoint", "tile/0/001", "tile/entries/002.p/88", "gone"])
def test_a_mirror_that_was_changed_is_not_taken_up(tmp_path: Path, what: str) -> None:
    grow(LogMirror(tmp_path / "log"), 600)
    path = tmp_path / "log" / ("tile/0/000" if what == "gone" else what)
    if what == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
    with pytest.raises(MirrorError):
        again(tmp_path / "log")


def test_what_two_sources_know_of_an_entry_is_put_together(tmp_path: Path) -> None:
    kept = Kept(300, "object", bytes(89), b"core", bytes(32), b"envelope", (), b"")
    fed = Kept(300, "object", bytes(89), b"core", bytes(32), b"envelope", (b"wrap",), b"body")
    openings = Openings(tmp_path / "entries")
    openings.keep([kept], Cursors(fed=0, audited=301))
    openings.keep([fed], Cursors(fed=301, audited=301))
    assert Openings(tmp_path / "entries").block(1) == [fed]
    assert Openings(tmp_path / "entries").cursors() == Cursors(301, 301)
    assert openings.block(0) == []


def test_the_same_bytes_are_not_written_twice(tmp_path: Path) -> None:
    batch = durable.Batch()
    batch.write(tmp_path / "one", b"bytes")
    batch.sync()
    before = (tmp_path / "one").stat().st_ino
    batch.write(tmp_path / "one", b"bytes")
    assert (tmp_path / "one").stat().st_ino == before
