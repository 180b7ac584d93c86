"""Founding a network: root keys, and the root statement that a threshold of them signs."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from seefen.client.keyfile import MEMORY_KIB, replace_file, write_root_key
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import sign
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import NO_HASH, NO_NET, Head, Root
from seefen.protocol.suite import SUITE, SigningKey, new_id, sha256

MAX_STALE: Final = 86_400  # seconds
LIFE: Final = 5 * 365 * 86_400  # seconds
Hash = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class BrokerCard(Struct, frozen=True):
    """``broker.json``, as ``seefen-server init`` writes it."""

    name: str
    origin: str
    log_key: Hash
    pin: Hash


@dataclass(frozen=True, slots=True)
class Founded:
    """A founded network: its hash, and the files that were written."""

    name: str
    net: str
    keys: tuple[Path, ...]
    statement: Path
    threshold: int


def found(
    broker: Path,
    out: Path,
    passphrase: str,
    *,
    keys: int = 3,
    threshold: int = 2,
    name: str | None = None,
    memory_kib: int = MEMORY_KIB,
) -> Founded:
    """Make root keys and root version 1, signed by ``threshold`` of them.

    Raises:
        RefusedError: The numbers do not fit, the folder is in use, or no broker's card.
    """
    if not 1 <= threshold <= keys <= 16:
        raise RefusedError("1 to 16 keys, and a threshold they can reach", rule="threshold")
    card = _read_card(broker)
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise RefusedError(f"{out} is not empty: keys there would be in danger", rule="folder")
    roots = [SigningKey.generate() for _ in range(keys)]
    now = int(time.time())
    root = Root(
        SUITE,
        NO_NET,
        "root",
        new_id(),
        1,
        NO_HASH,
        Head(0, EMPTY_ROOT),
        name or card.name,
        card.origin,
        tuple(root.public for root in roots),
        threshold,
        bytes.fromhex(card.log_key),
        (bytes.fromhex(card.pin),),
        (),
        0,
        SUITE,
        MAX_STALE,
        now + LIFE,
    )
    paths = [out / f"root-{number}.key" for number in range(1, keys + 1)]
    for path, key in zip(paths, roots, strict=True):
        write_root_key(path, key, passphrase, memory_kib=memory_kib)
    statement = out / "root.statement"
    replace_file(statement, sign(root, *roots[:threshold]))
    net = sha256(encode(root)).hex()
    return Founded(root.name, net, tuple(paths), statement, threshold)


def _read_card(path: Path) -> BrokerCard:
    try:
        return msgspec.json.decode(path.read_bytes(), type=BrokerCard)
    except OSError as err:
        raise RefusedError(f"{path} cannot be read: {err.strerror}", rule="broker-card") from None
    except (ValueError, RecursionError) as err:
        raise RefusedError(f"{path} is not a broker's card: {err}", rule="broker-card") from None
