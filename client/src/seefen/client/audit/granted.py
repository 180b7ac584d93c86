"""What is kept under a view: as long as the view, and of its period alone.

The broker shows a period from its first entry on and says of the rest that there is none, so how
far it was fetched means nothing under another period: what is here goes, and is fetched anew.
"""

from typing import Final

from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import UntrustedError
from seefen.protocol.manifest import require_view
from seefen.protocol.statements import View
from seefen.protocol.suite import sha256

VIEWED: Final = "viewed"
_KEPT: Final = "SELECT value FROM setting WHERE name GLOB 'viewed_*/period'"


def tables(of: str) -> str:
    """Return what the tables are called of a node's cores; of all for an empty name."""
    return f"{VIEWED}_{sha256(of.encode())[:8].hex()}"


def granted(engine: Engine, of: str) -> View:
    """Return the view that this device has of a node's entries, or of all.

    Raises:
        UntrustedError: rule ``not-a-viewer``, ``role``, or not in force.
    """
    return require_view(engine.directory, engine.keys.device, of, at=engine.now())


def begin(engine: Engine, of: str) -> View:
    """Return the view, with nothing here that was fetched under another period.

    Raises:
        UntrustedError: As :func:`granted`; then nothing is here.
    """
    settle(engine)
    view = granted(engine, of)
    engine.vault.put(f"{tables(of)}/period", encode([of, view.since, view.upto]))
    return view


def settle(engine: Engine) -> None:
    """Drop what is kept under views that are over, or of another period now."""
    for (value,) in engine.vault.run(_KEPT):
        of, *period = decode(value, tuple[str, int, int])
        try:
            view = granted(engine, of)
        except UntrustedError:
            view = None
        if view is None or [view.since, view.upto] != period:
            Store(engine.vault, tables(of)).clear()
