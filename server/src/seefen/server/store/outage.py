"""One answer when the database is away: ask again, with the same bytes."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, cast

import asyncpg

from seefen.server.config import DATABASE_URL, SetupError
from seefen.server.errors import UnreachableError

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])

AWAY: Final[tuple[type[BaseException], ...]] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,  # shutdowns, crash, a cancelled query
    asyncpg.InsufficientResourcesError,  # no disk, no memory, too many connections
    asyncpg.PostgresSystemError,  # its disk fails it
    asyncpg.InternalClientError,  # a connection that was cut in the middle of an exchange
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionRollbackError,  # a deadlock or a serialization failure
    OSError,
    TimeoutError,
)


# What waiting does not mend: the operator has to. It comes before AWAY, which has some of it.
UNUSABLE: Final[tuple[type[BaseException], ...]] = (
    asyncpg.ClientConfigurationError,  # what SEEFEN_DATABASE_URL says
    asyncpg.InvalidAuthorizationSpecificationError,  # wrong password, no such role, pg_hba.conf
    asyncpg.InvalidCatalogNameError,  # no such database
    asyncpg.InsufficientPrivilegeError,
    ValueError,  # a port that is no number, among others
)


def unusable(error: BaseException) -> SetupError:
    """Return what the operator is told of a database that this broker cannot use."""
    return SetupError(
        f"the database cannot be used: {error}",
        hint=f"look at {DATABASE_URL}: postgresql://ROLE:PASSWORD@HOST/DATABASE",
    )


def away(error: BaseException) -> UnreachableError:
    """Return what a caller is told instead of ``error``."""
    kind = type(error).__name__
    return UnreachableError(f"the database does not answer ({kind}): ask again", rule="database")


def translated(function: F) -> F:
    """Make a query say that the database is away, in the one way callers know."""

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except AWAY as err:
            raise away(err) from err

    return cast("F", run)
