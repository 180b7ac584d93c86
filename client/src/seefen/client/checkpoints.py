"""Checkpoints, each verified once: the newest ones are asked for at every turn."""

from functools import lru_cache
from typing import Final

from seefen.protocol.ledger.note import SignedCheckpoint, open_checkpoint

KEPT: Final = 16


@lru_cache(maxsize=KEPT)
def verified(note: str, origin: str, log_public: bytes) -> SignedCheckpoint:
    """Return the head in a note, its signatures checked; see :func:`open_checkpoint`.

    What was checked stays checked: the same bytes, for the same log, under the same key. A
    refusal is not kept.
    """
    return open_checkpoint(note, origin, log_public)
