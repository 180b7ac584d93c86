"""The lives of requests and alerts: every move, every move that is none, and the clock."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import OutOfTurnError
from seefen.protocol.requests import (
    ALERT,
    CLOCKS,
    LIVES,
    REQUEST,
    RUNNING,
    SETTLED,
    Act,
    Moves,
    Request,
    Side,
    State,
    due_at,
    move,
)

ASKER, HOLDER = Side.ASKER, Side.HOLDER
EVERYTHING = [
    (life, state, side, act) for life in LIVES for state, side, act in product(State, Side, Act)
]


def _after(life: str, state: State, side: Side, act: Act) -> State | None:
    return LIVES[life].get(state, {}).get((side, act))


@pytest.mark.parametrize("life", LIVES)
def test_every_move_and_every_move_that_is_none_for_both_peers(life: str) -> None:
    for state, side, act in product(State, Side, Act):
        after = _after(life, state, side, act)
        # The asker and the holder each keep the record, and make it from the same moves.
        at_asker = Request(life=life, state=state, due_s=60).delivered(100)
        at_holder = Request(life=life, state=state, due_s=60).delivered(100)
        if after is None:
            for record in (at_asker, at_holder):
                with pytest.raises(OutOfTurnError) as refused:
                    record.moved(side, act, 200)
                assert refused.value.rule == "no-move"
                assert record.state is state
        else:
            assert move(state, side, act, life=life) is after
            assert at_asker.moved(side, act, 200) == at_holder.moved(side, act, 200)
            assert at_asker.moved(side, act, 200).state is after


def test_the_tables_say_what_they_are_meant_to_say() -> None:
    assert move(State.ASKED, HOLDER, Act.TAKE) is State.TAKEN
    assert move(State.TAKEN, HOLDER, Act.ANSWER) is State.ANSWERED
    assert move(State.TAKEN, HOLDER, Act.QUERY) is State.UNCLEAR
    assert move(State.UNCLEAR, ASKER, Act.CLARIFY) is State.TAKEN
    assert move(State.ANSWERED, ASKER, Act.CLOSE) is State.CLOSED
    assert move(State.NOT_OURS, HOLDER, Act.TAKE) is State.TAKEN  # a wrong key at night
    assert move(State.ASKED, ASKER, Act.WITHDRAW, life="alert") is State.WITHDRAWN


@pytest.mark.parametrize("moves", [REQUEST, ALERT])
def test_nobody_makes_the_moves_of_the_other(moves: Moves) -> None:
    asker = {Act.CLARIFY, Act.WITHDRAW, Act.CLOSE}
    for table in moves.values():
        assert all((side is ASKER) == (act in asker) for side, act in table)


@pytest.mark.parametrize("moves", [REQUEST, ALERT])
def test_what_is_withdrawn_or_closed_stays_so(moves: Moves) -> None:
    assert [state for state, table in moves.items() if not table] == [State.WITHDRAWN, State.CLOSED]


@pytest.mark.parametrize("moves", [REQUEST, ALERT])
def test_every_state_can_be_reached_and_stands_in_the_table(moves: Moves) -> None:
    reached, waiting = {State.ASKED}, [State.ASKED]
    while waiting:
        for after in moves[waiting.pop()].values():
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    assert reached == set(moves)


def test_a_refusal_is_a_sentence() -> None:
    with pytest.raises(
        OutOfTurnError, match="the asker cannot 'take' here: the request is not ours"
    ):
        move(State.NOT_OURS, ASKER, Act.TAKE)


@pytest.mark.parametrize("act", [Act.EXTEND, Act.INTERIM, Act.PASS_ON])
def test_nothing_is_put_off_while_no_time_runs_and_that_is_said(act: Act) -> None:
    with pytest.raises(OutOfTurnError, match="no time runs until the asker has clarified"):
        move(State.UNCLEAR, HOLDER, act)
    after = move(State.UNCLEAR, ASKER, Act.CLARIFY)
    assert move(after, HOLDER, act)


# --- the clock -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urgency", "alert", "request_"),
    [
        ("FLASH", 900, 28_800),
        ("URGENT", 3600, 28_800),
        ("NORMAL", 604_800, 604_800),
        ("ROUTINE", 2_592_000, 2_592_000),
    ],
)
def test_how_long_an_answer_may_take(urgency: str, alert: int, request_: int) -> None:
    assert due_at(1000, urgency, life="alert") == 1000 + alert
    assert due_at(1000, urgency) == 1000 + request_


def test_there_is_no_clock_for_another_urgency() -> None:
    with pytest.raises(ValueError, match="LATER"):
        due_at(0, "LATER")


def test_the_clock_starts_on_delivery_and_only_once() -> None:
    asked = Request(due_s=100)
    assert asked.due_at is None
    assert asked.used(10**9) == 0.0
    delivered = asked.delivered(1000)
    assert delivered.due_at == 1100
    assert delivered.delivered(5000) == delivered


def test_the_clock_stands_while_the_holder_waits_for_us() -> None:
    unclear = Request(due_s=100).delivered(1000).moved(HOLDER, Act.QUERY, 1040)
    assert unclear.due_at is None
    assert unclear.used(9999) == 0.4
    clear = unclear.moved(ASKER, Act.CLARIFY, 1500)
    assert clear.due_at == 1000 + 100 + 460
    assert clear.used(1500) == 0.4


def test_an_answer_stops_the_clock_and_lateness_never_ends_a_request() -> None:
    late = Request(due_s=100).delivered(1000)
    assert late.used(1350) == 3.5
    assert late.state is State.ASKED
    answered = late.moved(HOLDER, Act.ANSWER, 1350)
    assert answered.due_at is None
    assert answered.used(10**9) == 3.5


def test_an_alert_is_answered_when_a_person_took_it_and_a_request_is_not() -> None:
    for life, due in (("alert", None), ("request", 1100)):
        taken = Request(life=life, due_s=100).delivered(1000).moved(HOLDER, Act.TAKE, 1010)
        assert taken.due_at == due


@given(
    st.lists(
        st.tuples(st.sampled_from(Side), st.sampled_from(Act), st.integers(0, 10**6)), max_size=30
    )
)
def test_whatever_happens_the_clock_never_runs_backwards(
    steps: list[tuple[Side, Act, int]],
) -> None:
    # Times come from two machines, so they are in any order.
    record = Request(due_s=100).delivered(500)
    before = record.stopped_s
    for side, act, at in steps:
        try:
            record = record.moved(side, act, at)
        except OutOfTurnError:
            continue
        assert record.stopped_s >= before
        before = record.stopped_s
        running = record.state in RUNNING["request"]
        assert (record.due_at is not None) == running
        assert record.due_at is None or record.due_at >= 600


def test_every_clock_names_every_life() -> None:
    assert set(CLOCKS) == set(LIVES) == set(RUNNING)
    assert len(EVERYTHING) == 2 * len(State) * len(Side) * len(Act)


def test_an_extension_moves_the_date_and_never_forwards() -> None:
    record = Request(due_s=60).delivered(100).moved(HOLDER, Act.EXTEND, 110)
    assert record.state is State.TAKEN
    assert record.extended(600).due_at == 700
    assert record.extended(600).extended(60).due_at == 700
    assert Request().extended(600).due_s == 0  # no clock, nothing to move


@pytest.mark.parametrize("life", LIVES)
def test_from_what_is_settled_no_move_leads_back_to_what_is_owed(life: str) -> None:
    owed = RUNNING[life] | {State.UNCLEAR}
    for state in SETTLED[life]:
        assert state not in owed
        assert set(LIVES[life][state].values()) <= SETTLED[life], state
    # And nothing else is: not ours and rejected may be taken again.
    for state in set(LIVES[life]) - SETTLED[life] - owed:
        assert set(LIVES[life][state].values()) & owed, state
