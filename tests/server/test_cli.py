"""The commands an operator types, on the real process."""

import asyncio
import json
import os
import resource
import signal
import stat
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from seefen.protocol.suite import PlainKey
from seefen.server import cli
from seefen.server.database import Database
from seefen.server.embedded import Embedded, running_process
from tests.support.broker import RunningBroker, free_port, run_server, running_broker
from tests.support.devices import WebDevice
from tests.support.waiting import until


@pytest.fixture
async def broker() -> AsyncGenerator[RunningBroker, None]:
    async with running_broker() as broker:
        yield broker


async def alive(broker: RunningBroker) -> bool:
    async with WebDevice(broker.url, broker.ca) as device:
        return (await device.request("GET", "/readyz", headers={}))[0] == 200


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_broker_is_made_founded_served_and_stopped(broker: RunningBroker) -> None:
    assert await alive(broker)
    assert set(broker.about) == {"name", "origin", "address", "log_key", "ca", "pin"}
    for name in ("log.key", "ca.key", "server.key", "seefen.toml"):
        assert mode(broker.data / name) == 0o600, name
    assert mode(broker.data) == (0o711 if os.geteuid() == 0 else 0o700)
    assert await broker.stop() == 0
    assert not (broker.data / "postgres" / "data" / "postmaster.pid").exists()
    await broker.restart()
    assert await alive(broker)


async def test_it_comes_back_after_sigkill(broker: RunningBroker) -> None:
    for _ in range(2):
        await broker.kill()
        assert (broker.data / "postgres" / "data" / "postmaster.pid").exists()
        await broker.restart()
        assert await alive(broker)


async def test_a_database_that_cannot_be_ended_is_started_once_it_can(alarms: list[str]) -> None:
    """The disk hangs, and with it the one that was killed; nobody else would start another."""

    class Hanging(Embedded):
        def __init__(self) -> None:
            self.tries = 0

        @property
        def is_running(self) -> bool:
            return self.tries > 1

        def start(self) -> None:
            self.tries += 1
            if self.tries == 1:
                raise subprocess.TimeoutExpired("postgres", 60)

    hanging = Hanging()
    keeping = asyncio.create_task(cli._keep_running(Database("", hanging)))
    await until(lambda: hanging.is_running)
    keeping.cancel()
    assert alarms == ["database-down"]


async def test_it_starts_its_database_again_when_that_is_killed(broker: RunningBroker) -> None:
    pid = running_process(broker.data / "postgres")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while True:
            another = running_process(broker.data / "postgres") not in (None, pid)
            if another and await alive(broker):
                break
            await asyncio.sleep(0.05)


async def test_an_invite_is_made_while_it_runs_and_while_it_does_not(
    broker: RunningBroker,
) -> None:
    path = await broker.invite("tirana-border")
    invite = json.loads(path.read_text())
    assert mode(path) == 0o600
    assert set(invite) == {
        "v", "network", "net", "broker", "ca", "pin", "kind", "node", "id", "secret", "expires"
    }  # fmt: skip
    assert (invite["broker"], invite["pin"]) == (broker.url, broker.about["pin"])
    assert invite["net"] == broker.network.net.hex()
    async with WebDevice(invite["broker"], invite["ca"]) as guest:
        headers = {"Authorization": f"Invite {invite['id']}.{invite['secret']}"}
        status, body = await guest.request("GET", f"/v1/joins/{invite['id']}", headers=headers)
        assert (status, json.loads(body)) == (200, {"state": "waiting", "node": "tirana-border"})
    said = await run_server("invite", "tirana-border", "--data", broker.data, "--out", path, code=1)
    assert "there already" in said
    await broker.stop()
    await broker.invite("zagreb-ffp")
    starting = asyncio.create_task(broker.start())
    lock = broker.data / "lock"
    await until(
        lambda: broker.process is not None and lock.read_text() == f"{broker.process.pid}\n",
        seconds=60,
    )
    await broker.invite("sofia-ffp")  # while it is starting
    await starting


async def test_a_name_that_is_none_is_refused(broker: RunningBroker) -> None:
    for name in ("Tirana", "x", "tirana_border", "../etc", "a" * 41):
        said = await run_server("invite", name, "--data", broker.data, code=1)
        assert "not a node name" in said
        assert "Traceback" not in said


async def test_a_second_broker_on_one_folder_is_refused(broker: RunningBroker) -> None:
    said = await run_server("serve", "--data", broker.data, code=1)
    assert "already running" in said
    assert "Traceback" not in said
    assert await alive(broker)


async def test_it_takes_as_many_lines_as_it_may(broker: RunningBroker) -> None:
    await broker.stop()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # One less than it may have: this process, which has many of its own, goes on meanwhile.
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
    try:
        await broker.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert broker.process is not None
    assert resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)[0] == before[1]


async def test_a_busy_port_is_named(broker: RunningBroker) -> None:
    await broker.stop()

    async def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    host, _, port = broker.address.rpartition(":")
    async with await asyncio.start_server(nothing, host, int(port)):
        said = await run_server("serve", "--data", broker.data, code=1)
    assert broker.address in said
    assert "Traceback" not in said


async def test_the_doctor_finds_a_sound_broker_sound(broker: RunningBroker) -> None:
    lines = (await run_server("doctor", "--data", broker.data)).splitlines()
    assert len(lines) == 13
    assert all(line.startswith("ok  ") for line in lines)
    await broker.stop()
    await run_server("doctor", "--data", broker.data)


async def test_the_doctor_sees_an_open_key_and_a_changed_ledger(broker: RunningBroker) -> None:
    (broker.data / "ca.key").chmod(0o644)
    said = await run_server("doctor", "--data", broker.data, code=1)
    assert "!!  keys: others may read ca.key" in said
    (broker.data / "ca.key").chmod(0o600)


async def test_erasing_by_hand_is_for_who_has_set_an_end(broker: RunningBroker) -> None:
    await broker.stop()
    assert "entries_years is 0" in await run_server("erase", "--data", broker.data, code=1)
    settings = broker.data / "seefen.toml"
    settings.write_text(f"entries_years = 3\n{settings.read_text()}")
    said = await run_server("erase", "--yes", "--data", broker.data)
    assert "by the clock of this machine it is 2" in said
    assert "0 readings were erased" in said


async def test_logs_are_json_without_ids(broker: RunningBroker) -> None:
    async with WebDevice(broker.url, broker.ca) as device:
        for _ in range(20):
            headers = {"Authorization": "DPoP x", "DPoP": "y"}
            await device.request("GET", "/v1/socket", headers=headers)
    text = broker.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"ready", "refused", "address.blocked"} <= {line["event"] for line in lines}
    assert mode(broker.log) == 0o600
    assert broker.network.net.hex() not in text


async def test_nothing_is_served_before_the_network_is_open() -> None:
    async with running_broker(found=False) as broker:
        said = await run_server("serve", "--data", broker.data, code=1)
        assert "not open yet" in said
        assert f"seefen found {broker.data}/broker.json" in said
        said = await run_server("invite", "tirana-border", "--data", broker.data, code=1)
        assert "not open yet" in said


async def test_a_root_for_another_broker_is_refused_and_the_right_one_may_be_repeated() -> None:
    async with running_broker(found=False) as broker:
        path = broker.data.parent / "root"
        good = broker.root_envelope()
        about = broker.about
        for field in ("log_key", "pin"):
            other = {**about, field: PlainKey.generate().public.hex()}
            (broker.data / "broker.json").write_text(json.dumps(other))
            path.write_bytes(broker.root_envelope())
            said = await run_server("init", "--data", broker.data, "--root", path, code=1)
            assert "another broker" in said
        path.write_bytes(b"nonsense")
        assert "not a root" in await run_server(
            "init", "--data", broker.data, "--root", path, code=1
        )
        path.write_bytes(good)
        await run_server("init", "--data", broker.data, "--root", path)
        await run_server("init", "--data", broker.data, "--root", path)
        await broker.start()


async def test_a_folder_is_made_a_brokers_once() -> None:
    async with running_broker(found=False) as broker:
        said = await run_server("init", "--data", broker.data, code=1)
        assert "already" in said


async def test_what_cannot_be_an_address_is_refused(tmp_path: Path) -> None:
    said = await run_server("init", "--data", tmp_path / "b", "--address", "nowhere", code=1)
    assert "host:port" in said
    said = await run_server("serve", "--data", tmp_path / "b", code=1)
    assert "init" in said


async def test_a_relay_in_front_does_not_change_what_devices_are_told() -> None:
    port = free_port()
    async with running_broker(found=False, address="broker.example:443") as broker:
        settings = broker.data / "seefen.toml"
        old, new = 'listen = "broker.example:443"', f'listen = "127.0.0.1:{port}"'
        settings.write_text(settings.read_text().replace(old, new))
        await broker.found()
        await broker.start()
        assert json.loads((await broker.invite("tirana-border")).read_text())["broker"] == (
            "https://broker.example:443"
        )


async def test_a_terminal_that_closes_does_not_end_the_broker(broker: RunningBroker) -> None:
    """Nor a logrotate: systemd takes that for an end in order, and does not start it again."""
    assert broker.process is not None
    broker.process.send_signal(signal.SIGHUP)
    assert await broker.stop() == 0, "ended in order, by what came after"
    await broker.restart()
