"""How often one may try, and whom a limit hits."""

from pathlib import Path

import pytest

from seefen.server.config import Config
from seefen.server.errors import TooManyError
from seefen.server.rates import Rates

HERE, THERE = "192.0.2.7", "198.51.100.9"
DEVICE = bytes(16)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rates(clock: Clock) -> Rates:
    return Rates(Config(Path(), "seefen", "https://b:1", "b:1"), clock)


def test_ten_logins_a_minute_come_from_an_address(rates: Rates, clock: Clock) -> None:
    for _ in range(10):
        rates.login(HERE)
    with pytest.raises(TooManyError) as caught:
        rates.login(HERE)
    assert (caught.value.rule, caught.value.seconds) == ("rate", 61)
    rates.login(THERE)
    clock.now += 61
    rates.login(HERE)


def test_sixty_logins_an_hour_are_of_a_device(rates: Rates, clock: Clock) -> None:
    for _ in range(60):
        rates.logged_in(HERE, DEVICE)
        clock.now += 1
    with pytest.raises(TooManyError):
        rates.logged_in(THERE, DEVICE)
    clock.now += 3600
    rates.logged_in(HERE, DEVICE)


def test_a_whole_shift_logs_in_from_one_address(rates: Rates) -> None:
    for number in range(100):
        rates.login(HERE)
        rates.logged_in(HERE, number.to_bytes(16, "big"))


def test_twenty_bad_proofs_block_their_address_for_a_quarter_of_an_hour(
    rates: Rates, clock: Clock
) -> None:
    assert [rates.bad_proof(HERE) for _ in range(20)] == [False] * 19 + [True]
    with pytest.raises(TooManyError, match=r"90[01] seconds"):
        rates.require_open(HERE)
    rates.require_open(THERE)
    clock.now += 901
    rates.require_open(HERE)


def test_the_last_half_of_an_ipv6_address_is_not_asked(rates: Rates) -> None:
    for host in range(10):
        rates.login(f"2001:db8::{host:x}")
    with pytest.raises(TooManyError):
        rates.login("2001:db8::ffff")
    rates.login("2001:db8:0:1::1")


def test_what_is_remembered_is_bounded(rates: Rates) -> None:
    for number in range(12_000):
        rates.login(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        rates.bad_proof(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert max(len(rates._logins._events), len(rates._proofs._events)) <= 10_000


def test_attack_50_so_many_addresses_are_blocked_and_no_more(clock: Clock) -> None:
    rates = Rates(Config(Path(), "seefen", "https://b:1", "b:1", bad_proofs_before_block=1), clock)
    for number in range(12_000):
        assert rates.bad_proof(f"2001:db8:{number:x}::1")
    assert len(rates._blocked) == 10_000
    with pytest.raises(TooManyError):
        rates.require_open("2001:db8:2edf::1")
    rates.require_open("2001:db8:1::1")
