"""Statements bent by an attacker, and the refusal that must come of it."""

from collections.abc import Generator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace as machine_copy
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from seefen.protocol.bundle import Bundle
from seefen.protocol.case import Position
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import Statement
from seefen.protocol.suite import SigningKey
from tests.support.network import Network

T = TypeVar("T", bound=Statement)


@contextmanager
def refused(rule: str, error: type[SeefenError] = SeefenError) -> Generator[None]:
    """Expect a refusal by this rule, told in a sentence."""
    with pytest.raises(error) as caught:
        yield
    assert caught.value.rule == rule, f"{caught.value.rule}: {caught.value}"
    assert " " in str(caught.value)


def read(bundle: Bundle, type_: type[T], place: int = 0) -> T:
    """Return a statement of a bundle."""
    signed = bundle.statements[place]
    statement = open_envelope(signed.envelope, signed.kind).statement
    assert isinstance(statement, type_)
    return statement


def forge(bundle: Bundle, *keys: SigningKey, place: int = 0, **changes: Any) -> bytes:
    """Return a statement of a bundle with other fields, signed again."""
    return sign(replace(read(bundle, Statement, place), **changes), *keys)


def here(network: Network, **changes: int) -> Position:
    """Return where the next activity statement stands."""
    values = {
        "authority_size": network.directory.size,
        "index": network.index,
        "at": network.at,
    }
    return Position(**(values | changes))


def offer(network: Network, kind: str, envelope: bytes, **changes: int) -> None:
    """Offer one activity statement at the next place."""
    network.take_activity(kind, envelope, here(network, **changes))


def twin(network: Network) -> Network:
    """Return an independent copy of a network: founding one takes a while."""
    other = copy(network)
    other.directory = network.directory.copy()
    other.machines = {key: machine_copy(m) for key, m in network.machines.items()}
    other.cases, other.keys = network.cases.copy(), network.keys.copy()
    other.seeds, other.content_keys = network.seeds.copy(), network.content_keys.copy()
    return other


def flips(data: bytes, every: int = 1) -> list[bytes]:
    """Return ``data`` with one bit changed, in each of every so many bytes."""
    return [
        data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        for at in range(0, len(data), every)
    ]
