"""Case keys out of wraps: through the mailbox of the node, or to this device alone."""

from seefen.client.keyfile import DeviceKeys
from seefen.protocol import keys as handed
from seefen.protocol.statements import Assign, CaseKey, NodeWrap
from seefen.protocol.suite import KemKey, sha256


def key_from_mailbox(
    casekey: CaseKey, ours: NodeWrap, seed: bytes, wraps: tuple[bytes, ...]
) -> bytes | None:
    """Return the key that was wrapped to a mailbox, or None if its wrap is not there.

    Raises:
        UntrustedError: The wrap holds another key than the one committed to.
    """
    wrapped = _find(wraps, ours.hash)
    if wrapped is None:
        return None
    return handed.unwrap_case_key(
        wrapped,
        KemKey.from_secret(seed),
        casekey,
        purpose=handed.CASE_NODE,
        author=casekey.device,
        named=(ours.hash,),
    )


def key_for_device(
    casekey: CaseKey, handed_by: CaseKey | Assign, keys: DeviceKeys, wraps: tuple[bytes, ...]
) -> bytes | None:
    """Return the key that a statement hands to this device, or None if it does not.

    Raises:
        UntrustedError: The wrap holds another key than the one committed to.
    """
    ours = next((w.hash for w in handed_by.devices if w.device == keys.device), None)
    wrapped = None if ours is None else _find(wraps, ours)
    if ours is None or wrapped is None:
        return None
    return handed.unwrap_case_key(
        wrapped,
        keys.kem,
        casekey,
        purpose=handed.CASE_DEVICE,
        author=handed_by.device,
        named=(ours,),
    )


def _find(wraps: tuple[bytes, ...], hash_: bytes) -> bytes | None:
    return next((wrap for wrap in wraps if sha256(wrap) == hash_), None)
