"""The key file: a device's secrets under a passphrase.

The passphrase goes through Argon2id; the seal commits to its key, so a file opens under
one passphrase at most (attack 38). A wrong passphrase and a damaged file are one error:
telling them apart would help only whoever damages it.

The format is ``docs/spec/keyfile.md``.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from msgspec import Meta

from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError
from seefen.protocol.statements import Id, Part
from seefen.protocol.suite import (
    KemKey,
    P,
    PlainKey,
    SigningKey,
    derive,
    new_id,
    passphrase_key,
    random_bytes,
    seal,
    unseal,
)

NAME: Final = "device.key"
MEMORY_KIB: Final = 262_144
PASSES: Final = 3
LANES: Final = 4


class KeyFile(Part, frozen=True):
    """What stands on the disk. The Argon2id numbers travel with the file.

    They are bounded: a flipped bit must not ask the machine for terabytes (attack 37).
    """

    version: Annotated[int, Meta(ge=1, le=1)]
    device: Id
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    memory_kib: Annotated[int, Meta(ge=8192, le=1_048_576)]
    passes: Annotated[int, Meta(ge=1, le=16)]
    lanes: Annotated[int, Meta(ge=1, le=64)]
    sealed: Annotated[bytes, Meta(max_length=4096)]


class Secrets(Part, frozen=True):
    """The secrets of a device, as they stand inside the seal."""

    sign: Annotated[bytes, Meta(min_length=64, max_length=64)]
    auth: Annotated[bytes, Meta(min_length=32, max_length=32)]
    kem: Annotated[bytes, Meta(min_length=32, max_length=32)]
    vault: Annotated[bytes, Meta(min_length=32, max_length=32)]


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The keys of a device: four of them, each for one purpose only."""

    device: bytes
    sign: SigningKey
    auth: PlainKey
    kem: KemKey
    vault: bytes

    @classmethod
    def generate(cls) -> Self:
        """Make the keys of a new device."""
        return cls(
            new_id(),
            SigningKey.generate(),
            PlainKey.generate(),
            KemKey.generate(),
            random_bytes(32),
        )


def write_key_file(
    path: Path, keys: DeviceKeys, passphrase: str, *, memory_kib: int = MEMORY_KIB
) -> None:
    """Write the key file in one step: the old one stands until the new one is on the disk."""
    write_sealed(path, keys.device, encode(_secrets(keys)), passphrase, memory_kib=memory_kib)


def pack_keys(keys: DeviceKeys) -> bytes:
    """Return the keys as bytes that open with :func:`unpack_keys`: for memory, never for a disk."""
    return encode((keys.device, _secrets(keys)))


def unpack_keys(data: bytes) -> DeviceKeys:
    """Return the keys that :func:`pack_keys` packed.

    Raises:
        MalformedError: These are no keys.
    """
    return _opened(*decode(data, tuple[Id, Secrets]))


def device_of(path: Path) -> bytes:
    """Return whose key file this is; it need not be opened for that.

    Raises:
        RefusedError: There is no such file, or it is damaged: rule ``no-device``, ``passphrase``.
    """
    return _read(path).device


def _secrets(keys: DeviceKeys) -> Secrets:
    return Secrets(keys.sign.secret, keys.auth.secret, keys.kem.secret, keys.vault)


def _opened(device: bytes, secrets: Secrets) -> DeviceKeys:
    return DeviceKeys(
        device,
        SigningKey.from_secret(secrets.sign),
        PlainKey.from_secret(secrets.auth),
        KemKey.from_secret(secrets.kem),
        secrets.vault,
    )


def write_root_key(
    path: Path, key: SigningKey, passphrase: str, *, memory_kib: int = MEMORY_KIB
) -> None:
    """Write a root key to a file of its own."""
    write_sealed(path, key.key_id[:16], key.secret, passphrase, memory_kib=memory_kib)


def read_root_key(path: Path, passphrase: str) -> SigningKey:
    """Return the root key in a file.

    Raises:
        RefusedError: There is no file, or it does not open.
    """
    _, secret = read_sealed(path, passphrase)
    if len(secret) != 64:
        raise RefusedError(f"{path} is not a root key", rule="passphrase")
    return SigningKey.from_secret(secret)


def write_sealed(
    path: Path, owner: bytes, secret: bytes, passphrase: str, *, memory_kib: int = MEMORY_KIB
) -> None:
    """Write a secret under a passphrase; ``owner`` (16 bytes) is part of the seal."""
    salt = random_bytes(16)
    key = _key(passphrase, salt, memory_kib, PASSES, LANES)
    sealed = seal(key, _context(owner), secret)
    replace_file(path, encode(KeyFile(1, owner, salt, memory_kib, PASSES, LANES, sealed)))


def read_sealed(path: Path, passphrase: str) -> tuple[bytes, bytes]:
    """Return owner and secret of a sealed file.

    Raises:
        RefusedError: There is no file, or it does not open: rule ``no-device``,
            ``passphrase``.
    """
    file = _read(path)
    try:
        key = _key(passphrase, file.salt, file.memory_kib, file.passes, file.lanes)
        return file.device, unseal(key, _context(file.device), file.sealed)
    except (UntrustedError, MemoryError):
        raise _does_not_open(path) from None


def _read(path: Path) -> KeyFile:
    try:
        return decode(path.read_bytes(), KeyFile)
    except FileNotFoundError:
        raise RefusedError(
            f"there is no {path.name} in {path.parent}: join first, or name another folder",
            rule="no-device",
        ) from None
    except MalformedError:
        raise _does_not_open(path) from None


def _does_not_open(path: Path) -> RefusedError:
    return RefusedError(
        f"{path.name} does not open: wrong passphrase, or the file is damaged", rule="passphrase"
    )


def read_key_file(path: Path, passphrase: str) -> DeviceKeys:
    """Return the keys in a key file.

    Raises:
        RefusedError: There is no file, or it does not open: rule ``no-device``,
            ``passphrase``.
    """
    device, data = read_sealed(path, passphrase)
    try:
        secrets = decode(data, Secrets)
    except MalformedError:
        raise RefusedError(f"{path} is not the key file of a device", rule="passphrase") from None
    return _opened(device, secrets)


def replace_file(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: temporary file, synced, renamed, folder synced."""
    put_file(path, data)
    sync_folder(path.parent)


def put_file(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step; its name is safe once the folder is synced."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def sync_folder(folder: Path) -> None:
    """Bring a renaming in a folder to the disk: without this a power cut may forget it."""
    # Windows cannot open a folder, and keeps the order of such changes by itself.
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _key(passphrase: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    stretched = passphrase_key(passphrase, salt, memory_kib=memory_kib, passes=passes, lanes=lanes)
    return derive(stretched, "keyfile")


def _context(device: bytes) -> bytes:
    return P + b"keyfile\x00" + device
