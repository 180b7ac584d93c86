"""The officer on the narrow line: ``python -m tests.faults.client.narrow_officer HOME ...``.

Opens the device, sends an alert with a photograph, and prints after how many seconds each was
recorded, counted from the start, with connecting and logging in. Of a large photograph it waits
for the preview alone: the rest would take ten minutes, and goes on when the device is next used.
"""

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path

from seefen.client import Client, previews
from tests.client.scenes import alert
from tests.support.waiting import until


async def main(home: Path, passphrase: str, channel: str, photo: Path) -> None:
    """Send, and print the seconds as JSON."""
    began = time.monotonic()
    async with Client.open(home, passphrase) as client:
        opened = time.monotonic() - began
        sending = asyncio.create_task(client.alerts.send(alert(), channel, (photo,)))
        await until(client.alerts.list, seconds=120)  # it is there once its receipt was checked
        recorded = time.monotonic() - began
        if previews.is_wanted(photo):
            await until(lambda: len(client.cases.show(channel).objects) > 1, seconds=120)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        else:
            sent = await sending
            assert not sent.queued, sent
            assert sent.files, sent
            assert not any(file.queued for file in sent.files), sent
        photograph = time.monotonic() - began
    took = {"opened": opened, "recorded": recorded, "photograph": photograph}
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    home, passphrase, channel, photo = sys.argv[1:]
    asyncio.run(main(Path(home), passphrase, channel, Path(photo)))
