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
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, overload

import typer

from seefen.client import Client, turns
from seefen.client.cli.paint import alarm, dim
from seefen.client.cli.screen import Screen
from seefen.client.cli.settings import settings
from seefen.client.cli.unlock import kept_keys, require_device
from seefen.client.keyfile import NAME, DeviceKeys, read_key_file
from seefen.client.patience import GLANCE
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError

T = TypeVar("T")
_LOOK: Final = 0.2  # seconds


class Late(NamedTuple):
    """What is told of work that takes longer than so many seconds."""

    seconds: float
    tell: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Session:
    """An open client and the loop that it lives on.

    Nobody else is given the client: the vault is for one thread, and so is all that is read of it.
    """

    _client: Client
    loop: asyncio.AbstractEventLoop
    screen: Screen

    @overload
    def do(
        self, work: Callable[[Client], Coroutine[Any, Any, T]], late: Late | None = None
    ) -> T: ...
    @overload
    def do(self, work: Callable[[Client], T], late: Late | None = None) -> T: ...
    def do(self, work: Callable[[Client], Any], late: Late | None = None) -> Any:
        """Let the client do something, on its own loop and thread, and return the result.

        Args:
            late: After so many seconds without a result this is called, once.
        """

        async def done() -> object:
            result = work(self._client)
            return await result if inspect.isawaitable(result) else result

        return _result(asyncio.run_coroutine_threadsafe(done(), self.loop), late)


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
def opened(
    context: typer.Context, *, synced: bool = True, glance: bool = False, away: bool = False
) -> Generator[Session]:
    """Open the client of this machine for a command, and close it again.

    Args:
        synced: Fetch what is new first. Without the broker a command works on the vault.
        glance: It looks at the own vault: a line that hangs is not waited for.
        away: It asks the broker nothing, and nothing leaves by its opening.
    """
    screen = Screen.of(context)
    if _lent.client is not None and _lent.loop is not None:
        session = Session(_lent.client, _lent.loop, screen)
        if not away:
            _prepare(session, synced=synced)
        yield session
        return
    home = settings(context).home
    keys = _keys(context, screen, home)
    patience = 0 if away else GLANCE if glance else None
    with turns.taken(home), _living(_when_free(home, keys, patience)) as living:
        session = Session(living.client, living.loop, screen)
        if away:
            yield session
            return
        # Opening has fetched what is new, unless the broker did not let it.
        _prepare(session, synced=synced and not living.client.online)
        yield session


def stay(
    context: typer.Context, work: Callable[[Client, Path | None], Coroutine[Any, Any, bool]]
) -> None:
    """Let the client of this machine work on for hours, beside commands that come and go.

    Args:
        work: Ends when it is done (true), or when somebody wants the vault of the home it is
            given; then it is called again, on another client, as soon as the vault is free.
    """
    screen = Screen.of(context)
    if _lent.client is not None and _lent.loop is not None:
        session = Session(_lent.client, _lent.loop, screen)
        _prepare(session, synced=True)
        session.do(lambda client: work(client, None))
        return
    home = settings(context).home
    keys = _keys(context, screen, home)
    over, first = False, True
    while not over:
        with _having_turn(home, keys) as living:
            session = Session(living.client, living.loop, screen)
            if first:
                _prepare(session, synced=not living.client.online)
            over, first = session.do(lambda client: work(client, home)), False


@contextmanager
def _having_turn(home: Path, keys: DeviceKeys) -> Generator[_Started]:
    """Open the client when nobody else has the turn, and leave the turn to others again."""
    with ExitStack() as turn:
        _wait(home, turn)
        with _living(_when_free(home, keys)) as living:
            turn.close()
            yield living


def _wait(home: Path, turn: ExitStack) -> None:
    while True:  # an officer may think for minutes at a question
        try:
            turn.enter_context(turns.taken(home))
            return
        except RefusedError as err:
            if err.rule != "vault-busy":
                raise


@asynccontextmanager
async def _when_free(
    home: Path, keys: DeviceKeys, patience: float | None = None
) -> AsyncGenerator[Client]:
    """Open the client; who stays on the vault closes it within a moment."""
    ends = time.monotonic() + turns.PATIENCE
    async with AsyncExitStack() as stack:
        while True:
            try:
                client = await stack.enter_async_context(Client.open(home, keys, patience))
                break
            except RefusedError as err:
                if err.rule != "vault-busy" or time.monotonic() > ends:
                    raise
            await asyncio.sleep(turns.LOOK)
        yield client


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that needs no client of ours: founding, joining."""
    if _lent.loop is not None:
        return _result(asyncio.run_coroutine_threadsafe(work, _lent.loop))
    return asyncio.run(work)


def _prepare(session: Session, *, synced: bool) -> None:
    doubt = _doubt(session) if synced else ""
    alarms, online = session.do(lambda client: (client.alarms, client.online))
    if online:
        session.do(lambda client: client.house.prepare())
        alarms = session.do(lambda client: client.alarms)
    if alarms:
        session.screen.say(alarm("ALARM  ", alarms[-1]))
        if len(alarms) > 1:
            session.screen.say(alarm(f"and {len(alarms) - 1} more: seefen status"))
    if doubt:
        session.screen.say(alarm("NOT BELIEVED  ", doubt))
    elif not online:
        session.screen.say(dim("The broker cannot be reached: this is what the vault holds."))


def _doubt(session: Session) -> str:
    """Fetch what is new; return what of it is not believed.

    That is no end of a command: an alarm is raised where it is found, and nothing of it was stored.
    Else one entry that was spoilt would keep an officer from all that he holds, and an auditor from
    the very page that names it. What a command asks of the broker is checked by itself.
    """
    try:
        session.do(lambda client: client.sync())
    except (UntrustedError, MalformedError) as err:
        return str(err)
    return ""


def _keys(context: typer.Context, screen: Screen, home: Path) -> DeviceKeys:
    """Return what opens the vault: keys that a keeper holds for the shift, or the key file's."""
    require_device(home)
    passphrase = settings(context).passphrase()
    if passphrase is None:
        kept = kept_keys(screen, home)
        if kept is not None:
            return kept
        passphrase = screen.ask_hidden("Passphrase ('seefen unlock' asks for it once a shift):")
    return read_key_file(home / NAME, passphrase)


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


def _result(future: Future[T], late: Late | None = None) -> T:
    ends = None if late is None else time.monotonic() + late.seconds
    try:
        while not future.done():
            # A wait without limit cannot be interrupted with Ctrl-C on Windows.
            wait([future], _LOOK)
            if late is not None and ends is not None and time.monotonic() >= ends:
                ends = None
                late.tell()
        return future.result()
    except BaseException:
        future.cancel()
        raise
