"""Keys handed from one to another: wraps, links between generations, mailbox seeds.

HPKE binds a wrap only through ``info``; so everything a wrap is for stands there. A
wrap counts only if its hash stands in a verified statement, and the key that comes out
must match the commitment in that statement.

The format is ``docs/spec/keys.md``.
"""

from typing import Final

from seefen.protocol.encoding import encode
from seefen.protocol.errors import UntrustedError
from seefen.protocol.statements import CaseKey, Mailbox
from seefen.protocol.suite import (
    SUITE,
    KemKey,
    P,
    derive,
    key_commitment,
    seal,
    sha256,
    unseal,
    unwrap,
    wrap,
)

MAILBOX: Final = "mailbox"
CASE_NODE: Final = "case-node"
CASE_DEVICE: Final = "case-device"


def mailbox_scope(node: str, box: str) -> bytes:
    """Return what a mailbox key belongs to, as bytes for wraps and commitments."""
    return encode([node, box])


def wrap_info(
    *, net: bytes, purpose: str, scope: bytes, gen: int, key_id: bytes, public: bytes, author: bytes
) -> bytes:
    """Return the HPKE ``info`` that binds a wrap to its purpose, key, reader and author."""
    bound = [SUITE, net, purpose, scope, gen, key_id, sha256(public), author]
    return P + b"wrap\x00" + encode(bound)


def wrap_mailbox_seed(seed: bytes, public: bytes, mailbox: Mailbox) -> bytes:
    """Return the seed of ``mailbox`` wrapped to the KEM key of a holder.

    ``mailbox`` may still lack its wraps: only its names, numbers and key are bound.

    Raises:
        RefusedError: The holder's key cannot be encrypted to.
    """
    return wrap(seed, public, _mailbox_info(public, mailbox))


def unwrap_mailbox_seed(wrapped: bytes, ours: KemKey, mailbox: Mailbox) -> bytes:
    """Return the seed of ``mailbox`` from a wrap its statement names.

    Raises:
        UntrustedError: The wrap is not named, not for us, or holds another key.
    """
    _check_named(wrapped, tuple(w.hash for w in mailbox.wraps))
    seed = unwrap(wrapped, ours, _mailbox_info(ours.public, mailbox))
    _check_mailbox_seed(seed, mailbox)
    return seed


def link_previous_seed(seed: bytes, previous_seed: bytes, mailbox: Mailbox) -> bytes:
    """Return the seed before, sealed under the seed of ``mailbox`` for later holders."""
    return seal(derive(seed, "mailbox-previous"), _mailbox_link(mailbox), previous_seed)


def previous_seed(seed: bytes, mailbox: Mailbox, previous: Mailbox) -> bytes:
    """Return the seed of the generation before, through the link in ``mailbox``.

    Raises:
        UntrustedError: The link is damaged or leads to another key than ``previous``.
    """
    older = unseal(derive(seed, "mailbox-previous"), _mailbox_link(mailbox), mailbox.link)
    _check_mailbox_seed(older, previous)
    return older


def wrap_case_key(
    key: bytes, public: bytes, casekey: CaseKey, *, purpose: str, author: bytes
) -> bytes:
    """Return the key of a generation wrapped to a mailbox or to a device.

    Raises:
        RefusedError: The key of the receiver cannot be encrypted to.
    """
    return wrap(key, public, _case_info(public, casekey, purpose, author))


def unwrap_case_key(
    wrapped: bytes,
    ours: KemKey,
    casekey: CaseKey,
    *,
    purpose: str,
    author: bytes,
    named: tuple[bytes, ...],
) -> bytes:
    """Return the key of the generation ``casekey``.

    Args:
        named: The hashes of wraps in the verified statement that hands the key over
            (the ``casekey`` itself or an ``assign``).

    Raises:
        UntrustedError: The wrap is not named, not for us, or holds another key.
    """
    _check_named(wrapped, named)
    key = unwrap(wrapped, ours, _case_info(ours.public, casekey, purpose, author))
    check_case_key(key, casekey)
    return key


def link_next_key(key: bytes, next_key: bytes, casekey: CaseKey) -> bytes:
    """Return the key of ``casekey`` sealed under the key of the generation before."""
    return seal(derive(key, "next"), _case_link(casekey), next_key)


def next_key(key: bytes, casekey: CaseKey) -> bytes:
    """Return the key of ``casekey`` through its link, from the key before.

    Raises:
        UntrustedError: The link is damaged or leads to another key.
    """
    newer = unseal(derive(key, "next"), _case_link(casekey), casekey.link)
    check_case_key(newer, casekey)
    return newer


def check_case_key(key: bytes, casekey: CaseKey) -> None:
    """Check a key against the commitment in its statement.

    Raises:
        UntrustedError: Another key. An owner who wraps different keys to different
            members is found here (attack 5).
    """
    if key_commitment(key, casekey.net, casekey.case, casekey.gen) != casekey.key_id:
        raise UntrustedError("the case key is not the one that was committed", rule="key-id")


def _check_mailbox_seed(seed: bytes, mailbox: Mailbox) -> None:
    scope = mailbox_scope(mailbox.node, mailbox.box)
    if key_commitment(seed, mailbox.net, scope, mailbox.version) != mailbox.key_id:
        raise UntrustedError("the mailbox key is not the one committed", rule="key-id")
    if KemKey.from_secret(seed).public != mailbox.kem:
        raise UntrustedError("the mailbox seed does not give its public key", rule="key-id")


def _check_named(wrapped: bytes, named: tuple[bytes, ...]) -> None:
    if sha256(wrapped) not in named:
        # The broker can wrap its own key to anyone (attack 4): only named wraps count.
        raise UntrustedError("no signed record names this wrapped key", rule="wrap-not-named")


def _mailbox_info(public: bytes, mailbox: Mailbox) -> bytes:
    return wrap_info(
        net=mailbox.net,
        purpose=MAILBOX,
        scope=mailbox_scope(mailbox.node, mailbox.box),
        gen=mailbox.version,
        key_id=mailbox.key_id,
        public=public,
        author=mailbox.device,
    )


def _case_info(public: bytes, casekey: CaseKey, purpose: str, author: bytes) -> bytes:
    return wrap_info(
        net=casekey.net,
        purpose=purpose,
        scope=casekey.case,
        gen=casekey.gen,
        key_id=casekey.key_id,
        public=public,
        author=author,
    )


def _mailbox_link(mailbox: Mailbox) -> bytes:
    scope = mailbox_scope(mailbox.node, mailbox.box)
    return P + b"mailbox-link\x00" + encode([mailbox.net, scope, mailbox.version])


def _case_link(casekey: CaseKey) -> bytes:
    return P + b"case-link\x00" + encode([casekey.net, casekey.case, casekey.gen])
