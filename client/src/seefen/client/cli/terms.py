"""Handling code, TLP, evaluation, purpose and basis as one line: shown, and typed to change it.

``H1 AMBER B2`` is how an officer writes it. Presets have filled the line in before; he types
only where he wants another value.
"""

import re
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from seefen.client.cli import codes
from seefen.client.cli.answers import choose
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import dim, safe
from seefen.client.cli.screen import Screen
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES, Message, saying

M = TypeVar("M", bound=Message)
QUESTION: Final = "Handling code, TLP, evaluation, what differs  (H1 AMBER B2):"
CONDITIONS: Final = "Conditions, in words:"
_CHOICE: Final = "[Enter] send   [e] edit   [q] stop"
_CHOICE_AGAIN: Final = "[Enter] send   [e] edit this line   [a] answers again   [q] stop"
_HINT: Final = "H0 to H3; CLEAR to RED; A1 to X4; a purpose or a legal basis, by its code"
_EVALUATION: Final = re.compile(r"([ABCX])([1-4])")


def of(message: Message) -> str:
    """Return the line: ``H2, ask before sharing · AMBER · A1 · trace · pcc-see``."""
    parts = (
        codes.short_handling(message.handling),
        message.tlp.removeprefix("TLP:"),
        f"{message.source_eval}{message.info_eval}",
        message.purpose,
        message.basis,
    )
    return " · ".join(filter(None, parts))


def fields(text: str) -> dict[str, str]:
    """Return what a typed line says, by the names of the fields.

    Raises:
        UsageError: A word of it is none of these.
    """
    found: dict[str, str] = {}
    for word in re.split(r"[\s,·]+", text.strip()):
        found |= _field(word) if word else {}
    return found


def _field(word: str) -> dict[str, str]:
    if word.upper() in TABLES["handling"]:
        return {"handling": word.upper()}
    if evaluation := _EVALUATION.fullmatch(word.upper()):
        return {"source_eval": evaluation[1], "info_eval": evaluation[2]}
    if tlp := choose(TABLES["tlp"], word) or choose(TABLES["tlp"], f"TLP:{word}"):
        return {"tlp": tlp}
    for table in ("purpose", "basis"):
        if code := choose(TABLES[table], word):
            return {table: code}
    raise UsageError(f"'{safe(word)}' is no handling code, TLP or evaluation", _HINT)


def confirmed(screen: Screen, message: M) -> M:
    """Return a message that was shown, once its writer lets it go; he may change the line."""
    return _confirmed(screen, message, _CHOICE) or message


def confirmed_or_again(screen: Screen, message: M) -> M | None:
    """Return the same; or None, where he wants to answer the questions again."""
    return _confirmed(screen, message, _CHOICE_AGAIN)


def _confirmed(screen: Screen, message: M, question: str) -> M | None:
    while True:
        choice = screen.ask(question).lower()
        if choice.startswith("q"):
            raise KeyboardInterrupt
        if choice.startswith("a") and question == _CHOICE_AGAIN:
            return None
        if not choice.startswith("e"):
            return message
        message = _edited(screen, message)
        screen.say(dim(of(message)))


def _edited(screen: Screen, message: M) -> M:
    try:
        changed: dict[str, Any] = dict(fields(screen.ask(QUESTION)))
        if changed.get("handling") == "H3":
            changed["conditions"] = screen.ask(CONDITIONS, message.conditions)
        newer = saying(replace(message, **changed), *message.said, *changed)
        newer.check()
    except (UsageError, RefusedError) as refused:
        screen.say(dim(f"Not changed: {refused}"))
        return message
    return newer
