"""The commands of an operator who is in the wrong place: each says so, and spoils nothing."""

import os
import re
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest

from seefen.server import cli
from seefen.server.config import SetupError
from tests.support.broker import run_server, running_broker
from tests.support.database import empty_database

OTHER = 4711  # a user that is not root
COMMANDS = (
    ("serve",), ("invite", "tirana-border"), ("doctor",), ("fsck",), ("hold",), ("erase",),
    ("recover", "--this-is-the-newest"), ("init", "--root", "root"),
)  # fmt: skip
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may work in others' folders")


@pytest.fixture
def outer() -> Iterator[Path]:
    # Not pytest's own folder: as root, PostgreSQL runs as nobody, who may not go there.
    folder = Path(tempfile.mkdtemp(prefix="seefen-wrong-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def owners(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_uid for path in sorted(folder.rglob("*"))}


@as_root
async def test_root_makes_nothing_in_the_folder_of_another_user() -> None:
    """A mark that root made would freeze the broker that runs; the database would be nobody's."""
    async with running_broker(found=False) as broker:
        await broker.found()
        for path in (broker.data, *broker.data.iterdir()):
            os.chown(path, OTHER, OTHER)
        before = owners(broker.data)
        for command in COMMANDS:
            said = await run_server(*command, "--data", broker.data, code=1)
            assert f"{broker.data} belongs to #{OTHER}" in said, command
            assert f"hint: sudo -u #{OTHER} seefen-server" in said
        assert owners(broker.data) == before


@as_root
def test_who_may_not_look_into_the_folder_is_told_whose_command_it_is(outer: Path) -> None:
    outer.chmod(0o700)
    os.seteuid(OTHER)
    try:
        with pytest.raises(SetupError, match="cannot be read") as caught:
            cli._config(Namespace(data=outer / "broker"))
    finally:
        os.seteuid(0)
    assert "sudo -u" in caught.value.hint


@as_root
async def test_root_makes_no_broker_in_the_folder_of_another_user(outer: Path) -> None:
    os.chown(outer, OTHER, OTHER)
    said = await run_server("init", "--data", outer / "deep" / "broker", code=1)
    assert f"{outer} belongs to #{OTHER}" in said
    assert list(outer.iterdir()) == []


async def test_a_folder_that_holds_other_things_is_left_as_it_is(outer: Path) -> None:
    (outer / "photos").mkdir()
    outer.chmod(0o755)
    said = await run_server("init", "--data", outer, code=1)
    assert "holds other things already: photos" in said
    assert [path.name for path in outer.iterdir()] == ["photos"]
    assert outer.stat().st_mode & 0o777 == 0o755


async def test_what_an_init_that_was_cut_off_has_left_is_gone_on_with(outer: Path) -> None:
    data = outer / "broker"
    await run_server("init", "--data", data)
    log_key = (data / "log.key").read_bytes()
    (data / "seefen.toml").unlink()
    await run_server("init", "--data", data)
    assert (data / "log.key").read_bytes() == log_key


@pytest.mark.parametrize("lost", ["the disk of the database", "the variable"])
async def test_a_database_that_is_not_there_is_not_made_anew(lost: str) -> None:
    """An empty one would say that the network is not open yet: the wrong thing to go on from."""
    async with running_broker(found=False) as broker:
        await broker.found()
        postgres, away = broker.data / "postgres", broker.data / "postgres.old"
        postgres.rename(away)
        if lost == "the disk of the database":
            postgres.mkdir()  # where nothing is mounted
        for command in COMMANDS[:-1]:
            if command[0] == "erase":
                continue  # nothing has an end here
            said = await run_server(*command, "--data", broker.data, code=1)
            assert f"the database of this broker is not in {postgres}" in said, command
            assert "not open yet" not in said
        assert not postgres.exists() or not list(postgres.iterdir())
        shutil.rmtree(postgres, ignore_errors=True)
        away.rename(postgres)
        await broker.start()


async def test_an_empty_database_in_place_of_the_right_one_is_not_taken_for_a_new_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_broker(found=False) as broker, empty_database() as dsn:
        await broker.found()
        monkeypatch.setenv("SEEFEN_DATABASE_URL", dsn)
        for command in (("serve",), ("invite", "tirana-border")):
            said = await run_server(*command, "--data", broker.data, code=1)
            assert "there is no network in this database, and there was one" in said
            assert "seefen found" not in said


WRONG = {
    "no address": ("nonsense", "scheme"),
    "a port that is none": ("postgresql://seefen@127.0.0.1:many/seefen", "many"),
    "nobody there": ("postgresql://seefen@127.0.0.1:1/seefen", "does not answer"),
    "no such host": ("postgresql://seefen@no.such.host.invalid/seefen", "does not answer"),
}


async def test_a_role_or_a_database_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_broker(found=False) as broker, empty_database() as dsn:
        for wrong, words in (
            (dsn.replace("://seefen@", "://nobody-knows-him@"), "nobody-knows-him"),
            (re.sub(r"/t[0-9a-f]+\?", "/missing?", dsn), "missing"),
        ):
            monkeypatch.setenv("SEEFEN_DATABASE_URL", wrong)
            said = await run_server("fsck", "--data", broker.data, code=1)
            assert f'"{words}" does not exist' in said
            assert "hint: look at SEEFEN_DATABASE_URL" in said
            assert "Traceback" not in said


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_address_of_the_database_is_said(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, words = WRONG[name]
    async with running_broker(found=False) as broker:
        monkeypatch.setenv("SEEFEN_DATABASE_URL", address)
        for command in (("serve",), ("fsck",), ("invite", "tirana-border"), ("doctor",)):
            said = await run_server(*command, "--data", broker.data, code=1)
            assert "Traceback" not in said
            assert words in said
            assert "SEEFEN_DATABASE_URL" in said or command[0] == "doctor"
