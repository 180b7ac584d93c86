"""(m) The authority log of a network of 10,000 devices, replayed by one that knows nothing yet.

Each certificate is signed by an admin and by the device itself, with both halves: four
signatures checked for each, and a key that something must be sealed to. Pages are those of the
broker, the vault is on the disk. On the clock, since both cores take part; the processor time
beside it says what a quiet machine of two cores could do at best.

A device that has been here keeps what it checked: opening its vault again is the last row.
"""

import time
from collections.abc import Callable
from pathlib import Path

from bench.rows import Row
from seefen.client.trust import Trust
from seefen.client.vault import Vault
from seefen.protocol.frames import AuthorityItem, AuthorityPage
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.suite import SigningKey, verify
from tests.support.network import Network

GOAL_AT = 10_000
REPLAY = 3.0  # s
PAGE = 400  # leaves: what the broker puts into one page of this kind
NODE = "replay-node"


def replayed(count: int, folder: Path) -> list[Row]:
    """Measure the replay of ``count`` certificates with a vault in ``folder``."""
    network = Network()
    leaves = _leaves(network, count)
    head = network.directory.head()
    checkpoint = Checkpoint("replay", head.size, head.root)
    vault = Vault.open(folder / "replay.db", bytes(32))
    trust = Trust(vault, network.net, folder)

    def replay() -> None:
        for start in range(0, len(leaves), PAGE):
            page = AuthorityPage(start, tuple(leaves[start : start + PAGE]), "", ())
            if broken := trust.take_page(page, checkpoint):
                raise RuntimeError(f"{len(broken)} of them have no effect")

    clock, processor = _timed(replay)
    key = SigningKey.generate()
    message = leaves[-1].envelope
    signature = key.sign(message, power=True)

    def signatures() -> None:
        for _ in range(2 * count):
            verify(key.public, message, signature, power=True)

    _, alone = _timed(signatures)
    _, again = _timed(trust.reload)
    vault.close()
    must = REPLAY if count == GOAL_AT else None
    return [
        Row("m", f"{count} certificates of devices replayed", "s", clock, None, must, at_most=True),
        Row("m", "the same, processor time of both cores", "s", processor),
        Row("m", f"the signatures of {count} certificates, one core", "s", alone),
        Row("m", f"a vault with {count} certificates opened again", "s", again),
    ]


def _leaves(network: Network, count: int) -> list[AuthorityItem]:
    founding = network.found()
    network.take(founding)
    admission = network.admit(NODE)
    network.take(admission)
    signed = (*founding.statements, *admission.statements)
    leaves = [AuthorityItem(one.kind, one.envelope, ()) for one in signed]
    admin = network.admin(NODE).sign
    for n in range(count):
        machine = network.machine(NODE, ("field",), f"o-{n:06x}")
        envelope = network.certify(machine, by=admin)
        network.directory.retake("device", envelope)
        leaves.append(AuthorityItem("device", envelope, ()))
    return leaves


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor
