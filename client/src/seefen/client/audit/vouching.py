"""The signed digest of a statement on paper: who made the file, and over which log.

A table or a PDF can be changed by whoever has it. Beside it lies a text of five lines, signed by
the device that made it; the first is the line that ``sha256sum -c`` reads. The checkpoint in it
is proved to be one of the log that the reader's own device knows.

The format is ``docs/spec/ledger.md``, section 10.1.
"""

import re
from dataclasses import dataclass
from typing import Final

from seefen.client.audit.looking import Looking
from seefen.client.audit.reporting import Statement
from seefen.client.connection import UnreachableError
from seefen.protocol.envelope import signing_message
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.tree import check_consistency
from seefen.protocol.statements import LATEST
from seefen.protocol.suite import sha256, verify

KIND: Final = "audit-report"
LIMIT: Final = 1024  # bytes of the text
SUFFIX: Final = ".signed"
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\\/]{1,255}")
_TEXT: Final = re.compile(
    rf"(([0-9a-f]{{64}})  ({_NAME.pattern})\n"
    r"device ([0-9a-f]{32})\n"
    r"log ([!-~]{1,255}) (0|[1-9][0-9]{0,15}) ([0-9a-f]{64})\n"
    r"made (0|[1-9][0-9]{0,11})\n)"
    r"sig ([0-9a-f]{128})\n"
)


@dataclass(frozen=True, slots=True)
class Vouched:
    """What a device says of a file; ``size`` and ``root`` are the checkpoint it was made under."""

    name: str
    digest: bytes
    device: bytes
    log: str
    size: int
    root: bytes
    at: int

    def text(self) -> bytes:
        """Return the four lines that are signed."""
        return (
            f"{self.digest.hex()}  {self.name}\ndevice {self.device.hex()}\n"
            f"log {self.log} {self.size} {self.root.hex()}\nmade {self.at}\n"
        ).encode()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a reader finds; ``problems`` stand against the file, ``open`` could not be checked."""

    vouched: Vouched
    node: str
    officer: str
    problems: tuple[str, ...]
    open: tuple[str, ...]


def parse(data: bytes) -> tuple[Vouched, bytes, bytes]:
    """Return what is said, the bytes that were signed, and the signature.

    Raises:
        RefusedError: rule ``audit-file``: this is no signed digest.
    """
    try:
        found = _TEXT.fullmatch(data.decode()) if len(data) <= LIMIT else None
    except UnicodeDecodeError:
        found = None
    if found is None or int(found[8]) > LATEST:
        raise RefusedError("this is no signed digest of a statement", rule="audit-file")
    signed, digest, name, device, log, size, root, made, signature = found.groups()
    vouched = Vouched(
        name, bytes.fromhex(digest), bytes.fromhex(device), log, int(size), bytes.fromhex(root),
        int(made),
    )  # fmt: skip
    return vouched, signed.encode(), bytes.fromhex(signature)


class Vouching(Looking):
    """Signs the digest of a statement, and checks one."""

    def vouch(self, made: Statement, name: str, data: bytes) -> bytes:
        """Return the signed digest of a file that a statement was written to.

        Raises:
            RefusedError: rule ``file-name``: it cannot stand in a line.
        """
        engine = self._engine
        if not _NAME.fullmatch(name):
            raise RefusedError("give the file a simpler name", rule="file-name")
        log, root = engine.trust.origin("activity"), bytes.fromhex(made.root)
        own = engine.keys.device
        text = Vouched(name, sha256(data), own, log, made.head, root, made.at).text()
        message = signing_message(KIND, engine.directory.net, text)
        signature = engine.keys.sign.sign(message, power=False)
        return text + f"sig {signature.hex()}\n".encode()

    async def vouched(self, data: bytes, note: bytes) -> Checked:
        """Return what is to be said of a file and the signed digest that lies beside it.

        Raises:
            RefusedError: rule ``audit-file``.
            UntrustedError: rule ``unknown-device``, ``signature``: nobody known has signed it.
        """
        engine = self._engine
        one, text, signature = parse(note)
        device = engine.directory.device(one.device)
        message = signing_message(KIND, engine.directory.net, text)
        verify(device.sign, message, signature, power=False)
        problems: list[str] = []
        if sha256(data) != one.digest:
            problems.append("the file is not the one that was signed: it was changed since")
        if not {"auditor", "admin"} & set(device.roles):
            problems.append("the device that signed is no auditor's")
        if self.is_doubted(one.device):
            problems.append("the device that signed was lost since: anybody may have signed")
        missing: list[str] = []
        try:
            await self._find(one)
        except UnreachableError:
            missing.append("whether its checkpoint is one of this log: the broker does not answer")
        except SeefenError as err:
            problems.append(f"its checkpoint is none of the log that this device knows: {err}")
        return Checked(one, device.node, device.officer, tuple(problems), tuple(missing))

    async def _find(self, one: Vouched) -> None:
        """Check that the log of this device grew from the checkpoint of a statement."""
        engine = self._engine
        if one.log != engine.trust.origin("activity"):
            raise UntrustedError(f"it is of the log {one.log}", rule="origin")
        async with engine.lock:
            if one.size > engine.trust.head("activity").size:
                await engine.sync()
            head = engine.trust.head("activity")
            if one.size > head.size:
                raise UntrustedError(f"the log has {head.size} entries", rule="rewind")
            grew = one.size < head.size
            proof = await engine.prove("activity", one.size, head.size) if grew else ()
        check_consistency(one.size, one.root, head.size, head.root, proof)
