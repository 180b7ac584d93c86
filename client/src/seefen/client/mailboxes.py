"""Mailboxes: made at admission, renewed when a holder comes or goes."""

from msgspec.structs import replace

from seefen.protocol import keys as handed
from seefen.protocol.directory import Directory
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Device, DeviceWrap, Head, LeftOut, Mailbox
from seefen.protocol.suite import (
    SUITE,
    KemKey,
    key_commitment,
    new_id,
    random_bytes,
    sha256,
)


def next_mailbox(
    directory: Directory,
    node: str,
    box: str,
    author: bytes,
    *,
    holders: tuple[Device, ...],
    previous_seed: bytes | None,
    seen: Head,
    at: int,
) -> tuple[Mailbox, list[bytes]]:
    """Return the next generation of a mailbox and the wraps of its seed.

    Args:
        directory: With the holders already in it.
        holders: Whoever holds the box by role, out of date or not.
        at: Unix seconds: who is out of date then is listed, and gets no wrap.
        previous_seed: Of the generation before, so that its holders can walk back.
        seen: The head of the authority log its author had checked.
    """
    link = directory.link(("mailbox", f"{node}/{box}"))
    version = 1 if link is None else link.statement.version + 1
    seed = random_bytes(32)
    scope = handed.mailbox_scope(node, box)
    bare = Mailbox(
        SUITE,
        directory.net,
        "mailbox",
        new_id(),
        version,
        bytes(32) if link is None else link.hash,
        seen,
        node,
        box,
        author,
        KemKey.from_secret(seed).public,
        key_commitment(seed, directory.net, scope, version),
        (),
        (),
        b"",
    )
    wraps: list[bytes] = []
    named: list[DeviceWrap] = []
    left_out: list[LeftOut] = []
    for holder in holders:
        if not holder.starts <= at < holder.expires:
            left_out.append(LeftOut(holder.device.hex(), "expired"))
            continue
        try:
            wrap = handed.wrap_mailbox_seed(seed, holder.kem, bare)
        except RefusedError:
            left_out.append(LeftOut(holder.device.hex(), "unusable-key"))
            continue
        wraps.append(wrap)
        named.append(DeviceWrap(holder.device, sha256(wrap)))
    back = b"" if previous_seed is None else handed.link_previous_seed(seed, previous_seed, bare)
    return replace(bare, wraps=tuple(named), left_out=tuple(left_out), link=back), wraps
