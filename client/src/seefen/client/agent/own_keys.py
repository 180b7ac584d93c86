"""Watching the own keys, and the root: whatever is signed about them and was not expected.

Whoever has stolen the keys of an admin signs like him. The log does not hinder it, but
shows it to the one who knows better: the node itself. Before its admin lets somebody in he
tells the agent, on its own machine; what comes without that is an alarm.
"""

from pathlib import Path

import msgspec

from seefen.client.agent.alarms import CRITICAL, NOTICE
from seefen.client.agent.durable import Batch
from seefen.client.mirroring import Leaf
from seefen.client.wording import stamp
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import (
    Device,
    Mailbox,
    Node,
    Revoke,
    Root,
    Statement,
    Suspend,
    View,
)

KIND = "key-changed-mine"
ROOT = "root-changed"
NEVER = -1


class OwnKeys:
    """What is known of the own node's keys, in two small files of a folder."""

    def __init__(self, folder: Path, node: str) -> None:
        self._seen = folder / "own-keys.json"
        self._expected = folder / "expected.json"  # another process writes it
        self._node = node

    @property
    def size(self) -> int:
        """From which leaf on the authority log is to be looked at; -1 before the first look."""
        return _number(self._seen, NEVER)

    def expect(self, until: int) -> None:
        """Take changes until then for those that the node makes itself."""
        _write(self._expected, until)

    def seen(self, size: int) -> None:
        """Remember that the log was looked at up to ``size``."""
        _write(self._seen, size)

    def judge(self, leaf: Leaf, at: int) -> tuple[str, str, str] | None:
        """Return kind, severity and sentence about a new leaf; None if it is another node's."""
        try:
            statement = open_envelope(leaf.envelope, leaf.kind).statement
        except SeefenError:
            return None  # it was no statement at all, and the sync said so
        kind = self._kind(statement)
        if kind is None:
            return None
        said = f"entry {leaf.index} of the authority log: {_said(statement)}"
        if leaf.broken:
            return kind, CRITICAL, f"{said}. It breaks a rule and has no effect ({leaf.broken})"
        if isinstance(statement, Mailbox):
            # It follows from who is in force, and each of those was announced by itself.
            return kind, NOTICE, said
        if (
            isinstance(statement, Device | Revoke | Node | View)
            and kind == KIND
            and at < _number(self._expected, 0)
        ):
            return kind, NOTICE, f"{said}, as expected"
        return kind, CRITICAL, f"{said}. {_advice(statement)}"

    def _kind(self, statement: Statement) -> str | None:
        """Return what a statement is to this node: about the network, about itself, or nothing."""
        if _is_roots(statement):
            return ROOT
        about = (getattr(statement, "node", None), getattr(statement, "of", None))
        return KIND if self._node in about else None


def _is_roots(statement: Statement) -> bool:
    """Tell whether the holders of the root speak to all: who is shown every core, too."""
    return isinstance(statement, Root) or (isinstance(statement, View) and not statement.of)


def _number(path: Path, otherwise: int) -> int:
    try:
        return msgspec.json.decode(path.read_bytes(), type=int)
    except (OSError, msgspec.MsgspecError):
        return otherwise


def _write(path: Path, number: int) -> None:
    batch = Batch()
    batch.write(path, msgspec.json.encode(number))
    batch.sync()


def _said(statement: Statement) -> str:
    match statement:
        case Device():
            roles = ", ".join(statement.roles) or "no role"
            who = statement.officer or "an agent"
            device = statement.device.hex()[:8]
            return f"device {device} ({who}: {roles}) was let in to {statement.node}"
        case Revoke():
            device = statement.device.hex()[:8]
            return f"device {device} of {statement.node} was ended ({statement.reason})"
        case Mailbox():
            return f"mailbox {statement.box} of {statement.node} has a new key"
        case Node():
            return f"{statement.node} has version {statement.version} of its own statement"
        case Root():
            quorum = f"{statement.quorum} of {len(statement.witnesses)} witnesses must sign"
            stale = f"a log is too old after {statement.max_stale // 3600} h"
            return f"the root statement has version {statement.version}: {quorum}, {stale}"
        case _:
            return _said_else(statement)


def _said_else(statement: Statement) -> str:
    match statement:
        case View():
            whose = statement.of or "the whole network"
            who = f"device {statement.device.hex()[:8]} of {statement.node}"
            if not statement.expires:
                return f"{who} may look at the entries of {whose} no more: its view was taken back"
            return f"{who} may look at the entries of {whose} until {stamp(statement.expires)}"
        case Suspend():
            return f"{statement.node} was suspended, or let in again, by the holders of the root"
        case _:
            return f"something was signed about {getattr(statement, 'node', 'this node')}"


def _advice(statement: Statement) -> str:
    if isinstance(statement, Device):
        return (
            "If nobody of your node did this, an admin's key is stolen: `seefen device revoke "
            f"{statement.device.hex()[:8]} --why compromised` at once, and that admin's device too"
        )
    if isinstance(statement, View) and statement.of and not statement.expires:
        # Nobody sees more by it, but somebody may be kept from looking.
        return (
            f"If nobody of {statement.of} ended it, an admin's key is stolen there: end that "
            "admin's device; `seefen guest list` shows who may look, `seefen guest add` lets a "
            "guest look again"
        )
    if isinstance(statement, View) and statement.of:
        return (
            f"If nobody of {statement.of} let it look, an admin's key is stolen there: "
            f"`seefen guest remove {statement.node}/{statement.device.hex()[:8]}` at once, and "
            "end that admin's device"
        )
    if _is_roots(statement):
        return (
            "If no holder of the root keys told you of it, a threshold of them is stolen: "
            "telephone them, on the numbers of your own paper"
        )
    return "If nobody of your node knows of it: telephone the admins and the holders of the root"
