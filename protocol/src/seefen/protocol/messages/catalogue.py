"""The catalogue of forms: to bytes and back, to JSON and back, and what each may hold.

Adding a message type is one file with one class, and its name in :data:`CATALOGUE`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NoReturn, cast

import msgspec
from msgspec.structs import replace

from seefen.protocol.encoding import decode_map, encode_map
from seefen.protocol.errors import MalformedError, RefusedError
from seefen.protocol.messages.action_day import ActionDay, ActionReport, Tally
from seefen.protocol.messages.answer import Answer
from seefen.protocol.messages.ballistic_request import BallisticRequest
from seefen.protocol.messages.ballistic_result import BallisticResult
from seefen.protocol.messages.bulletin import Bulletin
from seefen.protocol.messages.case_title import CaseTitle
from seefen.protocol.messages.classified import check_unclassified
from seefen.protocol.messages.closing import Closing
from seefen.protocol.messages.codelist_update import CodelistUpdate
from seefen.protocol.messages.codes import GROWING, TABLES
from seefen.protocol.messages.controlled_delivery import ControlledDelivery
from seefen.protocol.messages.correction import Correction
from seefen.protocol.messages.countries import HISTORIC
from seefen.protocol.messages.court_outcome import CourtOutcome
from seefen.protocol.messages.emergency import EmergencyAsk, EmergencyOpened, EmergencyRefused
from seefen.protocol.messages.erasure_confirm import ErasureConfirm
from seefen.protocol.messages.extension import Extension
from seefen.protocol.messages.file_note import FileNote
from seefen.protocol.messages.firearm_notice import FirearmNotice
from seefen.protocol.messages.flash import Flash
from seefen.protocol.messages.form import Form, Message, check_numbered, saying
from seefen.protocol.messages.forwarded import Forwarded
from seefen.protocol.messages.handover import Handover
from seefen.protocol.messages.hit_notice import HitNotice
from seefen.protocol.messages.incident_report import IncidentReport
from seefen.protocol.messages.info_reply import InfoReply
from seefen.protocol.messages.info_request import InfoRequest
from seefen.protocol.messages.node_status import NodeStatus
from seefen.protocol.messages.note import Note
from seefen.protocol.messages.onward_decision import OnwardDecision
from seefen.protocol.messages.onward_request import OnwardRequest
from seefen.protocol.messages.pair_policy import PairPolicy
from seefen.protocol.messages.presets import Presets
from seefen.protocol.messages.recall import Recall
from seefen.protocol.messages.roster import Roster
from seefen.protocol.messages.seizure_alert import SeizureAlert
from seefen.protocol.messages.shape import (
    OUTSIDE,
    check_texts,
    hexed,
    hint,
    put_together,
    recoded,
    set_apart,
    shape,
    strangers,
    unhexed,
)
from seefen.protocol.messages.trace_reply import TraceReply
from seefen.protocol.messages.trace_request import TraceRequest

CATALOGUE: Final[tuple[type[Form], ...]] = (
    ActionDay,
    ActionReport,
    Answer,
    BallisticRequest,
    BallisticResult,
    Bulletin,
    CaseTitle,
    Closing,
    CodelistUpdate,
    ControlledDelivery,
    Correction,
    CourtOutcome,
    EmergencyAsk,
    EmergencyOpened,
    EmergencyRefused,
    ErasureConfirm,
    Extension,
    FileNote,
    FirearmNotice,
    Forwarded,
    Flash,
    Handover,
    HitNotice,
    IncidentReport,
    InfoReply,
    InfoRequest,
    NodeStatus,
    Note,
    OnwardDecision,
    OnwardRequest,
    PairPolicy,
    Presets,
    Recall,
    Roster,
    SeizureAlert,
    Tally,
    TraceReply,
    TraceRequest,
)
MESSAGE_LIMIT: Final = 64 * 1024  # bytes; long texts and pictures are files
_AT_A_GLANCE: Final = 50  # codes that a refusal still lists
_LATER: Final = ("purpose", "basis")  # what presets may still fill in
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_BY_NAME: Final = {type_.TYPE: type_ for type_ in CATALOGUE}


def learn(table: str, rows: Mapping[str, str]) -> None:
    """Add codes with their English words to a table, for this process; none goes away.

    Raises:
        RefusedError: The table does not grow.
    """
    if table not in GROWING:
        raise RefusedError(f"the table {table} does not grow", rule="table")
    TABLES[table].update(rows)
    _labels.cache_clear()


def encode_message(form: Form) -> bytes:
    """Return the body of a message: a map with named fields.

    Raises:
        RefusedError: A field is filled in wrongly; says which, and what to do.
    """
    fields = checked(form)
    body = encode_map(fields)
    if len(body) > MESSAGE_LIMIT:
        raise RefusedError(
            f"this message has {len(body)} bytes, at most {MESSAGE_LIMIT} are allowed: "
            "put long texts into a file",
            rule="too-long",
        )
    return body


def checked(form: Form) -> dict[str, Any]:
    """Return the fields of a form, all rules checked, as they are sealed.

    Raises:
        RefusedError: A field is filled in wrongly; says which, and what to do.
    """
    try:
        plain = msgspec.to_builtins(form, builtin_types=(bytes,))
    except (TypeError, ValueError) as err:
        raise RefusedError(f"this form holds what no form can: {err}", rule="form") from err
    check_texts(plain)
    check_unclassified(shape(type(form)), plain)  # of the writer alone: a reader keeps what came
    _converted(type(form), plain)
    recoded(shape(type(form)), plain, _known_code)
    form.check()
    check_numbered(getattr(form, "items", ()))  # of the writer alone, too
    fields = cast("dict[str, Any]", put_together(shape(type(form)), plain))
    return {**fields, "type": form.TYPE, "v": form.v}


def decode_message(data: bytes) -> Form:
    """Return the message in a body; fields nobody here knows are kept in ``extra``.

    Codes that are newer than this reader are kept. The rules of a form that is newer are
    not checked, because they may have become milder.

    Raises:
        MalformedError: No message, of a type that is not in the catalogue, or against a
            rule of its form.
    """
    return _made(decode_map(data, limit=MESSAGE_LIMIT))


def to_json(form: Form) -> str:
    """Return a form as JSON with ids in hex: for exports, and for a person to read."""
    plain = msgspec.to_builtins(form, builtin_types=(bytes,))
    fields = cast("dict[str, Any]", put_together(shape(type(form)), plain))
    whole = {"type": form.TYPE, "v": form.v, **fields}
    return json.dumps(hexed(whole), ensure_ascii=False, indent=1)


def from_json(text: str) -> Form:
    """Return the form that was exported as JSON, unknown fields kept.

    Raises:
        MalformedError: No JSON, or no form.
    """
    try:
        fields = json.loads(
            text, object_pairs_hook=_once, parse_float=_no_number, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as err:
        raise MalformedError("this is no JSON that seefen writes", rule="message") from err
    if not isinstance(fields, dict):
        raise MalformedError("a message is one JSON object", rule="message")
    fields = cast("dict[str, Any]", fields)
    type_ = _BY_NAME.get(str(fields.get("type")))
    try:
        return _made(fields if type_ is None else unhexed(shape(type_), fields))
    except ValueError as err:
        raise MalformedError("an id or hash is not hex", rule="message") from err


def message_from_form(name: str, form: dict[str, Any]) -> Form:
    """Return the message that a person filled in, all rules checked.

    Ids are hex. Where a code is wanted, its English label does too. The message gets an id
    of its own: an exported message that serves as a form would else be taken for a double
    by its readers, and dropped. It knows which fields stood in the form; a purpose or basis
    that did not may come from presets, and is missed when the message is sealed.

    Raises:
        RefusedError: A field is wrong or unknown; says which, and what to do.
    """
    type_ = _BY_NAME.get(name)
    if type_ is None:
        raise RefusedError(f"there is no message {name}; known: {', '.join(_BY_NAME)}", rule="form")
    given = {key: value for key, value in form.items() if key not in OUTSIDE}
    # What a person misspelled is refused; only a reader keeps what it does not know.
    for path, near in strangers(shape(type_), given):
        raise RefusedError(unknown_field(name, path, near), rule="form")
    try:
        fields = set_apart(shape(type_), unhexed(shape(type_), given))
    except ValueError as err:
        raise RefusedError(f"this form is not right: {err}", rule="form") from err
    message = _converted(type_, recoded(shape(type_), fields, _code_of))
    if not isinstance(message, Message):
        checked(message)
        return message
    checked(_as_if_preset(message, given))
    return saying(message, *given)


def unknown_field(name: str, path: str, near: tuple[str, ...]) -> str:
    """Return the sentence about a field that the form ``name`` does not have."""
    meant = f"did you mean {' or '.join(near)}?" if near else "check the spelling"
    return f"{path}: {name} has no such field: {meant}"


def _as_if_preset(message: Message, given: dict[str, Any]) -> Message:
    left = [field for field in _LATER if field not in given and not getattr(message, field)]
    return replace(message, **{field: next(iter(TABLES[field])) for field in left})


def _made(fields: object) -> Form:
    fields = dict(cast("dict[str, Any]", fields))
    name, version = fields.pop("type", None), fields.get("v")
    type_ = _BY_NAME.get(name) if isinstance(name, str) else None
    if type_ is None:
        raise MalformedError(
            "this is a message of a type that this version of seefen does not know; "
            "the sealed original is kept",
            rule="unknown-message",
        )
    if type(version) is not int:
        raise MalformedError("a message says the version of its form", rule="message")
    try:
        check_texts(fields)
        form = _converted(type_, cast("dict[str, Any]", set_apart(shape(type_), fields)))
        if version <= type_.VERSION:
            form.check()
    except (RefusedError, ValueError) as err:
        rule = err.rule if isinstance(err, RefusedError) else "message"
        raise MalformedError(f"this is no {type_.TYPE}: {err}", rule=rule) from err
    return form


def _converted(type_: type[Form], fields: object) -> Form:
    try:
        return msgspec.convert(fields, type_, builtin_types=(bytes,))
    except msgspec.ValidationError as err:
        what, _, path = str(err).partition(" - at `$")
        path = path.rstrip("`")
        if missing := _MISSING.match(what):
            field = f"{path}.{missing[1]}".lstrip(".")
            wanted = hint(shape(type_), field)
            raise RefusedError(
                f"{field}: is needed: fill it in{wanted and f', {wanted}'}", rule="missing"
            ) from err
        wanted = hint(shape(type_), path) or "what the form asks for here"
        field = path.lstrip(".") or "the form"
        # A pattern tells nobody what is wanted; the words before it do.
        why = "" if "matching regex" in what else f" ({what})"
        raise RefusedError(f"{field}: write {wanted}{why}", rule="form") from err


def _known_code(field: str, table: str, code: str) -> str:
    if code not in TABLES[table]:
        raise RefusedError(f"{field}: choose one of {_choice(table)}", rule="unknown-code")
    return code


def _choice(table: str) -> str:
    codes = TABLES[table]
    if table == "country":
        former = ", ".join(f"{code} {name}" for code, name in HISTORIC.items())
        return f"ISO 3166-1 (RS, MK, AL), XK, or of the former {former}"
    few = len(codes) <= _AT_A_GLANCE
    return ", ".join(codes) if few else f"the {len(codes)} codes of the table {table}"


def _code_of(_: str, table: str, written: str) -> str:
    """Return the code of an English label; anything else as it is."""
    if written in TABLES[table]:
        return written
    return _labels(table).get(" ".join(written.split()).casefold(), written)


@cache
def _labels(table: str) -> dict[str, str]:
    return {text.casefold(): code for code, text in TABLES[table].items()}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number that a form holds")
