"""What a witness cosigns: the table of C2SP tlog-witness, status by status."""

import base64
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.note import Checkpoint, sign_checkpoint
from seefen.protocol.ledger.tree import SIZE_LIMIT
from seefen.protocol.ledger.witness import (
    BODY_LIMIT,
    NOTHING,
    SIZE,
    TEXT,
    Addition,
    Granted,
    Outcome,
    encode_addition,
    judge,
    parse_addition,
)
from seefen.protocol.statements import Head
from seefen.protocol.suite import PlainKey
from tests.support.witnesses import AT, LOG, LOG_KEY, Leaves

TREE, FORK = Leaves.of(20), Leaves.of(20, branch=b"x")
OTHER = PlainKey.from_secret(bytes(32))
LOGS = {LOG: LOG_KEY.public}


def stored(size: int, tree: Leaves = TREE) -> Head:
    head = tree.head(size)
    return Head(head.size, head.root)


def asked(old: int, new: int, *, tree: Leaves = TREE) -> Addition:
    return Addition(old, tree.proof(old, new), tree.note(new))


@dataclass(frozen=True)
class Case:
    """A row of the table: what is stored, what is asked, what must come out."""

    why: str
    stored: Head
    asked: Addition
    status: int
    body: str = ""


UNKNOWN = "this witness does not know the log\n"
ABOVE = "the old size is above the new one\n"
LONG = "a proof has 63 hashes at most\n"
STRANGER = Leaves([b"a"], origin="another.example/log")
TABLE = [
    Case("the first head", NOTHING, asked(0, 5), 200),
    Case("the first head is empty", NOTHING, asked(0, 0), 200),
    Case("growth", stored(5), asked(5, 13), 200),
    Case("growth from a power of two", stored(8), asked(8, 9), 200),
    Case("the same head again: it is fresh anew", stored(5), asked(5, 5), 200),
    Case("another log", NOTHING, Addition(0, (), STRANGER.note(1)), 404, UNKNOWN),
    Case("a stranger's key", NOTHING, Addition(0, (), TREE.note(5, key=OTHER)), 403),
    Case("the old size is above the new one", stored(9), Addition(9, (), TREE.note(5)), 400, ABOVE),
    Case("the old size is below the stored one", stored(9), asked(5, 13), 409, "9\n"),
    Case("the old size is above the stored one", stored(5), asked(9, 13), 409, "5\n"),
    Case("an old size, never cosigned", NOTHING, asked(5, 13), 409, "0\n"),
    Case("old size 0, cosigned before", stored(5), asked(0, 13), 409, "5\n"),
    Case("two roots at one size", stored(5), asked(5, 5, tree=FORK), 409, "5\n"),
    Case("the proof of another tree", stored(5), asked(5, 13, tree=FORK), 422),
    Case("the tree of another proof", stored(5, FORK), asked(5, 13), 422),
    Case("no proof", stored(5), Addition(5, (), TREE.note(13)), 422),
    Case("a proof from nothing", NOTHING, Addition(0, (bytes(32),), TREE.note(5)), 422),
    Case("a proof of nothing", stored(5), Addition(5, (bytes(32),), TREE.note(5)), 422),
    Case("63 hashes", stored(5), Addition(5, (bytes(32),) * 63, TREE.note(13)), 422),
    Case("64 hashes", stored(5), Addition(5, (bytes(32),) * 64, TREE.note(13)), 400, LONG),
    Case("no note", NOTHING, Addition(0, (), "no note\n"), 400),
    Case(
        "size 0 with the root of something",
        NOTHING,
        Addition(0, (), TREE.note(5).replace("\n5\n", "\n0\n", 1)),
        400,
    ),
]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: str(case.why))
def test_fault_42_a_witness_answers_as_c2sp_says(case: Case) -> None:
    found = judge(case.asked, LOGS, case.stored)
    if isinstance(found, Granted):
        assert case.status == 200
        assert found.head == TREE.head(found.head.size)
        return
    assert found.status == case.status
    assert found.content_type == (SIZE if case.status == 409 else TEXT)
    assert found.body.endswith("\n")
    if case.body:
        assert found.body == case.body
    else:
        assert case.status != 409


def test_the_largest_log_is_cosigned() -> None:
    head = Checkpoint(LOG, SIZE_LIMIT, bytes(32))
    addition = Addition(SIZE_LIMIT, (), sign_checkpoint(head, LOG_KEY, AT))
    assert judge(addition, LOGS, Head(SIZE_LIMIT, bytes(32))) == Granted(head)


def test_fault_42_a_changed_byte_of_the_note_is_never_cosigned() -> None:
    addition = asked(5, 13)
    for place in range(len(addition.note)):
        for other in "5A\n":
            changed = addition.note[:place] + other + addition.note[place + 1 :]
            if changed != addition.note:
                found = judge(Addition(5, addition.proof, changed), LOGS, stored(5))
                assert isinstance(found, Outcome)
                assert found.status in (400, 403, 404)


def test_lines_of_others_do_not_matter() -> None:
    line = TREE.note(5, key=OTHER).rpartition("\n\n")[2]
    found = judge(Addition(0, (), TREE.note(5) + line), LOGS, NOTHING)
    assert found == Granted(TREE.head(5))


def test_the_body_of_a_question_is_read_as_it_was_written() -> None:
    for old, new in ((0, 5), (5, 13), (13, 13)):
        addition = asked(old, new)
        assert parse_addition(encode_addition(addition)) == addition


def test_the_body_of_c2sp_is_written_so() -> None:
    addition = asked(5, 6)
    lines = [f"{base64.b64encode(one).decode()}\n" for one in addition.proof]
    assert encode_addition(addition) == f"old 5\n{''.join(lines)}\n{addition.note}"


HASH = base64.b64encode(bytes(32)).decode()
NOTE = TREE.note(5)


@pytest.mark.parametrize(
    "body",
    [
        "",
        NOTE,
        f"old 05\n\n{NOTE}",
        f"old +5\n\n{NOTE}",
        f"old -1\n\n{NOTE}",
        f"old \n\n{NOTE}",
        f"OLD 5\n\n{NOTE}",
        f"old 5 \n\n{NOTE}",
        f"old 99999999999999999\n\n{NOTE}",
        f"old \u0665\n\n{NOTE}",
        f"old 5\r\n\r\n{NOTE}",
        f"old 5\n{HASH[:-1]}\n\n{NOTE}",
        f"old 5\n{HASH} \n\n{NOTE}",
        f"old 5\n{HASH[:-2]}B=\n\n{NOTE}",
        f"old 5\n{base64.b64encode(bytes(31)).decode()}\n\n{NOTE}",
        f"old 5\né\n\n{NOTE}",
        "old 5\n" + f"{HASH}\n" * 64 + f"\n{NOTE}",
        "old 5",
        "old 5\n" + "x" * 300_000 + "\n\n",
    ],
)
def test_fault_42_what_is_no_question_is_malformed(body: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_addition(body)
    assert caught.value.rule == "add-checkpoint"


def test_the_longest_question_is_read() -> None:
    body = f"old 5\n\n{NOTE}"
    body += "x" * (BODY_LIMIT - len(body))
    assert parse_addition(body).old_size == 5
    with pytest.raises(MalformedError):
        parse_addition(body + "x")


def test_63_hashes_can_be_read() -> None:
    body = "old 5\n" + f"{HASH}\n" * 63 + f"\n{NOTE}"
    assert len(parse_addition(body).proof) == 63


@given(st.text(max_size=200))
def test_whatever_is_asked_is_answered(text: str) -> None:
    try:
        addition = parse_addition(text)
    except MalformedError:
        return  # and nothing else
    found = judge(addition, LOGS, NOTHING)
    assert isinstance(found, Outcome)


def test_fault_41_two_heads_that_cross_do_not_roll_back() -> None:
    # The race of the C2SP page: both were judged over 5, the longer one was stored first.
    short, long = asked(5, 9), asked(5, 13)
    assert isinstance(judge(short, LOGS, stored(5)), Granted)
    assert isinstance(judge(long, LOGS, stored(5)), Granted)
    late = judge(short, LOGS, stored(13))
    assert isinstance(late, Outcome)
    assert (late.status, late.body) == (409, "13\n")
