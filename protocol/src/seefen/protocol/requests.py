"""The life of a request and of an alert, at one recipient: tables, and the clock on them.

Both sides keep the same record and make it from the same messages, so they see the same
state. What is not in a table cannot happen: :func:`move` refuses it. An alert or a request
to seven nodes is seven lives.

The clock starts when the request is on a device of the recipient, stops while he waits for
an answer to his own question, and never makes a request end: late is shown, not deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from seefen.protocol.errors import OutOfTurnError


class Side(StrEnum):
    """Who makes a move."""

    ASKER = "asker"
    HOLDER = "holder"


class State(StrEnum):
    """Where a request or an alert stands at one recipient."""

    ASKED = "asked"
    TAKEN = "taken"
    PASSED_ON = "passed_on"
    NOT_OURS = "not_ours"
    REJECTED = "rejected"
    UNCLEAR = "unclear"
    ANSWERED = "answered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class Act(StrEnum):
    """A move. ``ask`` begins a life and is in no table."""

    ASK = "ask"
    TAKE = "take"
    PASS_ON = "pass_on"  # noqa: S105 - a move, no password
    NOT_OURS = "not_ours"
    REJECT = "reject"
    QUERY = "query"
    CLARIFY = "clarify"
    INTERIM = "interim"
    EXTEND = "extend"
    ANSWER = "answer"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    CLOSE = "close"


Moves: TypeAlias = Mapping[State, Mapping[tuple[Side, Act], State]]

_ASKER, _HOLDER = Side.ASKER, Side.HOLDER
_TRIAGE: Final = {
    (_HOLDER, Act.TAKE): State.TAKEN,
    (_HOLDER, Act.PASS_ON): State.PASSED_ON,
    (_HOLDER, Act.NOT_OURS): State.NOT_OURS,
    (_HOLDER, Act.REJECT): State.REJECTED,
}
_WORK: Final = {
    (_HOLDER, Act.ANSWER): State.ANSWERED,
    (_HOLDER, Act.REFUSE): State.REFUSED,
}
_END: Final = {
    (_ASKER, Act.WITHDRAW): State.WITHDRAWN,
    (_ASKER, Act.CLOSE): State.CLOSED,
}

REQUEST: Final[Moves] = {
    State.ASKED: {
        **_TRIAGE,
        **_WORK,
        (_HOLDER, Act.INTERIM): State.TAKEN,
        (_HOLDER, Act.EXTEND): State.TAKEN,  # says until when, and why
        (_HOLDER, Act.QUERY): State.UNCLEAR,  # stops the clock
        **_END,
    },
    # A colleague may take over, and what was taken may turn out to be another's.
    State.TAKEN: {
        **_TRIAGE,
        **_WORK,
        (_HOLDER, Act.INTERIM): State.TAKEN,
        (_HOLDER, Act.EXTEND): State.TAKEN,
        (_HOLDER, Act.QUERY): State.UNCLEAR,
        **_END,
    },
    # Whoever asked back has it. No time runs that could be too short: until when it takes, and
    # how far it is, is said once the clock goes on, and then counts from what is known.
    State.UNCLEAR: {(_ASKER, Act.CLARIFY): State.TAKEN, **_WORK, **_END},
    # A wrong key at night must not be final, and it stays ours until the unit has answered.
    State.PASSED_ON: {
        **_TRIAGE,
        **_WORK,
        (_HOLDER, Act.INTERIM): State.TAKEN,
        (_HOLDER, Act.EXTEND): State.PASSED_ON,
        (_HOLDER, Act.QUERY): State.UNCLEAR,
        **_END,
    },
    State.NOT_OURS: {**_TRIAGE, **_END},
    State.REJECTED: {**_TRIAGE, **_END},
    # A second answer adds to the first or corrects it.
    State.ANSWERED: {(_HOLDER, Act.ANSWER): State.ANSWERED, (_ASKER, Act.CLOSE): State.CLOSED},
    State.REFUSED: {(_HOLDER, Act.ANSWER): State.ANSWERED, (_ASKER, Act.CLOSE): State.CLOSED},
    State.WITHDRAWN: {},
    State.CLOSED: {},
}
ALERT: Final[Moves] = {
    State.ASKED: {**_TRIAGE, **_END},
    State.TAKEN: {**_TRIAGE, **_END},
    State.PASSED_ON: {**_TRIAGE, **_END},
    State.NOT_OURS: {**_TRIAGE, **_END},
    State.REJECTED: {**_TRIAGE, **_END},
    State.WITHDRAWN: {},
    State.CLOSED: {},
}
LIVES: Final[Mapping[str, Moves]] = {"request": REQUEST, "alert": ALERT}
# In these states somebody still owes an answer; an alert is answered when a person took it.
RUNNING: Final[Mapping[str, frozenset[State]]] = {
    "request": frozenset({State.ASKED, State.TAKEN, State.PASSED_ON}),
    "alert": frozenset({State.ASKED}),
}
# From these no move leads back to one in which somebody owes a word.
SETTLED: Final[Mapping[str, frozenset[State]]] = {
    "request": frozenset({State.ANSWERED, State.REFUSED, State.WITHDRAWN, State.CLOSED}),
    "alert": frozenset(ALERT) - {State.ASKED},
}

_UNTIL: Final = {
    (State.UNCLEAR, Side.HOLDER): ", its own question is open, and no time runs until the asker"
    " has clarified: answer or refuse, or wait for that"
}
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
CLOCKS: Final[Mapping[str, Mapping[str, int]]] = {  # seconds from delivery
    "alert": {"FLASH": 15 * 60, "URGENT": _HOUR, "NORMAL": 7 * _DAY, "ROUTINE": 30 * _DAY},
    "request": {"FLASH": 8 * _HOUR, "URGENT": 8 * _HOUR, "NORMAL": 7 * _DAY, "ROUTINE": 30 * _DAY},
}
# What is urgent and not directly accessible to who is asked (Directive (EU) 2023/977, Article 5).
OBTAINABLE: Final = "obtainable"
OBTAINABLE_S: Final = 3 * _DAY


def move(state: State, side: Side, act: Act, *, life: str = "request") -> State:
    """Return the state after a move.

    Raises:
        OutOfTurnError: The table has no such move.
    """
    after = LIVES[life].get(state, {}).get((side, act))
    if after is None:
        raise OutOfTurnError(
            f"the {side.value} cannot '{_words(act)}' here: the {life} is {_words(state)}"
            f"{_UNTIL.get((state, side), '')}",
            rule="no-move",
        )
    return after


def due_at(delivered_at: int, urgency: str, *, life: str = "request") -> int:
    """Return when an answer is due, in unix seconds, if the clock is never stopped.

    Raises:
        ValueError: There is no such urgency.
    """
    if urgency not in CLOCKS[life]:
        raise ValueError(f"no such urgency: {urgency}")
    return delivered_at + CLOCKS[life][urgency]


@dataclass(frozen=True, slots=True)
class Request:
    """A request or alert at one recipient, with its clock.

    Attributes:
        due_s: Seconds an answer may take, 0 for no clock.
        delivered_at: When it was on a device of the recipient, or None.
        stopped_at: Since when the clock stands, or None.
        stopped_s: How long it stood before.
    """

    life: str = "request"
    due_s: int = 0
    state: State = State.ASKED
    delivered_at: int | None = None
    stopped_at: int | None = None
    stopped_s: int = 0

    def delivered(self, at: int) -> "Request":
        """Return it with the clock started; a second delivery changes nothing."""
        return self if self.delivered_at is not None else replace(self, delivered_at=at)

    def moved(self, side: Side, act: Act, at: int) -> "Request":
        """Return it after a move.

        Raises:
            OutOfTurnError: The table has no such move.
        """
        after = move(self.state, side, act, life=self.life)
        running = after in RUNNING[self.life]
        if running and self.stopped_at is not None:
            # Clocks of two nodes differ: a stop never lasts less than nothing.
            stood = max(0, at - self.stopped_at)
            return replace(self, state=after, stopped_at=None, stopped_s=self.stopped_s + stood)
        if not running and self.stopped_at is None:
            return replace(self, state=after, stopped_at=at)
        return replace(self, state=after)

    def extended(self, due_s: int) -> "Request":
        """Return it with another time for the answer, from delivery; never a shorter one."""
        return replace(self, due_s=max(self.due_s, due_s)) if self.due_s else self

    @property
    def due_at(self) -> int | None:
        """When the answer is due, or None while no clock runs."""
        if not self.due_s or self.delivered_at is None or self.stopped_at is not None:
            return None
        return self.delivered_at + self.due_s + self.stopped_s

    def used(self, at: int) -> float:
        """Return the share of the time that is used up at ``at``: 1 and more is late."""
        if not self.due_s or self.delivered_at is None:
            return 0.0
        end = at if self.stopped_at is None else self.stopped_at
        return max(0, end - self.delivered_at - self.stopped_s) / self.due_s


def _words(value: StrEnum) -> str:
    return value.value.replace("_", " ")
