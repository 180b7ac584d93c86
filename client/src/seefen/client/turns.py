"""Taking turns: a vault is open in one process at a time, and one that stays gives way.

A command holds the turn, a lock on a file beside the vault, while it works. One that stays
(``seefen tail``) looks a few times a second whether somebody holds it; it closes the vault
then, and opens it again when the turn is free. The system lets go of a lock however its
holder ends, so nobody waits for one that was killed.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from seefen.client.vault import held
from seefen.protocol.errors import RefusedError

NAME: Final = "turn"
PATIENCE: Final = 3.0  # seconds for a short command before, and for who stays to close his vault
LOOK: Final = 0.2  # seconds between two looks whether somebody else wants the vault


@contextmanager
def taken(home: Path) -> Generator[None]:
    """Hold the turn in a home while the block runs.

    Raises:
        RefusedError: rule ``vault-busy``: somebody else has it, and keeps it.
    """
    with held(home / NAME, patience=PATIENCE):
        yield


def is_taken(home: Path) -> bool:
    """Tell whether somebody holds the turn."""
    try:
        with held(home / NAME):
            return False
    except RefusedError as err:
        return err.rule == "vault-busy"
