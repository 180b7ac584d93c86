"""Files: sealed as a stream, moved in parts, and opened only whole."""

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from seefen.client import files
from seefen.client.connection import Connection, UnreachableError
from seefen.client.lines import Keep, Load, Run
from seefen.client.opening import Arrival, open_file
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.messages import FileNote, decode_message, encode_message
from seefen.protocol.objects import PART_SIZE, part_count, parts_root
from seefen.protocol.statements import NO_HASH, Head, Object
from seefen.protocol.suite import new_id, random_bytes

KEY = bytes(range(32))
NET = bytes(32)
HEAD = Head(0, NO_HASH)
HERE = Arrival(0)  # every part is


@dataclass
class Blobs:
    """The broker's five addresses for file bodies, and how it may misbehave."""

    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])
    leaves: bytes = b""
    size: int = 0
    cut_after: int = 1 << 30
    asked: list[str] = field(default_factory=list[str])

    async def http(self, method: str, path: str, *, body: bytes = b"", media: str = "") -> bytes:
        plain, _, query = path.partition("?")
        name = plain.rpartition("/")[2]
        self.asked.append(f"{method} {name}")
        if "parts" not in plain:
            return self._about(method, name, query, body)
        if self.cut_after == 0:
            raise UnreachableError("the line was cut", rule="broker")
        self.cut_after -= 1
        if method == "GET":
            return self.parts[int(name)]
        self.parts[int(name)] = body
        return b""

    async def send_parts(self, path: str, run: Run, load: Load) -> None:
        base, buffer = path.rpartition("/")[0], memoryview(bytearray(PART_SIZE))
        for number in run.numbers:
            data = bytes(buffer[: load(number, buffer)])
            await self.http("PUT", f"{base}/{number}", body=data)

    async def fetch_parts(self, path: str, run: Run, keep: Keep) -> None:
        base = path.rpartition("/")[0]
        for number in run.numbers:
            keep(number, memoryview(await self.http("GET", f"{base}/{number}")))

    def _about(self, method: str, name: str, query: str, body: bytes) -> bytes:
        if name == "leaves":
            return self.leaves
        if method == "PUT":
            self.leaves, self.size = body, int(query.removeprefix("size="))
        count = len(self.leaves) // 32
        return json.dumps({"missing": [i for i in range(count) if i not in self.parts]}).encode()

    @property
    def connection(self) -> Connection:
        return cast("Connection", self)


@dataclass
class Sealed:
    """A sealed file, and the object that was signed about it."""

    obj: Object
    path: Path
    note: FileNote
    plain: bytes


def blank() -> Object:
    return Object(
        1, NET, "object", new_id(), new_id(), "skopje-border", new_id(), 1, 1, HEAD, HEAD,
        new_id(), NO_HASH, 1, 1, NO_HASH, 1_790_000_000, None, None, 0, "H2", True, b"", 0, NO_HASH,
        False,
    )  # fmt: skip


def make(folder: Path, plain: bytes, name: str = "serial.jpg") -> Sealed:
    source = folder / name
    source.write_bytes(plain)
    digest = hashlib.sha256(plain).digest()
    note = FileNote(name=name, size=len(plain), sha256=digest, media_type="image/jpeg")
    obj = blank()
    path = folder / "outbox.sealed"
    size, root = files.seal_file(source, path, KEY, obj, encode_message(note), _silent)
    source.unlink()
    return Sealed(replace(obj, body_size=size, body_root=root), path, note, plain)


async def fetch(blobs: Blobs, sealed: Sealed, target: Path) -> None:
    arrival = Arrival(part_count(sealed.obj.body_size))
    await files.download(blobs.connection, sealed.obj, target, _silent, arrival)
    assert arrival.missing() == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_pause(_: float) -> None:
        return None

    monkeypatch.setattr("asyncio.sleep", no_pause)


@pytest.mark.parametrize("size", [0, 1, 1023, PART_SIZE - 1, PART_SIZE, 3 * PART_SIZE + 5])
def test_a_file_comes_out_as_it_went_in(tmp_path: Path, size: int) -> None:
    sealed = make(tmp_path, random_bytes(size))
    path, head = open_file(sealed.obj, KEY, sealed.path, tmp_path / ".opening", HERE)

    assert path.name == "serial.jpg"
    assert path.read_bytes() == sealed.plain
    assert decode_message(head) == sealed.note
    assert sealed.path.stat().st_size == sealed.obj.body_size
    assert not list(tmp_path.glob("*.opening"))


def test_the_signed_root_is_over_the_parts_as_they_travel(tmp_path: Path) -> None:
    sealed = make(tmp_path, random_bytes(2 * PART_SIZE + 7))
    data = sealed.path.read_bytes()
    parts = [data[at : at + PART_SIZE] for at in range(0, len(data), PART_SIZE)]

    assert len(parts) == part_count(len(data))
    assert parts_root(map(leaf_hash, parts)) == sealed.obj.body_root


def test_nothing_readable_is_in_the_outbox(tmp_path: Path) -> None:
    plain = b"EV-19070413 canary " * 500
    sealed = make(tmp_path, plain, name="canary-name.jpg")
    for path in tmp_path.iterdir():
        assert b"canary" not in path.read_bytes()
    assert sealed.obj.body_size > len(plain)


def test_the_length_does_not_tell_the_length(tmp_path: Path) -> None:
    sizes = {make(tmp_path, random_bytes(n)).obj.body_size for n in (40_000, 40_010, 40_100)}

    assert len(sizes) == 1


def test_a_large_file_is_never_in_memory(tmp_path: Path) -> None:
    source = tmp_path / "large.x3p"
    with source.open("wb") as file:
        file.truncate((1 << 28) + 1)  # 256 MiB, and 8 MiB of padding behind it
    tracemalloc.start()
    try:
        files.seal_file(source, tmp_path / "sealed", KEY, blank(), b"head", _silent)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 14 << 20


def test_a_file_that_grew_while_it_was_read_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grown(path: Path) -> Iterator[bytes]:
        yield path.read_bytes()
        yield b"more"

    monkeypatch.setattr(files, "_chunks", grown)
    with pytest.raises(RefusedError, match="changed while it was read"):
        make(tmp_path, b"first")


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "cut by one": lambda data: data[:-1],
    "cut in half": lambda data: data[: len(data) // 2],
    "one more": lambda data: data + b"\0",
    "first byte": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "last byte": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_stream_leaves_no_file(tmp_path: Path, how: str) -> None:
    # Attack 20, by somebody who could have signed: the seal itself must hold.
    sealed = make(tmp_path, random_bytes(200_000))
    sealed.path.write_bytes(SPOILED[how](sealed.path.read_bytes()))
    target = tmp_path / "target"
    target.mkdir()

    with pytest.raises(UntrustedError):
        open_file(sealed.obj, KEY, sealed.path, target / ".opening", HERE)
    assert list(target.iterdir()) == []


def test_another_author_cannot_pass_it_off(tmp_path: Path) -> None:
    # Attack 18: the author stands in the context of the seal.
    sealed = make(tmp_path, b"photograph")
    thief = replace(sealed.obj, node="tirana-border", device=new_id())
    with pytest.raises(UntrustedError):
        open_file(thief, KEY, sealed.path, tmp_path / ".opening", HERE)


def test_a_false_description_leaves_no_file(tmp_path: Path) -> None:
    source = tmp_path / "x.jpg"
    source.write_bytes(b"photograph")
    sealed = make(tmp_path, b"photograph")
    source.write_bytes(b"photograph")
    lie = replace(sealed.note, sha256=bytes(32))
    size, root = files.seal_file(source, sealed.path, KEY, sealed.obj, encode_message(lie), _silent)
    obj = replace(sealed.obj, body_size=size, body_root=root)
    source.unlink()
    target = tmp_path / "target"
    target.mkdir()

    with pytest.raises(UntrustedError, match="not the one its author described"):
        open_file(obj, KEY, sealed.path, target / ".opening", HERE)
    assert list(target.iterdir()) == []


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    sealed = make(tmp_path, b"new")
    (tmp_path / "serial.jpg").write_bytes(b"evidence")
    path, _ = open_file(sealed.obj, KEY, sealed.path, tmp_path / ".opening", HERE)

    assert path.name == "serial (2).jpg"
    assert (tmp_path / "serial.jpg").read_bytes() == b"evidence"


async def test_all_parts_go_up_and_come_down(tmp_path: Path) -> None:
    sealed, blobs = make(tmp_path, random_bytes(3 * PART_SIZE)), Blobs()
    seen: list[tuple[int, int]] = []
    await files.upload(
        blobs.connection,
        sealed.path,
        sealed.obj.body_root,
        "f",
        lambda _, d, t: seen.append((d, t)),
    )
    fetched = tmp_path / "fetched.sealed"
    await fetch(blobs, sealed, fetched)

    assert fetched.read_bytes() == sealed.path.read_bytes()
    assert seen[-1] == (sealed.obj.body_size, sealed.obj.body_size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


async def test_a_cut_goes_on_where_it_was(tmp_path: Path, quick: None) -> None:
    sealed, blobs = make(tmp_path, random_bytes(5 * PART_SIZE)), Blobs(cut_after=2)
    with pytest.raises(SeefenError) as caught:
        await files.upload(blobs.connection, sealed.path, sealed.obj.body_root, "f", _silent)
    assert isinstance(caught.value, UnreachableError)
    arrived = set(blobs.parts)
    assert len(arrived) == 2
    blobs.cut_after = 1 << 30
    blobs.asked.clear()
    await files.upload(blobs.connection, sealed.path, sealed.obj.body_root, "f", _silent)

    again = {int(line.split()[1]) for line in blobs.asked if line.split()[1].isdigit()}
    assert not arrived & again
    assert len(blobs.parts) == part_count(sealed.obj.body_size)


async def test_a_download_fetches_only_what_is_missing(tmp_path: Path) -> None:
    sealed, blobs = make(tmp_path, random_bytes(3 * PART_SIZE)), Blobs()
    await files.upload(blobs.connection, sealed.path, sealed.obj.body_root, "f", _silent)
    fetched = tmp_path / "fetched.sealed"
    fetched.write_bytes(sealed.path.read_bytes()[:PART_SIZE] + bytes(PART_SIZE))
    blobs.asked.clear()
    await fetch(blobs, sealed, fetched)

    assert "GET 0" not in blobs.asked
    assert fetched.read_bytes() == sealed.path.read_bytes()


async def test_a_part_that_was_swapped_is_not_kept(tmp_path: Path) -> None:
    sealed, blobs = make(tmp_path, random_bytes(3 * PART_SIZE)), Blobs()
    await files.upload(blobs.connection, sealed.path, sealed.obj.body_root, "f", _silent)
    blobs.parts[0], blobs.parts[1] = blobs.parts[1], blobs.parts[0]

    with pytest.raises(SeefenError) as caught:
        await fetch(blobs, sealed, tmp_path / "got.sealed")
    assert isinstance(caught.value, UntrustedError)


async def test_another_list_of_parts_is_refused_before_a_part_is_asked_for(tmp_path: Path) -> None:
    sealed, blobs = make(tmp_path, random_bytes(3 * PART_SIZE)), Blobs()
    await files.upload(blobs.connection, sealed.path, sealed.obj.body_root, "f", _silent)
    blobs.leaves = blobs.leaves[:-32] + bytes(32)
    blobs.asked.clear()

    with pytest.raises(UntrustedError, match="list of parts"):
        await fetch(blobs, sealed, tmp_path / "got.sealed")
    assert blobs.asked == ["GET leaves"]


def _silent(_: str, __: int, ___: int) -> None:
    return None


POLYGLOTS = {
    "page.html": b"<!DOCTYPE html><script>alert(1)</script>",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "both.jpg.html": b"\xff\xd8\xff\xe0<html><script>alert(1)</script>\xff\xd9",
    "photo.jpg": b"\xff\xd8\xff\xe0<html><script>alert(1)</script>\xff\xd9",
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_attack_47_a_page_or_drawing_is_saved_as_bytes_and_as_it_is(
    tmp_path: Path, name: str
) -> None:
    sealed = make(tmp_path, POLYGLOTS[name], name)
    path, head = open_file(sealed.obj, KEY, sealed.path, tmp_path / ".opening", HERE)
    assert path.name == (name if name == "photo.jpg" else f"{name}.bin")
    assert path.read_bytes() == POLYGLOTS[name]  # nothing was cleaned, opened or changed
    assert path.stat().st_mode & 0o111 == 0
    note = decode_message(head)
    assert isinstance(note, FileNote)
    assert note.name == name  # shown, and never written to
