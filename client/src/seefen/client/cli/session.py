"""How a command gets its opened client.

Usually a command opens the vault, asks for PIN or passphrase, and closes it at its end. The
client lives on an event loop in a thread of its own, so that it keeps in touch with the
broker while the command waits for an answer from the keyboard.

A process that holds an open client lends it with :func:`host`: commands that run through
``main(argv)`` in another thread then work on that client, and leave it open.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, overload

import typer

from seefen.client import Client
from seefen.client.cli.paint import alarm, dim
from seefen.client.cli.screen import Screen
from seefen.client.cli.settings import settings
from seefen.client.cli.unlock import kept_keys, require_device
from seefen.client.keyfile import DeviceKeys

T = TypeVar("T")
_LOOK: Final = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Session:
    """An open client and the loop that it lives on."""

    client: Client
    loop: asyncio.AbstractEventLoop
    screen: Screen

    @overload
    def do(self, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T: ...
    @overload
    def do(self, work: Callable[[Client], T]) -> T: ...
    def do(self, work: Callable[[Client], Any]) -> Any:
        """Let the client do something, on its own loop and thread, and return the result."""

        async def done() -> object:
            result = work(self.client)
            return await result if inspect.isawaitable(result) else result

        return _result(asyncio.run_coroutine_threadsafe(done(), self.loop))


@dataclass(frozen=True, slots=True)
class _Started:
    client: Client
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event


@dataclass(slots=True)
class _Lent:
    client: Client | None = None
    loop: asyncio.AbstractEventLoop | None = None


_lent: Final = _Lent()


def host(client: Client | None, loop: asyncio.AbstractEventLoop | None) -> None:
    """Lend an open client to all commands of this process; None takes it back."""
    _lent.client, _lent.loop = client, loop


@contextmanager
def opened(context: typer.Context, *, synced: bool = True) -> Generator[Session]:
    """Open the client of this machine for a command, and close it again.

    Args:
        synced: Fetch what is new first. Without the broker a command works on the vault.
    """
    screen = Screen.of(context)
    if _lent.client is not None and _lent.loop is not None:
        session = Session(_lent.client, _lent.loop, screen)
        _prepare(session, synced=synced)
        yield session
        return
    home = settings(context).home
    with _living(Client.open(home, _secret(context, screen, home))) as living:
        session = Session(living.client, living.loop, screen)
        # Opening has fetched what is new, unless the broker did not let it.
        _prepare(session, synced=synced and not living.client.online)
        yield session


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that needs no client of ours: founding, joining."""
    if _lent.loop is not None:
        return _result(asyncio.run_coroutine_threadsafe(work, _lent.loop))
    return asyncio.run(work)


def _prepare(session: Session, *, synced: bool) -> None:
    if synced:
        session.do(lambda client: client.sync())
    if session.client.alarm:
        session.screen.say(alarm("ALARM  ", session.client.alarm))
    if not session.client.online:
        session.screen.say(dim("The broker cannot be reached: this is what the vault holds."))


def _secret(context: typer.Context, screen: Screen, home: Path) -> str | DeviceKeys:
    """Return what opens the vault: keys that a keeper holds for the shift, or the passphrase."""
    require_device(home)
    given = settings(context).passphrase()
    if given is not None:
        return given
    kept = kept_keys(screen, home)
    if kept is not None:
        return kept
    return screen.ask_hidden("Passphrase ('seefen unlock' asks for it once a shift):")


@contextmanager
def _living(client: AbstractAsyncContextManager[Client]) -> Generator[_Started]:
    """Keep a loop in a thread of its own, and on it a client, while the block runs."""
    started: Future[_Started] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_live(client, started)), name="seefen", daemon=True
    )
    thread.start()
    living = _result(started)
    try:
        yield living
    finally:
        living.loop.call_soon_threadsafe(living.ended.set)
        thread.join()


async def _live(client: AbstractAsyncContextManager[Client], started: Future[_Started]) -> None:
    try:
        async with client as opened_client:
            living = _Started(opened_client, asyncio.get_running_loop(), asyncio.Event())
            started.set_result(living)
            await living.ended.wait()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


def _result(future: Future[T]) -> T:
    try:
        while not future.done():
            # A wait without limit cannot be interrupted with Ctrl-C on Windows.
            wait([future], _LOOK)
        return future.result()
    except BaseException:
        future.cancel()
        raise
