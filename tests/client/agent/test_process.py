"""``seefen agent``, as a machine runs it: a process with a passphrase file, until SIGTERM."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from seefen.client.agent.alarms import read
from tests.client.cli.stage import Said, command
from tests.client.homes import PASSPHRASE, site
from tests.client.scenes import SKOPJE

SEEFEN = (sys.executable, "-m", "seefen.client")
SECONDS = 60


async def start(home: Path, secret: Path) -> asyncio.subprocess.Process:
    """Start an agent as the unit does."""
    return await asyncio.create_subprocess_exec(
        *SEEFEN, "--home", str(home), "--passphrase-file", str(secret), "agent", "run",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SEEFEN_PASSPHRASE": ""},
    )  # fmt: skip


def said(home: Path, *words: str) -> Said:
    """Run a command on the agent's home."""
    return command("--home", str(home), *words)


async def until(seen: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    for _ in range(SECONDS * 10):
        if seen():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the agent did not do it")


def _kinds(folder: Path) -> set[str]:
    return {one.kind for one in read(folder / "alarms.jsonl")}


async def test_an_agent_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE + "\n")
    async with site(tmp_path, SKOPJE) as place:
        await place.broker.take(place.network.enrol(SKOPJE, ("auditor",), renew=False))
        home = place.home(place.network.of(SKOPJE, nth=1))
        folder = home / "agent"
        assert "No alarm" in said(home, "agent", "alarms").out
        agent = await start(home, secret)
        await until(lambda: (folder / "mirror/authority/checkpoint").exists())
        agent.send_signal(signal.SIGHUP)  # a terminal that closes, or a logrotate
        second = await start(home, secret)
        out, err = await second.communicate()
        assert second.returncode == 1
        assert b"another seefen" in err or b"is open" in err, err
        said(home, "agent", "expect", "--minutes", "0")
        await place.broker.take(place.network.enrol(SKOPJE, ("field",), renew=False))
        await until(lambda: "key-changed-mine" in _kinds(folder))
        agent.send_signal(signal.SIGTERM)
        out, err = await agent.communicate()
    assert agent.returncode == 0, err
    assert b"has stopped" in err + out
    lines = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert [(one["kind"], one["severity"]) for one in lines] == [
        ("watching-keys", "notice"),
        ("key-changed-mine", "critical"),
    ]
    shown = said(home, "agent", "alarms")
    assert "critical: key-changed-mine" in shown.out
    assert "seefen device revoke" in shown.out.replace("\n", " ")
    assert [one["kind"] for one in json.loads(said(home, "--json", "agent", "alarms").out)] == [
        "watching-keys",
        "key-changed-mine",
    ]


def test_a_machine_without_a_device_is_told_so(tmp_path: Path) -> None:
    for words in (("agent", "run"), ("agent", "expect")):
        answer = said(tmp_path / "nobody", *words)
        assert answer.code == 1
        assert "seefen join" in answer.err
