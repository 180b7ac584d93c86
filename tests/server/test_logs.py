"""Log lines: JSON for an operator, no content, no ids, nothing that forges a line."""

import asyncio
import io
import json
import logging
import resource
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from seefen.server import logs

SECRET = b"s" * 32
DEVICE = bytes(range(16))


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(SECRET, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_id_is_written_as_a_hash_that_stays_the_same(stream: io.StringIO) -> None:
    structlog.get_logger().info("socket.open", device=DEVICE)
    structlog.get_logger().info("socket.end", device=DEVICE, code=1000)
    first, second = lines(stream)
    assert first["device"] == second["device"]
    assert DEVICE.hex() not in stream.getvalue()
    assert (second["code"], second["level"]) == (1000, "info")


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[2J", "\u202egpj", "\u2028", "\x00"])
def test_no_value_forges_a_line(stream: io.StringIO, text: str) -> None:
    structlog.get_logger().info("event", value=text)
    (line,) = lines(stream)
    assert line["value"] == text
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1


def test_a_library_says_where_and_never_what(stream: io.StringIO) -> None:
    try:
        raise ValueError("canary-7781")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("failed on %s", "canary-7782")
    (line,) = lines(stream)
    assert (line["library"], line["error"]) == ("aiohttp.server", "ValueError")
    assert line["where"][0].startswith("test_logs.py:")
    assert "canary" not in stream.getvalue()


def test_ids_in_a_list_are_hashed_and_objects_say_only_their_type(stream: io.StringIO) -> None:
    structlog.get_logger().error("alarm", objects=[DEVICE, None], other=Path("/canary"))
    (line,) = lines(stream)
    assert len(line["objects"][0]) == 12
    assert line["objects"][1] is None
    assert line["other"] == "PosixPath"
    assert "canary" not in stream.getvalue()


def test_a_full_disk_for_the_log_stops_nobody(stream: io.StringIO) -> None:
    """Else a login or a socket ends with 500 because a line about it found no room."""
    full = Path("/dev/full").open("a", buffering=1, encoding="ascii")  # noqa: SIM115 - see the end
    logs.configure(SECRET, full)
    structlog.get_logger().info("login", device=DEVICE)
    logging.getLogger("aiohttp.server").error("failed")
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_once_there_is_room_the_log_says_how_many_lines_found_none(
    stream: io.StringIO, tmp_path: Path
) -> None:
    path = tmp_path / "broker.log"
    with logs.open_file(path) as file:
        logs.configure(SECRET, file)
        structlog.get_logger().info("one")
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limit[1]))
        try:
            for _ in range(3):
                structlog.get_logger().info("no room")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        for event in ("two", "three"):
            structlog.get_logger().info(event)
    found = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line for line in found if line["event"] == "log.full"]
    assert [(line["lines"], line["level"]) for line in told] == [(3, "warning")]
    assert [line["event"] for line in found if line["event"] != "no room"] == [
        "one",
        "two",
        "log.full",
        "three",
    ]


def test_only_its_owner_reads_a_log_file(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    with logs.open_file(path) as file:
        file.write("x\n")
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_what_comes_again_and_again_is_a_line_a_minute() -> None:
    now = 0.0
    repeats = logs.Repeats(lambda: now)
    assert [repeats.due("a", rule="x") for _ in range(3)] == [1, 0, 0]
    assert [repeats.due("a", rule="y"), repeats.due("b")] == [1, 1]
    now = logs.REPEAT_SECONDS
    assert [repeats.due("a", rule="x") for _ in range(2)] == [3, 0]
    assert repeats.due("b") == 1


def test_lines_that_each_say_something_else_are_more_than_one_a_minute() -> None:
    now = 0.0
    repeats = logs.Repeats(lambda: now)
    assert [repeats.due("blocked", most=3) for _ in range(5)] == [1, 1, 1, 0, 0]
    now = logs.REPEAT_SECONDS
    assert [repeats.due("blocked", most=3) for _ in range(4)] == [3, 1, 1, 0]


async def test_what_was_counted_last_is_told_when_its_minute_is_over_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    repeats = logs.Repeats(lambda: now)
    for _ in range(3):
        repeats.due("refused", rule="login")
    with capture_logs() as said:
        repeats.tell()
        assert said == []
        now = logs.REPEAT_SECONDS
        repeats.tell()
        repeats.tell()
        line = {"event": "refused", "log_level": "info", "rule": "login", "times": 2}
        assert said == [line]
        repeats.due("refused", rule="login")
        telling = asyncio.create_task(repeats.keep_telling())
        await asyncio.sleep(0)
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        assert said[1:] == [{**line, "times": 1}]
