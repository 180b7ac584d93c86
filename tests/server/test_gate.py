"""The gate: no content key leaves the store before its entry stands in the log."""

import ast
import copy
import pickle
from pathlib import Path

import pytest

from seefen.protocol.encoding import encode
from seefen.protocol.frames import ContentKey
from seefen.server.gate import Disclosure, Gate, GateError, Protected
from tests.support.vectors import ROOT

OBJECT, OTHER = b"o" * 16, b"p" * 16
DEVICE, STRANGER = b"d" * 16, b"e" * 16
SERVER = ROOT / "server" / "src" / "seefen" / "server"


def opened() -> Disclosure:
    gate = Gate()
    gate.committed(5)
    return gate.disclose(4, objects=[OBJECT], devices=[DEVICE])


def test_a_key_opens_with_the_disclosure_of_its_entry() -> None:
    assert Protected(OBJECT, b"key").reveal(opened(), device=DEVICE) == b"key"


@pytest.mark.parametrize(
    ("protected", "device"),
    [(Protected(OTHER, b"key"), DEVICE), (Protected(OBJECT, b"key"), STRANGER)],
    ids=["another object", "another device"],
)
def test_a_disclosure_opens_nothing_else(protected: Protected, device: bytes) -> None:
    with pytest.raises(GateError):
        protected.reveal(opened(), device=device)


@pytest.mark.parametrize("forged", [None, object(), ("o", "d")])
def test_a_key_does_not_open_without_a_disclosure(forged: object) -> None:
    with pytest.raises(GateError):
        Protected(OBJECT, b"key").reveal(forged, device=DEVICE)  # type: ignore[arg-type]


def test_a_subclass_is_no_disclosure() -> None:
    class Forged(Disclosure):
        def __init__(self) -> None:
            self.objects = frozenset((OBJECT,))
            self.devices = frozenset((DEVICE,))

    with pytest.raises(GateError):
        Protected(OBJECT, b"key").reveal(Forged(), device=DEVICE)


def test_only_the_gate_makes_disclosures() -> None:
    with pytest.raises(GateError):
        Disclosure(object(), 0, [OBJECT], [DEVICE])


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_an_entry_that_is_not_committed_opens_nothing(index: int) -> None:
    gate = Gate()
    gate.committed(5)
    with pytest.raises(GateError):
        gate.disclose(index, objects=[OBJECT], devices=[DEVICE])


def test_a_gate_that_has_seen_no_commit_opens_nothing() -> None:
    with pytest.raises(GateError):
        Gate().disclose(0, objects=[OBJECT], devices=[DEVICE])


@pytest.mark.parametrize("index", [0, 4])
def test_a_disclosure_says_which_entry_it_stands_on(index: int) -> None:
    gate = Gate()
    gate.committed(5)
    assert gate.disclose(index, objects=[OBJECT], devices=[DEVICE]).index == index


def test_protected_data_cannot_be_written_down() -> None:
    protected = Protected(OBJECT, b"a secret key")
    assert repr(protected) == str(protected) == f"{protected}" == "Protected()"
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(GateError):
            write(protected)
    with pytest.raises(TypeError):
        bytes(protected)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="no place"):
        encode(ContentKey(OBJECT, protected))  # type: ignore[arg-type]


def test_only_the_sequencer_holds_a_gate_and_only_the_broker_reveals() -> None:
    makes, reveals, reads = set[str](), set[str](), set[str]()
    for path in SERVER.rglob("*.py"):
        name = path.relative_to(SERVER).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Gate" | "Disclosure")):
                    makes.add(name)
                case ast.Call(func=ast.Attribute(attr="reveal")):
                    reveals.add(name)
                case ast.Constant(value=str(text)) if "SELECT object_id, content_key" in text:
                    reads.add(name)
                case _:
                    pass
    assert makes == {"gate.py", "sequencer.py"}
    assert reveals == {"broker.py", "push.py"}
    assert reads == {"store/writes.py"}, "content keys are read inside a write transaction only"


def test_no_other_query_reads_content_keys() -> None:
    named = {
        path.relative_to(SERVER).as_posix()
        for path in (SERVER / "store").rglob("*.py")
        if "content_key" in Path(path).read_text()
    }
    assert named == {"store/writes.py", "store/feed.py"}
    comparing = (SERVER / "store" / "feed.py").read_text()
    assert comparing.count("SELECT content_key = $3") == 1, "it compares and gives nothing back"
