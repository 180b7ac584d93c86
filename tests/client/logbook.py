"""A network in memory with both its logs: what an honest broker shows, page by page.

Everything it hands out is signed and proved by the real code, so a test can spoil one
thing and see that one thing refused.
"""

from dataclasses import dataclass

from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.case import Position
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import AuthorityItem, AuthorityPage, Item, Stub
from seefen.protocol.ledger.record import Core, Record, encode_core
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import (
    ACTIVITY_KINDS,
    Access,
    Ack,
    Activity,
    Assign,
    Case,
    Object,
)
from seefen.protocol.suite import commit, random_bytes
from seefen.server.entries import OPERATIONS
from tests.support.network import Network
from tests.support.trees import Log


def _to(statement: Activity) -> tuple[str, ...]:
    if isinstance(statement, Case):
        return tuple(sorted(member.node for member in statement.members))
    return (statement.node,) if isinstance(statement, Assign) else ()


@dataclass
class Recorded:
    """A statement as it was recorded, with everything the entry commits to."""

    signed: Signed
    core: Core
    record: Record
    salt: bytes
    index: int
    wraps: tuple[bytes, ...]
    body: bytes


class LogBook:
    """Takes bundles in as a broker would and shows what came of them."""

    def __init__(self, *nodes: str) -> None:
        self.network = Network()
        origin = self.network.root.origin
        self.authority = Log(f"{origin}/authority", self.network.log_key)
        self.activity = Log(f"{origin}/activity", self.network.log_key)
        self.leaves: list[AuthorityItem] = []
        self.entries: list[Recorded] = []
        self._counts: dict[bytes, int] = {}
        self.take(self.network.found())
        for node in nodes:
            self.take(self.network.admit(node))

    @property
    def at(self) -> int:
        return self.network.at

    def take(self, bundle: Bundle) -> list[Recorded]:
        """Record a bundle, and return the entries of its activity statements."""
        made: list[Recorded] = []
        for signed in bundle.statements:
            if signed.kind not in ACTIVITY_KINDS:
                self.network.directory.apply(signed.kind, signed.envelope, at=self.at)
                self.authority.append(signed.envelope)
                self.leaves.append(AuthorityItem(signed.kind, signed.envelope, bundle.wraps))
                continue
            made.append(self._record(signed, bundle))
        return made

    def _record(self, signed: Signed, bundle: Bundle) -> Recorded:
        opened = open_envelope(signed.envelope, signed.kind)
        statement = opened.statement
        assert isinstance(statement, Activity)
        size = self.network.directory.size
        position = Position(size, self.activity.size, self.at)
        self.network.take_activity(signed.kind, signed.envelope, position)
        n = 0
        if isinstance(statement, Object):
            n = self.next_number(statement.case)
        about = statement.object if isinstance(statement, Object | Ack | Access) else None
        why = (statement.purpose, statement.basis) if isinstance(statement, Access) else ("", "")
        core = Core(
            act=signed.kind,
            at=self.at * 1000,
            op=OPERATIONS[signed.kind],
            node=statement.node,
            device=statement.device.hex(),
            officer=self.network.machines[statement.device].officer,
            case=statement.case.hex(),
            case_n=statement.case_n,
            device_n=statement.device_n,
            object=(about or b"").hex(),
            n=n,
            to=_to(statement),
            purpose=why[0],
            basis=why[1],
            emergency=0,
            req=opened.hash.hex(),
            under=(),
            outcome="ok",
        )
        contents = {c.object: c.body for c in bundle.contents}
        return self.write(signed, core, bundle.wraps, contents.get(about or b"", b""))

    def next_number(self, case: bytes) -> int:
        """Count one more object of a case."""
        n = self._counts[case] = self._counts.get(case, 0) + 1
        return n

    def write(
        self,
        signed: Signed,
        core: Core,
        wraps: tuple[bytes, ...] = (),
        body: bytes = b"",
        *,
        authority_size: int | None = None,
    ) -> Recorded:
        """Put any entry into the log, also one that an honest broker would not write."""
        salt = random_bytes(32)
        record = Record(
            self.network.directory.size if authority_size is None else authority_size,
            signed.tag or random_bytes(16),
            commit(salt, encode_core(core)),
            commit(random_bytes(32), b""),
        )
        index = self.activity.append(record.encode())
        recorded = Recorded(signed, core, record, salt, index, wraps, body)
        self.entries.append(recorded)
        return recorded

    def entry(self, recorded: Recorded, size: int | None = None) -> Entry:
        """Return an entry opened, with its proof under the newest head."""
        return Entry(
            recorded.index,
            recorded.record.encode(),
            encode_core(recorded.core),
            recorded.salt,
            self.activity.inclusion(recorded.index, size),
        )

    def item(self, recorded: Recorded, size: int | None = None) -> Item:
        """Return an entry as the feed brings it."""
        return Item(
            recorded.signed.kind,
            self.entry(recorded, size),
            recorded.signed.envelope,
            recorded.wraps,
            recorded.body,
        )

    @staticmethod
    def stub(recorded: Recorded) -> Stub:
        """Return an entry as the feed shows it to those it is not for."""
        core = recorded.core
        return Stub(
            recorded.index,
            recorded.signed.kind,
            bytes.fromhex(core.case),
            bytes.fromhex(core.device),
            core.case_n,
        )

    def authority_page(self, start: int = 0, *, seen: int = 0) -> AuthorityPage:
        """Return the authority log from ``start`` on, under its newest head."""
        return AuthorityPage(
            start,
            tuple(self.leaves[start:]),
            self.authority.note(self.at),
            self.authority.consistency(seen),
        )
