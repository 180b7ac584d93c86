"""A witness on its own folder: what it signs, what it remembers, and what it never forgets."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

from seefen.client.witnessing import HEADS, KEY, Witness
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.note import parse_note
from seefen.protocol.ledger.quorum import open_witnessed, quorum_of
from seefen.protocol.ledger.witness import Addition, Outcome, encode_addition
from seefen.protocol.statements import Root
from seefen.protocol.suite import PlainKey
from tests.support.network import Network
from tests.support.vectors import ROOT
from tests.support.witnesses import AT, LOG, LOG_KEY, ORIGIN, Leaves

TREE, FORK = Leaves.of(40), Leaves.of(40, branch=b"x")


def root_of(*publics: bytes) -> Root:
    network = Network(origin=ORIGIN, witnesses=publics, quorum=len(publics))
    return replace(network.root, log_key=LOG_KEY.public)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@pytest.fixture
def root(folder: Path) -> Root:
    return root_of(Witness.create(folder))


@pytest.fixture
def witness(folder: Path, root: Root) -> Iterator[Witness]:
    one = Witness.open(folder, root, clock=lambda: AT)
    yield one
    one.close()


def add(witness: Witness, old: int, new: int, tree: Leaves = TREE) -> Outcome:
    return witness.add_checkpoint(old, tree.proof(old, new), tree.note(new))


def test_what_it_signs_is_a_quorum_of_one(witness: Witness, root: Root) -> None:
    outcome = add(witness, 0, 5)
    assert outcome.status == 200
    quorum = quorum_of(root.origin, root.witnesses, 1)
    found = open_witnessed(TREE.note(5) + outcome.body, LOG, LOG_KEY.public, quorum)
    assert found.by == ((witness.name, AT),)
    assert len(outcome.body.splitlines()) == 2  # both kinds of key
    assert witness.head("activity").size == 5
    assert witness.head("authority").size == 0


def test_a_witness_may_have_one_kind_of_key(folder: Path) -> None:
    public = Witness.create(folder)
    root = root_of(public[:32])
    witness = Witness.open(folder, root, clock=lambda: AT)
    assert len(add(witness, 0, 5).body.splitlines()) == 1
    witness.close()


def test_a_witness_that_has_lost_its_heads_does_not_begin_anew(folder: Path, root: Root) -> None:
    (folder / HEADS).unlink()
    assert Witness.create(folder) == root.witnesses[0]
    with pytest.raises(RefusedError, match=r"new witness"):
        Witness.open(folder, root)


def test_the_key_is_made_once_and_is_its_owners_alone(folder: Path) -> None:
    public = Witness.create(folder)
    assert Witness.create(folder) == public
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        (KEY, None, "witness-key"),
        (KEY, b"no key", "witness-key"),
        (KEY, b"00" * 64, "no-witness"),
        (HEADS, b"no database" * 100, "witness-heads"),
        (HEADS, None, "witness-heads"),
    ],
)
def test_what_does_not_open_is_refused(
    folder: Path, root: Root, name: str, data: bytes | None, rule: str
) -> None:
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)
    with pytest.raises(RefusedError) as caught:
        Witness.open(folder, root)
    assert caught.value.rule == rule


def test_fault_42_real_answers_and_nothing_stored_when_it_refuses(witness: Witness) -> None:
    assert add(witness, 0, 5).status == 200
    assert add(witness, 3, 9).status == 409
    assert add(witness, 5, 9, FORK).status == 422
    assert witness.add_checkpoint(5, (), FORK.note(5)).status == 409
    assert witness.add_checkpoint(5, (), TREE.note(9, key=PlainKey.generate())).status == 403
    assert witness.add_checkpoint(0, (), Leaves([b"a"], origin="o/l").note(1)).status == 404
    assert witness.add_checkpoint(5, (), "no note").status == 400
    assert witness.cosign("no note", ()).status == 400
    assert witness.answer("no question").status == 400
    assert witness.head("activity").root == TREE.head(5).root
    question = Addition(5, TREE.proof(5, 9), TREE.note(9))
    assert witness.answer(encode_addition(question)).status == 200
    assert witness.cosign(TREE.note(12), TREE.proof(9, 12)).status == 200


def test_a_fork_is_kept_as_evidence_with_both_heads(witness: Witness, folder: Path) -> None:
    add(witness, 0, 5)
    add(witness, 3, 9)  # a wrong old size is nobody's lie
    assert not (folder / "evidence").exists()
    witness.add_checkpoint(5, (), FORK.note(5))
    (kept,) = (folder / "evidence").iterdir()
    text = kept.read_text()
    for note in (TREE.note(5), FORK.note(5)):
        assert parse_note(note).text.splitlines()[2] in text


def test_fault_41_it_remembers_after_a_restart(folder: Path, root: Root) -> None:
    first = Witness.open(folder, root, clock=lambda: AT)
    add(first, 0, 13)
    first.close()
    second = Witness.open(folder, root, clock=lambda: AT)
    late = add(second, 0, 9)
    assert (late.status, late.body) == (409, "13\n")
    second.close()


def test_fault_41_a_head_is_stored_before_its_line_leaves(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    witness = Witness.open(folder, root, clock=lambda: AT)

    def clock() -> float:
        # The time is read when it signs: what another process sees by then is on the disk.
        db: Any = apsw.Connection(str(folder / HEADS))
        seen.extend(size for (size,) in db.execute("SELECT size FROM head"))
        db.close()
        return AT

    monkeypatch.setattr(witness, "_clock", clock)
    assert add(witness, 0, 5).status == 200
    assert seen == [5]
    witness.close()


def test_fault_41_two_processes_on_one_folder_never_go_back(folder: Path, root: Root) -> None:
    """Heads N and N+K are asked for at the same moment, many times, on one stored head."""
    command = [sys.executable, "-m", "tests.support.racer", str(folder)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen([*command, part], cwd=ROOT, **pipes) for part in ("1", "2")]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    signed: list[tuple[int, int]] = []
    for racer in racers:  # both wait for this line
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        told = racer.communicate(timeout=60)[0].splitlines()
        assert racer.returncode == 0
        signed += [(int(old), int(new)) for old, new in map(str.split, told)]
    # One row: from no head did two grow that were signed, the loser was told 409.
    signed.sort()
    assert [old for old, _ in signed] == [0, *(new for _, new in signed[:-1])]
    last = Witness.open(folder, root)
    assert last.head("activity").size == signed[-1][1]
    last.close()
