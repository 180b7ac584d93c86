"""A newer version of what was corrected: it says what is right, or it does not leave.

A correction stands beneath the version that it is about. A newer one that still said what was
wrong would say it again, and with nothing beneath it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, cast

from msgspec import Struct
from msgspec.structs import asdict, astuple, replace

from seefen.client.engine import Engine
from seefen.client.values import CorrectionView
from seefen.client.views import Row, corrected_in, is_open, ref_of
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Correction, Message

SHORT: Final = 4  # characters: a shorter one stands in too much to say that it stayed
_M = TypeVar("_M", bound=Message)


def corrections_of(engine: Engine, row: Row) -> tuple[CorrectionView, ...]:
    """Return what its own node said later was wrong in a message, the oldest first."""
    found: list[CorrectionView] = []
    for one in corrected_in(engine, row):
        message = one.message if is_open(engine, one) else None
        said = (message.was, message.now) if isinstance(message, Correction) else ("", "")
        found.append(CorrectionView(ref_of(engine, one), one.at, *said))
    return tuple(found)


def put_right(engine: Engine, row: Row, message: _M) -> _M:
    """Return a message with what was corrected in an object put right in it.

    Raises:
        RefusedError: rule ``corrected``: what was wrong is not the whole of one field.
    """
    for ref, said in _said(engine, row):
        holding = [text for text in _texts(message) if said.was and said.was in text]
        if holding != [said.was] or not said.now:
            raise RefusedError(
                f"{ref_of(engine, row)} was corrected ({ref}), and where that belongs is not "
                "known here: send the whole of it anew, with what is right",
                rule="corrected",
            )
        message = cast("_M", _put(message, said.was, said.now))
    return message


def require_taken_up(engine: Engine, row: Row, newer: Message) -> None:
    """Check that a newer version of an object says nothing more of what was corrected in it.

    Raises:
        RefusedError: rule ``corrected``: it does, or a colleague's correction is closed here.
    """
    for ref, said in _said(engine, row):
        wrong = said.was
        if len(wrong) >= SHORT and any(
            wrong in (text.replace(said.now, "") if said.now else text) for text in _texts(newer)
        ):
            raise RefusedError(
                f"{ref_of(engine, row)} was corrected ({ref}): the newer version still says "
                f"{wrong}",
                rule="corrected",
            )


def _said(engine: Engine, row: Row) -> Iterator[tuple[str, Correction]]:
    for one in corrected_in(engine, row):
        message, ref = one.message if is_open(engine, one) else None, ref_of(engine, one)
        if not isinstance(message, Correction):
            raise RefusedError(
                f"{ref_of(engine, row)} was corrected by a colleague ({ref}), which is closed "
                f"here: open it first, `seefen case show {ref}`",
                rule="corrected",
            )
        yield ref, message


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Struct):
        for item in astuple(value):
            yield from _texts(item)
    elif isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            yield from _texts(item)


def _put(value: object, was: str, now: str) -> object:
    if value == was:
        return now
    if isinstance(value, tuple):
        return tuple(_put(item, was, now) for item in cast("tuple[object, ...]", value))
    if isinstance(value, Struct):
        changed: Mapping[str, Any] = {
            name: new
            for name, item in asdict(value).items()
            if (new := _put(item, was, now)) is not item
        }
        return replace(value, **changed) if changed else value
    return value
