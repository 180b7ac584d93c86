"""An older database under a real broker: it comes up frozen, says why, and is made whole."""

import asyncio
import json
import re
from pathlib import Path

from seefen.protocol.suite import PlainKey
from seefen.server.high_water import HighWater
from seefen.server.rows import Heads, LogHead
from tests.support.broker import SERVER, RunningBroker, run_server, running_broker
from tests.support.devices import WebDevice


async def comes_up(broker: RunningBroker) -> str:
    """Start the broker and return its first line."""
    broker.process = await asyncio.create_subprocess_exec(
        *SERVER, "serve", "--data", broker.data, "--log", broker.log,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert broker.process.stdout is not None
    async with asyncio.timeout(60):
        return (await broker.process.stdout.readline()).decode()


async def answers(broker: RunningBroker, method: str, path: str) -> tuple[int, str, str]:
    """Return status, rule and title of an answer."""
    async with WebDevice(broker.url, broker.ca) as device:
        status, body = await device.request(method, path, headers={})
    answer = json.loads(body)
    return status, answer.get("rule", ""), answer.get("title", "")


async def test_fault_31_33_a_broker_below_its_mark_says_so_and_answers_nothing_else(
    tmp_path: Path,
) -> None:
    async with running_broker(tmp_path, found=False) as broker:
        await broker.found()
        path = broker.data / "high-water"
        key = PlainKey.from_secret(bytes.fromhex((broker.data / "log.key").read_text().strip()))
        mark = HighWater(path, key.public)
        assert mark.read().authority == 1
        before = path.read_bytes()
        # As if a backup of before had been put back: more was signed than stands there.
        mark.advance(Heads(LogHead(3, bytes(32), b""), LogHead(2, bytes(32), b""), 0))

        line = await comes_up(broker)
        assert "FROZEN" in line
        assert "authority has 1 entries and had 3, activity has 0 entries and had 2" in line
        assert (await answers(broker, "GET", "/healthz"))[0] == 200
        for method, url in (
            ("GET", "/readyz"), ("GET", "/v1/nonce"), ("POST", "/v1/token"),
            ("GET", "/v1/socket"), ("POST", "/v1/bundles"), ("PUT", f"/v1/blobs/{'00' * 32}"),
        ):  # fmt: skip
            status, rule, title = await answers(broker, method, url)
            assert (status, rule) == (503, "frozen"), url
            assert "seefen-server doctor" in title
            # How long the logs are, and where its files lie, is nobody's business who knocks.
            assert not re.search(r"[0-9/]", title), title
        away = [line for line in broker.log.read_text().splitlines() if "database.away" in line]
        assert len(away) == 1, "a line a minute, however many knock"
        said = await run_server(
            "invite", "skopje-border", "--data", broker.data, "--out", tmp_path / "i", code=1
        )
        assert "is frozen" in said
        said = await run_server("doctor", "--data", broker.data, code=1)
        assert "!!  high-water mark: the database is older than what was signed" in said
        await broker.stop()

        newest = ("recover", "--data", broker.data, "--this-is-the-newest")
        said = await run_server(*newest, code=1)
        assert "3 entries were signed, and the mirrors reach 1" in said
        path.unlink()
        said = await run_server(*newest)
        assert "authority log: 1 entries, 0 of them put back" in said
        assert "there was no high-water mark" in said
        assert len(path.read_bytes()) == len(before)
        assert "is ready" in await comes_up(broker)
        assert (await answers(broker, "GET", "/readyz"))[0] == 200
        assert "1 entries of both logs were hashed" in await run_server(
            "fsck", "--data", broker.data
        )
        said = await run_server("doctor", "--data", broker.data)
        assert "ok  high-water mark: nothing that was signed is missing" in said
