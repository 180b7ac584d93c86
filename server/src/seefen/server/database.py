"""Where the database is: named by SEEFEN_DATABASE_URL, embedded and ours, or running already."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from seefen.server.config import Config, SetupError
from seefen.server.embedded import Embedded, is_made, running_dsn
from seefen.server.lock import is_held, only_one

STARTING: Final = 60  # seconds in which a broker that begins has its database up


@dataclass(frozen=True, slots=True)
class Database:
    """What to connect to, and the server if this process runs it."""

    dsn: str
    embedded: Embedded | None = None


@contextmanager
def own_database(config: Config, *, new: bool = False) -> Generator[Database, None, None]:
    """Hold the data folder and run the embedded database, unless another one is named.

    Args:
        config: Of the broker.
        new: Make the database if there is none. A broker that has had one never does: an empty
            one in its place would look like a network that was never opened.

    Raises:
        SetupError: A broker runs on this folder, there is no database, or it does not start.
    """
    with only_one(config.data):
        if config.database is not None:
            yield Database(config.database)
            return
        if not new and not is_made(config.postgres):
            raise SetupError(
                f"the database of this broker is not in {config.postgres}",
                hint="is its disk mounted? If the database is an outside one: SEEFEN_DATABASE_URL "
                "is not set here",
            )
        embedded = Embedded(config.postgres)
        try:
            embedded.start()
            yield Database(embedded.dsn, embedded)
        finally:
            embedded.stop()


@contextmanager
def any_database(config: Config) -> Generator[Database, None, None]:
    """Give the database of a running broker, or run it for a moment.

    Raises:
        SetupError: It does not start.
    """
    running = config.database or _running(config)
    if running is not None:
        yield Database(running)
        return
    with own_database(config) as database:
        yield database


def _running(config: Config) -> str | None:
    """Return the database of a running broker; of one that is starting, once it answers."""
    ends = time.monotonic() + STARTING
    while is_held(config.data):
        if (running := running_dsn(config.postgres)) is not None:
            return running
        if time.monotonic() > ends:
            raise SetupError(
                f"a broker is starting or stopping on {config.data}, and its database is not there",
                hint="wait a second, then run the command again",
            )
        time.sleep(0.1)
    return None
