"""Searches: that somebody looked into his own vault, and for the auditors what for.

The log says who searched, when, on which basis; what he looked for and how much he found is
an *account*, committed to and sealed to the auditors of his own node. A number of hits in
the open would tell the broker which message of today has to do with one of last year.

The format is ``docs/spec/access.md``, section 6.
"""

from typing import Annotated, Final

from msgspec import Meta

from seefen.protocol.access import REASON_LIMIT, require_auditors
from seefen.protocol.case import Position
from seefen.protocol.case_chain import require_author
from seefen.protocol.directory import Directory
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError
from seefen.protocol.padding import pad, unpad
from seefen.protocol.statements import Code, Count, Mailbox, Part, SealedReason, Search
from seefen.protocol.suite import SUITE, KemKey, P, commit, random_bytes, sha256, unwrap, wrap

ACCOUNT_LIMIT: Final = 4000  # bytes
QUERY_LIMIT: Final = 400  # characters
MOST: Final = 64  # searches in one statement
_SALT: Final = 32


class Sought(Part, frozen=True):
    """One search: when, in which way, what for, and in how many places it stood."""

    at: Count
    what: Code
    query: Annotated[str, Meta(max_length=QUERY_LIMIT)]
    results: Count


class Account(Part, frozen=True):
    """What a statement does not say in the open: the officer's reason, and each search."""

    reason: Annotated[str, Meta(max_length=REASON_LIMIT)]
    sought: Annotated[tuple[Sought, ...], Meta(min_length=1, max_length=MOST)]


def fits(account: Account) -> bool:
    """Tell whether an account can stand in one statement."""
    return len(account.sought) <= MOST and len(encode(account)) <= ACCOUNT_LIMIT


def seal_account(
    account: Account, *, device: bytes, audit: Mailbox | None
) -> tuple[bytes, tuple[SealedReason, ...]]:
    """Return the commitment to an account, and the account sealed to the audit mailbox.

    Args:
        account: It fits.
        device: Of the officer who searched.
        audit: The mailbox of his node; None when it has no auditors.
    """
    salt, plain = random_bytes(_SALT), encode(account)
    detail = commit(salt, plain)
    if audit is None:
        return detail, ()
    sealed = wrap(salt + pad(plain), audit.kem, _info(audit, device, detail))
    return detail, (SealedReason(audit.node, audit.version, sealed),)


def open_account(search: Search, mailbox: Mailbox, seed: bytes) -> Account:
    """Return what was looked for, as an auditor who holds the mailbox.

    Raises:
        RefusedError: It was not sealed to this mailbox.
        UntrustedError: It is not what was committed to, or not of this statement: mis-sealed.
    """
    return open_committed(search, mailbox, seed)[0]


def open_committed(search: Search, mailbox: Mailbox, seed: bytes) -> tuple[Account, bytes]:
    """Return an account with the salt that proves it to those who may not open it themselves.

    Raises:
        RefusedError: It was not sealed to this mailbox.
        UntrustedError: It is not what was committed to, or not of this statement: mis-sealed.
    """
    for sealed in search.reasons:
        if (sealed.node, sealed.gen) == (mailbox.node, mailbox.version):
            info = _info(mailbox, search.device, search.detail)
            plain = unwrap(sealed.sealed, KemKey.from_secret(seed), info)
            return _check(plain, search), plain[:_SALT]
    raise RefusedError("this search is not sealed to your auditors", rule="not-sealed-to-us")


def check_search(opened: Opened, directory: Directory, position: Position) -> Search:
    """Return the search in an envelope, all its rules checked but the device's number.

    Raises:
        UntrustedError, RefusedError: The rule it breaks (``docs/spec/statements.md``, 4.8).
    """
    search = opened.statement
    if not isinstance(search, Search):
        raise UntrustedError("this is not a search", rule="unknown-kind")
    require_author(search, opened, directory, position)
    if search.count > 1 and not search.automated:
        # Else a day of an officer's searches could stand in the log as one.
        raise RefusedError("each search of an officer is an entry of its own", rule="count")
    require_auditors(search.reasons, (search.node,), directory, search.authority.size)
    return search


def _check(plain: bytes, search: Search) -> Account:
    salt, padded = plain[:_SALT], plain[_SALT:]
    try:
        data = unpad(padded)
        account = decode(data, Account)
        said = (len(account.sought), account.sought[0].at)
        if commit(salt, data) == search.detail and said == (search.count, search.made_at):
            return account
    except MalformedError:
        pass  # whatever was sealed in its place, the auditor learns one thing
    raise UntrustedError("the account is not the one committed to", rule="mis-sealed")


def _info(mailbox: Mailbox, device: bytes, detail: bytes) -> bytes:
    bound = [SUITE, mailbox.net, "search", device, detail]
    return P + b"wrap\x00" + encode([*bound, mailbox.version, sha256(mailbox.kem)])
