"""The steps of the broker at which a test stops its process, by the path they are on.

The child that is to die (:mod:`tests.support.doomed`) wraps one of them.
"""

from __future__ import annotations

from typing import Final

from seefen.server.broker import Broker
from tests.support.killpoints import Point, Trap


def _points(path: str, *rows: tuple[str, str], caller: str = "") -> tuple[Point, ...]:
    return tuple(
        Point(path, moment, where, caller) for where, moments in rows for moment in moments.split()
    )


_SEQUENCER: Final = "seefen.server.sequencer:Sequencer"
_BROKER: Final = "seefen.server.broker:Broker"
_WRITING: Final = "seefen.server.store.writes:LedgerWriting"
_PUSH: Final = "seefen.server.push:Push"

POINTS: Final[tuple[Point, ...]] = (
    *_points(
        "write",
        ("seefen.server.jobs:BundleJob.judge", "before after"),
        ("seefen.server.store:Store.swap", "before during after"),
        (f"{_SEQUENCER}._committed", "before"),  # after COMMIT, nothing known in memory yet
        ("seefen.server.view:Known.absorb", "before after"),
        (f"{_SEQUENCER}._tell", "after"),
        (f"{_BROKER}._recorded", "before after"),
        ("seefen.server.web.verbs:run", "after"),  # before the receipt is sent
    ),
    *_points(
        "write",
        ("os:pwrite", "before after"),  # before: committed, and not under the mark
        ("os:fdatasync", "before after"),  # after: under the mark, nothing signed, nobody told
        caller="seefen.server.high_water",
    ),
    *_points(
        "access",
        ("seefen.server.jobs:AskJob.judge", "before after"),
        (f"{_WRITING}.lock", "before after"),
        (f"{_WRITING}.write", "before after"),
        (f"{_WRITING}.content_keys", "before after"),
        ("asyncpg.transaction:Transaction.__aexit__", "before during after"),  # COMMIT
        ("seefen.server.gate:Gate.disclose", "before after"),
        (f"{_SEQUENCER}._done", "after"),
        ("seefen.server.jobs:AskAgainJob.judge", "after"),
        (f"{_BROKER}._released", "before after"),
    ),
    *_points(
        "push",
        (f"{_PUSH}._committed", "before"),
        (f"{_PUSH}._deliver", "before"),
        ("seefen.server.releases:ReleaseJob.judge", "before after"),
        (f"{_PUSH}._release", "before after"),  # after: the entry stands, nothing is pushed
        (f"{_PUSH}._deliver_parcel", "before"),
        (f"{_PUSH}._hand_over", "before after"),
    ),
    *_points(
        "blob",
        ("seefen.server.store.blobs:BlobRows.start", "before after"),
        ("seefen.server.bodies:make", "before after"),
        ("seefen.server.bodies:make_folder", "after"),
        ("seefen.server.bodies:sync_folder", "before after"),
        ("seefen.server.bodies:write_part", "before after"),
        ("seefen.server.bodies:sync", "before after"),  # after: on the disk and not marked
        ("seefen.server.store.blobs:BlobRows.mark", "before during after"),
    ),
    *_points(
        "blob",
        ("os:ftruncate", "before after"),  # before: the file is there and empty
        ("os:fsync", "before after"),
        ("os:pwrite", "before after"),
        ("os:fdatasync", "before after"),
        caller="seefen.server.bodies",
    ),
    *_points(
        "lost body",
        ("seefen.server.store.blobs:BlobRows.forget", "before during after"),
        ("seefen.server.bodies:make", "before after"),
    ),
    *_points(
        "lost body",
        ("os:ftruncate", "before after"),  # after: at full length, and not synced
        ("os:fsync", "before after"),
        caller="seefen.server.bodies",
    ),
    *_points(
        "login",
        ("seefen.server.tokens:Tokens.check_login", "after"),
        ("seefen.server.store.tokens:TokenRows.add", "before during after"),
        ("seefen.server.tokens:Tokens.issue", "after"),
        ("seefen.server.store.tokens:TokenRows.find", "before after"),
    ),
    *_points(
        "start",
        ("seefen.server.tls:renew_certificate", "before after"),
        ("seefen.server.store:migrate", "before after"),
        ("seefen.server.broker:resume", "before after"),
        ("seefen.server.recovery:load_edge", "after"),
        ("seefen.server.recovery:replay", "before after"),
        (f"{_BROKER}._begin", "after"),
        ("seefen.server.app:listen", "before after"),
    ),
    *_points("migration", ("asyncpg.connection:Connection.execute", "before after")),
    *_points("neighbour", ("seefen.server.sequencer:catch_up", "before after")),
)
BY_NAME: Final = {point.name: point for point in POINTS}
# These run before the broker takes requests; all others count from then on.
_EARLY: Final = {"start", "migration"}


def install(name: str, nth: int, number: int) -> None:
    """Stop this process with a signal at the ``nth`` passing of a named point."""
    point = BY_NAME[name]
    trap = Trap(point, nth, number)
    trap.install()
    if point.path not in _EARLY:
        trap.armed = False
        _arm_when_the_broker_begins(trap)


def _arm_when_the_broker_begins(trap: Trap) -> None:
    begin = Broker._begin

    def begin_armed(broker: Broker) -> None:
        begin(broker)
        trap.armed = True

    setattr(Broker, "_begin", begin_armed)  # noqa: B010 - typed as the method it replaces
