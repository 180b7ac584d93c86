"""What can be wrong with a broker, looked at one by one."""

import asyncio
import ctypes
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from seefen.protocol.errors import SeefenError
from seefen.protocol.suite import KemKey, SigningKey, new_id, random_bytes, verify
from seefen.server import tls
from seefen.server.app import now, read_log_key
from seefen.server.bodies import is_whole, place
from seefen.server.config import Config, SetupError
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.files import write_durably
from seefen.server.fsck import Fsck, Looked
from seefen.server.high_water import HighWater, Mark
from seefen.server.proofs import Prover
from seefen.server.recovery import LedgerChangedError, recover, require_grown
from seefen.server.rows import Heads
from seefen.server.store import Store
from seefen.server.store.soundness import Soundness, ask_soundness

CLOCK_SECONDS: Final = 5.0
WARN_DAYS: Final = 21
NAMED: Final = 10  # entries that are named one by one
TIMEX: Final = 512  # bytes, more than struct timex of linux/timex.h has: zeros only ask
TIME_ERROR: Final = 5  # of the same: not synchronized
BLOCK: Final = 512  # bytes, whatever the file system's own blocks have


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has shown, in a line."""

    good: bool
    text: str

    def __str__(self) -> str:
        """The line as the operator sees it."""
        return f"{'ok' if self.good else '!!'}  {self.text}"


def examine_files(config: Config) -> list[Finding]:
    """Look at everything that needs no database."""
    checks: tuple[Callable[[Config], Finding], ...] = (
        _suite,
        _folder,
        _keys,
        _certificates,
        _disk,
        _blobs,
        _high_water,
    )
    return [_guarded(check, config) for check in checks]


async def examine_database(config: Config, dsn: str) -> list[Finding]:
    """Look at the database and at the logs in it."""
    try:
        async with Store.open(dsn) as store:
            sound = await ask_soundness(dsn)
            return [
                _clock(sound, config, (await store.heads()).at // 1000),
                _settings(sound),
                *await _ledger(store, config),
                await _texts(store),
                await asyncio.to_thread(_bodies, config, sound),
            ]
    except UnreachableError as err:
        return [Finding(good=False, text=f"database: {err}")]


def unusable(err: SetupError) -> Finding:
    """Say why there is no database to look at; what the files have shown stands before it."""
    hint = f": {err.hint}" if err.hint else ""
    return Finding(good=False, text=f"database: {err}{hint}")


def _suite(_: Config) -> Finding:
    key = SigningKey.generate()
    verify(key.public, b"doctor", key.sign(b"doctor", power=True), power=True)
    KemKey.generate()
    return Finding(good=True, text="cryptography: ML-KEM, ML-DSA and Ed25519 are there")


def _folder(config: Config) -> Finding:
    status = config.data.stat()
    mode = status.st_mode & 0o777
    text = f"data folder: {config.data} has mode {mode:o}"
    # `postgres` alone is lent to nobody, where root runs the broker.
    marks = config.high_water_file.parent.glob(f"{config.high_water_file.name}*")
    others = {p.name for p in (*config.data.iterdir(), *marks) if p.stat().st_uid != status.st_uid}
    if foreign := sorted(others - {config.postgres.name, "lost+found"}):
        text += f"; another user's, so that the broker may not read it: {', '.join(foreign)}"
    return Finding(mode & 0o066 == 0 and not foreign, text)


def _keys(config: Config) -> Finding:
    keys = (config.log_key, config.data / tls.CA_KEY, config.data / tls.KEY)
    open_keys = [path.name for path in keys if path.stat().st_mode & 0o077]
    if open_keys:
        return Finding(good=False, text=f"keys: others may read {', '.join(open_keys)}: chmod 600")
    return Finding(good=True, text="keys: only their owner may read them")


def _certificates(config: Config) -> Finding:
    at = datetime.fromtimestamp(now(), UTC)
    ca = tls.days_left(config.data / tls.CA_CERTIFICATE, at)
    server = tls.days_left(config.data / tls.CERTIFICATE, at)
    text = f"certificates: good for {server} days, their CA for {ca} days"
    if server <= WARN_DAYS:
        text += ": restart the broker, it renews at its start"
    return Finding(min(ca, server) > WARN_DAYS, text)


def _disk(config: Config) -> Finding:
    disk = shutil.disk_usage(config.data)
    free = disk.free * 100 // disk.total
    return Finding(free >= config.free_disk_percent, f"disk: {free} % are free")


def _blobs(config: Config) -> Finding:
    path = config.blobs / f"doctor-{new_id().hex()}"
    wrote = random_bytes(1 << 20)
    began = time.perf_counter()
    try:
        write_durably(path, wrote)
        good = path.read_bytes() == wrote
    finally:
        path.unlink(missing_ok=True)
    milliseconds = (time.perf_counter() - began) * 1000
    return Finding(
        good, f"folder of file bodies: 1 MiB written, synced and read in {milliseconds:.0f} ms"
    )


def _high_water(config: Config) -> Finding:
    """Look whether the mark can be written: without that nothing is answered."""
    folder = config.high_water_file.parent
    path = folder / f"doctor-{new_id().hex()}"
    try:
        write_durably(path, random_bytes(BLOCK))
    finally:
        path.unlink(missing_ok=True)
    return Finding(good=True, text=f"folder of the high-water mark: {folder} takes what is written")


def _clock(sound: Soundness, config: Config, newest: int) -> Finding:
    """Compare the clock with all that stands beside it.

    Args:
        sound: For the clock of the database.
        config: An embedded database has our own.
        newest: When the newest entry was made (unix seconds).
    """
    at = time.time()
    if newest > at + CLOCK_SECONDS:
        behind = f"clock: {newest - at:.0f} s behind the newest entry of the log"
        text = (
            f"{behind}: it is wrong now, or was when that was made; accesses are refused till then"
        )
        return Finding(good=False, text=text)
    apart = abs(sound.clock - at)
    text = f"clock: {apart:.1f} s from the database's"
    text += "" if config.database else ", which is the same one"
    return Finding(apart < CLOCK_SECONDS, text if _is_kept() else f"{text}; no NTP keeps it right")


def _is_kept() -> bool:
    """Tell whether something keeps the clock of this machine right, as the kernel knows."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX))
    except (OSError, AttributeError):
        return True  # not to be known here
    return state != TIME_ERROR


def _settings(sound: Soundness) -> Finding:
    if sound.unsafe:
        unsafe = ", ".join(sound.unsafe)
        return Finding(good=False, text=f"database: a power cut takes commits back: {unsafe}")
    return Finding(good=True, text="database: what it commits outlives a power cut")


async def _ledger(store: Store, config: Config) -> list[Finding]:
    log_key = read_log_key(config)
    prover, high_water = Prover(store, log_key), HighWater(config.high_water_file, log_key.public)
    mark: Mark | None = None
    lost = ""
    try:
        mark = high_water.read()  # before the heads: a broker that runs moves both
    except FrozenError as err:
        lost = str(err)
    try:
        known = await recover(store, prover)
    except (LedgerChangedError, SeefenError) as err:
        return [Finding(good=False, text=f"ledger: {err}")]
    heads = known.heads
    sizes = f"{heads.authority.size} authority and {heads.activity.size} activity entries"
    found = [Finding(good=True, text=f"ledger: {sizes} give the roots in the head row")]
    if mark is not None:
        return [*found, await _mark(prover, mark, heads, config)]
    if heads.authority.size:
        found.append(Finding(good=False, text=f"high-water mark: {lost}"))
    return found


async def _texts(store: Store) -> Finding:
    """Say which entries came back from mirrors without what was signed in them."""
    lost, bodiless = sorted(await store.lost()), len(await store.bodiless())
    if not lost and not bodiless:
        return Finding(good=True, text="texts: every entry has what was signed in it, or its end")
    some = f" ({', '.join(map(str, lost[:NAMED]))}{', ...' if len(lost) > NAMED else ''})"
    text = f"texts: {len(lost)} entries stand without theirs{some if lost else ''}"
    text += f", {bodiless} messages without their sealed body" if bodiless else ""
    return Finding(
        good=False,
        text=f"{text}: the mirror of another node may have them: `seefen-server recover --from`",
    )


async def _mark(prover: Prover, mark: Mark, heads: Heads, config: Config) -> Finding:
    try:
        await require_grown(prover, mark, heads)
    except FrozenError as err:
        return Finding(good=False, text=f"high-water mark: {err}")
    beside = ""
    if not config.high_water:
        beside = (
            "; it lies beside the database: `high_water` in seefen.toml moves it to another disk"
        )
    return Finding(good=True, text=f"high-water mark: nothing that was signed is missing{beside}")


async def hash_again(dsn: str) -> Looked:
    """Hash both logs again; return what differs.

    Raises:
        UnreachableError: The database does not answer.
    """
    async with Store.open(dsn) as store:
        return await Fsck(store).whole()


def _bodies(config: Config, sound: Soundness) -> Finding:
    missing = sum(not _is_there(place(config.blobs, root), size) for root, size in sound.bodies)
    if missing:
        text = f"file bodies: {missing} of {len(sound.bodies)} are not in {config.blobs}, or cut"
        return Finding(good=False, text=f"{text}: restore them")
    return Finding(good=True, text=f"file bodies: all {len(sound.bodies)} are there")


def _is_there(path: Path, size: int) -> bool:
    # Sealed bytes are never a run of zeros: a file with fewer blocks than bytes has holes.
    return is_whole(path, size) and path.stat().st_blocks * BLOCK >= size


def _guarded(check: Callable[[Config], Finding], config: Config) -> Finding:
    try:
        return check(config)
    except (OSError, ValueError) as err:
        return Finding(good=False, text=f"{check.__name__[1:]}: {err}")
