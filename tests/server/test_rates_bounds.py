"""Limits that bound what one caller, one node or one address can cost the broker."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from seefen.protocol.errors import RefusedError, SeefenError
from seefen.server import rates
from seefen.server.config import Config
from seefen.server.errors import TooManyError, UnreachableError
from seefen.server.rates import DAY, Rates, Records, Turns, Window

ONE, OTHER = "device 01", "invite 01"
NODE, PARTNER = "skopje-border", "belgrade-ffp"
DEVICE = bytes(16)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def config(**limits: Any) -> Config:
    return Config(Path(), "seefen", "https://b:1", "b:1", **limits)


# --- a window ----------------------------------------------------------------------------


def test_a_window_lets_the_next_one_in_when_the_oldest_has_gone() -> None:
    window = Window(2, 60)
    assert [window.take("a", 0.0), window.take("a", 10.5)] == [0, 0]
    assert [window.take("a", at) for at in (11.0, 59.0, 59.9)] == [50, 2, 1]
    assert window.take("b", 11.0) == 0
    assert window.take("a", 60.0) == 0, "sixty seconds later it is over"
    assert window.take("a", 60.0) == 11
    assert window.left("a", 60.0) == 0
    assert window.left("a", 70.5) == 1
    assert window.left("never seen", 0.0) == 2


def test_what_is_refused_is_not_counted() -> None:
    window = Window(1, 60)
    assert window.take("a", 0.0) == 0
    for at in range(1, 60):
        assert window.take("a", float(at)) > 0
    assert window.take("a", 60.0) == 0


def test_a_window_of_none_says_so_and_does_not_break() -> None:
    """A block after the very first bad proof: none at all is allowed before it."""
    assert Window(0, 60).take("a", 0.0) == 61


def test_what_is_given_back_is_the_last_and_never_more_than_there_was() -> None:
    window = Window(1, 60)
    window.give_back("a")
    assert window.take("a", 0.0) == 0
    window.give_back("a")
    window.give_back("a")
    assert [window.take("a", 0.0), window.take("a", 0.0) > 0] == [0, True]
    two = Window(2, 60)
    two.take("a", 0.0)
    two.take("a", 30.0)
    two.give_back("a")
    two.take("a", 40.0)
    assert two.take("a", 60.0) == 0, "the first of all still is the oldest"
    assert two.take("a", 60.0) == 41


def test_attack_50_the_key_that_was_used_last_is_forgotten_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "_KEYS", 2)
    window = Window(1, 60)
    for key in ("a", "b"):
        window.take(key, 0.0)
    assert window.take("a", 1.0) > 0
    window.take("c", 1.0)
    assert [*window._events] == ["a", "c"]
    assert window.take("a", 1.0) > 0


# --- turns ---------------------------------------------------------------------------------


def test_attack_50_so_many_requests_of_one_caller_are_worked_on_and_no_more() -> None:
    """Each may bring megabytes at a kilobyte a second: they lie in memory as long as that."""
    turns = Turns(2)
    with turns.of(ONE):
        with turns.of(ONE):
            with pytest.raises(TooManyError) as caught, turns.of(ONE):
                pass
            assert (caught.value.rule, caught.value.seconds) == ("busy", 1)
            with turns.of(OTHER):  # is hindered by nobody else
                pass
        with turns.of(ONE):
            pass
    assert turns._taken == {}, "who asks for nothing is not remembered"


def test_a_turn_ends_with_its_request_whatever_becomes_of_it() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(KeyError), turns.of(ONE):
            raise KeyError
    with turns.of(ONE):
        assert turns._taken == {ONE: 1}


def test_our_own_client_has_room() -> None:
    turns, count = Turns(), list[int]()
    with pytest.raises(TooManyError):
        _enter(turns, count)
    assert len(count) == rates.AT_ONCE >= 4


def _enter(turns: Turns, count: list[int]) -> None:
    with turns.of(ONE):
        count.append(1)
        _enter(turns, count)


# --- records of keys -----------------------------------------------------------------------


class UndoneError(SeefenError):
    """What was to be written does not stand."""


def undone(records: Records, node: str, kinds: list[str]) -> None:
    """Begin to write records, and come to nothing."""
    with suppress(UndoneError), records.of(node, kinds):
        raise UndoneError("refused by another rule")


def test_attack_50_records_that_may_stand_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were committed, and the mark could not be written; else nothing was."""
    monkeypatch.setattr(rates, "RECORDS", 5)
    records = Records(Clock())
    for _ in range(3):  # a node whose database is away asks again with the same
        with suppress(UnreachableError), records.of(NODE, ["device"] * 4):
            raise UnreachableError("ask again", rule="database")
    with suppress(UnreachableError), records.of(NODE, ["device"] * 4):
        raise UnreachableError("ask again", rule="high-water")
    with pytest.raises(RefusedError):
        undone(records, NODE, ["device"] * 2)


def test_attack_50_records_are_counted_by_node_and_within_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "RECORDS", 5)
    clock = Clock()
    records = Records(clock)
    undone(records, NODE, ["device"] * 5)
    with pytest.raises(RefusedError) as caught:
        undone(records, NODE, ["device"] * 6)
    assert caught.value.rule == "records"
    with records.of(NODE, ["device"] * 3):
        pass
    undone(records, NODE, ["device", "mailbox"])
    for kinds in (["device"] * 3, ["revoke", "device", "device"], ["device", "object"] * 3):
        with pytest.raises(RefusedError):
            undone(records, NODE, kinds)
    # What stands in no list of keys is not counted, and what ends a device never refused.
    undone(records, NODE, ["object", "case", "casekey", "device", "device"])
    undone(records, NODE, ["revoke"] * 9)
    undone(records, PARTNER, ["device"] * 5)
    undone(records, "", ["device"] * 9)  # by the root's word, before anybody is logged in
    clock.now += DAY - 1
    with pytest.raises(RefusedError):
        undone(records, NODE, ["device"] * 3)
    clock.now += 1
    undone(records, NODE, ["device"] * 5)


def test_attack_50_what_is_on_its_way_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen bundles at once would each find the room that there is for one."""
    monkeypatch.setattr(rates, "RECORDS", 5)
    records = Records(Clock())
    with records.of(NODE, ["device"] * 3):
        with pytest.raises(RefusedError):
            undone(records, NODE, ["device"] * 3)
        with records.of(NODE, ["revoke"] * 4):
            pass
    with pytest.raises(RefusedError):
        undone(records, NODE, ["device"])


# --- addresses -----------------------------------------------------------------------------


def test_attack_57_addresses_of_one_customer_are_one_and_of_two_are_two() -> None:
    limits = Rates(config(logins_per_minute_per_address=1), Clock())
    for one, same in (
        ("2001:db8:7::1", "2001:db8:7::8000:0:0:1"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("", ""),
        ("no address", "no address"),
    ):
        limits.login(one)
        with pytest.raises(TooManyError):
            limits.login(same)
    # Behind a socket that takes both families each IPv4 address is one of the same /64.
    for other in ("2001:db8:7:1::1", "192.0.2.8", "::ffff:192.0.2.8"):
        limits.login(other)


def test_who_is_blocked_hears_for_how_long_and_is_free_then() -> None:
    clock = Clock()
    limits = Rates(config(bad_proofs_before_block=1, block_seconds=60), clock)
    assert limits.bad_proof("192.0.2.7")
    for later, seconds in ((0.0, 61), (0.5, 60), (59.0, 2), (59.5, 1)):
        clock.now = 1000.0 + later
        with pytest.raises(TooManyError) as caught:
            limits.require_open("192.0.2.7")
        assert (caught.value.rule, caught.value.seconds) == ("blocked", seconds)
        assert f"try again in {seconds} seconds" in str(caught.value)
    clock.now = 1060.0
    limits.require_open("192.0.2.7")


def test_attack_50_the_address_that_was_blocked_last_is_forgotten_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "_KEYS", 2)
    limits = Rates(config(bad_proofs_before_block=1), Clock())
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        assert limits.bad_proof(address)
    limits.require_open("192.0.2.2")
    for address in ("192.0.2.1", "192.0.2.3"):
        with pytest.raises(TooManyError):
            limits.require_open(address)


def test_attack_57_a_good_login_gives_its_own_back_and_counts_for_its_device() -> None:
    limits = Rates(config(logins_per_minute_per_address=2, logins_per_hour_per_device=3), Clock())
    for _ in range(3):
        limits.login("192.0.2.7")
        limits.logged_in("192.0.2.7", DEVICE)
    limits.login("192.0.2.7")
    with pytest.raises(TooManyError) as caught:
        limits.logged_in("192.0.2.7", DEVICE)
    assert (caught.value.rule, caught.value.seconds) == ("rate", 3601)
    # A device that comes too often uses up nobody's address; a bad login does.
    for _ in range(2):
        limits.login("192.0.2.7")
    with pytest.raises(TooManyError):
        limits.login("192.0.2.7")


def test_attack_57_bad_proofs_from_many_addresses_block_none_that_sent_few() -> None:
    """Counted together, a stranger with many addresses would shut out every ministry."""
    limits = Rates(config(bad_proofs_before_block=3), Clock())
    for number in range(20):
        for _ in range(2):
            assert not limits.bad_proof(f"192.0.2.{number}")
    assert limits.bad_proof("192.0.2.7")
    limits.require_open("192.0.2.8")


def test_the_hour_of_a_device_is_an_hour() -> None:
    clock = Clock()
    limits = Rates(config(logins_per_hour_per_device=1), clock)
    limits.logged_in("192.0.2.7", DEVICE)
    clock.now += 3599
    with pytest.raises(TooManyError):
        limits.logged_in("192.0.2.7", DEVICE)
    clock.now += 1
    limits.logged_in("192.0.2.7", DEVICE)
