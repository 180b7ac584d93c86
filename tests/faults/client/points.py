"""The steps of the client at which it is killed, named as their functions are.

Nothing in the product knows of them: :mod:`tests.faults.client.launcher` wraps the function
in the process that is to die. A function that is renamed is found by a test.
"""

import random

from tests.support.faultbook import FACTOR
from tests.support.killpoints import Point


def _point(module: str, name: str, moment: str) -> Point:
    return Point(module, moment, f"seefen.client.{module}:{name}")


def _both(module: str, *names: str) -> list[Point]:
    return [_point(module, name, moment) for name in names for moment in ("before", "after")]


# ``Vault.change`` dies before its COMMIT, and after it: see the launcher.
STORING = [
    *_both("vault", "Vault.open", "Vault.change", "Vault.put_head", "Vault.add_entry"),
    *_both("trust", "Trust.accept", "Trust.follow"),
    *_both("engine", "store_object", "store_step", "SeenHeads.note", "SeenHeads.compare"),
    *_both("connection", "Connection._upgrade", "Connection._exchange"),
]
SENDING = [
    *_both("outbox", "keep", "Outbox._seal_file", "Outbox._upload", "Outbox._finish"),
    *_both("files", "os.fsync", "seal_file", "discard"),
    *_both("keyfile", "Path.replace", "sync_folder"),
    *_both("sender", "Sender._put_pending", "Sender._send_pending", "Sender._take_recorded"),
    *_both("sender", "Sender._count", "Sender._drop_pending"),
    *_both("connection", "Connection.http", "Connection.send_parts"),
    *_both("files", "_load_part"),
]
READING = [
    *_both("sender", "Sender._ask_pending"),
    *_both("reading", "Reader._keep_granted", "Reader.keep_key"),
    *_both("reading", "marks.keep"),
    *_both("acknowledging", "Acknowledging.acknowledge", "Acknowledging._settled"),
    *_both("connection", "Connection.fetch_parts"),
    *_both("files", "download", "_keep_part"),
    *_both("opening", "open_file", "_unseal_to", "_free_name"),
    *_both("client", "Client.keep_draft"),
]
SEARCHING = [
    *_both("journal", "Journal._write", "Journal._add", "Journal._let_go"),
    *_both("sender", "Sender._put_pending", "Sender._send_pending", "Sender._take_recorded"),
    *_both("sender", "Sender._drop_pending"),
]
LEARNING = [
    *_both("trust", "Trust.take_authority", "Trust.check_replayed"),
    *_both("keychain", "Keychain.learn_seed", "Keychain.keep_seed"),
    *_both("keychain", "Keychain.learn", "Keychain.keep_case_key", "Keychain.open_cover"),
    *_both("engine", "Engine._keep_name"),
]
DROPPING = [*_both("outbox", "Outbox.drop", "files.discard"), *_both("vault", "Vault.many")]
RETAKING = _both("retaking", "_keep_page", "_judge", "_begin", "_judge_again", "_let_go", "_settle")
COMING_LATE = [
    *_both("engine", "keep_place", "Engine._take_page"),
    *_both("trust", "Trust.count_before", "Trust.jump"),
]
MAKING_KEYS = [
    *_both("joining", "write_key_file"),
    *_both("keyfile", "os.open", "os.fsync", "Path.replace", "sync_folder"),
]
JOINING = [
    *_both("joining", "fetch_authority", "_kept_draft"),
    *_both("vault", "Vault.open", "Vault.put"),
    *_both("connection", "Connection.http"),
    _point("joining", "_wait", "before"),
]
ADMITTED = [
    _point("joining", "_wait", "after"),
    _point("joining", "_joined", "before"),
]
STEPS = (
    *(STORING, SENDING, READING, SEARCHING, LEARNING, DROPPING, RETAKING, COMING_LATE),
    *(MAKING_KEYS, JOINING, ADMITTED),
)
EVERY = list(dict.fromkeys(point for points in STEPS for point in points))
BY_NAME = {point.name: point for point in EVERY}
OFTEN = ("Vault.change", "Vault.put_head", "Vault.add_entry", "Connection._exchange",
         "Connection.http", "Trust.accept", "Trust.follow", "Vault.put")  # fmt: skip
"""Steps that a process takes many times: at which one it dies is drawn."""


def due(points: list[Point], drawn: random.Random) -> list[Point]:
    """Return the points of a run: one side of each step, or all of them under ``make faults``."""
    if FACTOR > 1:
        return points * FACTOR
    sides: dict[str, list[Point]] = {}
    for point in points:
        sides.setdefault(point.where, []).append(point)
    return [drawn.choice(both) for both in sides.values()]
