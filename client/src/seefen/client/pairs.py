"""The pair policy at work: what may not go to a node is refused before it is sealed.

It is asked twice. Before a message is kept for sending, so that the officer hears it at
once; and when it is sealed, because the policy, the members or the day may be others then.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from seefen.client import originals
from seefen.client.drafts import Draft
from seefen.client.engine import Engine
from seefen.client.house import House
from seefen.client.views import rows
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    Correction,
    FileNote,
    Forwarded,
    Message,
    PairPolicy,
    decode_message,
)

# They take back and erase, ring, or tell who opened: they hand nothing over that is not there.
_ALWAYS: Final = frozenset(("EmergencyOpened", "ErasureConfirm", "Flash", "Recall"))
_BY_THE_HOUR: Final = frozenset(("InfoRequest", "OnwardRequest", "TraceRequest"))


class Pairs:
    """The pair policy of the own node."""

    def __init__(self, engine: Engine, house: House) -> None:
        self._engine = engine
        self._house = house

    def require_message(self, nodes: Iterable[str], message: Message) -> None:
        """Check that a message may go to nodes; what is passed on counts as what it is.

        Whoever had a message hears what was wrong in it, as he hears that it was taken back.

        Raises:
            RefusedError: rule ``pair-policy`` or ``pair-persons``, naming the row; or why the
                originator's leave is missing.
        """
        others = self._judged(nodes, message)
        if isinstance(message, Forwarded):
            originals.require(self._engine, others, message)
            message = originals.inner(message)
        policy = self._house.paper(PairPolicy)
        if policy is None or _says_nothing(message):
            return  # one that is not open yet is asked for when it is sealed
        persons, form = bool(getattr(message, "persons", ())), message.TYPE
        if isinstance(message, Correction):
            form, persons = self._corrected(message)
        for node in others:
            _require(self._engine.node, node, policy, form, persons, self._today())

    def require_draft(self, draft: Draft) -> None:
        """Check the same for what is about to be sealed; a file counts as its message.

        Raises:
            RefusedError: Also rule ``paper-unread``: a newer policy is here, and closed.
        """
        message, state = self._message(draft), self._engine.trust.require_state(draft.case)
        if self._house.is_unread(PairPolicy) and not _says_nothing(message):
            if not self._judged(state.members, message):
                return
            raise RefusedError(
                "the pair policy of your node has changed and is not open on this device yet",
                rule="paper-unread",
            )
        self.require_message(state.members, message)

    def require_members(self, state: CaseState | None, nodes: Iterable[str]) -> None:
        """Check that nodes may be let into a case, where persons may be named already.

        Raises:
            RefusedError: rule ``pair-policy`` or ``pair-persons``, naming the row.
        """
        policy = self._house.paper(PairPolicy)
        if policy is None:
            return
        persons = state is not None and self._names_persons(state)
        for node in self._others(nodes):
            _require(self._engine.node, node, policy, "", persons, self._today())

    def clocks(self, nodes: Iterable[str], message: Message) -> dict[str, int]:
        """Return the seconds that each node has to answer a request; none where all is usual."""
        policy, usual = self._house.paper(PairPolicy), message.due_s()
        if policy is None or message.TYPE not in _BY_THE_HOUR:
            return {}
        asked = self._others(message.asked() or nodes)
        day, kind = self._today(), (message.TYPE, message.urgency)
        return {node: policy.clock_s(node, *kind, day=day) or usual for node in asked}

    def _others(self, nodes: Iterable[str]) -> list[str]:
        # Who is not in force gets no key, and must not silence the others.
        directory, now = self._engine.directory, self._engine.now()
        return [
            node
            for node in sorted(set(nodes) - {self._engine.node})
            if directory.in_force(node, at=now) is None
        ]

    def _today(self) -> str:
        return datetime.fromtimestamp(self._engine.now(), UTC).date().isoformat()

    def _message(self, draft: Draft) -> Message:
        made = decode_message(draft.plain)
        if isinstance(made, FileNote):
            for row in rows(self._engine, "object = ?", draft.reply_to):
                made = row.message or made
        if not isinstance(made, Message):
            raise RefusedError("this draft holds no message", rule="form")
        return made

    def _judged(self, nodes: Iterable[str], message: Message) -> list[str]:
        """Return the nodes that are judged: a correction goes to all who had what was wrong."""
        had = set[str]()
        if isinstance(message, Correction):
            for row in rows(self._engine, "object = ? AND node = ?", message.of, self._engine.node):
                state = self._engine.trust.require_state(row.case)
                had |= state.covered(row.statement.gen, self._engine.directory)
        return self._others(set(nodes) - had)

    def _corrected(self, correction: Correction) -> tuple[str, bool]:
        """Return as what a correction counts: as the own node's message that was wrong."""
        for row in rows(self._engine, "object = ?", correction.of):
            message = row.message and originals.inner(row.message)
            if message is not None and row.statement.node == self._engine.node:
                return message.TYPE, bool(getattr(message, "persons", ()))
        return correction.TYPE, False

    def _names_persons(self, state: CaseState) -> bool:
        found = rows(self._engine, "case_id = ? AND body IS NOT NULL AND NOT file", state.case)
        said = (row.message and originals.shown(self._engine, row, row.message) for row in found)
        return any(getattr(message, "persons", ()) for message in said)


def _says_nothing(message: Message) -> bool:
    """Tell whether a message hands over nothing that its readers have not, whoever they are."""
    wordless = isinstance(message, Correction) and not (message.was or message.now)
    return wordless or message.TYPE in _ALWAYS


def _require(own: str, node: str, policy: PairPolicy, form: str, persons: bool, day: str) -> None:
    why = policy.refusal(node, form, persons=persons, day=day)
    if why is None:
        return
    # Where the row would let it pass without persons, that is what the officer can do.
    without = persons and policy.refusal(node, form, day=day) is None
    raise RefusedError(
        f"pair policy {own} > {node} {why}", rule="pair-persons" if without else "pair-policy"
    )
