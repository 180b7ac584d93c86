"""Passing on: a message goes from one case into another only as its originator lets it.

Whoever reads a :class:`Forwarded` believes nothing that its sender says. He checks, from what
is embedded and his own replay of the authority log:

1. The original is an object that a device of its node signed, certified then, and not lost since.
2. Its body is the one that was signed, and opens to a message that may travel so.
3. Handling code H0, or a permission of the same node that names this object and this reader, and
   has not run out. Between the two nodes themselves none is needed.

What it does not prove: that the original was recorded, and when. A device that was lost or
compromised could have signed it at any time, so nothing of such a device passes.

The format is ``docs/spec/messages.md``.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, check_signed_by, open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.messages import (
    Forwarded,
    Message,
    OnwardDecision,
    Paper,
    Proof,
    decode_message,
)
from seefen.protocol.objects import open_message
from seefen.protocol.statements import Object, Revoke

FREE: Final = "H0"  # may be passed on without asking
_LOST: Final = ("lost", "compromised")
GRANTS: Final = ("permitted", "conditions")


@dataclass(frozen=True, slots=True)
class Original:
    """A message as its author sealed it, and under which permissions it is here.

    Attributes:
        handling: The stricter of what its header and its body say.
        conditions: Those of the permissions, in words.
    """

    object: bytes
    node: str
    device: bytes
    created_at: int
    handling: str
    message: Message
    conditions: tuple[str, ...]


def inside(forwarded: Forwarded) -> Message:
    """Return the embedded message unchecked: for its sender, who looks what he is about to send.

    Raises:
        MalformedError, UntrustedError: It does not open, or may not travel so.
    """
    return _opened(forwarded.original)[1]


def check_forwarded(
    forwarded: Forwarded, directory: Directory, *, by: str, reader: str, at: int
) -> Original:
    """Return the original, once all of it is proved for this reader.

    Args:
        by: The node that passed it on, from its own signed header.
        reader: The node that reads it, or is to.
        at: When it was passed on, in Unix seconds.

    Raises:
        MalformedError: A part does not parse.
        UntrustedError: rule ``onward-original``, ``closed-group``, ``handling``,
            ``onward-permission``, or what is wrong with a signature or a device.
    """
    obj, message = _proved(forwarded.original, directory)
    code = max(obj.handling, message.handling)
    if forwarded.handling < code:
        raise UntrustedError(f"it is {code} and was passed on as less", rule="handling")
    conditions: tuple[str, ...] = ()
    if code != FREE and not {obj.node} & {by, reader} and by != reader:
        conditions = _permission(forwarded, obj, directory, reader, at)
    return Original(obj.object, obj.node, obj.device, obj.created_at, code, message, conditions)


def recipients(decision: OnwardDecision) -> frozenset[str]:
    """Return the nodes that a decision names, one or several with commas between them."""
    return frozenset(filter(None, re.split(r"[,\s]+", decision.recipient)))


def grants(decision: OnwardDecision, object_: bytes, node: str, at: int) -> bool:
    """Tell whether a decision lets an object go to a node, now."""
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    return (
        decision.decision in GRANTS
        and decision.of == object_
        and node in recipients(decision)
        and (not decision.until or day[: len(decision.until)] <= decision.until)
    )


def _permission(
    forwarded: Forwarded, original: Object, directory: Directory, reader: str, at: int
) -> tuple[str, ...]:
    """Return the conditions of the permissions that let the reader have it."""
    why = f"{original.node} has not let it go to {reader}"
    found: list[str] = []
    for proof in forwarded.permissions:
        try:
            obj, decision = _proved(proof, directory)
        except SeefenError as err:
            why = f"a permission is not to be believed: {err}"
            continue
        fits = (
            obj.node == original.node
            and isinstance(decision, OnwardDecision)
            and grants(decision, original.object, reader, at)
        )
        if fits:
            found.append(decision.conditions)
    if not found:
        raise UntrustedError(why, rule="onward-permission")
    return tuple(filter(None, found))


def _proved(proof: Proof, directory: Directory) -> tuple[Object, Message]:
    opened = open_envelope(proof.envelope, "object")
    obj = _object(opened)
    if obj.net != directory.net:
        raise UntrustedError("this belongs to another network", rule="net")
    seen = obj.authority
    if seen.size > directory.size or directory.root_at(seen.size) != seen.root:
        raise UntrustedError("its author saw another authority log than this one", rule="fork")
    device = directory.require_active(obj.device, size=seen.size, at=obj.created_at)
    if device.node != obj.node:
        raise UntrustedError("this device belongs to another node", rule="wrong-node")
    revoked = directory.revoked(obj.device)
    if revoked and isinstance(revoked.statement, Revoke) and revoked.statement.reason in _LOST:
        # Its place in the log is not embedded: a thief could date what he signs at will.
        raise UntrustedError("the device that signed it was lost since", rule="revoked")
    check_signed_by(opened, device.sign)
    return _opened(proof)


def _opened(proof: Proof) -> tuple[Object, Message]:
    obj = _object(open_envelope(proof.envelope, "object"))
    message = decode_message(open_message(obj, proof.key, proof.body))
    if not isinstance(message, Message) or isinstance(message, Forwarded | Paper):
        raise UntrustedError("this is nothing that is passed on", rule="onward-original")
    if message.CLOSED:
        raise UntrustedError("it was for a closed group", rule="closed-group")
    return obj, message


def _object(opened: Opened) -> Object:
    statement = opened.statement
    if not isinstance(statement, Object) or statement.file:
        raise UntrustedError("this is no message", rule="onward-original")
    return statement
