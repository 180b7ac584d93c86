"""What a device may ask on the socket: one row per verb.

``access`` is the only verb whose answer can carry the key to a body, and it comes from
the broker's gate, after the entry stands in the log.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from seefen.protocol.bundle import decode_bundle
from seefen.protocol.encoding import STATEMENT_LIMIT, decode, encode
from seefen.protocol.errors import MalformedError
from seefen.protocol.frames import (
    Ask,
    AuditPage,
    AuthorityPage,
    CaseFrom,
    Cosignatures,
    Cosigned,
    FeedFrom,
    HeadToCosign,
    LogFrom,
    LogName,
    Page,
    Proof,
    Recorded,
    RecordPage,
    Released,
    Send,
    Span,
    ToCosign,
    ViewFrom,
    WitnessedHead,
)
from seefen.protocol.statements import Part
from seefen.server.broker import Broker


@dataclass(frozen=True, slots=True)
class Verb:
    """What a verb takes and gives. ``takes`` None: an empty body; ``gives`` str: text."""

    takes: type[Part] | None
    gives: type
    run: Callable[[Broker, bytes, Any], Awaitable[object]]


async def _send(broker: Broker, device: bytes, send: Send) -> Recorded:
    return await broker.submit(device, decode_bundle(send.bundle), send.seen)


async def _access(broker: Broker, device: bytes, ask: Ask) -> Released:
    return await broker.ask(device, ask)


async def _feed(broker: Broker, device: bytes, feed: FeedFrom) -> Page:
    return await broker.feed(device, feed)


async def _authority(broker: Broker, device: bytes, page: LogFrom) -> AuthorityPage:
    return await broker.authority(device, page)


async def _records(broker: Broker, device: bytes, page: LogFrom) -> RecordPage:
    return await broker.records(device, page)


async def _erasures(broker: Broker, device: bytes, page: LogFrom) -> AuditPage:
    return await broker.erased(device, page)


async def _audit(broker: Broker, device: bytes, page: LogFrom | CaseFrom | ViewFrom) -> AuditPage:
    return await broker.audit(device, page)


async def _consistency(broker: Broker, _: bytes, span: Span) -> Proof:
    return await broker.consistency(span)


async def _ping(broker: Broker, _: bytes, __: None) -> str:
    return await broker.checkpoint("activity")


async def _witness(broker: Broker, device: bytes, ask: ToCosign) -> HeadToCosign:
    return await broker.witnesses.to_cosign(device, ask)


async def _cosign(broker: Broker, device: bytes, signed: Cosignatures) -> Cosigned:
    return await broker.witnesses.take(device, signed.note)


async def _witnessed(broker: Broker, _: bytes, ask: LogName) -> WitnessedHead:
    return WitnessedHead(await broker.witnesses.newest(ask.log))


VERBS: Final[dict[str, Verb]] = {
    "send": Verb(Send, Recorded, _send),
    "access": Verb(Ask, Released, _access),
    "feed": Verb(FeedFrom, Page, _feed),
    "authority": Verb(LogFrom, AuthorityPage, _authority),
    "records": Verb(LogFrom, RecordPage, _records),
    "audit": Verb(LogFrom, AuditPage, _audit),
    "erasures": Verb(LogFrom, AuditPage, _erasures),
    "case-audit": Verb(CaseFrom, AuditPage, _audit),
    "view": Verb(ViewFrom, AuditPage, _audit),
    "consistency": Verb(Span, Proof, _consistency),
    "ping": Verb(None, str, _ping),
    "witness": Verb(ToCosign, HeadToCosign, _witness),
    "cosign": Verb(Cosignatures, Cosigned, _cosign),
    "witnessed": Verb(LogName, WitnessedHead, _witnessed),
}


async def run(broker: Broker, device: bytes, verb: str, body: bytes) -> bytes:
    """Return the body of the answer to a request on the socket.

    Raises:
        SeefenError: The broker refuses, or the request is none.
    """
    row = VERBS.get(verb)
    if row is None:
        raise MalformedError("there is no such verb", rule="unknown-verb")
    answer = await row.run(broker, device, _argument(row, body))
    if not isinstance(answer, row.gives):
        # The last line of defence: what a verb does not declare does not leave.
        raise TypeError(f"{verb} answers {row.gives.__name__}")
    return answer.encode() if isinstance(answer, str) else encode(answer)


def _argument(row: Verb, body: bytes) -> Part | None:
    if row.takes is not None:
        return decode(body, row.takes, limit=STATEMENT_LIMIT)
    if body:
        raise MalformedError("this verb has an empty body", rule="body")
    return None
