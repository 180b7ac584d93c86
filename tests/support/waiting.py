"""Waiting for something to become true, and saying what did not."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def until(
    condition: "Callable[[], object | Awaitable[object]]", *, seconds: float = 20, what: str = ""
) -> None:
    """Return once ``condition`` holds; ``what`` says in the failure what was waited for.

    Raises:
        AssertionError: It did not within ``seconds``.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        found = condition()
        if await found if inspect.isawaitable(found) else found:
            return
        assert loop.time() < deadline, f"still waiting after {seconds} s {what}"
        await asyncio.sleep(0.01)
