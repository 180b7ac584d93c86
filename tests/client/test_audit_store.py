"""The store of an auditor: every filter finds what looking through everything finds."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from msgspec.structs import replace

from seefen.client.audit import bits, judged
from seefen.client.audit.facts import Facts, reason_number
from seefen.client.audit.filters import READINGS, Filter, month, this_month
from seefen.client.audit.sampling import Rule, draw
from seefen.client.audit.store import Condition, Store
from seefen.client.vault import Vault
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuditItem
from seefen.protocol.receipt import Entry

END = 3 * bits.STRETCH + 500  # three stretches with bitmaps, and one without


def item(index: int) -> AuditItem:
    return AuditItem("access", Entry(index, bytes(89), b"{}", bytes(32), ()), b"\x80")


def made(drawn: random.Random, index: int) -> Facts:
    act = drawn.choice(("access", "object", "release", "ack", "search"))
    return Facts(
        idx=index, at=index * 1000, act=act, op="consult" if act == "access" else "disclose",
        outcome="ok", node=drawn.choice("abc"), officer=drawn.choice(("", "o-1", "o-1 o-2")),
        device=drawn.choice(("d1", "d2")), case_id=f"c{drawn.randrange(40)}", object="", n=0,
        case_n=1, device_n=1, purpose="trace", basis=drawn.choice(("x", "y")),
        recipient=drawn.choice(("", "a b", "c")), emergency=int(drawn.random() < 0.01),
        reason=0, size=END, problem="",
    )  # fmt: skip


def spoiled(one: Facts) -> Facts:
    """Return an entry that could not be read: it has no time, which must lead nobody astray."""
    return replace(one, at=0, problem="wrong")


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Store, list[Facts]]]:
    drawn = random.Random(30)
    store = Store(Vault.in_memory())
    found = [made(drawn, index) for index in sorted(drawn.sample(range(END), 900))]
    found = [spoiled(one) if n % 40 == 0 else one for n, one in enumerate(found)]
    # One value at every place of a stretch: a bitmap, and not a list of places.
    dense = range(bits.STRETCH, bits.STRETCH + 700)
    whole = {one.idx: one for one in [*(made(drawn, i) for i in dense), *found]}
    kept = [whole[index] for index in sorted(whole)]
    for start in range(0, len(kept), 300):
        page = kept[start : start + 300]
        store.keep(((one, item(one.idx)) for one in page), page[-1].idx + 1)
    yield store, kept
    store.vault.close()


def fits(one: Facts, conditions: tuple[Condition, ...]) -> bool:
    terms = set(one.terms())
    return all(any(term in terms for term in wanted) for wanted in conditions)


CONDITIONS: tuple[tuple[Condition, ...], ...] = (
    (),
    ((("node", "a"),),),
    ((("officer", "o-2"),), (("basis", "y"),)),
    ((("recipient", "b"),), (("node", "c"),), (("op", "disclose"),)),
    ((("emergency", "1"),),),
    ((("proved", "no"),),),
    ((("case_id", "c7"),), READINGS),
    ((("node", "a"), ("node", "b")), (("device", "d1"),)),
    ((("node", "nobody"),),),
)


@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (100, bits.STRETCH), (bits.STRETCH + 17, END - 20)]
)
def test_what_a_filter_finds_is_what_is_there(
    filled: tuple[Store, list[Facts]],
    conditions: tuple[Condition, ...],
    start: int,
    stop: int | None,
) -> None:
    store, kept = filled
    end = END if stop is None else stop
    right = [one for one in kept if start <= one.idx < end and fits(one, conditions)]
    assert list(store.each(conditions, start=start, stop=stop)) == right
    assert store.count_of(conditions, start=start, stop=stop) == len(right)
    first, more = store.find(conditions, start=start, stop=stop, limit=7)
    assert (first, more) == (right[:7], len(right) > 7)
    if conditions:
        indices = [one.idx for one in right]
        assert list(store.indices(conditions, start=start, stop=end)) == indices


def test_what_is_missing_and_how_many_there_are_of_each_kind(
    filled: tuple[Store, list[Facts]],
) -> None:
    store, kept = filled
    there = {one.idx for one in kept}
    holes = [index for index in range(store.upto) if index not in there]
    assert store.missing(3 * bits.STRETCH) == holes
    assert store.missing() == holes[:1000]
    assert store.missing(bits.STRETCH + 5) == holes[: bits.STRETCH + 5], "over the end of one"
    assert store.acts() == sorted(Counter(one.act for one in kept).items())


def test_a_look_at_a_full_log_walks_through_no_table() -> None:
    """A hole makes one stretch be looked through, and what is full only counted."""
    store = Store(Vault.in_memory())
    one, end = replace(made(random.Random(5), 0), problem=""), 2 * bits.STRETCH + 10
    kept = (replace(one, idx=index) for index in range(end) if index not in (7, bits.STRETCH + 9))
    store.keep(((facts, item(facts.idx)) for facts in kept), end)
    asked: list[tuple[str, tuple[object, ...]]] = []
    real = store.vault.run

    def run(sql: str, *values: object) -> list[tuple[object, ...]]:
        asked.append((sql, values))
        return real(sql, *values)

    store.vault.run = run  # type: ignore[method-assign]
    assert store.missing() == [7, bits.STRETCH + 9]
    assert store.acts() == [(one.act, end - 2)]
    assert store.count == (end - 2, 0)
    walks = [(sql, v) for sql, v in asked if "FROM audited W" in sql and "problem <> ''" not in sql]
    (acts,) = (sql for sql, values in walks if values == (bits.SHIFT,))
    assert "FROM audited_full" in acts
    others = [values for _, values in walks if values != (bits.SHIFT,)]
    assert others
    assert all(values and values[0] == 2 * bits.STRETCH for values in others), "the youngest"
    store.vault.close()


def test_a_period_is_found_by_halves(filled: tuple[Store, list[Facts]]) -> None:
    store, kept = filled
    proved = [one for one in kept if not one.problem]
    for at in (0, 5, proved[77].at // 1000, bits.STRETCH, END - 1, END + 9):
        found = store.since(at)
        assert not [one for one in proved if one.at < at * 1000 and one.idx >= found]
        assert not [one for one in proved if one.at >= at * 1000 and one.idx < found]


def test_what_is_shown_late_is_found_too() -> None:
    store = Store(Vault.in_memory())
    drawn = random.Random(3)
    early = replace(made(drawn, 10), node="late", problem="")
    store.keep([(made(drawn, 20), item(20)), (made(drawn, END), item(END))], END + 1)
    store.keep([(early, item(10))], None)
    wanted: tuple[Condition, ...] = ((("node", "late"),),)
    assert store.find(wanted, limit=5) == ([early], False)
    store.keep([], END + 2)  # its stretch gets its bitmaps again
    assert store.find(wanted, limit=5) == ([early], False)
    assert store.item(10) == item(10)
    assert store.item(11) is None


def _written(store: Store, where: str = "") -> dict[tuple[object, ...], bytes]:
    rows = store.vault.run(f"SELECT field, value, stretch, bits FROM audited_bits {where}")
    return {tuple(row[:3]): bytes(row[3]) for row in rows}


def test_what_is_checked_anew_changes_no_bitmap_that_still_fits() -> None:
    """Else a verification of the whole log would leave every filter without its bitmaps."""
    drawn = random.Random(4)
    kept = [made(drawn, index) for index in range(0, 2 * bits.STRETCH, 40)]
    one, other = Store(Vault.in_memory()), Store(Vault.in_memory())
    one.keep([(facts, item(facts.idx)) for facts in kept], 2 * bits.STRETCH)
    before = _written(one)
    again = [replace(facts, size=END + 1) for facts in kept]
    one.keep([(facts, item(facts.idx)) for facts in again], END)
    assert _written(one) == before
    # Another outcome at every third, a value that is gone, and one that is new and dense.
    changed = [
        replace(facts, outcome="role", basis="z", node=("a", "b", "b")[n % 3])
        for n, facts in enumerate(again)
    ]
    for start in range(0, len(changed), 170):
        page = changed[start : start + 170]
        one.keep([(facts, item(facts.idx)) for facts in page], None)
    other.keep([(facts, item(facts.idx)) for facts in changed], 2 * bits.STRETCH)
    assert _written(one) == _written(other) != before
    assert one.values("outcome") == ("role",)
    assert one.count == other.count == (len(kept), 0)


def test_a_sample_depends_on_the_seed_alone(filled: tuple[Store, list[Facts]]) -> None:
    store, _ = filled
    rule = Rule(20, 100, END - 100, END, 5, "00" * 16)
    one, other = draw(store, rule, bytes(32)), draw(store, rule, b"\x01" + bytes(31))
    assert one == draw(store, rule, bytes(32)) == sorted(one)
    assert len(one) == len(set(one)) == 20
    assert one != other
    assert all(a < b for a, b in pairwise(one))


def test_equal_reasons_have_one_number_and_no_reason_has_none() -> None:
    assert reason_number("  Check of the register ") == reason_number("check of  the REGISTER")
    assert reason_number("provera") != reason_number("provera 2")
    assert reason_number("") == reason_number(None) == reason_number("  ") == 0


def test_a_filter_says_what_it_asked() -> None:
    said = str(Filter(node="a", since=0, emergency=True))
    assert said == "since 1970-01-01T00:00Z, node a, emergency"
    assert str(Filter()) == "everything"


def test_months() -> None:
    first, last = month("2026-02", 1_800_000_000)
    assert last - first == 28 * 86_400
    assert this_month(first) == this_month(last - 1) == "2026-02"
    for text in ("2026-13", "March", "", "2099-01"):
        with pytest.raises(RefusedError):
            month(text, 1_800_000_000)


@pytest.mark.parametrize("conditions", [one for one in CONDITIONS if one])
@pytest.mark.parametrize("stop", [END, 2 * bits.STRETCH + 7, bits.STRETCH, 1])
def test_the_last_before_a_place_is_the_last_of_all_before_it(
    filled: tuple[Store, list[Facts]], conditions: tuple[Condition, ...], stop: int
) -> None:
    store, kept = filled
    fitting = [one for one in kept if one.idx < stop and fits(one, conditions)]
    assert store.last(conditions, stop) == (fitting[-1] if fitting else None)


def test_a_month_at_the_end_of_the_calendar_has_not_begun() -> None:
    with pytest.raises(RefusedError, match="has not begun"):
        month("9999-12", 1_795_000_000)


def test_what_is_cleared_leaves_no_word_of_who_judged_it(
    filled: tuple[Store, list[Facts]],
) -> None:
    """Else an older program's mark stood over entries that were fetched after it was gone."""
    store, _ = filled
    for name in ("period", "erased"):
        store.vault.put(f"{store.name}/{name}", b"1")
    judged.begin(store)
    store.clear()
    assert store.vault.run("SELECT name FROM setting WHERE name GLOB ?", f"{store.name}*") == []
    assert judged.older(store) == ()
