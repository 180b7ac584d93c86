"""Founding a network: root keys, and the root statement that a threshold of them signs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from seefen.client import private
from seefen.client.keyfile import MEMORY_KIB, replace_file, write_root_key
from seefen.client.witnessing import Witness
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import sign
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.quorum import check_witnesses
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import NO_HASH, NO_NET, Head, Root
from seefen.protocol.suite import SUITE, SigningKey, new_id, sha256

MAX_STALE: Final = 86_400  # seconds
LIFE: Final = 5 * 365 * 86_400  # seconds
T = TypeVar("T")
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
    witnesses: int
    quorum: int


class WitnessCard(Struct, frozen=True):
    """``witness.json``, as ``seefen witness`` writes it: the public half of a witness's key."""

    witness: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}([0-9a-f]{2624})?\Z")]


def found(
    broker: Path,
    out: Path,
    passphrase: str,
    *,
    keys: int = 3,
    threshold: int = 2,
    name: str | None = None,
    witnesses: Sequence[Path] = (),
    quorum: int | None = None,
    memory_kib: int = MEMORY_KIB,
) -> Founded:
    """Make root keys and root version 1, signed by ``threshold`` of them.

    Args:
        broker: The broker's card.
        out: A new folder for the keys.
        passphrase: For all of them.
        keys: How many root keys.
        threshold: How many must sign.
        name: Of the network; the broker's, if None.
        witnesses: The cards of its witnesses.
        quorum: How many of them must have seen a head; more than half, if None.
        memory_kib: What a passphrase costs.

    Raises:
        RefusedError: The numbers do not fit, the folder is in use, no card of a broker or
            of a witness, or rule ``witnesses``: they cannot be the witnesses of a network.
    """
    if not 1 <= threshold <= keys <= 16:
        raise RefusedError("1 to 16 keys, and a threshold they can reach", rule="threshold")
    card = _read_card(broker)
    named = tuple(read_witness(path) for path in witnesses)
    needed = _majority(len(named)) if quorum is None else quorum
    check_witnesses(card.origin, named, needed)
    private.folder(out)
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
        named,
        needed,
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
    return Founded(root.name, net, tuple(paths), statement, threshold, len(named), needed)


def _majority(count: int) -> int:
    return count // 2 + 1 if count else 0


def make_witness(folder: Path) -> Path:
    """Make the key of a witness, unless it is there, and write its card; return that.

    Raises:
        RefusedError: rule ``witness-key``: the key there does not open, or none can be written.
    """
    public = Witness.create(folder)
    path = folder / "witness.json"
    replace_file(path, msgspec.json.encode(WitnessCard(public.hex())) + b"\n")
    return path


def read_witness(path: Path) -> bytes:
    """Return the key in the card of a witness, as the root statement names it.

    Raises:
        RefusedError: rule ``witness-card``.
    """
    card = _read(path, WitnessCard, "the card of a witness", "witness-card")
    return bytes.fromhex(card.witness)


def _read_card(path: Path) -> BrokerCard:
    return _read(path, BrokerCard, "a broker's card", "broker-card")


def _read(path: Path, type_: type[T], what: str, rule: str) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except OSError as err:
        raise RefusedError(f"{path} cannot be read: {err.strerror}", rule=rule) from None
    except (ValueError, RecursionError) as err:
        raise RefusedError(f"{path} is not {what}: {err}", rule=rule) from None
