"""Scene 6: a search for the case in everything the broker has, and in what passed it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from demo import case_a, database
from demo.screen import expect, scene, shown, told
from demo.wiretap import search

if TYPE_CHECKING:
    from demo.story import Play

CONTROL = "skopje-border"  # the broker does know who talks: the search must find it


async def play(play: Play) -> None:
    """Search; and prove that the search finds what is there."""
    scene(6, "what the broker has seen")
    dump = play.folder / "database.sql"
    await database.dump(play.dsn, dump)
    if play.recorder is not None:
        play.recorder.flush()
    words = (*case_a.CANARIES, *play.material.secrets)
    errors = play.stage.errors / "broker.txt"
    places = (  # with whether the control word must stand there
        ("database dump", (dump,), True),
        ("database files, write-ahead log included", (play.postgres,), True),
        ("stored files", (play.broker_data / "blobs",), False),
        ("log of the broker", (play.broker_log, errors), False),
        ("traffic to the broker, inside TLS", (play.traffic / "to-broker.bin",), True),
        ("traffic to the devices, inside TLS", (play.traffic / "to-devices.bin",), True),
    )
    for name, paths, controlled in places:
        place = await asyncio.to_thread(search, name, paths, (*words, CONTROL))
        leaked = [word for word in place.found if word != CONTROL]
        control = f", and {CONTROL!r} found" if CONTROL in place.found else ""
        size = f"{place.size / 1024:,.0f} KiB"
        shown(f"{name:42} {size:>10}   {len(leaked)} of {len(words)} found{control}")
        expect(place.size > 0, f"there was nothing to search in: {name}")
        expect(not leaked, f"{name}: the broker knows {', '.join(leaked)}")
        expect(control or not controlled, f"{name}: the search does not find what is there")
    told(
        f"None of the {len(words)} names, numbers, texts and file names is there in any form. "
        f"The same search finds {CONTROL!r}: who talks with whom, the broker does know."
    )
