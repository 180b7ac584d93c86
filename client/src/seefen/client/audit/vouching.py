"""The signed digest of a statement on paper: who made the file, and over which log.

A table or a PDF can be changed by whoever has it. Beside it lies a text of five lines, signed by
the device that made it; the first is the line that ``sha256sum -c`` reads. The checkpoint in it
is proved to be one of the log that the reader's own device knows.

The format is ``docs/spec/ledger.md``, section 10.1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seefen.client.audit.looking import Looking
from seefen.client.audit.reporting import Statement
from seefen.client.connection import UnreachableError
from seefen.protocol.envelope import signing_message
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.tree import check_consistency
from seefen.protocol.statements import LATEST, Device
from seefen.protocol.suite import sha256, verify

KIND: Final = "audit-report"
LIMIT: Final = 1024  # bytes of the text
SUFFIX: Final = ".signed"
_AUDITORS: Final = frozenset({"auditor", "admin"})
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

        The broker is asked first for what is new: the device may have been lost since. That it
        does not answer, or refuses, says nothing of the file, and what it would have told is open.

        Raises:
            RefusedError: rule ``audit-file``.
            UntrustedError: rule ``unknown-device``, ``signature``: nobody known has signed it.
            UnreachableError: rule ``audit-away``: the device that signed was not heard of here.
        """
        engine = self._engine
        one, text, signature = parse(note)
        away = await self._news()
        device = self._maker(one, away)
        message = signing_message(KIND, engine.directory.net, text)
        verify(device.sign, message, signature, power=False)
        problems: list[str] = []
        missing: list[str] = []
        if sha256(data) != one.digest:
            problems.append("the file is not the one that was signed: it was changed since")
        self._judge_maker(device, problems, missing)
        if self.is_doubted(one.device):
            problems.append("the device that signed was lost since: anybody may have signed")
        elif away:
            missing.append(f"whether the device that signed was lost since: {away}")
        try:
            unknown = await self._judge_log(one, away)
        except UntrustedError as err:
            problems.append(f"its checkpoint is none of the log that this device knows: {err}")
        else:
            missing.extend(unknown)
        return Checked(one, device.node, device.officer, tuple(problems), tuple(missing))

    async def _news(self) -> str:
        """Learn what is new; return why the broker did not tell it, or nothing.

        A lie about the log is kept as an alarm and as evidence where it is found.
        """
        try:
            async with self._engine.lock:
                await self._engine.sync()
        except SeefenError as err:
            return str(err)
        return ""

    def _maker(self, one: Vouched, away: str) -> Device:
        try:
            return self._engine.directory.device(one.device)
        except UntrustedError:
            if away:
                text = f"for this the broker is needed: {away}"
                raise UnreachableError(text, rule="audit-away") from None
            raise

    def _judge_maker(self, device: Device, problems: list[str], missing: list[str]) -> None:
        """Say whether the device was an auditor's when it signed, as far as anybody can know.

        What an auditor's device has signed counts, whenever it was: it could sign it now. Of one
        that is none any more, only its own clock says that it still was.
        """
        if _AUDITORS & set(device.roles):
            return
        if any(_AUDITORS & set(former.roles) for former in self._former(device)):
            missing.append(
                "whether it signed while it was an auditor's device: it is none now, and the time "
                "of signing is its own word"
            )
        else:
            problems.append("the device that signed is no auditor's")

    def _former(self, device: Device) -> Iterator[Device]:
        """Yield the certificates of a device, the newest first."""
        directory, key = self._engine.directory, ("device", device.device)
        link = directory.link(key)
        while link is not None:
            if isinstance(link.statement, Device):
                yield link.statement
            link = directory.link(key, size=link.index)

    async def _judge_log(self, one: Vouched, away: str) -> tuple[str, ...]:
        """Check that the log of this device grew from the checkpoint; return what stays open.

        Raises:
            UntrustedError: It did not. Nothing that a broker answers in place of a proof is
                raised: whoever refuses one must not make a true statement a false one.
        """
        engine = self._engine
        if one.log != engine.trust.origin("activity"):
            raise UntrustedError(f"it is of the log {one.log}", rule="origin")
        open_ = "whether its checkpoint is one of this log: "
        proof: tuple[bytes, ...] = ()
        async with engine.lock:
            head = engine.trust.head("activity")
            if one.size > head.size:
                if away:
                    return (f"{open_}{away}",)
                raise UntrustedError(f"the log has {head.size} entries", rule="rewind")
            if one.size < head.size:
                try:
                    proof = await engine.prove("activity", one.size, head.size)
                except SeefenError as err:
                    return (f"{open_}{err}",)
        check_consistency(one.size, one.root, head.size, head.root, proof)
        return ()
