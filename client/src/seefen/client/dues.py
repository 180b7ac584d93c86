"""What is due, and what never will be again: that is marked, so that no list reads it anew.

What is due is looked for at each look, and all that was ever asked stays in the vault.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from seefen.client.engine import Engine
from seefen.client.values import DueView, LifeView, RequestView
from seefen.client.views import Row, rows
from seefen.protocol.encoding import encode_map
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Cover
from seefen.protocol.requests import RUNNING, SETTLED, Act, Request, State

# What asks is seen in the bytes of a cover before it is decoded; the words of a subject that
# look like it cost a decoding.
ASK: Final = encode_map({"act": Act.ASK.value})[1:]
ASKED: Final = "cover IS NOT NULL AND instr(cover, ?) AND superseded_by IS NULL AND NOT file"
_OPEN: Final = f"{ASKED} AND object NOT IN (SELECT object FROM settled)"  # noqa: S608


def unsettled(engine: Engine) -> list[Row]:
    """Return what asks and may still be due, in the order of the log."""
    return rows(engine, _OPEN, ASK)


def is_due(row: Row, cover: Cover, lives: Iterable[Request], node: str) -> bool:
    """Tell whether somebody owes a word in one of these lives now."""
    ours = row.statement.node == node
    return any(
        (cover.due_s and life.state in RUNNING[life.life]) or (ours and life.state is State.UNCLEAR)
        for life in lives
    )


def is_settled(engine: Engine, row: Row, cover: Cover, lives: Iterable[Request]) -> bool:
    """Tell whether the lives of a request have ended for good.

    Not while a reply is sealed for this device, or a node that it names is not admitted:
    with either it could have another life.
    """
    if not all(life.state in SETTLED[life.life] for life in lives):
        return False
    if not set(cover.to) <= set(engine.directory.nodes()):
        return False
    sealed = "SELECT 1 FROM object WHERE reply_to = ? AND case_id = ? AND cover IS NULL"
    return engine.vault.one(sealed, row.object, row.case) is None


def settle(engine: Engine, objects: Sequence[bytes]) -> None:
    """Mark requests as settled: no list of what is due looks at them again."""
    if not objects:
        return
    with suppress(RefusedError), engine.vault.soon():  # a full disk: they are looked at again
        engine.vault.many("INSERT OR IGNORE INTO settled VALUES (?)", [(one,) for one in objects])


def due_view(
    view: RequestView, life: LifeView, assigned: tuple[str, ...], *, ours: bool = False
) -> DueView:
    """Return what is open of a request at one node; ``ours`` where the next word is ours."""
    return DueView(
        ref=view.ref,
        case=view.case,
        what=view.type,
        sender=view.asker,
        node=life.node,
        waits_for_us=ours or not view.ours,
        due_at=life.due_at,
        used=life.used,
        urgency=view.urgency,
        ours="free" if life.state == "asked" else life.state,
        officer=life.officer,
        subject=view.subject,
        handling=view.handling,
        # At another node its own officers have it, and who they are is not known here.
        assigned=assigned if ours or not view.ours else (),
    )
