"""Trace requests and replies by questions; Enter skips what is unknown.

What is not understood is asked again at once. What is refused as a whole, or is to be changed,
is asked again with all that was answered before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from seefen.client.cli import answers, forms, terms
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.screen import Screen
from seefen.client.cli.views import alerts, traces
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES, TraceReply, TraceRequest

M = TypeVar("M", TraceRequest, TraceReply)
Fill: TypeAlias = Callable[[M], M]
Said: TypeAlias = dict[str, str]

QUESTIONS: Final = "manufacture, last legal holder, lost or stolen"
_EMPTY: Final = "-"
_SEVERAL: Final = "channel"  # the table of which an answer may name several
_OPTION: Final = "give --form FILE.json; docs/cli.md has an example"


@dataclass(frozen=True, slots=True)
class _Question:
    """A question; ``table``: what answers it is a code, or one of each part behind a comma."""

    name: str
    text: str
    usual: str = ""
    table: str = ""
    asked: Callable[[Said], bool] = lambda _: True


_ASK: Final = (
    _Question("gun", "Gun?  (pistol Zastava M57 7,62 x 25)"),
    _Question("number", "Serial as read, ? for what is unreadable (Enter = later):"),
    _Question("nature", "How did it come to you?  ({})", "seized", "illicit"),
    _Question("question", "What do you want to know?", QUESTIONS),
    _Question("searched", "Searched already?  ({})", table="channel"),
    _Question("urgency", "Urgency?  (NORMAL 7 days, URGENT 8 hours)", "NORMAL", "urgency"),
    _Question("why", "Why?  ({})", table="urgency_reason", asked=lambda said: _is_urgent(said)),
    _Question("text", "Circumstances:"),
)
_ANSWER: Final = (
    _Question("outcome", "Outcome?  ({})", "traced in part", "outcome"),
    _Question("searched", "Searched (needed): register, years, paper or digital:"),
    _Question("confidence", "Confidence?  ({})", "moderate", "trust"),
    _Question("chain", "Chain?  (1968 manufactured; 1969 issued; 1992 written off)"),
    _Question("diversion", "Diversion?  ({})", table="diversion"),
    _Question("ground", "Ground?  ({})", table="refusal", asked=lambda said: _is_refused(said)),
    _Question("text", "Anything else:"),
)


def ask(screen: Screen, at: datetime, fill: Fill[TraceRequest]) -> TraceRequest:
    """Ask for a trace request; ``fill`` puts the presets in before it is shown."""
    return _composed(screen, _ASK, lambda said: fill(forms.build_request(_request(said, at))))


def answer(screen: Screen, at: datetime, fill: Fill[TraceReply]) -> TraceReply:
    """Ask for the answer to a trace request; ``fill`` puts the presets in."""
    return _composed(screen, _ANSWER, lambda said: fill(forms.build_reply(_reply(said, at))))


def _composed(screen: Screen, questions: Sequence[_Question], make: Callable[[Said], M]) -> M:
    """Ask until the message is right and its writer lets it go; no answer is typed twice."""
    _require_person(screen)
    said: Said = {}
    while True:
        said = _answered(screen, questions, said)
        try:
            message = make(said)
        except (UsageError, RefusedError) as refused:
            screen.say(alerts.not_yet(str(refused)))
            screen.say(alerts.how_to_answer(kept=True, leaves=False))
            continue
        screen.say(traces.before_sending(message))
        sent = terms.confirmed_or_again(screen, message)
        if sent is not None:
            return sent
        screen.say(alerts.how_to_answer(kept=True, leaves=False))


def _answered(screen: Screen, questions: Sequence[_Question], before: Said) -> Said:
    said: Said = {}
    for one in questions:
        if one.asked(said):
            said[one.name] = _put(screen, one, before.get(one.name, one.usual))
    return said


def _put(screen: Screen, one: _Question, before: str) -> str:
    """Return an answer that is understood: who is asked eight times does not begin again."""
    while True:
        text = screen.ask(one.text.format(_labels(one.table) if one.table else ""), before)
        if text == _EMPTY:
            text = before = ""
        wrong = _not_among(one.table, text)
        if not wrong:
            return text
        screen.say(alerts.not_understood(f"'{wrong}' is none of these."))


def _not_among(table: str, text: str) -> str:
    """Return the first part of an answer that is no code of its table, or nothing."""
    parts = answers.serials(text) if table == _SEVERAL else (text,)
    wrong = (part for part in parts if part and table and not answers.choose(TABLES[table], part))
    return next(wrong, "")


def _is_urgent(said: Said) -> bool:
    return said["urgency"].upper() not in {"NORMAL", "ROUTINE"}


def _is_refused(said: Said) -> bool:
    return answers.choose(TABLES["outcome"], said["outcome"]) == "refused"


def _request(said: Said, at: datetime) -> dict[str, Any]:
    return {
        "created_at": int(at.timestamp()),
        "offence": "trafficking",
        "item": {**answers.gun(said["gun"]), **answers.serial(said["number"])},
        "illicit_nature": said["nature"],
        "question": _parts(said["question"], ","),
        "searched": [{"channel": part} for part in answers.serials(said["searched"])],
        "urgency": said["urgency"].upper(),
        "urgency_reason": said.get("why", ""),
        "circumstances": said["text"],
    }


def _reply(said: Said, at: datetime) -> dict[str, Any]:
    return {
        "created_at": int(at.timestamp()),
        "offence": "trafficking",
        "outcome": said["outcome"],
        "registers": [_register(part) for part in _parts(said["searched"], ";")],
        "confidence": said["confidence"],
        "chain": [_event(part) for part in _parts(said["chain"], ";")],
        "diversion_point": said["diversion"],
        "refusal_ground": said.get("ground", ""),
        "text": said["text"],
    }


def _parts(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark) if part.strip()]


def _labels(table: str) -> str:
    return ", ".join(TABLES[table].values())


def _require_person(screen: Screen) -> None:
    if not screen.can_ask:
        raise UsageError("what to send is missing, and nobody is there to ask", _OPTION)


def confirmed(screen: Screen, message: M) -> M:
    """Return the message once the person has seen it and sends it."""
    screen.say(traces.before_sending(message))
    return terms.confirmed(screen, message)


def _register(text: str) -> dict[str, str]:
    """Return name, years and medium of ``military register 1960-1992, paper``."""
    medium = next((code for code in TABLES["medium"] if code in text.lower().split()), "")
    years = answers.years(text)
    name = text
    for known in (medium, years):
        name = name.replace(known, "") if known else name
    return {"name": " ".join(name.replace(",", " ").split()), "years": years, "medium": medium}


def _event(text: str) -> dict[str, str]:
    """Return year and event of ``1992 written off``; ``issued to unit`` is ``issued``."""
    years = answers.years(text)
    said = (text.replace(years, "", 1) if years else text).strip()
    code = answers.choose(TABLES["event"], said)
    begun = next((code for code in TABLES["event"] if said.lower().startswith(code)), "")
    return {"date": years[:4], "event": code or begun or said}
