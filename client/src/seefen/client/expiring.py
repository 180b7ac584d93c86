"""Alerts that matter no more: their author signed until when, and every reader compares.

Nothing is deleted or closed by it. It is read, taken back and replaced as before; it rings
nowhere, waits for nobody, and lists say so. Nothing else expires, whatever its header says: a
request ends by an answer alone.
"""

from seefen.client.engine import Engine
from seefen.protocol.messages import Cover
from seefen.protocol.statements import Object


def expiry(obj: Object, cover: Cover | None) -> int:
    """Return until when an object matters, in Unix seconds; 0: always, or not known yet."""
    return obj.expires if cover is not None and cover.type == "SeizureAlert" else 0


def is_expired(engine: Engine, obj: Object, cover: Cover | None) -> bool:
    """Tell whether that time is over, by this machine's clock."""
    return 0 < expiry(obj, cover) <= engine.now()
