"""A device as a process of its own: its vault and key file, and the command line on them.

It runs commands as if typed, ``join`` first of all. At the words ``switch on`` it opens its
vault and keeps it open, as a device on a desk does.
"""

import asyncio
import contextlib
import json
import os
from pathlib import Path

from demo import leash, prompt
from seefen.client import Client
from seefen.client.cli import main, session

SWITCH_ON = ["switch", "on"]


async def serve(home: Path, passphrase: str) -> None:
    """Run the commands that are heard, until nobody is there any more."""
    to = prompt.answers()
    heard = leash.lines(leash.give_up)
    async with contextlib.AsyncExitStack() as opened:
        while line := await asyncio.to_thread(heard.get):
            argv, typed = json.loads(line)
            if argv == SWITCH_ON:
                client = await opened.enter_async_context(Client.open(home, passphrase))
                session.host(client, asyncio.get_running_loop())
                argv = ["status"]
            print(await asyncio.to_thread(prompt.run, main, argv, typed), file=to)


if __name__ == "__main__":
    asyncio.run(serve(Path(os.environ["SEEFEN_HOME"]), os.environ["SEEFEN_PASSPHRASE"]))
