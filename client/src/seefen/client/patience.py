"""How long somebody waits for a line that took the call and says nothing.

A dead mobile line refuses nothing: each try on it is a wait, and a command asks several times.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

from seefen.client.answers import UnreachableError, no_answer

SILENCE: Final = 15  # seconds for an answer by HTTP; so long a silent line is not tried again
GLANCE: Final = 2.0  # seconds that a look at the own vault waits for the first answer


class Patience:
    """What one connection knows of its line."""

    def __init__(self) -> None:
        self._silent_until = 0.0
        self._heard = False

    def check(self) -> None:
        """Check that the line may be tried.

        Raises:
            UnreachableError: It was silent a moment ago.
        """
        if time.monotonic() < self._silent_until:
            raise no_answer(TimeoutError())

    def heard(self) -> None:
        """Note that the broker answered: from now on it is waited for."""
        self._heard, self._silent_until = True, 0.0

    def given_up(self, err: Exception) -> UnreachableError:
        """Return the error of a line that was silent, and let nobody wait for it again soon."""
        self._silent_until = time.monotonic() + SILENCE
        return no_answer(err)

    async def glance(self, work: Coroutine[Any, Any, object], patience: float | None) -> None:
        """Do work that asks the broker, unless nothing at all comes back within ``patience``.

        A slow broker is waited for, a silent one is not; what was asked is then asked no more.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=patience)
            if not task.done() and not self._heard:
                self.given_up(TimeoutError())
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return
            await task
        finally:
            task.cancel()
