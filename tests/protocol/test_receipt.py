"""Receipts: what they prove, and that no byte of one can be changed."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.protocol.ledger.note import Checkpoint, sign_checkpoint
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.ledger.tiles import Edge
from seefen.protocol.ledger.tree import (
    EMPTY_ROOT,
    CompactRange,
    consistency_plan,
    inclusion_plan,
    leaf_hash,
)
from seefen.protocol.receipt import Entry, Receipt, check_entry, check_receipt
from seefen.protocol.statements import Head
from seefen.protocol.suite import PlainKey, commit
from tests.support.vectors import ROOT, own

KEY = PlainKey.from_secret(bytes(range(32)))
EXAMPLE = own("ledger/example.json")
ORIGIN = "seefen.example/activity"
AT = 1_767_225_601
SALT = bytes(range(32, 64))
CORE = EXAMPLE["given"]["core"].encode()
RECORD = Record(7, bytes(16), commit(SALT, CORE), commit(bytes(32), b"")).encode()
LEAVES = [leaf_hash(RECORD) if n == 300 else leaf_hash(bytes([n % 256])) for n in range(400)]


def head(size: int) -> Head:
    tree = CompactRange()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    return Head(size, tree.root())


def receipt(seen: int = 290, size: int = 400) -> Receipt:
    edge = Edge()
    full = edge.extend(LEAVES[:size])
    read = edge.reader(full)
    (proof,) = inclusion_plan([300], size).build(read)
    (consistency,) = consistency_plan(seen, size).build(read)
    note = sign_checkpoint(Checkpoint(ORIGIN, size, head(size).root), KEY, AT)
    return Receipt(Entry(300, RECORD, CORE, SALT, proof), note, consistency)


def check(data: bytes, seen: Head) -> None:
    made = decode(data, Receipt)
    check_receipt(made, origin=ORIGIN, log_public=KEY.public, seen=seen)


@pytest.mark.parametrize("seen", [0, 1, 256, 290, 300, 301, 400])
def test_a_receipt_shows_the_core_and_the_head_to_keep(seen: int) -> None:
    core, signed = check_receipt(
        decode(encode(receipt(seen)), Receipt),
        origin=ORIGIN,
        log_public=KEY.public,
        seen=head(seen),
    )
    assert core == decode_core(CORE)
    assert signed.checkpoint == Checkpoint(ORIGIN, 400, head(400).root)
    assert signed.time == AT


def test_no_byte_of_a_receipt_can_be_changed() -> None:
    good, seen = encode(receipt()), head(290)
    check(good, seen)
    for changed in _changed(good):
        with pytest.raises((MalformedError, UntrustedError)):
            check(changed, seen)


def _changed(good: bytes) -> Iterator[bytes]:
    for at, byte in enumerate(good):
        for flip in (0x01, 0x20, 0x80):
            yield good[:at] + bytes([byte ^ flip]) + good[at + 1 :]
        yield good[:at] + good[at + 1 :]


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_only_malformed_leaves_the_decoder_of_receipts(data: bytes, at: int) -> None:
    good = encode(receipt())
    for made in (data, good[:at] + data, good[:at] + data + good[at + len(data) :]):
        try:
            decode(made, Receipt)
        except MalformedError:
            continue


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (Head(401, bytes(32)), "rewind"),
        (Head(400, bytes(32)), "fork"),
        (Head(290, bytes(32)), "consistency"),
        (Head(0, EMPTY_ROOT), "consistency"),  # a proof where there is nothing to prove
        (Head(0, bytes(32)), "fork"),
    ],
)
def test_a_log_that_did_not_only_grow_is_found_out(seen: Head, rule: str) -> None:
    with pytest.raises(UntrustedError) as caught:
        check(encode(receipt()), seen)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "change",
    [{"core": CORE.replace(b"consult", b"collect")}, {"salt": bytes(32)}, {"index": 299},
     {"record": bytes(89)}, {"proof": ()}, {"index": 2**53 - 1}, {"index": -1}],
    ids=str,
)  # fmt: skip
def test_an_entry_holds_together(change: dict[str, object]) -> None:
    entry = msgspec.structs.replace(receipt().entry, **change)
    with pytest.raises(SeefenError) as caught:
        check_entry(entry, Checkpoint(ORIGIN, 400, head(400).root))
    assert type(caught.value) in (MalformedError, UntrustedError)


def test_a_core_that_the_record_does_not_commit_to_is_named_so() -> None:
    entry = msgspec.structs.replace(receipt().entry, core=CORE.replace(b"consult", b"collect"))
    with pytest.raises(UntrustedError) as caught:
        check_entry(entry, Checkpoint(ORIGIN, 400, head(400).root))
    assert caught.value.rule == "core-commitment"


def test_a_core_that_does_not_parse_is_refused_though_it_is_in_the_log() -> None:
    # A broker that logs rubbish must not make a reader show it.
    core = CORE.replace(b'"v":1', b'"v":2')
    record = Record(7, bytes(16), commit(SALT, core), bytes(32)).encode()
    only = Checkpoint(ORIGIN, 1, leaf_hash(record))
    with pytest.raises(MalformedError):
        check_entry(Entry(0, record, core, SALT, ()), only)


def test_the_worked_example_is_what_the_code_makes() -> None:
    made = EXAMPLE["given"]
    core, salt = made["core"].encode(), bytes.fromhex(made["salt_core"])
    detail_salt = bytes.fromhex(made["salt_detail"])
    record = Record(
        made["authority_size"],
        bytes.fromhex(made["tag"]),
        commit(salt, core),
        commit(detail_salt, made["detail"].encode()),
    )
    others = [leaf_hash(bytes.fromhex(data)) for data in made["other_leaves"]]
    leaves = [*others, leaf_hash(record.encode())]
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    key = PlainKey.from_secret(bytes.fromhex(made["log_secret"]))
    note = sign_checkpoint(Checkpoint(made["origin"], tree.size, tree.root()), key, made["time"])
    edge = Edge()
    read = edge.reader(edge.extend(leaves))
    (proof,) = inclusion_plan([tree.size - 1], tree.size).build(read)
    (consistency,) = consistency_plan(made["seen"], tree.size).build(read)
    receipt = Receipt(Entry(tree.size - 1, record.encode(), core, salt, proof), note, consistency)
    seen = Head(made["seen"], CompactRange(1, others[:1]).root())
    check_receipt(receipt, origin=made["origin"], log_public=key.public, seen=seen)
    assert EXAMPLE["expect"] == {
        "core_commitment": record.core_commitment.hex(),
        "detail_commitment": record.detail_commitment.hex(),
        "record": record.encode().hex(),
        "leaf": leaves[-1].hex(),
        "root": tree.root().hex(),
        "range": tree.encode().hex(),
        "log_public": key.public.hex(),
        "proof": [value.hex() for value in proof],
        "consistency": [value.hex() for value in consistency],
        "checkpoint": note,
        "receipt": encode(receipt).hex(),
    }


def test_the_specification_shows_this_example() -> None:
    text = (ROOT / EXAMPLE["spec"].split(",")[0]).read_text(encoding="utf-8")
    flat = "".join(text.split())
    shown: dict[str, str | int | list[str]] = {**EXAMPLE["given"], **EXAMPLE["expect"]}
    for name, value in shown.items():
        for one in value if isinstance(value, list) else [str(value)]:
            assert "".join(one.split()) in flat, name
