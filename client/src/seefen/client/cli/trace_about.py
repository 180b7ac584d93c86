"""A trace request about a weapon that stands in a message already: nothing is typed twice."""

import json
from datetime import datetime
from typing import Any, Final

from seefen.client.cli import forms
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.trace_dialogue import QUESTIONS
from seefen.protocol.messages import Item, Message, SeizureAlert, TraceRequest, to_json
from seefen.protocol.messages.firearm import NUMBER

_FIELDS: Final = ("offence", "exercise", "handling", "conditions", "tlp", "national_ref")
_PLACE: Final = ("place", "bcp")


def request(message: Message, number: int, to: tuple[str, ...], at: datetime) -> TraceRequest:
    """Return a trace request about item ``number`` of a message (0: the only one it has).

    Handling, conditions and the mark of an exercise go on with the weapon.

    Raises:
        UsageError: No weapon stands there, or several and it is not said which.
    """
    item = _as_form(message, _item(message, number))
    form: dict[str, Any] = {
        **{name: value for name in _FIELDS if (value := getattr(message, name))},
        "created_at": int(at.timestamp()),
        "to": list(to),
        "item": item,
        "illicit_nature": _nature(message),
        "question": [part.strip() for part in QUESTIONS.split(",")],
        "recovered_at": getattr(message, "occurred_at", "")[:10],
        "recovered_in": next((text for name in _PLACE if (text := getattr(message, name, ""))), ""),
    }
    return forms.build_request(form)


def _as_form(message: Message, wanted: Item) -> dict[str, Any]:
    said = json.loads(to_json(message))
    items: list[dict[str, Any]] = [said["item"]] if "item" in said else said["items"]
    own = [getattr(message, "item", None)] if "item" in said else getattr(message, "items", ())
    item = items[list(own).index(wanted)]
    # Photographs are files of the other case, and the number counts within one message. A serial
    # number that stood alone there is asked about as that of a weapon.
    alone = ("kind",) if item.get("kind") == NUMBER else ()
    return {name: value for name, value in item.items() if name not in ("photos", "n", *alone)}


def _item(message: Message, number: int) -> Item:
    one = getattr(message, "item", None)
    items: tuple[Item, ...] = getattr(message, "items", ()) if one is None else (one,)
    weapons = [item for item in items if isinstance(item, Item)]
    if len(weapons) == 1 and number in (0, weapons[0].n or 1):
        return weapons[0]
    found = [item for item in weapons if item.n == number and number]
    if len(found) == 1:
        return found[0]
    if not weapons:
        raise UsageError(f"no weapon stands in this {message.TYPE}", "ask with --form")
    choice = ", ".join(
        f"{item.n} {' '.join(filter(None, (item.make, item.model, item.serial_as_read)))}"
        for item in weapons
    )
    raise UsageError("it is not said which weapon", f"--item, one of: {choice}")


def _nature(message: Message) -> str:
    said: str = getattr(message, "illicit_nature", "")
    return said or ("seized" if isinstance(message, SeizureAlert) else "found")
