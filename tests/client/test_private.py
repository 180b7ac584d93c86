"""What the client writes is for this user alone, whatever the machine's umask says."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from seefen.client import admitting, evidence, founding, joining, keeping, private, turns
from seefen.client.invites import read_invite
from seefen.client.keyfile import NAME as KEY_FILE
from seefen.client.keyfile import read_key_file
from seefen.client.vault import Vault
from tests.client.homes import CHEAP, PASSPHRASE, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel
from tests.support.broker import running_broker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
PURPOSE, BASIS = WHY["purpose"], WHY["basis"]


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """Stand on a machine whose user never thought of it."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return S_IMODE(path.lstat().st_mode)


def broad(folder: Path) -> list[str]:
    """Return what others of this machine could read or enter below a folder."""
    found = sorted(folder.rglob("*"))
    assert found
    return [f"{path.relative_to(folder)} {mode(path):o}" for path in found if mode(path) & 0o077]


async def test_what_is_sealed_fetched_and_half_written_is_private(tmp_path: Path) -> None:
    homes, theirs, out = (tmp_path / name for name in ("homes", "theirs", "out"))
    for one in (homes, theirs, out):
        one.mkdir()
    source = tmp_path / "surface.bin"
    source.write_bytes(os.urandom(3 << 20))
    while_written, sealed = list[str](), list[str]()
    async with site(homes, SKOPJE, BELGRADE) as place:
        skopje = await channel(place, BELGRADE)
        belgrade = await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL, [source])

        def at_home(_: str, done: int, whole: int) -> None:
            sealed.extend(path.name for path in homes.rglob("*.sealed"))
            assert [bad for home in homes.iterdir() for bad in broad(home)] == [], (done, whole)

        case = await skopje.cases.open("A pistol", [BELGRADE])
        sent = await skopje.cases.send(case.number, "as said", [source], at_home)
        await belgrade.sync()
        assert sent.ref
        file = belgrade.files.of(sent.ref)[0]

        def look(_: str, done: int, whole: int) -> None:
            while_written.extend(path.name for path in theirs.rglob(".*.opening"))
            assert broad(out) + broad(theirs) == [], (done, whole)

        (out / "annexes").mkdir(mode=0o700)
        await belgrade.files.get(file, theirs / "a" / "b", PURPOSE, BASIS, progress=look)
        kept = tmp_path / "kept"
        kept.mkdir(mode=0o755)
        path = await belgrade.files.get(file, kept, PURPOSE, BASIS)
        assert sealed
        assert while_written  # they were looked at while they were half there
        assert (mode(kept), mode(path)) == (0o755, 0o600)
        # The homes themselves are made by the test; what is in them is not.
        assert [bad for home in homes.iterdir() for bad in broad(home)] == []
    assert broad(theirs) == []


async def test_keys_vault_locks_and_folders_of_a_join_are_private(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as broker:
        file, homes = await broker.invite("sarajevo-lab"), tmp_path / "homes"
        homes.mkdir()
        home = homes / "new" / "home"
        joined = asyncio.create_task(
            joining.join(file, home, PASSPHRASE, print, memory_kib=CHEAP, patience_s=30)
        )
        request = await admitting.read_request(file, wait_s=30)
        assert broad(homes) == []  # while the vault is open, with what it writes ahead
        await admitting.admit_node(request, tuple(broker.network.roots[:2]))
        await joined
        with turns.taken(home):
            assert (home / turns.NAME).exists()
        keeping.start(home, read_key_file(home / KEY_FILE, PASSPHRASE), "270391")
        keeping.lock(home)
        evidence.keep_evidence(home / "evidence", "fork.json", {"rule": "fork"})
        assert read_invite(file)
        assert mode(file) == 0o600
        names = {path.name for path in home.iterdir()}
        assert {KEY_FILE, "vault.db", "join.lock", "turn", "evidence"} <= names
        assert broad(homes) == []


def test_the_keys_of_a_root_and_of_a_witness_are_private(tmp_path: Path) -> None:
    witness = tmp_path / "made" / "witness"
    founding.make_witness(witness)
    assert broad(tmp_path) == []


def test_a_vault_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    path, key = tmp_path / "vault.db", bytes(32)
    Vault.open(path, key).close()
    path.chmod(0o644)
    vault = Vault.open(path, key)
    assert mode(path) == 0o600
    vault.close()


def test_a_file_that_lies_ready_for_what_is_opened_is_not_written_to(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"")
    trap = tmp_path / "half"
    trap.symlink_to(theirs)
    with private.new_file(trap) as file:
        file.write(b"sealed until now")
    assert theirs.read_bytes() == b""
    assert (mode(trap), trap.is_symlink()) == (0o600, False)


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="exists"):
        private.folder(tmp_path / "file")
