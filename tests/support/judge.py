"""A broker's judging without its database: a layer, and what may be sent to it."""

from typing import Any

from msgspec.structs import replace

from seefen.protocol.bundle import Bundle, Content, Signed
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Ask
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import Access, Activity, Case, Caseless, Manifest
from seefen.server.judging import record_statement
from seefen.server.rows import Heads, LogHead
from seefen.server.view import Known, Layer
from tests.protocol.builder import forge, read, twin
from tests.support import casework
from tests.support.network import Machine, Network

OWNER, PARTNER, LAB = "skopje-border", "belgrade-ffp", "tirana-lab"
FOUNDED = Network.founded(OWNER, PARTNER, LAB)
BEFORE = 40  # entries in the log that are of no case here
TAG = b"t" * 16


class Bench:
    """A layer on an empty broker; what it lets pass, the network takes in at the same place."""

    def __init__(self) -> None:
        self.network = twin(FOUNDED)
        self.network.index = BEFORE
        self.owner, self.partner = self.network.of(OWNER), self.network.of(PARTNER)
        self.lab = self.network.of(LAB)
        directory = self.network.directory
        heads = Heads(
            LogHead(directory.size, EMPTY_ROOT, b""),
            LogHead(BEFORE, EMPTY_ROOT, b""),
            self.network.at * 1000 + 999,
        )
        self.known = Known(heads, directory)
        self.layer = Layer.on(self.known)

    def judge(
        self, signed: Signed, contents: tuple[Content, ...] = (), *, by: bytes | None = None
    ) -> None:
        """Judge one statement, as sent by its own device if nobody is named."""
        opened = open_envelope(signed.envelope, signed.kind)
        statement = opened.statement
        assert isinstance(statement, Activity | Caseless)
        if isinstance(statement, Activity) and statement.case not in self.layer.cases:
            self.known.learn_case(statement.case, None)
        self.known.learn_device(statement.device, 0)
        if isinstance(statement, Case):
            self.known.learn_number(statement.members[0].node, statement.number, taken=False)
        if isinstance(statement, Manifest):
            self.known.learn_manifest(statement.device, statement.of, 0)
        record_statement(
            self.layer,
            opened,
            signed.tag,
            by=statement.device if by is None else by,
            contents={content.object: content for content in contents},
        )

    def record(self, bundle: Bundle | Ask) -> None:
        """Judge a bundle that passes, and let the network take it in."""
        bundle = as_bundle(bundle)
        for signed in bundle.statements:
            self.judge(signed, bundle.contents)
        self.network.take(bundle)

    def open_case(self, *partners: str, serial: int = 1, form: str = "case") -> bytes:
        case, bundle = casework.open_case(
            self.network, self.owner, *partners, serial=serial, form=form
        )
        self.record(bundle)
        return case

    def message(self, case: bytes, **changes: Any) -> bytes:
        """Record a message of the owner and return its object."""
        self.record(changed(casework.message(self.network, self.owner, case), self.owner, changes))
        return self.layer.changes.objects[-1].object

    def access(self, by: Machine, case: bytes, *objects: bytes, **other: Any) -> Access:
        """Return an access that nobody has sent."""
        return read(as_bundle(casework.access(self.network, by, case, *objects, **other)), Access)

    def core(self) -> Core:
        """Return the core of the newest entry."""
        return decode_core(self.layer.changes.activity[-1].core)


def as_bundle(sent: Bundle | Ask) -> Bundle:
    if isinstance(sent, Bundle):
        return sent
    return Bundle((Signed("access", sent.envelope, sent.tag),), (), ())


def changed(bundle: Bundle, by: Machine, changes: dict[str, Any]) -> Bundle:
    """Return a bundle of one statement with other fields, signed again."""
    (signed,) = bundle.statements
    again = replace(signed, envelope=forge(bundle, by.sign, **changes))
    return replace(bundle, statements=(again,))
