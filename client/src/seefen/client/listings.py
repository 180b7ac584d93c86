"""What a device lists of itself: the nodes it knows, and what is late."""

from collections.abc import Iterator
from typing import Final

from seefen.client.engine import Engine
from seefen.client.requests import Requests
from seefen.client.values import NodeView
from seefen.client.watching import Watch

_REMINDERS: Final = {
    50: "half of the time is used",
    80: "four fifths of the time are used: who is on watch looks after it",
    100: "overdue: tell the head of your node",
}


def nodes(engine: Engine) -> list[NodeView]:
    """Return the nodes of the network."""
    directory = engine.directory
    return [
        NodeView(
            name,
            directory.node(name).title,
            directory.in_force(name, at=engine.now()),
            len(directory.devices(name)),
        )
        for name in directory.nodes()
    ]


def reminders(requests: Requests, watch: Watch) -> Iterator[tuple[str, str]]:
    """Yield what somebody is reminded of now, and of which request, if of one; each once."""
    for level, due in requests.reminders():
        whose = "" if due.waits_for_us else f" at {due.node}"
        yield f"{_REMINDERS[level]}{whose}: {due.subject}", due.ref
    yield from ((text, "") for text in watch.ending())
