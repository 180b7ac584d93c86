"""Where the database is: named by SEEFEN_DATABASE_URL, embedded and ours, or running already."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from seefen.server.config import Config
from seefen.server.embedded import Embedded, running_dsn
from seefen.server.lock import is_held, only_one


@dataclass(frozen=True, slots=True)
class Database:
    """What to connect to, and the server if this process runs it."""

    dsn: str
    embedded: Embedded | None = None


@contextmanager
def own_database(config: Config) -> Generator[Database, None, None]:
    """Hold the data folder and run the embedded database, unless another one is named.

    Raises:
        SetupError: A broker runs on this folder, or the database does not start.
    """
    with only_one(config.data):
        if config.database is not None:
            yield Database(config.database)
            return
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
    running = running_dsn(config.postgres) if is_held(config.data) else None
    if config.database is not None or running is not None:
        yield Database(config.database or running or "")
        return
    with own_database(config) as database:
        yield database
