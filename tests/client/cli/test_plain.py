# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import msgspec
import pytest

from seefen.client.cli.plain import encode_json, plain
from tests.client.cli.hostile import HOSTILE, obeyed_in


class Colour(Enum):
    RED = "red"


class Wheel(msgspec.Struct, frozen=True):
    size: int


@dataclass(frozen=True)
class Car:
    plate: str
    key: bytes
    wheels: tuple[Wheel, ...]
    seen_at: datetime
    colour: Colour
    _secret: str = "x"


def test_a_value_becomes_its_fields() -> None:
    car = Car(
        "SK-0000-ZZ", b"\x01\xff", (Wheel(16),), datetime(2026, 3, 14, tzinfo=UTC), Colour.RED
    )
    assert plain(car) == {
        "plate": "SK-0000-ZZ",
        "key": "01ff",
        "wheels": [{"size": 16}],
        "seen_at": "2026-03-14T00:00:00+00:00",
        "colour": "red",
    }


def test_maps_sets_paths_and_nothing() -> None:
    value = {b"\x01": frozenset({2, 1}), "p": Path("a"), 3: None}
    assert plain(value) == {"01": [1, 2], "p": "a", "3": None}


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no form"):
        plain(object())


@pytest.mark.parametrize("text", HOSTILE)
def test_attack_52_json_reads_back_and_is_safe_to_look_at(text: str) -> None:
    shown = encode_json({"text": text})
    assert json.loads(shown) == {"text": text}
    assert obeyed_in(shown) == set()


def test_cyrillic_is_readable() -> None:
    assert "С-84417" in encode_json(["С-84417"], indent=None)
