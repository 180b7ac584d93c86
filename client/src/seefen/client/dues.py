"""What is due, and what never will be again: that is marked, so that no list reads it anew.

What is due is looked for at each look, and all that was ever asked stays in the vault.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from seefen.client.engine import Engine
from seefen.client.expiring import is_expired
from seefen.client.values import DueView, LifeView, ObjectView, RequestView
from seefen.client.views import Row, object_view, rows
from seefen.protocol.encoding import encode_map
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Cover
from seefen.protocol.requests import OBTAINABLE, RUNNING, SETTLED, Act, Request, State

# What asks is seen in the bytes of a cover before it is decoded; the words of a subject that
# look like it cost a decoding.
ASK: Final = encode_map({"act": Act.ASK.value})[1:]
ASKED: Final = "cover IS NOT NULL AND instr(cover, ?) AND superseded_by IS NULL AND NOT file"
_TOLD: Final = 7 * 86_400  # seconds in which what has expired is told beside what is due
_OPEN: Final = f"{ASKED} AND object NOT IN (SELECT object FROM settled)"  # noqa: S608


def unsettled(engine: Engine) -> list[Row]:
    """Return what asks and may still be due, in the order of the log."""
    return [row for row in rows(engine, _OPEN, ASK) if not _is_over(engine, row)]


def expired(engine: Engine) -> list[ObjectView]:
    """Return alerts of others that nobody of the own node had answered when their time was over.

    Only for a week: then they stand in the list of alerts alone.
    """
    since = engine.now() - _TOLD
    found = [
        object_view(engine, row)
        for row in rows(engine, _OPEN, ASK)
        if row.statement.expires > since and _is_over(engine, row)
    ]
    return [v for v in found if not (v.sender == engine.node or v.answer or v.recalled_by)]


def _is_over(engine: Engine, row: Row) -> bool:
    obj = row.statement
    # Most of all never expires: its cover is decoded once, where it is looked at.
    return bool(obj.expires) and is_expired(engine, obj, row.opened_cover)


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


def require_later(cover: Cover, due_s: int, days: int, delay: str) -> None:
    """Check that so many days from delivery are more than the ``due_s`` seconds that stand.

    Raises:
        RefusedError: rule ``not-urgent``, ``not-later``.
    """
    if delay == OBTAINABLE and cover.urgency != "URGENT":
        raise RefusedError(
            "what must be searched for has 3 days where the request is URGENT; this one is "
            f"{cover.urgency}: say how many days it takes, and why",
            rule="not-urgent",
        )
    if days * 86_400 <= due_s:
        raise RefusedError(
            f"the answer is due {due_s // 86_400} days after delivery already: "
            "give more days, counted from delivery",
            rule="not-later",
        )


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
