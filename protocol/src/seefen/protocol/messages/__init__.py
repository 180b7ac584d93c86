"""What is said, before it is sealed: the forms, their covers, and the codes they use."""

from seefen.protocol.messages.answer import Answer
from seefen.protocol.messages.case_title import CaseTitle
from seefen.protocol.messages.catalogue import (
    CATALOGUE,
    MESSAGE_LIMIT,
    checked,
    decode_message,
    encode_message,
    from_json,
    message_from_form,
    to_json,
)
from seefen.protocol.messages.codes import TABLES, label
from seefen.protocol.messages.cover import Cover, Said, decode_cover, encode_cover
from seefen.protocol.messages.file_note import FileNote, check_file_name
from seefen.protocol.messages.firearm import (
    Ammunition,
    ComponentSerial,
    Explosive,
    GunPart,
    Item,
    Marking,
)
from seefen.protocol.messages.form import Form, Message, OtherChannel
from seefen.protocol.messages.note import Note
from seefen.protocol.messages.person import Assertion, IdDocument, Name, Person
from seefen.protocol.messages.place import Leg, Position, Vehicle
from seefen.protocol.messages.schema import schema
from seefen.protocol.messages.seizure_alert import SeizureAlert
from seefen.protocol.messages.trace_reply import Event, Register, TraceReply
from seefen.protocol.messages.trace_request import Search, TraceRequest

__all__ = [
    "CATALOGUE",
    "MESSAGE_LIMIT",
    "TABLES",
    "Ammunition",
    "Answer",
    "Assertion",
    "CaseTitle",
    "ComponentSerial",
    "Cover",
    "Event",
    "Explosive",
    "FileNote",
    "Form",
    "GunPart",
    "IdDocument",
    "Item",
    "Leg",
    "Marking",
    "Message",
    "Name",
    "Note",
    "OtherChannel",
    "Person",
    "Position",
    "Register",
    "Said",
    "Search",
    "SeizureAlert",
    "TraceReply",
    "TraceRequest",
    "Vehicle",
    "check_file_name",
    "checked",
    "decode_cover",
    "decode_message",
    "encode_cover",
    "encode_message",
    "from_json",
    "label",
    "message_from_form",
    "schema",
    "to_json",
]
