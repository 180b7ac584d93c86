"""Related: what else was seized at the same crossing within days, and where else it is handled.

Alerts are found by covers alone.
Serial numbers and plates are :mod:`seefen.client.marks`; a crossing is no mark, and says
something only while it is fresh. It proposes and acts on nothing.
"""

from typing import Final

from seefen.client.engine import Engine
from seefen.client.values import ChannelView, ObjectView
from seefen.client.views import Row, is_open, object_view, recall_of, ref_of, rows
from seefen.protocol.messages import Cover

WINDOW: Final = 7 * 86_400  # seconds before and after
MANY: Final = 10
_ALERTS: Final = (
    "at BETWEEN ? AND ? AND object <> ? AND cover IS NOT NULL AND NOT file"
    " AND superseded_by IS NULL AND instr(cover, ?) AND instr(cover, ?)"
)


def related(engine: Engine, row: Row) -> tuple[ObjectView, ...]:
    """Return alerts of the same crossing within a week, the newest first; ten at most."""
    cover = row.opened_cover
    crossing = "" if cover is None else _crossing(cover)
    if cover is None or not crossing:
        return ()
    span = (row.at - WINDOW, row.at + WINDOW)
    found = rows(engine, _ALERTS, *span, row.object, b"SeizureAlert", crossing.encode())
    views = list[ObjectView]()
    for other in reversed(found):
        said = other.opened_cover
        # What is an exercise is no company for what is real.
        if said is None or (_crossing(said), said.exercise) != (crossing, cover.exercise):
            continue
        if recall_of(engine, other) is None:
            views.append(object_view(engine, other))
        if len(views) == MANY:
            break
    return tuple(views)


def channels_of(engine: Engine, row: Row) -> tuple[ChannelView, ...]:
    """Return in which other channels the same is handled, as it and what is open about it say."""
    about = rows(engine, "reply_to = ? AND case_id = ? AND NOT file", row.object, row.case)
    open_too = [one for one in about if is_open(engine, one) and recall_of(engine, one) is None]
    return tuple(
        ChannelView(
            other.channel, other.ref, other.asked, other.date, ref_of(engine, one),
            one.statement.node,
        )
        for one in (row, *open_too)
        if (message := one.message) is not None
        for other in message.other_channels
    )  # fmt: skip


def _crossing(cover: Cover) -> str:
    if cover.type != "SeizureAlert":
        return ""
    return next((said.code for said in cover.what if said.table == "crossing"), "")
