"""The real store, and what was asked of it."""

from collections.abc import Awaitable, Callable, Sized
from typing import Any


class Heard:
    """Asks the store, and keeps each verb, its arguments and how many rows came."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.asked: list[tuple[str, tuple[Any, ...], int]] = []

    def of(self, verb: str) -> list[tuple[Any, ...]]:
        """Return the arguments with which a verb was asked."""
        return [arguments for asked, arguments, _ in self.asked if asked == verb]

    def __getattr__(self, verb: str) -> Callable[..., Awaitable[Any]]:
        """Ask the store."""

        async def ask(*arguments: Any) -> Any:
            found = await getattr(self._store, verb)(*arguments)
            count = len(found) if isinstance(found, Sized) else 1
            self.asked.append((verb, arguments, count))
            return found

        return ask
