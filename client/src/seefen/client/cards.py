"""Node cards: how a node's duty desk is reached, in that very node's own words.

A card is what the newest NodeStatus of a node says that this device has opened, in a
channel or under a watch. It counts only from a lead or admin of that node: who held a
stolen field device could else send an officer's call to a telephone of his own. Before a
card was opened the number on paper is all there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from seefen.client.casework import Casework
from seefen.client.engine import Engine
from seefen.client.messaging import Messaging
from seefen.client.values import Reach, Sent
from seefen.client.views import Row, author_of, recall_of, ref_of, rows
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import NodeStatus

PUBLISHERS: Final = frozenset({"lead", "admin"})
# Covers and forms are maps that name their type: a scan of bytes leaves few to be decoded.
_OPEN: Final = (
    "body IS NOT NULL AND cover IS NOT NULL AND NOT file AND superseded_by IS NULL"
    " AND instr(cover, ?)"
)


@dataclass(frozen=True, slots=True)
class NodeCard:
    """A node and what it says of its duty desk; empty where no card was opened here.

    Attributes:
        in_force: Why the node is not in force, or None.
        said_in: ``seefen-border#7``: the message that says it.
        at: When that was recorded, in Unix seconds; 0 for no card.
    """

    node: str
    title: str
    in_force: str | None
    state: str = ""
    telephone: str = ""
    hours: str = ""
    languages: tuple[str, ...] = ()
    until: str = ""
    text: str = ""
    said_in: str = ""
    at: int = 0


Reaches: TypeAlias = list[Reach]
Published: TypeAlias = list[Sent]


class Cards:
    """The cards of all nodes, and the own one."""

    def __init__(self, engine: Engine, casework: Casework, messaging: Messaging) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging

    def list(self) -> list[NodeCard]:
        """Return each node of the network with its card, by name."""
        engine, newest = self._engine, self._newest()
        directory, now = engine.directory, engine.now()
        return [
            self._card(name, newest.get(name), directory.in_force(name, at=now))
            for name in directory.nodes()
        ]

    def reached(self, reaches: Sequence[Reach]) -> Reaches:
        """Return how far something got, with the telephone of each node."""
        phones = {node: card.telephone for node, (_, card) in self._newest().items()}
        return [replace(one, phone=phones.get(one.node, "")) for one in reaches]

    async def publish(self, card: NodeStatus, channels: Sequence[str] = ()) -> Published:
        """Tell all channels of the node, or those named, how its duty desk is reached.

        Raises:
            UntrustedError: rule ``role``: it would count for nobody.
            RefusedError: rule ``no-channel``, or the card is not filled in.
        """
        engine = self._engine
        if not PUBLISHERS & set(engine.directory.device(engine.keys.device).roles):
            raise UntrustedError("a card counts from a lead or an admin alone", rule="role")
        if not card.telephone:
            raise RefusedError("telephone: a card without one reaches nobody", rule="missing")
        named = [self._casework.find(name, "channel") for name in channels]
        states = named or [
            state
            for state in self._casework.states("channel")
            if engine.node in state.members and not self._casework.is_house(state)
        ]
        if not states:
            raise RefusedError("your node is in no channel yet", rule="no-channel")
        return [await self._messaging.send(state, card) for state in states]

    def _newest(self) -> dict[str, tuple[Row, NodeStatus]]:
        """Return the card of each node that has one: the message, and where it stands."""
        engine, found = self._engine, dict[str, tuple[Row, NodeStatus]]()
        for row in reversed(rows(engine, _OPEN, NodeStatus.TYPE.encode())):
            node, message = row.statement.node, row.message
            if node in found or not isinstance(message, NodeStatus):
                continue
            if message.exercise or not message.telephone:
                continue
            if PUBLISHERS & set(author_of(engine, row).roles) and not recall_of(engine, row):
                found[node] = row, message
        return found

    def _card(
        self, node: str, newest: tuple[Row, NodeStatus] | None, in_force: str | None
    ) -> NodeCard:
        title = self._engine.directory.node(node).title
        if newest is None:
            return NodeCard(node, title, in_force)
        row, said = newest
        return NodeCard(
            node=node,
            title=title,
            in_force=in_force,
            state=said.state,
            telephone=said.telephone,
            hours=said.hours,
            languages=said.languages,
            until=said.until,
            text=said.text,
            said_in=ref_of(self._engine, row),
            at=row.at,
        )
