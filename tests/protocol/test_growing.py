"""A sequence that its copies share: what one of them adds is never seen by another."""

from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.growing import Growing, any_between, append, last_before

STEPS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 99)), max_size=60)


@given(STEPS)
def test_copies_grow_apart(steps: list[tuple[int, int]]) -> None:
    family: list[tuple[Growing[int], list[int]]] = [(Growing(), [])]
    for nth, item in steps:
        sequence, like = family[nth % len(family)]
        family.append((sequence.plus(item), [*like, item]))
    for sequence, like in family:
        assert list(sequence) == like
        assert len(sequence) == len(like)
        assert [sequence[n] for n in range(len(sequence))] == like


def test_the_newest_of_a_family_is_not_copied() -> None:
    one = Growing[int]().plus(1)
    two = one.plus(2)
    other = one.plus(3)
    assert two._items is one._items
    assert other._items is not one._items


@given(
    st.lists(st.integers(0, 50), unique=True), st.integers(0, 51), st.none() | st.integers(0, 51)
)
def test_questions_about_rising_numbers(numbers: set[int], start: int, end: int | None) -> None:
    lists: dict[str, Growing[int]] = {}
    for number in sorted(numbers):
        append(lists, "key", number)
        lists["key"].plus(0)  # a bundle that was tried and dropped
    below = [n for n in sorted(numbers) if end is None or n < end]
    assert last_before(lists.get("key"), end) == (below[-1] if below else None)
    assert any_between(lists.get("key"), start, end) == any(n >= start for n in below)


def test_what_stands_at_the_start_is_between() -> None:
    one = Growing[int]().plus(5)
    assert [any_between(one, start, 6) for start in (4, 5, 6)] == [True, True, False]
    assert not any_between(one, 5, 5)
