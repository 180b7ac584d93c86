"""Trace requests and replies by questions; Enter skips what is unknown."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from seefen.client.cli import answers, forms, terms
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.screen import Screen
from seefen.client.cli.views import traces
from seefen.protocol.messages import TABLES, TraceReply, TraceRequest

M = TypeVar("M", TraceRequest, TraceReply)
Fill: TypeAlias = Callable[[M], M]

QUESTIONS: Final = "manufacture, last legal holder, lost or stolen"
_OPTION: Final = "give --form FILE.json; docs/cli.md has an example"


def ask(screen: Screen, at: datetime, fill: Fill[TraceRequest]) -> TraceRequest:
    """Ask for a trace request; ``fill`` puts the presets in before it is shown."""
    _require_person(screen)
    gun = screen.ask("Gun?  (pistol Zastava M57 7,62 x 25)")
    number = screen.ask("Serial as read, ? for what is unreadable (Enter = later):")
    nature = screen.ask(f"How did it come to you?  ({_labels('illicit')})", "seized")
    question = screen.ask("What do you want to know?", QUESTIONS)
    searched = screen.ask(f"Searched already?  ({_labels('channel')})")
    urgency = screen.ask("Urgency?  (NORMAL 7 days, URGENT 8 hours)", "NORMAL").upper()
    why = (
        ""
        if urgency in {"NORMAL", "ROUTINE"}
        else screen.ask(f"Why?  ({_labels('urgency_reason')})")
    )
    text = screen.ask("Circumstances:")
    form: dict[str, Any] = {
        "created_at": int(at.timestamp()),
        "offence": "trafficking",
        "item": {**answers.gun(gun), **answers.serial(number)},
        "illicit_nature": nature,
        "question": [part.strip() for part in question.split(",") if part.strip()],
        "searched": [{"channel": part} for part in answers.serials(searched)],
        "urgency": urgency,
        "urgency_reason": why,
        "circumstances": text,
    }
    return confirmed(screen, fill(forms.build_request(form)))


def answer(screen: Screen, at: datetime, fill: Fill[TraceReply]) -> TraceReply:
    """Ask for the answer to a trace request; ``fill`` puts the presets in."""
    _require_person(screen)
    outcome = screen.ask(f"Outcome?  ({_labels('outcome')})", "traced in part")
    searched = screen.ask("Searched (needed): register, years, paper or digital:")
    confidence = screen.ask(f"Confidence?  ({_labels('trust')})", "moderate")
    chain = screen.ask("Chain?  (1968 manufactured; 1969 issued; 1992 written off)")
    diversion = screen.ask(f"Diversion?  ({_labels('diversion')})")
    refused = answers.choose(TABLES["outcome"], outcome) == "refused"
    ground = screen.ask(f"Ground?  ({_labels('refusal')})") if refused else ""
    text = screen.ask("Anything else:")
    form: dict[str, Any] = {
        "created_at": int(at.timestamp()),
        "offence": "trafficking",
        "outcome": outcome,
        "registers": [_register(part) for part in searched.split(";") if part.strip()],
        "confidence": confidence,
        "chain": [_event(part) for part in chain.split(";") if part.strip()],
        "diversion_point": diversion,
        "refusal_ground": ground,
        "text": text,
    }
    return confirmed(screen, fill(forms.build_reply(form)))


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
