"""The processes of the demo: answers, sentences when they break, and their end."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from demo.screen import StoryError
from demo.stage import Prompt, Stage, together
from tests.support.waiting import until

PASSPHRASE = "five words for a test"


def _proc(prompt: Prompt, name: str) -> bytes:
    return Path(f"/proc/{prompt.pid}/{name}").read_bytes()


def _is_there(prompt: Prompt) -> bool:
    return Path(f"/proc/{prompt.pid}").exists()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    made = Stage(tmp_path, PASSPHRASE)
    yield made
    await made.close(tmp_path / "postgres")


async def test_commands_run_one_after_the_other_in_one_process(stage: Stage) -> None:
    terminal = await stage.terminal("holder", "seefen")
    version = await terminal.run("--version", show=False)
    assert version.out.startswith("seefen ")
    wrong = await terminal.run("nonsense", show=False, may_fail=True)
    assert wrong.code == 2
    assert "seefen: error: " in wrong.err
    assert wrong.only("seefen: hint").painted.count("\n") == 0


async def test_a_command_that_fails_is_shown_and_ends_the_story(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = await stage.terminal("holder", "seefen")
    with pytest.raises(StoryError, match="holder: `seefen nonsense` ended with 2"):
        await terminal.run("nonsense", show=False)
    shown = capsys.readouterr().out
    assert "holder $ seefen nonsense" in shown
    assert "seefen: error: " in shown


async def test_a_process_that_is_gone_is_a_sentence(stage: Stage) -> None:
    device = await stage.device("laptop", stage.errors / "home")
    os.kill(device.pid, signal.SIGKILL)
    with pytest.raises(StoryError, match="laptop ended in the middle of the story"):
        await device.run("status", show=False)


async def test_a_device_without_a_vault_says_why_it_cannot_be_switched_on(stage: Stage) -> None:
    device = await stage.device("laptop", stage.errors / "home")
    with pytest.raises(StoryError, match="laptop"):
        await device.switch_on()


async def test_no_setting_of_the_user_reaches_a_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEFEN_DATABASE_URL", "postgresql://real")
    monkeypatch.setenv("SEEFEN_HOME", "/real")
    device = await stage.device("laptop", Path("/home/of/laptop"))
    # Empty while the system is still putting the program in the place of ours.
    await until(lambda: _proc(device, "environ"), what="the process")
    environment = _proc(device, "environ")
    assert b"real" not in environment
    assert b"SEEFEN_HOME=/home/of/laptop" in environment
    # Whoever lists processes sees arguments of all of them: the passphrase is none.
    assert PASSPHRASE.encode() not in _proc(device, "cmdline")


async def test_a_process_ends_with_the_pipe_that_it_hears(stage: Stage) -> None:
    device = await stage.device("laptop", stage.errors / "home")
    terminal = await stage.terminal("holder", "seefen")
    await terminal.run("--version", show=False)
    await stage.close_devices()
    for prompt in (device, terminal):
        assert not _is_there(prompt)


async def test_a_device_that_waits_for_somebody_ends_all_the_same(stage: Stage) -> None:
    # The process hears of the end while its command still runs.
    device = await stage.device("laptop", stage.errors / "home")
    task = asyncio.create_task(device.run("join", "/dev/zero", show=False, may_fail=True))
    await asyncio.sleep(0.2)
    await device.switch_off()
    await asyncio.gather(task, return_exceptions=True)
    assert not _is_there(device)


async def test_of_things_done_at_once_the_first_failure_ends_the_others() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def fails() -> None:
        raise StoryError("no")

    with pytest.raises(StoryError, match="no"):
        await together(waits(), fails())
    assert ended.is_set()


async def test_things_done_at_once_come_back_in_order() -> None:
    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    assert await together(after(0.02), after(0), after(0.01)) == [0.02, 0, 0.01]
