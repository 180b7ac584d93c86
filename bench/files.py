"""(d) A file sealed, uploaded, downloaded and opened, beside plain aiohttp without encryption.

Both go from a file on the disk to a synced file on the disk, through a server that has the
bytes on its disk, synced, before it answers. Ours is the real client, a process for sending
and one for fetching, from the call to its return: description, seal, parts, object and
receipt; then access, receipt, parts, opening and the check of the whole. Plain is one
request each way (:mod:`bench.bare`), once over the same TLS and once without any.

Memory is the peak of each process, so that a body held anywhere would show.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from bench.bare import CHUNK, bare
from bench.rows import Row
from bench.stage import Stage, ask_process
from seefen.client import Client
from seefen.client.connection import tls_context
from tests.client.homes import PASSPHRASE
from tests.support.network import Machine

MIB: Final = 1 << 20
SIZES: Final = {
    "tiny": {1: 1, 3: 1},
    "usual": {1: 7, 100: 3, 1024: 2},
    "full": {1: 15, 100: 7, 1024: 5},
}
MUST: Final = 0.55
FROM: Final = 100  # MiB; below it the must is not asked
GROWTH: Final = 64.0  # MiB a process may need more for the largest file than for the smallest


class Task(Struct):
    """What to move: with a home it is ours, with an address plain."""

    do: str
    path: str
    home: str = ""
    number: str = ""
    url: str = ""
    ca: str = ""


class Done(Struct):
    """How long it took, and the most memory the process ever had."""

    seconds: float
    peak: int
    ref: str = ""


class Turn(Struct):
    """One file there and back: ours, plain over TLS, and plain without."""

    up: Done
    down: Done
    tls: tuple[Done, Done]
    clear: tuple[Done, Done]
    broker: int


async def run(stage: Stage) -> list[Row]:
    """Move files of each size, ours and plain in turn."""
    sender, reader, number = await _set_up(stage)
    rows: list[Row] = []
    turns: dict[int, list[Turn]] = {}
    async with (
        bare(stage.folder, stage.folder / "broker") as tls,
        bare(stage.folder, None) as clear,
    ):
        for size, rounds in SIZES[stage.scale.name].items():
            source = stage.folder / f"file-{size}"
            with source.open("wb") as file:
                for _ in range(size):
                    file.write(os.urandom(MIB))
                os.fsync(file.fileno())
            turns[size] = [
                await _turn(stage, source, sender, reader, number, (tls, clear))
                for _ in range(rounds)
            ]
            source.unlink()
            rows += _rates(size, turns[size])
    return rows + _memory(turns)


async def _set_up(stage: Stage) -> tuple[Machine, Machine, str]:
    names = [f"files-{time.monotonic_ns() % 10**9:x}-{end}" for end in ("a", "b")]
    async with stage.workshop() as workshop:
        await workshop.admit(*names, machines=2)
        # Who opened the case has used numbers that a client with a new vault does not know.
        opener, sender = (stage.network.of(names[0], nth=n) for n in (0, 1))
        reader = stage.network.of(names[1])
        case = await workshop.open_case(opener, names[1])
    return sender, reader, stage.network.cases[case].number


async def _turn(
    stage: Stage,
    source: Path,
    sender: Machine,
    reader: Machine,
    number: str,
    servers: tuple[str, str],
) -> Turn:
    target = stage.folder / "fetched"
    Path(f"/proc/{stage.pid}/clear_refs").write_text("5")  # its peak begins anew
    up = await _ask(Task("send", str(source), str(stage.home(sender)), number))
    down = await _ask(Task("fetch", str(target), str(stage.home(reader)), up.ref))
    broker = _peak(stage.pid)
    plain: list[tuple[Done, Done]] = []
    for url in servers:
        there = await _ask(Task("put", str(source), url=url, ca=stage.ca))
        back = await _ask(Task("get", str(target / "plain"), url=url, ca=stage.ca))
        plain.append((there, back))
    for path in target.iterdir():
        path.unlink()
    return Turn(up, down, plain[0], plain[1], broker)


async def _ask(task: Task) -> Done:
    answer = await ask_process("bench.files", msgspec.msgpack.encode(task))
    return msgspec.msgpack.decode(answer, type=Done)


def _rates(size: int, turns: list[Turn]) -> list[Row]:
    def rate(seconds: list[float]) -> float:
        return size / median(seconds)

    must = MUST if size >= FROM else None
    up = rate([turn.up.seconds for turn in turns])
    down = rate([turn.down.seconds for turn in turns])
    both = rate([turn.up.seconds + turn.down.seconds for turn in turns])
    tls = [rate([turn.tls[way].seconds for turn in turns]) for way in (0, 1)]
    tls_both = rate([sum(done.seconds for done in turn.tls) for turn in turns])
    clear = rate([sum(done.seconds for done in turn.clear) for turn in turns])
    name = f"{size} MiB"
    return [
        Row("d", f"{name} sealed and uploaded", "MiB/s", up, tls[0]),
        Row("d", f"{name} downloaded and opened", "MiB/s", down, tls[1]),
        Row("d", f"{name} there and back, same TLS", "MiB/s", both, tls_both, must),
        Row("d", f"{name} there and back, beside no TLS", "MiB/s", both, clear),
    ]


def _memory(turns: dict[int, list[Turn]]) -> list[Row]:
    least, most = min(turns), max(turns)

    def growth(peaks: dict[int, int]) -> float:
        return (peaks[most] - peaks[least]) / MIB

    what = f"for {most} MiB, more than for {least}"
    broker = growth({size: max(turn.broker for turn in turns[size]) for size in turns})
    up = growth({size: max(turn.up.peak for turn in turns[size]) for size in turns})
    down = growth({size: max(turn.down.peak for turn in turns[size]) for size in turns})
    return [
        Row("d", f"broker {what}", "MiB", broker, None, GROWTH, at_most=True),
        Row("d", f"sending client {what}", "MiB", up, None, GROWTH, at_most=True),
        Row("d", f"fetching client {what}", "MiB", down, None, GROWTH, at_most=True),
    ]


def _peak(pid: int | str = "self") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


# --- the process that moves one file -----------------------------------------------------


async def move(task: Task) -> Done:
    """Move one file and say how long it took."""
    if task.home:
        async with Client.open(Path(task.home), PASSPHRASE) as client:
            return await (_send if task.do == "send" else _fetch)(client, task)
    ssl = tls_context(task.ca) if task.url.startswith("https") else None
    connector = aiohttp.TCPConnector() if ssl is None else aiohttp.TCPConnector(ssl=ssl)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        began = time.perf_counter()
        if task.do == "put":
            await _put(session, task)
        else:
            await _get(session, task)
        return Done(time.perf_counter() - began, _peak())


async def _put(session: aiohttp.ClientSession, task: Task) -> None:
    with Path(task.path).open("rb") as file:  # noqa: ASYNC230 - nothing else runs here
        async with session.put(f"{task.url}/file", data=file) as answer:
            answer.raise_for_status()


async def _get(session: aiohttp.ClientSession, task: Task) -> None:
    async with session.get(f"{task.url}/file") as answer:
        with Path(task.path).open("wb", buffering=0) as file:  # noqa: ASYNC230
            async for chunk in answer.content.iter_chunked(CHUNK):
                file.write(chunk)
            await asyncio.to_thread(os.fsync, file.fileno())


async def _send(client: Client, task: Task) -> Done:
    began = time.perf_counter()
    sent = await client.cases.send(task.number, "", [Path(task.path)])
    if not sent.files or sent.files[-1].ref is None:
        raise RuntimeError(f"it was not recorded: {sent}")
    return Done(time.perf_counter() - began, _peak(), sent.files[-1].ref)


async def _fetch(client: Client, task: Task) -> Done:
    began = time.perf_counter()
    await client.files.get(task.number, Path(task.path), purpose="tracing", basis="national-law")
    return Done(time.perf_counter() - began, _peak())


def main() -> None:
    """Do what the input says and say how long it took."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(asyncio.run(move(task))))


if __name__ == "__main__":
    main()
