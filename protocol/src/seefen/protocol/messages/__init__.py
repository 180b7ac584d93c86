"""The catalogue: what is said, before it is sealed.

Adding a message is one file with one class, and one line in :data:`CATALOGUE`.
"""

from typing import Any, Final

import msgspec

from seefen.protocol.encoding import BUNDLE_LIMIT, decode_map, encode_map
from seefen.protocol.errors import MalformedError, RefusedError
from seefen.protocol.messages.answer import Answer
from seefen.protocol.messages.case_title import CaseTitle
from seefen.protocol.messages.file_note import FileNote
from seefen.protocol.messages.form import Cover, Message, decode_cover, encode_cover
from seefen.protocol.messages.note import Note
from seefen.protocol.messages.seizure_alert import SeizureAlert
from seefen.protocol.messages.trace_reply import TraceReply
from seefen.protocol.messages.trace_request import TraceRequest

CATALOGUE: Final[tuple[type[Message], ...]] = (
    Answer,
    CaseTitle,
    FileNote,
    Note,
    SeizureAlert,
    TraceReply,
    TraceRequest,
)
_BY_NAME: Final = {type_.TYPE: type_ for type_ in CATALOGUE}


def encode_message(message: Message) -> bytes:
    """Return the body of a message: a CBOR map with named fields."""
    fields = msgspec.to_builtins(message, builtin_types=(bytes,))
    extra = fields.pop("extra", {})
    return encode_map({**extra, **fields, "type": message.TYPE, "v": message.VERSION})


def decode_message(data: bytes) -> Message:
    """Return the message in a body; fields nobody here knows are kept in ``extra``.

    Raises:
        MalformedError: No message, or of a type that is not in the catalogue.
    """
    fields = decode_map(data, limit=BUNDLE_LIMIT)
    name, version = fields.pop("type", None), fields.pop("v", None)
    type_ = _BY_NAME.get(name) if isinstance(name, str) else None
    if type_ is None or not isinstance(version, int):
        raise MalformedError("this is no message that is known here", rule="unknown-message")
    return _convert(type_, fields, rule="message")


def message_from_form(name: str, form: dict[str, Any]) -> Message:
    """Return the message that a JSON form describes, checked as a person's input.

    Raises:
        RefusedError: The field that is wrong, and what to do.
    """
    type_ = _BY_NAME.get(name)
    if type_ is None:
        raise RefusedError(f"there is no message {name}; known: {', '.join(_BY_NAME)}", rule="form")
    known = {field.name for field in msgspec.structs.fields(type_)} - {"extra"}
    if unknown := sorted(form.keys() - known - {"type", "v"}):
        raise RefusedError(f"{name} has no field {', '.join(unknown)}", rule="form")
    fields = {key: value for key, value in form.items() if key in known}
    try:
        message = msgspec.convert(fields, type_)
    except msgspec.ValidationError as err:
        raise RefusedError(f"the form is not right: {err}", rule="form") from None
    message.check()
    return message


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a message type."""
    return msgspec.json.schema(_BY_NAME[name])


def _convert(type_: type[Message], fields: dict[str, Any], *, rule: str) -> Message:
    known = {field.name for field in msgspec.structs.fields(type_)} - {"extra"}
    extra = {key: value for key, value in fields.items() if key not in known}
    plain = {key: value for key, value in fields.items() if key in known}
    try:
        return msgspec.convert({**plain, "extra": extra}, type_)
    except msgspec.ValidationError as err:
        raise MalformedError(f"this is no {type_.TYPE}: {err}", rule=rule) from None


__all__ = [
    "CATALOGUE",
    "Answer",
    "CaseTitle",
    "Cover",
    "FileNote",
    "Message",
    "Note",
    "SeizureAlert",
    "TraceReply",
    "TraceRequest",
    "decode_cover",
    "decode_message",
    "encode_cover",
    "encode_message",
    "message_from_form",
    "schema",
]
