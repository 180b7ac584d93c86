"""Reasons: the text of an access, sealed to the auditors and committed to.

The commitment fixes the text (attack 33) and its random salt stops guessing it from the
log (attack 34). No reason is a commitment to the empty text, never zeros: the log must
not tell which accesses have one. It is padded, so that its length does not tell either.

The format is ``docs/spec/access.md``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seefen.protocol.directory import Directory
from seefen.protocol.encoding import encode
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError
from seefen.protocol.padding import pad, unpad
from seefen.protocol.statements import Access, Mailbox, SealedReason
from seefen.protocol.suite import SUITE, KemKey, P, commit, random_bytes, sha256, unwrap, wrap

REASON_LIMIT: Final = 2000  # bytes of UTF-8
_SALT: Final = 32


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason as the reader keeps it: the text, its salt and the commitment."""

    text: str
    salt: bytes
    detail: bytes


def commit_reason(text: str) -> Reason:
    """Return the text with a fresh salt and its commitment.

    Raises:
        RefusedError: Longer than 2,000 bytes.
    """
    if len(text.encode()) > REASON_LIMIT:
        raise RefusedError("a reason has at most 2,000 bytes: shorten it", rule="reason")
    salt = random_bytes(_SALT)
    return Reason(text, salt, commit(salt, text.encode()))


def seal_reason(
    reason: Reason, *, case: bytes, device: bytes, audits: Iterable[Mailbox]
) -> tuple[SealedReason, ...]:
    """Return the reason sealed to each audit mailbox."""
    sealed: list[SealedReason] = []
    for mailbox in audits:
        info = _info(mailbox, case, device, reason.detail)
        plain = reason.salt + pad(reason.text.encode())
        sealed.append(SealedReason(mailbox.node, mailbox.version, wrap(plain, mailbox.kem, info)))
    return tuple(sealed)


def open_reason(access: Access, mailbox: Mailbox, seed: bytes) -> str:
    """Return the text of a reason, as an auditor who holds the mailbox.

    Raises:
        RefusedError: It was not sealed to this mailbox.
        UntrustedError: It is not the text that was committed to: mis-sealed.
    """
    return open_committed(access, mailbox, seed).text


def open_committed(access: Access, mailbox: Mailbox, seed: bytes) -> Reason:
    """Return a reason with the salt that proves it to those who may not open it themselves.

    Raises:
        RefusedError: It was not sealed to this mailbox.
        UntrustedError: It is not the text that was committed to: mis-sealed.
    """
    for reason in access.reasons:
        if (reason.node, reason.gen) == (mailbox.node, mailbox.version):
            info = _info(mailbox, access.case, access.device, access.detail)
            plain = unwrap(reason.sealed, KemKey.from_secret(seed), info)
            return Reason(_check(plain, access.detail), plain[:_SALT], access.detail)
    raise RefusedError("this reason is not sealed to your auditors", rule="not-sealed-to-us")


def require_auditors(
    reasons: tuple[SealedReason, ...], nodes: Iterable[str], directory: Directory, seen: int
) -> None:
    """Check that a reason is sealed to the auditors of some nodes, also one without text.

    Args:
        reasons: As they stand in the statement.
        nodes: Whose auditors are to read it.
        directory: For their mailboxes.
        seen: The size of the authority log that the author had checked.

    Raises:
        RefusedError: rule ``reasons``.
    """
    given = [(reason.node, reason.gen) for reason in reasons]
    allowed: set[tuple[str, int]] = set()
    needed: set[tuple[str, int]] = set()
    for node in nodes:
        mailbox = directory.mailbox(node, "audit", size=seen)
        if mailbox is not None:
            allowed.add((node, mailbox.version))
            if not directory.mailbox_stale(node, "audit", size=seen):
                needed.add((node, mailbox.version))
    if len(set(given)) != len(given) or not needed <= set(given) <= allowed:
        raise RefusedError("this is not sealed to the auditors it goes to", rule="reasons")


def _check(plain: bytes, detail: bytes) -> str:
    salt, padded = plain[:_SALT], plain[_SALT:]
    try:
        text = unpad(padded)
        if commit(salt, text) == detail:
            return text.decode()
    except (MalformedError, UnicodeDecodeError):
        pass  # whatever an officer sealed in its place, the auditor learns one thing
    raise UntrustedError("the reason is not the one committed to", rule="mis-sealed")


def _info(mailbox: Mailbox, case: bytes, device: bytes, detail: bytes) -> bytes:
    bound = [SUITE, mailbox.net, "reason", case, device, detail]
    return P + b"wrap\x00" + encode([*bound, mailbox.version, sha256(mailbox.kem)])
