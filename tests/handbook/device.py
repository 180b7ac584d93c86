"""A device of the handbook: as the demo has it, with a clock that can be put on.

Nobody waits eleven minutes for a page. The file ``clock`` in its home says by how many
seconds this machine's clock is ahead; everything else is as it is.
"""

import asyncio
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from demo import device
from seefen.client.cli import times
from seefen.client.engine import Engine

HOME = Path(os.environ["SEEFEN_HOME"])
real = times.now


def ahead() -> int:
    """Return by how many seconds the clock is ahead."""
    clock = HOME / "clock"
    return int(clock.read_text()) if clock.exists() else 0


def engine_now(self: Engine) -> int:
    """Return unix seconds by the clock of this machine."""
    return int(time.time()) + ahead()


def screen_now() -> datetime:
    """Return the time that screens are laid out for."""
    return real() + timedelta(seconds=ahead())


if __name__ == "__main__":
    setattr(Engine, "now", engine_now)  # noqa: B010 - a method is put in place of another
    times.now = screen_now
    asyncio.run(device.serve(HOME, os.environ["SEEFEN_PASSPHRASE"]))
