"""The alert at three in the morning: at most eight questions, Enter skips what is unknown.

What was answered is kept as a draft in the vault until it is sent; the next
``seefen alert send`` goes on with it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from seefen.client.cli import answers, forms
from seefen.client.cli.arguments import HANDLING, UsageError
from seefen.client.cli.screen import Screen
from seefen.client.cli.views import alerts
from seefen.protocol.errors import RefusedError
from seefen.protocol.matching import scripts
from seefen.protocol.messages import SeizureAlert

YES: Final = ("y", "yes", "moving")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the officer said, word for word."""

    where: str = ""
    carrying: str = ""
    vehicle: str = ""
    moving: str = ""
    serials: str = ""
    hidden: str = ""
    more: str = ""
    handling: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return not any(asdict(self).values())

    def over(self, older: "Answers") -> "Answers":
        """Return these answers, and the older ones where these are empty."""
        return replace(older, **{name: value for name, value in asdict(self).items() if value})


_QUESTIONS: Final = {
    "where": "Where?  (Tabanovce > Preševo, out)",
    "carrying": "Carrying?  (12 pistols, 340 rounds)",
    "vehicle": "Vehicle?  (VW Passat B6 grey SK-0000-ZZ)",
    "moving": "Still moving, car or accomplice? [no]",
    "serials": "Serials as read, ? for what is unreadable (Enter = later):",
    "hidden": "Hidden where?  (spare wheel, rear panel)",
    "more": "Anything else, no names:",
    "handling": "Handling code [H2]:",
}


def answers_from(data: bytes | None) -> Answers:
    """Return the answers of a draft; one of an older version may lack some."""
    if data is None:
        return Answers()
    kept = forms.fields_of(data)
    known = {field.name for field in fields(Answers)}
    return Answers(**{name: str(value) for name, value in kept.items() if name in known})


def ask(screen: Screen, said: Answers, keep: Callable[[Answers], None]) -> Answers:
    """Ask each question; what was answered before is offered with it."""
    for name, question in _QUESTIONS.items():
        before: str = getattr(said, name)
        said = replace(said, **{name: screen.ask(question, before)})
        keep(said)
    return said


def alert_of(said: Answers, at: datetime) -> SeizureAlert:
    """Return the alert that the answers make.

    Raises:
        UsageError: What is missing, in the words of the questions.
    """
    if not said.where:
        raise UsageError("where it was found is missing", "--where 'Tabanovce > Preševo, out'")
    found = answers.load(said.carrying)
    hidden, other_places = answers.concealment(said.hidden)
    items = answers.with_serials(found.get("items", []), answers.serials(said.serials))
    if not items and not found.keys() - {"text"}:
        raise UsageError(
            "what was found is missing, or was not understood",
            "--carrying '12 pistols, 340 rounds': how many, and of what",
        )
    if said.handling and said.handling.upper() not in HANDLING:
        raise UsageError("the handling code is one of H0, H1, H2, H3", "Enter takes H2")
    text = "; ".join(filter(None, (found.get("text"), other_places, said.more)))
    form: dict[str, Any] = {
        **answers.place(said.where),
        **found,
        "items": items,
        "concealment": hidden,
        "vehicle": answers.vehicle(said.vehicle),
        "occurred_at": at.isoformat(timespec="seconds"),
        "created_at": int(at.timestamp()),
        "handling": said.handling.upper() or "H2",
        "text": text,
        "script": "Cyrl" if "Cyrl" in scripts(text) else "Latn",
    }
    if said.moving.lower() in YES:
        form |= {"moving": True, "urgency": "FLASH", "urgency_reason": "moving"}
    return forms.build_alert(form)


def compose(
    screen: Screen, said: Answers, at: datetime, keep: Callable[[Answers], None]
) -> SeizureAlert | None:
    """Ask until the officer sends (the alert) or keeps the draft (None).

    ``keep`` is called after each answer: power cut or Ctrl-C, the draft is there.
    """
    while True:
        said = ask(screen, said, keep)
        alert = _understood(screen, said, at)
        question = (
            "[Enter] send   [e] edit   [q] keep draft" if alert else "[Enter] edit   [q] keep draft"
        )
        choice = screen.ask(question).lower()
        if choice.startswith("q"):
            return None
        if alert is not None and not choice.startswith("e"):
            return alert


def _understood(screen: Screen, said: Answers, at: datetime) -> SeizureAlert | None:
    try:
        alert = alert_of(said, at)
    except (UsageError, RefusedError) as refused:
        screen.say(alerts.not_yet(str(refused)))
        return None
    screen.say(alerts.before_sending(alert))
    return alert
