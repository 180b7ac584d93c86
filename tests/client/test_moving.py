"""Moving the parts of a file: on after a cut, and not for ever if nothing arrives."""

import pytest

from seefen.client import moving
from seefen.client.answers import UnreachableError
from seefen.client.lines import Run
from seefen.protocol.objects import PART_SIZE, RUN


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    made: list[float] = []

    async def no_pause(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr("asyncio.sleep", no_pause)
    return made


async def test_after_a_cut_only_what_is_missing_is_moved_again() -> None:
    size = 40 * PART_SIZE - 7
    left, moved, told = set(range(40)), list[int](), list[int]()

    async def missing() -> list[int]:
        return sorted(left)

    async def move(run: Run) -> None:
        assert len(run.numbers) <= RUN
        assert run.length == sum(min(PART_SIZE, size - n * PART_SIZE) for n in run.numbers)
        number = run.numbers[0]  # a part arrives of each run, then the line is cut
        left.discard(number)
        moved.append(number)
        raise UnreachableError("cut", rule="broker")

    await moving.move_all(missing, move, size, told.append)
    assert sorted(moved) == list(range(40))
    assert told == [size]

    left = {1, 2}

    async def stuck(run: Run) -> None:
        moved.extend(run.numbers)
        raise UnreachableError("cut", rule="broker")

    moved.clear()
    with pytest.raises(UnreachableError):
        await moving.move_all(missing, stuck, size, told.append)
    assert moved == [1, 2] * moving.TRIES


async def test_a_broker_that_starts_anew_ends_no_upload(pauses: list[float]) -> None:
    said: list[str] = []

    async def missing() -> list[int]:
        said.append("asked")
        if 1 < said.count("asked") < moving.TRIES:
            raise UnreachableError("refused", rule="broker")
        return [] if said.count("moved") == 2 else [0]

    async def move(_: Run) -> None:
        said.append("moved")
        if said.count("moved") == 1:
            assert pauses == []
            raise UnreachableError("cut", rule="broker")

    await moving.move_all(missing, move, PART_SIZE, lambda _: None)
    assert said.count("moved") == 2
    assert len(pauses) == moving.TRIES  # one between the cut and the first question


async def test_a_broker_that_never_comes_back_ends_it_after_as_many_tries() -> None:
    asked = 0

    async def missing() -> list[int]:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise UnreachableError("refused", rule="broker")
        return [0]

    async def move(_: Run) -> None:
        raise UnreachableError("cut", rule="broker")

    with pytest.raises(UnreachableError, match="refused"):
        await moving.move_all(missing, move, PART_SIZE, lambda _: None)
    assert asked == 1 + moving.TRIES


async def test_a_broker_that_takes_parts_and_has_none_is_not_served_for_ever(
    pauses: list[float],
) -> None:
    moved: list[Run] = []

    async def missing() -> list[int]:
        assert len(moved) < 100
        return [0]

    async def move(run: Run) -> None:
        moved.append(run)

    with pytest.raises(UnreachableError, match="does not have them"):
        await moving.move_all(missing, move, PART_SIZE, lambda _: None)
    assert len(moved) == moving.TRIES
    assert len(pauses) == moving.TRIES - 1
