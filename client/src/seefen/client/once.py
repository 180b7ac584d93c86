"""What needs to be done only once: the same bytes give the same answer.

A push is looked at from several sides, and the newest checkpoints are asked for at every turn.
A refusal is not kept: it is found anew.
"""

from functools import lru_cache
from typing import Final

from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.ledger.note import SignedCheckpoint, open_checkpoint

KEPT: Final = 16
OPENED: Final = 96  # of a page: two batches before their turn, and the one that had its turn


@lru_cache(maxsize=KEPT)
def verified(note: str, origin: str, log_public: bytes) -> SignedCheckpoint:
    """Return the head in a note, its signatures checked; see :func:`open_checkpoint`.

    What was checked stays checked: the same bytes, for the same log, under the same key.
    """
    return open_checkpoint(note, origin, log_public)


@lru_cache(maxsize=OPENED)
def opened(envelope: bytes, kind: str) -> Opened:
    """Return the statement in an envelope, its signatures unchecked; see :func:`open_envelope`."""
    return open_envelope(envelope, kind)
