"""The alert at three in the morning: at most seven questions, Enter skips what is unknown.

Handling code, TLP and evaluation come from presets and are shown in one line; who wants
others says so with ``e``.

What was answered is kept as a draft in the vault until it is sent; the next
``seefen alert send`` goes on with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from seefen.client.cli import answers, forms, guesses, lexicon, numbers, terms
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.screen import Screen
from seefen.client.cli.views import alerts
from seefen.client.cli.views.unsent import Beside
from seefen.protocol.errors import RefusedError
from seefen.protocol.matching import scripts
from seefen.protocol.messages import SeizureAlert

_QUIT: Final = "q"
_EMPTY: Final = "-"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the officer said, word for word; ``at``: when he began, as ISO 8601."""

    where: str = ""
    carrying: str = ""
    vehicle: str = ""
    moving: str = ""
    serials: str = ""
    which: str = ""
    hidden: str = ""
    more: str = ""
    handling: str = ""
    conditions: str = ""
    at: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return self == Answers(at=self.at)


_QUESTIONS: Final = {
    "where": "Where?  (Tabanovce > Preševo, out)",
    "carrying": "Carrying?  (12 pistols, 340 rounds)",
    "vehicle": "Vehicle?  (VW Passat B6 grey SK-0000-ZZ)",
    "moving": "Still moving, car or accomplice? [no]",
    "serials": "Serials as read, ? for what is unreadable (Enter = later):",
    "which": "Which number is on which: {}?  (name: number, number; Enter = not said)",
    "hidden": "Hidden where?  (spare wheel, rear panel)",
    "more": "Anything else, no names:",
}
_NO_SUCH: Final = "'{}' is none of these, or several: {}. The same again keeps the number alone."
_NOTHING: Final = "What was found?  How many, and of what: 12 pistols, 340 rounds."
_WHAT: Final = (
    "Not understood: say how many, and of what (12 pistols, 340 rounds). "
    "Enter sends weapons of unknown kind, with your words; one, where no number is said."
)
_AS_UNKNOWN: Final = "What was found was not understood: it leaves as {}, with your words."
_NO: Final = " [no]"  # what Enter says where nothing stands yet
_NUMBERS: Final = ("serials", "which")
_OF_USE: Final = ("handling", "conditions")


def goes_on(screen: Screen) -> bool | None:
    """Return whether an officer goes on with a draft, or drops it; None where he leaves."""
    while True:
        answer = screen.ask("Go on with it? [Y/n]  (n drops it and begins a new alert)")
        if answer.lower() == _QUIT:
            return None
        if not answer or lexicon.means(answer, "yes"):
            return True
        if lexicon.means(answer, "no"):
            return False


def ask(
    screen: Screen, said: Answers, keep: Callable[[Answers], None], *, again: bool = False
) -> Answers | None:
    """Ask each question until it is understood; what was answered before is offered with it.

    Args:
        again: He wants to change something: only then the terms are asked for, too.

    Returns:
        What was said; None where a ``q`` leaves, with the draft kept.
    """
    for name in (*_QUESTIONS, *(_OF_USE if again else ())):
        question = _question(said, name)
        if not question:
            said = replace(said, which="") if name == "which" else said
            continue
        answered = _put(screen, said, name, question)
        if answered is None:
            return None
        said = answered
        keep(said)
    return said


def _question(said: Answers, name: str) -> str:
    """Return what is asked; nothing where there is nothing to ask after the answers so far.

    Which number is on which weapon is asked where there are several kinds and it is not said,
    conditions where a handling code needs them.
    """
    if name == "which":
        found = _weapons(said)
        names = numbers.names(found)
        return _QUESTIONS[name].format(names) if numbers.is_open(found, said.serials) else ""
    if name == "conditions":
        return terms.CONDITIONS if "H3" in said.handling.upper() else ""
    return _QUESTIONS.get(name, terms.QUESTION)


def _weapons(said: Answers) -> list[answers.Fields]:
    found: list[answers.Fields] = answers.load(said.carrying).get("items", [])
    return found


def _put(screen: Screen, said: Answers, name: str, question: str) -> Answers | None:
    """Return the answers with one that is understood or insisted on; None for ``q``."""
    before: str = getattr(said, name)
    refused = ""
    while True:
        asked = question.removesuffix(_NO) if before else question
        answer = screen.ask(asked, refused or before)
        if answer.lower() == _QUIT:
            return None
        if answer == _EMPTY:
            answer = before = ""
        insisted = answer and answer == refused
        if insisted and name == "carrying":
            answer = answers.as_unknown(answer)
        complaint = "" if insisted and name in _NUMBERS else _complaint(said, name, answer)
        if not complaint:
            if name == "carrying":
                _tell_words(screen, Answers(carrying=answer))
            return replace(said, **{name: answer})
        refused = answer if name in ("carrying", *_NUMBERS) else ""
        screen.say(alerts.not_understood(complaint))


def tell_guesses(screen: Screen, said: Answers, alert: SeizureAlert) -> None:
    """Say where words were guessed at or go as text: with options, nobody sees a preview."""
    if said.carrying and not _is_understood(answers.load(said.carrying)):
        screen.say(alerts.not_understood(_AS_UNKNOWN.format(alert.cover().items)))
    _tell_words(screen, said)
    for guess in (*_guesses(said), *guesses.of_numbers(alert)):
        screen.say(alerts.guessed(guess))


def _guesses(said: Answers) -> list[str]:
    return [*guesses.of_place(said.where), *guesses.of_vehicle(said.vehicle)]


def _tell_words(screen: Screen, said: Answers) -> None:
    """Say which words of what was found go as text: they may be a thing that was not counted."""
    if text := answers.load(said.carrying).get("text"):
        screen.say(alerts.goes_as_text(text))


def _complaint(said: Answers, name: str, answer: str) -> str:
    """Return why an answer cannot be sent, or nothing."""
    if name in _NUMBERS and (wrong := numbers.not_found(_weapons(said), answer)):
        return _NO_SUCH.format(wrong, numbers.names(_weapons(said)))
    if name == "where" and not answer:
        return "An alert needs a place."
    if name == "moving" and _moving(answer) is None:
        return "Say yes or no, in your language; Enter is no."
    if name == "carrying" and not _is_understood(answers.load(answer)):
        return _WHAT if answer else _NOTHING
    return ""


def _moving(text: str) -> bool | None:
    """Return whether it still moves, None where that is not said; the first word counts."""
    words = text.split()
    if words and words[0].lower() == "still":
        words = words[1:] or ["?"]
    if not words:
        return False
    yes, no = (lexicon.means(words[0], meaning) for meaning in ("yes", "no"))
    return yes if yes or no else None


def given(said: Answers, at: datetime) -> SeizureAlert:
    """Return the alert that options make, where nobody can be asked again.

    Raises:
        UsageError: As :func:`alert_of`; and a number is said to be on what was not found.
    """
    found = _weapons(said)
    if wrong := numbers.not_found(found, said.serials):
        raise UsageError(
            f"--serials: '{wrong}' is none of these, or several: {numbers.names(found)}",
            "leave out the name and its colon: then the number stands alone",
        )
    return alert_of(said, at)


def alert_of(said: Answers, at: datetime) -> SeizureAlert:
    """Return the alert that the answers make; it occurred when they began, or else now.

    Raises:
        UsageError: What is missing, in the words of the questions.
    """
    if not said.where:
        raise UsageError("where it was found is missing", "--where 'Tabanovce > Preševo, out'")
    found, items = _found(said)
    hidden, other_places = answers.concealment(said.hidden)
    moving = _moving(said.moving)
    if moving is None:
        raise UsageError("whether it still moves was not understood", "--moving, or leave it out")
    of_use = terms.fields(said.handling)
    if of_use.get("handling") == "H3" and not said.conditions:
        raise UsageError(
            "H3 means restrictions of your own: they are missing", "--conditions 'a few words'"
        )
    movement = f"moving: {said.moving}" if len(said.moving.split()) > 1 else ""
    unread = (*numbers.unread(_weapons(said), f"{said.serials}\n{said.which}"),)
    text = "; ".join(filter(None, (found.get("text"), *unread, movement, other_places, said.more)))
    form: dict[str, Any] = {
        **answers.place(said.where),
        **found,
        **of_use,
        "conditions": said.conditions,
        "items": items,
        "concealment": hidden,
        "vehicle": answers.vehicle(said.vehicle),
        "occurred_at": said.at or at.isoformat(timespec="seconds"),
        "created_at": int(at.timestamp()),
        "text": text,
        "script": "Cyrl" if "Cyrl" in scripts(text) else "Latn",
    }
    if moving:
        form |= {"moving": True, "urgency": "FLASH", "urgency_reason": "moving"}
    return forms.build_alert(form)


def _items(said: Answers, found: answers.Fields) -> list[answers.Fields]:
    """Return the weapons with their numbers; a number alone is one where nothing was found."""
    weapons = found.get("items", [])
    read = numbers.numbered(weapons, said.serials, said.which)
    return numbers.on_items(weapons, read, others=bool(found.keys() - {"items", "text"}))


def _found(said: Answers) -> tuple[answers.Fields, list[answers.Fields]]:
    """Return what was found, and its items; words that nothing stands for keep no alert back."""
    found = answers.load(said.carrying)
    items = _items(said, found)
    if items or _is_understood(found):
        return found, items
    if not said.carrying.strip():
        raise UsageError(
            "what was found is missing", "--carrying '12 pistols, 340 rounds': how many, of what"
        )
    found = answers.load(answers.as_unknown(said.carrying))
    return found, _items(said, found)


def _is_understood(found: answers.Fields) -> bool:
    return bool(found.keys() - {"text"})


def _as_it_is(alert: SeizureAlert) -> SeizureAlert:
    return alert


def compose(
    screen: Screen,
    said: Answers,
    at: datetime,
    keep: Callable[[Answers], None],
    fill: Callable[[SeizureAlert], SeizureAlert] = _as_it_is,
    beside: Beside = (),
) -> SeizureAlert | None:
    """Ask until the officer sends (the alert) or keeps the draft (None).

    ``beside`` is shown with each alert that is about to leave: what goes with it.

    ``keep`` is called after each answer: power cut or Ctrl-C, the draft is there. ``fill``
    puts the presets in, before the alert is shown.
    """
    again = False
    screen.say(alerts.how_to_answer(kept=not said.is_empty))
    said = replace(said, at=said.at or at.isoformat(timespec="seconds"))
    while True:
        answered = ask(screen, said, keep, again=again)
        if answered is None:
            return None
        said = answered
        alert = _understood(screen, said, at, fill, beside)
        question = (
            "[Enter] send   [e] edit   [q] keep draft" if alert else "[Enter] edit   [q] keep draft"
        )
        choice = screen.ask(question).lower()
        if choice.startswith("q"):
            return None
        if alert is not None and not choice.startswith("e"):
            return alert
        again = alert is not None or bool(said.handling)
        screen.say(alerts.how_to_answer(kept=True))


def _understood(
    screen: Screen,
    said: Answers,
    at: datetime,
    fill: Callable[[SeizureAlert], SeizureAlert],
    beside: Beside,
) -> SeizureAlert | None:
    try:
        alert = fill(alert_of(said, at))
    except (UsageError, RefusedError) as refused:
        screen.say(alerts.not_yet(str(refused)))
        return None
    screen.say(alerts.before_sending(alert, _guesses(said), beside))
    return alert
