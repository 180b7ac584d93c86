"""What the tests of the library have in common: an alert, a channel, a broker that lies."""

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

from seefen.client import Client
from seefen.protocol.frames import Frame
from seefen.protocol.messages import SeizureAlert, message_from_form
from tests.client.homes import Site

SKOPJE, BELGRADE, PRISTINA = "skopje-border", "belgrade-ffp", "pristina-ffp"
CHANNEL = "seefen-border"


class Why(TypedDict):
    """Purpose and legal basis, as an officer states them."""

    purpose: str
    basis: str


WHY: Why = {"purpose": "detection", "basis": "pcc-see"}
FORM: dict[str, Any] = {
    "occurred_at": "2026-03-14T02:47+01:00",
    "setting": "bcp",
    "place": "Tabanovce",
    "items": [{"category": "pistol", "make": "Zastava", "serial_as_read": "\u0421-84417"}],
}


def alert() -> SeizureAlert:
    """Return the alert of the invented case."""
    made = message_from_form("SeizureAlert", FORM)
    assert isinstance(made, SeizureAlert)
    return made


async def channel(place: Site, *members: str) -> Client:
    """Return Skopje's client, after it opened the channel."""
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, members or [BELGRADE, PRISTINA])
    return skopje


async def until(good: Callable[[], object], *clients: Client) -> None:
    """Keep clients in step until a condition holds: nothing here sleeps and hopes."""
    for _ in range(50):
        if good():
            return
        for client in clients:
            await client.sync()
    raise AssertionError("it never came true")


def deaf(client: Client) -> None:
    """Let pushes pass a client by: it knows what it asks for."""
    client._engine.connection.pushed = _unheard


def _unheard(_: Frame) -> None:
    pass


def spoil(client: Client, verb: str, change: Callable[[Any], Any], *, once: bool = True) -> None:
    """Change what the broker answers to a verb, as a broker that lies would."""
    connection: Any = client._engine.connection
    real: Callable[..., Awaitable[Any]] = connection.request

    async def spoiled(asked: str, *rest: Any) -> Any:
        answer = await real(asked, *rest)
        if asked != verb:
            return answer
        if once:
            connection.request = real
        return change(answer)

    connection.request = spoiled


def honest(client: Client) -> None:
    """Let the broker speak the truth again."""
    del client._engine.connection.__dict__["request"]
