"""What a client process does until it is killed: what an officer does in a shift."""

from pathlib import Path
from typing import Any

from seefen.client import Client, joining
from seefen.protocol.messages import SeizureAlert, message_from_form
from tests.client.homes import CHEAP, PASSPHRASE
from tests.client.scenes import CHANNEL, FORM, WHY

CANARY = "KANARINAC-S-84417"
SHOWN = "shown"
PATIENCE = 60  # seconds to wait for an admission


def seizure() -> SeizureAlert:
    """Return an alert whose words must never stand on a disk."""
    made = message_from_form("SeizureAlert", {**FORM, "place": CANARY})
    assert isinstance(made, SeizureAlert)
    return made


async def work(order: dict[str, Any]) -> None:
    """Do one thing that an order names: ``join``, ``sync``, ``shift``, ``alert``, ``drop``..."""
    home = Path(order["home"])
    if order["task"] == "join":
        await joining.join(
            Path(order["invite"]), home, PASSPHRASE, _unheard, memory_kib=CHEAP, patience_s=PATIENCE
        )
        return
    if order["task"] == "drop":
        async with Client.open(home, PASSPHRASE, patience=0) as client:
            await client.queue.drop(order["id"])
        return
    async with Client.open(home, PASSPHRASE) as client:
        if order["task"] == "shift":
            await _shift(client, Path(order["photo"]), Path(order["got"]))
        if order["task"] == "alert":
            await client.alerts.send(seizure(), CHANNEL, [Path(order["photo"])])
        if order["task"] == "search":
            client.search(order["query"], **WHY)
            print(SHOWN, flush=True)  # noqa: T201 - from here on it must stand in the log
            await client.journal.upload(patience=PATIENCE)
        await client.sync()


async def _shift(client: Client, photo: Path, got: Path) -> None:
    await client.alerts.send(seizure(), CHANNEL, [photo])
    await client.sync()
    for alert in client.alerts.list():
        if alert.sender == client.node:
            continue
        if client._engine.vault.get(f"seen/{alert.ref}") is not None:
            continue  # an officer opens what is new
        opened = await client.alerts.show(alert.ref, **WHY)
        for file in opened.files:
            await client.files.get(file.ref, got / alert.ref.replace("#", "-"))
        client._engine.vault.put(f"seen/{alert.ref}", b"1")
    client.keep_draft("alert", CANARY.encode())


def _unheard(_: tuple[str, ...]) -> None:
    """Read the words to nobody."""
