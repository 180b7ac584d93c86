"""One meaning, one spelling: every other way to write signed bytes is refused (attack 23)."""

import random

import pytest

from seefen.protocol import envelope as envelopes
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.suite import random_bytes
from tests.support import casework
from tests.support.network import Network

TRIES = 4000


def longer_heads(data: bytes, at: int) -> bytes | None:
    """Write the head of the item at a place one size longer than it needs to be."""
    major, extra = data[at] & 0xE0, data[at] & 0x1F
    if extra < 24:
        return data[:at] + bytes([major | 24, extra]) + data[at + 1 :]
    if extra == 24:
        return data[:at] + bytes([major | 25, 0]) + data[at + 1 :]
    if extra == 25:
        return data[:at] + bytes([major | 26, 0, 0]) + data[at + 1 :]
    return None


def heads(data: bytes) -> list[int]:
    """Return where each item begins."""
    found: list[int] = []
    at = 0
    while at < len(data):
        found.append(at)
        major, extra = data[at] >> 5, data[at] & 0x1F
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(extra, 0)
        length = int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else extra
        at += 1 + size + (length if major in (2, 3) else 0)
    return found


@pytest.fixture(scope="module")
def signed() -> tuple[bytes, ...]:
    """Return one signed statement of several kinds."""
    network = Network.founded("skopje-border", "belgrade-ffp")
    by = network.of("skopje-border")
    case, bundle = casework.open_case(network, by, "belgrade-ffp")
    network.take(bundle)
    message = casework.message(network, by, case)
    return tuple(s.envelope for s in (*bundle.statements, *message.statements))


def test_attack_23_every_other_spelling_is_refused_before_a_key_is_used(
    signed: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random_bytes(8).hex()
    print(f"seed {seed}")  # noqa: T201 - a random test says how to repeat it
    chance = random.Random(seed)
    kinds = ("case", "casekey", "object")
    for kind, good in zip(kinds, signed, strict=True):
        assert open_envelope(good, kind).envelope == good
    monkeypatch.setattr(envelopes, "verify", _unused)
    tried = 0
    for n in range(TRIES):
        kind, good = kinds[n % 3], signed[n % 3]
        payload = open_envelope(good, kind).payload
        places = heads(payload)
        match n % 4:
            case 0:
                other = longer_heads(payload, chance.choice(places))
            case 1:
                other = payload + chance.randbytes(chance.randint(1, 8))
            case 2:  # an array without a length, ended by a break
                other = b"\x9f" + payload[2 if payload[0] == 0x98 else 1 :] + b"\xff"
            case _:  # a tag, which says nothing, before an item
                at = chance.choice(places)
                other = payload[:at] + bytes([0xC0 | chance.randrange(24)]) + payload[at:]
        if other is None:
            continue
        tried += 1
        written = good.replace(_string(payload), _string(other))
        for data in {written, good + b"\0", longer_heads(good, 0) or good + b"\0"}:
            assert data != good
            with pytest.raises(SeefenError) as refused:
                open_envelope(data, kind)
            assert refused.value.status == 400
    assert tried > TRIES * 0.9


def _string(payload: bytes) -> bytes:
    return encode([payload])[1:]


def _unused(*_: object) -> None:
    raise AssertionError("a signature was looked at before the bytes were")
