"""One answer when the database is away: ask again, with the same bytes."""

import functools
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

import asyncpg

from seefen.server.errors import UnreachableError

P = ParamSpec("P")
T = TypeVar("T")

AWAY: Final[tuple[type[BaseException], ...]] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,  # shutdowns, crash, a cancelled query
    asyncpg.InsufficientResourcesError,  # no disk, no memory, too many connections
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionRollbackError,  # a deadlock or a serialization failure
    OSError,
    TimeoutError,
)


def away(error: BaseException) -> UnreachableError:
    """Return what a caller is told instead of ``error``."""
    kind = type(error).__name__
    return UnreachableError(f"the database does not answer ({kind}): ask again", rule="database")


def translated(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Make a query say that the database is away, in the one way callers know."""

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await function(*args, **kwargs)
        except AWAY as err:
            raise away(err) from err

    return run
