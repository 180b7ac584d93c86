"""A device's trust in the broker, and the broker that it is shown."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seefen.client.trust import Trust
from seefen.client.vault import Vault
from seefen.protocol.errors import OutOfTurnError
from tests.client.logbook import LogBook, Recorded
from tests.support import casework

NODES = ("skopje-border", "belgrade-ffp")


@dataclass
class Device:
    """What is under test, and the broker that it is shown."""

    book: LogBook
    vault: Vault
    trust: Trust
    evidence: Path

    async def prove(self, log: str, old: int, new: int) -> tuple[bytes, ...]:
        shown = self.book.authority if log == "authority" else self.book.activity
        if new > shown.size:
            raise OutOfTurnError("the log is not that long", rule="old-authority")
        return shown.consistency(old, new)

    async def sync_authority(self) -> list[str]:
        """Do what the engine does with one page."""
        seen = self.trust.head("authority").size
        page = self.book.authority_page(self.trust.directory.size, seen=seen)
        self.trust.learn_root(page)
        signed = await self.trust.accept("authority", page.checkpoint, page.consistency, self.prove)
        alarms = self.trust.take_authority(page)
        self.trust.check_replayed(signed.checkpoint)
        return alarms

    async def accept(self, size: int | None = None) -> int:
        """Show the device the activity log's head at a size."""
        seen = self.trust.head("activity").size
        log = self.book.activity
        proof = log.consistency(seen, size) if seen <= (size or log.size) else ()
        signed = await self.trust.accept(
            "activity", log.note(self.book.at, size), proof, self.prove
        )
        return signed.checkpoint.size

    def take(self, recorded: Recorded) -> None:
        """Show the device an entry."""
        self.trust.take_item(self.book.item(recorded), self.book.activity.checkpoint())


@contextmanager
def founded(folder: Path) -> Generator[Device]:
    """Give a device that has seen nothing yet of a network of two nodes."""
    book = LogBook(*NODES)
    vault = Vault.open(folder / "vault.db", bytes(32))
    evidence = folder / "evidence"
    try:
        yield Device(book, vault, Trust(vault, book.network.net, evidence), evidence)
    finally:
        vault.close()


def open_case(device: Device) -> tuple[bytes, list[Recorded]]:
    """Open a case of both nodes; return its id and its entries."""
    by = device.book.network.of("skopje-border", "lead")
    case, bundle = casework.open_case(device.book.network, by, "belgrade-ffp")
    return case, device.book.take(bundle)


def write(device: Device, case: bytes, node: str = "skopje-border") -> Recorded:
    """Write a message into a case."""
    by = device.book.network.of(node, "field")
    return device.book.take(casework.message(device.book.network, by, case))[0]
