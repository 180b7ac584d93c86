"""A device as a process of its own: its vault and key file, and the command line on them.

It reads commands, one JSON array of words a line, runs each as if typed, and answers
with exit code and output. It ends when its input ends.
"""

import asyncio
import contextlib
import io
import json
import sys
from pathlib import Path

from seefen.client import Client
from seefen.client.cli import main, session


def _run(argv: list[str]) -> dict[str, object]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(argv)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


async def _serve(home: Path, passphrase: str) -> None:
    async with Client.open(home, passphrase) as client:
        session.host(client, asyncio.get_running_loop())
        answers = sys.stdout
        print(json.dumps({"code": 0, "out": "ready", "err": ""}), file=answers, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            answer = await asyncio.to_thread(_run, json.loads(line))
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
