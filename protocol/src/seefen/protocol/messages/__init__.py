"""What is said, before it is sealed: the forms, their covers, and the codes they use."""

from seefen.protocol.messages.action_day import ActionDay, ActionReport, NodeSum, Tally
from seefen.protocol.messages.answer import Answer
from seefen.protocol.messages.ballistic import Image, Trace
from seefen.protocol.messages.ballistic_request import BallisticRequest
from seefen.protocol.messages.ballistic_result import BallisticResult, LinkedIncident
from seefen.protocol.messages.bulletin import Bulletin
from seefen.protocol.messages.case_title import CaseTitle
from seefen.protocol.messages.catalogue import (
    CATALOGUE,
    MESSAGE_LIMIT,
    checked,
    decode_message,
    encode_message,
    from_json,
    learn,
    message_from_form,
    to_json,
)
from seefen.protocol.messages.classified import marks_in
from seefen.protocol.messages.closing import Closing
from seefen.protocol.messages.codelist_update import CodelistUpdate, ListRow
from seefen.protocol.messages.codes import TABLES, label
from seefen.protocol.messages.controlled_delivery import Authority, ControlledDelivery, RouteLeg
from seefen.protocol.messages.correction import Correction
from seefen.protocol.messages.court_outcome import CourtOutcome
from seefen.protocol.messages.cover import Cover, Said, decode_cover, encode_cover
from seefen.protocol.messages.emergency import EmergencyAsk, EmergencyOpened, EmergencyRefused
from seefen.protocol.messages.erasure_confirm import ErasureConfirm
from seefen.protocol.messages.extension import Extension
from seefen.protocol.messages.file_note import FileNote, check_file_name
from seefen.protocol.messages.firearm import (
    Ammunition,
    ComponentSerial,
    Explosive,
    GunPart,
    Item,
    Marking,
)
from seefen.protocol.messages.firearm_notice import FirearmNotice
from seefen.protocol.messages.flash import Flash
from seefen.protocol.messages.form import Form, Message, OtherChannel, Paper, saying
from seefen.protocol.messages.forwarded import Forwarded, Proof
from seefen.protocol.messages.handover import Handover
from seefen.protocol.messages.hit_notice import HitNotice
from seefen.protocol.messages.incident_report import IncidentReport, Party
from seefen.protocol.messages.info_reply import InfoReply
from seefen.protocol.messages.info_request import InfoRequest
from seefen.protocol.messages.node_status import NodeStatus
from seefen.protocol.messages.note import Note
from seefen.protocol.messages.onward_decision import OnwardDecision
from seefen.protocol.messages.onward_request import OnwardRequest
from seefen.protocol.messages.pair_policy import PairPolicy, PairRow
from seefen.protocol.messages.person import Assertion, IdDocument, Name, Person
from seefen.protocol.messages.place import Leg, Position, Vehicle
from seefen.protocol.messages.presets import Opening, Preset, Presets
from seefen.protocol.messages.recall import Recall
from seefen.protocol.messages.roster import Away, Emergencies, Roster, RosterRow
from seefen.protocol.messages.schema import schema
from seefen.protocol.messages.seizure_alert import SeizureAlert
from seefen.protocol.messages.surface import Surface
from seefen.protocol.messages.trace_reply import Event, Register, TraceReply
from seefen.protocol.messages.trace_request import Search, TraceRequest

__all__ = [
    "CATALOGUE",
    "MESSAGE_LIMIT",
    "TABLES",
    "ActionDay",
    "ActionReport",
    "Ammunition",
    "Answer",
    "Assertion",
    "Authority",
    "Away",
    "BallisticRequest",
    "BallisticResult",
    "Bulletin",
    "CaseTitle",
    "Closing",
    "CodelistUpdate",
    "ComponentSerial",
    "ControlledDelivery",
    "Correction",
    "CourtOutcome",
    "Cover",
    "Emergencies",
    "EmergencyAsk",
    "EmergencyOpened",
    "EmergencyRefused",
    "ErasureConfirm",
    "Event",
    "Explosive",
    "Extension",
    "FileNote",
    "FirearmNotice",
    "Flash",
    "Form",
    "Forwarded",
    "GunPart",
    "Handover",
    "HitNotice",
    "IdDocument",
    "Image",
    "IncidentReport",
    "InfoReply",
    "InfoRequest",
    "Item",
    "Leg",
    "LinkedIncident",
    "ListRow",
    "Marking",
    "Message",
    "Name",
    "NodeStatus",
    "NodeSum",
    "Note",
    "OnwardDecision",
    "OnwardRequest",
    "Opening",
    "OtherChannel",
    "PairPolicy",
    "PairRow",
    "Paper",
    "Party",
    "Person",
    "Position",
    "Preset",
    "Presets",
    "Proof",
    "Recall",
    "Register",
    "Roster",
    "RosterRow",
    "RouteLeg",
    "Said",
    "Search",
    "SeizureAlert",
    "Surface",
    "Tally",
    "Trace",
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
    "learn",
    "marks_in",
    "message_from_form",
    "saying",
    "schema",
    "to_json",
]
