"""Forms: messages as JSON, from a file or from a dialogue."""

import json
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import safe
from seefen.client.cli.problems import problems
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    CATALOGUE,
    FileNote,
    Message,
    SeizureAlert,
    TraceReply,
    TraceRequest,
    message_from_form,
)

FORM_LIMIT: Final = 262_144  # bytes
T = TypeVar("T", bound=Message)
_NAMES: Final = {
    type_.TYPE: type_
    for type_ in CATALOGUE
    if issubclass(type_, Message) and type_ is not FileNote  # it comes with its file alone
}
_EXAMPLES: Final = "docs/cli.md has a form of each kind"


def message(path: Path) -> Message:
    """Return the message in a form, of the type that it names.

    Raises:
        UsageError: It names none, or one that is no message of its own.
    """
    return message_of(read_form(path))


def message_of(fields: dict[str, Any]) -> Message:
    """Return the message that fields say, of the type that they name; see :func:`message`.

    Raises:
        RefusedError: It is not right; all that is wrong with it is said at once.
    """
    name = fields.get("type")
    if not isinstance(name, str) or name not in _NAMES:
        raise UsageError(
            "the form does not say its type", f'"type": one of {", ".join(sorted(_NAMES))}'
        )
    return _whole(_NAMES[name], fields)


def seizure_alert(path: Path) -> SeizureAlert:
    """Return the alert in a form."""
    return _whole(SeizureAlert, read_form(path))


def trace_request(path: Path) -> TraceRequest:
    """Return the trace request in a form."""
    return _whole(TraceRequest, read_form(path))


def trace_reply(path: Path) -> TraceReply:
    """Return the answer to a trace request in a form."""
    return _whole(TraceReply, read_form(path))


def build_alert(fields: dict[str, Any]) -> SeizureAlert:
    """Return an alert from its fields, checked."""
    return _of(SeizureAlert, fields)


def build_request(fields: dict[str, Any]) -> TraceRequest:
    """Return a trace request from its fields, checked."""
    return _of(TraceRequest, fields)


def build_reply(fields: dict[str, Any]) -> TraceReply:
    """Return the answer to a trace request from its fields, checked."""
    return _of(TraceReply, fields)


def read_form(path: Path) -> dict[str, Any]:
    """Return the fields of a form.

    Raises:
        UsageError: It is too long, no JSON, or says something twice.
    """
    if path.stat().st_size > FORM_LIMIT:
        raise UsageError(
            f"the form has more than {FORM_LIMIT // 1024} KiB", "photographs go with --photo"
        )
    return fields_of(path.read_bytes())


def fields_of(data: bytes) -> dict[str, Any]:
    """Return the fields of a form as JSON; see :func:`read_form`."""
    try:
        text = data.decode("utf-8-sig")
        fields = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise UsageError("the form is no UTF-8 text", "save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"the form is no JSON: {safe(error.msg)} in line {error.lineno}, column {error.colno}",
            _EXAMPLES,
        ) from None
    except ValueError:  # of Python itself: more digits than it turns into a number
        raise UsageError("a number in the form is too long", _EXAMPLES) from None
    except RecursionError:
        raise UsageError("the form is nested too deeply", _EXAMPLES) from None
    if not isinstance(fields, dict):
        raise UsageError("the form is not one JSON object", _EXAMPLES)
    return cast("dict[str, Any]", fields)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Two readers would take different ones of the two.
        raise UsageError("the form has the same field twice", "keep one of them")
    return fields


def _no_constant(text: str) -> Any:
    raise UsageError(f"{text} is no number", "leave the field out")


def _whole(type_: type[T], fields: dict[str, Any]) -> T:
    try:
        return _of(type_, fields)
    except RefusedError as err:
        # Words that may not be here at all are not turned over any further.
        found = (
            () if err.rule in ("classified", "hidden-character") else problems(type_.TYPE, fields)
        )
        if len(found) <= 1:
            raise
        lines = "".join(f"\n{one}" for one in found)
        raise RefusedError(f"this form has {len(found)} problems:{lines}", rule="form") from None


def _of(type_: type[T], fields: dict[str, Any]) -> T:
    said = fields.get("type", type_.TYPE)
    if said != type_.TYPE:
        raise UsageError(f"this form is a {safe(str(said))} and no {type_.TYPE}", _EXAMPLES)
    made = message_from_form(type_.TYPE, fields)
    if not isinstance(made, type_):
        raise TypeError(f"a form of {type_.TYPE} became something else")
    return made
