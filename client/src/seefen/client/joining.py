"""Joining: one file, six words on the telephone, and the device is in.

The joiner's keys never leave this machine. The broker made the invite's secret or carries
it, so the secret proves little; the six words prove that both sides look at the same keys
and the same network (66 bits over both).
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from mnemonic import Mnemonic

from seefen.client import private
from seefen.client.connection import Connection, UnreachableError
from seefen.client.engine import PAGE
from seefen.client.invites import Invite, read_invite
from seefen.client.keyfile import (
    MEMORY_KIB,
    NAME,
    DeviceKeys,
    read_key_file,
    write_key_file,
)
from seefen.client.mailboxes import next_mailbox
from seefen.client.trust import Trust
from seefen.client.vault import NAME as VAULT
from seefen.client.vault import Vault, held
from seefen.protocol.bundle import Bundle, Signed, encode_bundle
from seefen.protocol.directory import BOX_ROLES, Directory
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import sign
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import AuthorityPage
from seefen.protocol.statements import NO_HASH, Device, Head, Node
from seefen.protocol.suite import SUITE, certificate_pin, new_id, random_bytes
from seefen.protocol.words import fingerprint_words

LOCK: Final = "join.lock"
FIRST_ROLES: Final = ("admin", "field", "keyholder", "lead")
CERTIFICATE_LIFE: Final = 365 * 86_400  # seconds
NODE_LIFE: Final = 5 * 365 * 86_400  # seconds
POLL: Final = 0.5  # seconds between two questions whether one is admitted
ANSWER_LIMIT: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class JoinedView:
    """A device that was admitted."""

    node: str
    network: str
    device: str
    officer: str
    roles: tuple[str, ...]
    admitted_at: int
    admitted_by: str
    founded_at: int


def spoken_words(net: bytes, draft: bytes) -> tuple[str, ...]:
    """Return the six words over a network and a request to join."""
    return fingerprint_words(net + draft, Mnemonic("english").wordlist)


async def join(
    file: Path,
    home: Path,
    passphrase: str,
    on_words: Callable[[tuple[str, ...]], None],
    *,
    memory_kib: int = MEMORY_KIB,
    patience_s: float = 48 * 3600,
) -> JoinedView:
    """Make this machine a device: keys, request, words, and wait to be admitted.

    Ended half-way, it is run again with the same file and passphrase and goes on.

    Args:
        on_words: Gets the six words to read out.
        patience_s: Seconds to wait for the admission.

    Raises:
        RefusedError: No invite, one that was used, a device is here already, or another
            process joins in this folder.
        UntrustedError: The network is not the one of the invite, or somebody else's keys
            were admitted in our place.
    """
    invite = read_invite(file)
    private.folder(home)
    with held(home / LOCK):
        keys = _keys(home, passphrase, memory_kib)
        vault = Vault.open(home / VAULT, keys.vault)
        connection = Connection(invite.address, None)
        try:
            vault.put("invite", msgspec.json.encode(invite))
            trust = Trust(vault, bytes.fromhex(invite.net), home / "evidence")
            await fetch_authority(connection, trust, invite)
            _check_pin(trust.directory, invite)
            draft = _kept_draft(vault, trust.directory, invite, keys)
            await connection.http(
                "PUT", f"/v1/joins/{invite.id}", body=draft, invite=invite.credential
            )
            on_words(spoken_words(trust.directory.net, draft))
            await _wait(connection, invite, patience_s)
            await fetch_authority(connection, trust, invite)
            return _joined(vault, trust.directory, keys)
        finally:
            await connection.close()
            vault.close()


async def fetch_authority(connection: Connection, trust: Trust, invite: Invite) -> None:
    """Replay the authority log with nothing but an invite."""

    async def prove(log: str, old: int, new: int) -> tuple[bytes, ...]:
        raise UntrustedError(f"the {log} log cannot be proved from {old} to {new}", rule="rewind")

    while True:
        seen, start = trust.head("authority").size, trust.directory.size
        path = f"/v1/log/authority?start={start}&limit={PAGE}&seen={seen}"
        data = await connection.http("GET", path, invite=invite.credential)
        page = decode(data, AuthorityPage, limit=ANSWER_LIMIT)
        trust.learn_root(page)
        signed = await trust.accept("authority", page.checkpoint, page.consistency, prove)
        trust.take_page(page, signed.checkpoint)
        if not page.items:
            return


def _keys(home: Path, passphrase: str, memory_kib: int) -> DeviceKeys:
    path = home / NAME
    if not path.exists():
        keys = DeviceKeys.generate()
        write_key_file(path, keys, passphrase, memory_kib=memory_kib)
        return keys
    keys = read_key_file(path, passphrase)
    vault = Vault.open(home / VAULT, keys.vault)
    try:
        if vault.get("joined") is not None:
            raise RefusedError(f"there is a device in {home} already", rule="joined")
    finally:
        vault.close()
    return keys


def _check_pin(directory: Directory, invite: Invite) -> None:
    pin = certificate_pin(ssl.PEM_cert_to_DER_cert(invite.ca))
    if pin not in directory.root.tls_pins:
        raise UntrustedError("the broker's CA is not the one the network pins", rule="pin")


def _kept_draft(vault: Vault, directory: Directory, invite: Invite, keys: DeviceKeys) -> bytes:
    kept = vault.get(f"join/{invite.id}")
    if kept is not None:
        return kept
    draft = _node_draft if invite.kind == "node" else _device_draft
    data = encode_bundle(draft(directory, invite, keys))
    vault.put(f"join/{invite.id}", data)
    return data


def _node_draft(directory: Directory, invite: Invite, keys: DeviceKeys) -> Bundle:
    now = int(time.time())
    seen = directory.head()
    node = Node(
        SUITE,
        directory.net,
        "node",
        new_id(),
        1,
        NO_HASH,
        seen,
        invite.node,
        invite.node,
        code_of(invite.node, directory),
        (keys.sign.public,),
        1,
        now + NODE_LIFE,
    )
    device = _certificate(directory, invite, keys, FIRST_ROLES, seen)
    signed = [
        Signed("node", sign(node, keys.sign), b""),
        Signed("device", sign(device, keys.sign), b""),
    ]
    return _with_mailboxes(directory, device, keys, signed, ("case", "alert"))


def _device_draft(directory: Directory, invite: Invite, keys: DeviceKeys) -> Bundle:
    device = _certificate(directory, invite, keys, invite.roles, directory.head())
    signed = [Signed("device", sign(device, keys.sign), b"")]
    # The first auditor makes the audit mailbox: nobody else may read the reasons.
    first = "auditor" in device.roles and directory.mailbox(invite.node, "audit") is None
    return _with_mailboxes(directory, device, keys, signed, ("audit",) if first else ())


def _with_mailboxes(
    directory: Directory,
    device: Device,
    keys: DeviceKeys,
    signed: list[Signed],
    boxes: tuple[str, ...],
) -> Bundle:
    wraps: list[bytes] = []
    for box in boxes:
        if BOX_ROLES[box] & set(device.roles):
            mailbox, wrapped = next_mailbox(
                directory,
                device.node,
                box,
                keys.device,
                holders=(device,),
                previous_seed=None,
                seen=directory.head(),
                at=int(time.time()),
            )
            signed.append(Signed("mailbox", sign(mailbox, keys.sign), b""))
            wraps += wrapped
    return Bundle(tuple(signed), tuple(wraps), ())


def _certificate(
    directory: Directory, invite: Invite, keys: DeviceKeys, roles: tuple[str, ...], seen: Head
) -> Device:
    now = int(time.time())
    # A day earlier: the broker's clock may be behind this machine's.
    return Device(
        SUITE,
        directory.net,
        "device",
        new_id(),
        1,
        NO_HASH,
        seen,
        invite.node,
        keys.device,
        "" if invite.agent else invite.officer or f"o-{random_bytes(2).hex()}",
        tuple(sorted(set(roles))),
        keys.sign.public,
        keys.auth.public,
        keys.kem.public,
        now - 86_400,
        now - 86_400 + CERTIFICATE_LIFE,
    )


def code_of(node: str, directory: Directory) -> str:
    """Return a free three-letter code for case numbers: ``skopje-border`` gives SKP."""
    letters = [c for c in node.upper() if c.isalpha()]
    consonants = [c for c in letters if c not in "AEIOU"]
    base = (consonants + letters + ["X", "X", "X"])[:3]
    candidates = ["".join(base)] + [
        base[0] + base[1] + chr(c) for c in range(ord("A"), ord("Z") + 1)
    ]
    for code in candidates:
        if directory.code_owner(code) is None:
            return code
    raise RefusedError("no free code for case numbers was found", rule="code-taken")


async def _wait(connection: Connection, invite: Invite, patience_s: float) -> None:
    ends = time.monotonic() + patience_s
    while time.monotonic() < ends:
        with suppress(UnreachableError):  # 48 hours see many a broken line
            data = await connection.http("GET", f"/v1/joins/{invite.id}", invite=invite.credential)
            if _is_admitted(data):
                return
        await asyncio.sleep(POLL)
    raise RefusedError(
        "nobody has let this device in yet; the same command goes on waiting", rule="not-admitted"
    )


def _is_admitted(data: bytes) -> bool:
    try:
        return msgspec.json.decode(data, type=dict[str, str]).get("state") == "admitted"
    except (ValueError, RecursionError):
        return False  # whatever this is, it is no admission


def _joined(vault: Vault, directory: Directory, keys: DeviceKeys) -> JoinedView:
    device = directory.device(keys.device)
    if (device.sign, device.kem, device.auth) != (
        keys.sign.public,
        keys.kem.public,
        keys.auth.public,
    ):
        raise UntrustedError("other keys were admitted in our place: call your admin", rule="keys")
    vault.put("joined", encode(int(time.time())))
    admins = [d.officer for d in directory.devices(device.node) if "admin" in d.roles and d.officer]
    return JoinedView(
        node=device.node,
        network=directory.root.name,
        device=device.device.hex(),
        officer=device.officer,
        roles=device.roles,
        admitted_at=int(time.time()),
        admitted_by=admins[0] if admins else "",
        founded_at=0,
    )
