"""``seefen tail``: what happens now, for hours, while the officer types commands beside it."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from seefen.client import Client, ringing, turns
from seefen.client.cli.complaints import STOPPED
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import stay
from seefen.client.cli.views import duty


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tail)


def tail(
    context: typer.Context,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after so long; else with Ctrl-C.")
    ] = None,
) -> None:
    """Show live what arrives and who reads what: seefen tail --seconds 60."""
    ends = None if seconds is None else time.monotonic() + seconds
    following = _Following(Screen.of(context), seconds, ends)
    try:
        stay(context, following.until)
    except KeyboardInterrupt:  # as it was told at the beginning: that is no error
        raise typer.Exit(STOPPED) from None


@dataclass(slots=True)
class _Following:
    """Shows what happens; ``told`` is the newest entry it knew of when it gave way."""

    screen: Screen
    seconds: float | None
    ends: float | None
    told: int | None = None

    async def until(self, client: Client, home: Path | None) -> bool:
        """Show it until the time is over, or somebody wants the vault of a home.

        Returns:
            Whether the time is over.
        """
        if self.told is None:  # not before: what came while another had the vault is not told
            self.screen.say(duty.tailing(self.seconds, client.watch.list(), client.roles))
        watcher = asyncio.create_task(self._watch(client, home))
        try:
            async for event in client.events(after=self.told):
                if event.what == ringing.WHAT:
                    self.screen.ring()
                self.screen.stream(event, duty.event)
            return await watcher
        finally:
            watcher.cancel()

    async def _watch(self, client: Client, home: Path | None) -> bool:
        while True:
            over = self._is_over()
            if over or (home and turns.is_taken(home)):
                self.told = client.end_events()
                return over
            await asyncio.sleep(turns.LOOK)

    def _is_over(self) -> bool:
        return self.ends is not None and time.monotonic() >= self.ends
