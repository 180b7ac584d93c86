"""A session: what a command asks of the client happens on the client's own thread."""

import asyncio
from pathlib import Path

from seefen.client.cli import session
from tests.client.cli.stage import command
from tests.client.homes import site
from tests.client.scenes import SKOPJE, WHY

# Some milliseconds in native code, in which another thread gets its turn.
LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) "
BASIS = ("--purpose", WHY["purpose"], "--basis", WHY["basis"])


COMMANDS = (
    ("search", "zastava", *BASIS),
    ("status",),
)


async def test_a_command_beside_a_busy_client_never_meets_it_in_the_vault(tmp_path: Path) -> None:
    async with site(tmp_path, SKOPJE) as place:
        client = await place.client(SKOPJE)
        session.host(client, asyncio.get_running_loop())
        try:
            for argv in COMMANDS:
                running = asyncio.create_task(asyncio.to_thread(command, *argv))
                while not running.done():
                    client._engine.vault.run(f"{LONG} SELECT count(*) FROM n")
                    await asyncio.sleep(0.003)
                said = await running
                assert said.code == 0, (argv, said.err)
        finally:
            session.host(None, None)
