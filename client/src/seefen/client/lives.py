"""How a request stands at each node that is asked: what a reply moves there, and what it may."""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from seefen.client.values import WordView
from seefen.client.views import Row
from seefen.protocol.directory import Directory
from seefen.protocol.errors import OutOfTurnError
from seefen.protocol.messages import Cover
from seefen.protocol.requests import Act, Request, Side, State


@dataclass(frozen=True, slots=True)
class Life:
    """A request at one node.

    Attributes:
        last: What moved it last, by either side.
        word: What the node itself moved it with last: an asker who closes takes it from nobody.
        stood: Where it stood after that.
    """

    request: Request
    last: Row | None = None
    word: Row | None = None
    stood: State = State.ASKED


Lives: TypeAlias = dict[str, Life]  # by node
_ENDED: Final = frozenset({State.CLOSED, State.WITHDRAWN})


def apply(lives: Lives, asker: str, reply: Row) -> None:
    """Let a message move the lives it is about; what it may not do, it has not done."""
    cover, node = reply.opened_cover, reply.statement.node
    side = Side.ASKER if node == asker else Side.HOLDER
    act = None if cover is None else act_of(cover, side)
    if cover is None or act is None:
        return
    about = (cover.to or tuple(lives)) if side is Side.ASKER else (node,)
    for one in about:
        if one not in lives or refusal(lives[one].request, side, act, reply.at) is not None:
            continue
        moved = lives[one].request.moved(side, act, reply.at)
        if act is Act.EXTEND:
            moved = moved.extended(cover.due_s)
        lives[one] = replace(lives[one], request=moved, last=reply)
        if side is Side.HOLDER:
            lives[one] = replace(lives[one], word=reply, stood=moved.state)


def word_of(life: Life, directory: Directory) -> WordView | None:
    """Return what a node had said of a request that its asker ended, if it had said anything."""
    if life.word is None or life.word is life.last or life.request.state not in _ENDED:
        return None
    cover = life.word.opened_cover
    return WordView(
        state=life.stood.value,
        officer=directory.device(life.word.statement.device).officer,
        at=life.word.at,
        said="" if cover is None else cover.subject,
    )


def act_of(cover: Cover, side: Side) -> Act | None:
    """Return the move that a message behind a request makes in it, if it makes one."""
    if cover.type == "Recall":
        return Act.WITHDRAW if side is Side.ASKER else None  # it begins a life of its own
    act = Act(cover.act) if cover.act in set(Act) else None
    return None if act is Act.ASK else act


def refusal(life: Request, side: Side, act: Act, at: int) -> OutOfTurnError | None:
    """Return why a move cannot be made, or None."""
    try:
        life.moved(side, act, at)
    except OutOfTurnError as err:
        return err
    return None
