"""Checkpoints: real ones of three projects, our own, and every way to write them wrong."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.protocol.ledger.note import (
    COSIGNATURE,
    LOG,
    Checkpoint,
    Note,
    SignedCheckpoint,
    VerifierKey,
    check_line,
    decode_checkpoint,
    open_checkpoint,
    parse_note,
    publish_checkpoint,
    sign_checkpoint,
)
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.suite import PlainKey
from tests.support.vectors import official, own

KEY = PlainKey.from_secret(bytes(range(32)))
OTHER = PlainKey.from_secret(bytes(32))
ORIGIN = "seefen.example/activity"
HEAD = Checkpoint(ORIGIN, 3, bytes(range(32)))
AT = 1_767_225_600
GOOD = publish_checkpoint(HEAD, KEY, AT)
TIMED = sign_checkpoint(HEAD, KEY, AT)
SUNLIGHT = "sunlight/cmd/skylight/testdata/witness"
LOG_FOLDER = "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706"
TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def refused(text: str, rule: str = "") -> type[SeefenError]:
    with pytest.raises(SeefenError) as caught:
        open_checkpoint(text, ORIGIN, KEY.public)
    assert rule in ("", caught.value.rule)
    return type(caught.value)


def test_what_the_log_signs_is_what_a_reader_opens() -> None:
    assert open_checkpoint(GOOD, ORIGIN, KEY.public) == SignedCheckpoint(HEAD, AT)


def test_signing_is_deterministic_and_written_as_c2sp_says() -> None:
    assert publish_checkpoint(HEAD, KEY, AT) == GOOD
    text, _, lines = GOOD.rpartition("\n\n")
    assert text.split("\n") == [ORIGIN, "3", base64.b64encode(HEAD.root).decode()]
    assert [line.split(" ")[:2] for line in lines.splitlines()] == [["—", ORIGIN]] * 2


def test_the_head_of_another_log_is_refused() -> None:
    other = replace(HEAD, origin="seefen.example/authority")
    assert refused(sign_checkpoint(other, KEY, AT), "origin") is UntrustedError


def test_a_checkpoint_of_another_key_is_refused() -> None:
    assert refused(sign_checkpoint(HEAD, OTHER, AT)) is UntrustedError


def test_the_head_of_another_log_under_our_name_is_refused() -> None:
    # One key signs for both logs, and the name in a line is not signed.
    other = replace(HEAD, origin="seefen.example/authority")
    ours = [VerifierKey(ORIGIN, type_, KEY.public) for type_ in (LOG, COSIGNATURE)]
    lines = parse_note(publish_checkpoint(other, KEY, AT)).lines
    relabelled = "".join(
        f"— {ORIGIN} {base64.b64encode(key.id + line.signature).decode()}\n"
        for key, line in zip(ours, lines, strict=True)
    )
    assert refused(f"{other.text()}\n{relabelled}") is UntrustedError


@pytest.mark.parametrize("at", [2**63, 2**64 - 1])
def test_a_time_beyond_all_times_is_refused_though_it_is_signed(at: int) -> None:
    assert refused(sign_checkpoint(HEAD, KEY, at), "note-signature") is UntrustedError


def test_the_last_time_there_is_can_be_signed() -> None:
    last = sign_checkpoint(HEAD, KEY, 2**63 - 1)
    assert open_checkpoint(last, ORIGIN, KEY.public).time == 2**63 - 1


def test_the_timed_line_of_the_log_is_needed() -> None:
    lines = GOOD.split("\n")
    del lines[-2]
    assert refused("\n".join(lines), "note-signature") is UntrustedError


def test_a_plain_line_has_no_time() -> None:
    plain = VerifierKey(ORIGIN, LOG, KEY.public)
    assert check_line(parse_note(GOOD), plain) == 0


def test_the_timed_line_is_enough() -> None:
    lines = GOOD.split("\n")
    del lines[-3]
    assert "\n".join(lines) == TIMED
    assert open_checkpoint(TIMED, ORIGIN, KEY.public) == SignedCheckpoint(HEAD, AT)


def test_a_plain_line_of_the_log_that_is_wrong_is_refused() -> None:
    other = publish_checkpoint(replace(HEAD, size=4), KEY, AT).split("\n")
    lines = GOOD.split("\n")
    lines[-3] = other[-3]
    assert refused("\n".join(lines)) is UntrustedError


@pytest.mark.parametrize("twice", [-3, -2])
def test_fault_45_a_line_of_the_log_given_twice_is_refused(twice: int) -> None:
    assert refused(GOOD + GOOD.split("\n")[twice] + "\n") is UntrustedError


def test_fault_45_lines_of_unknown_keys_are_ignored() -> None:
    witness = publish_checkpoint(replace(HEAD, origin="witness.example"), OTHER, AT)
    same_name = publish_checkpoint(HEAD, OTHER, AT)  # our name, another id
    lines = "".join(text.rpartition("\n\n")[2] for text in (witness, same_name))
    assert open_checkpoint(GOOD + lines, ORIGIN, KEY.public) == SignedCheckpoint(HEAD, AT)


def test_a_cosignature_does_not_pass_for_a_signature_nor_the_other_way_round() -> None:
    plain = VerifierKey(ORIGIN, LOG, KEY.public)
    timed = VerifierKey(ORIGIN, COSIGNATURE, KEY.public)
    first, second = parse_note(GOOD).lines
    swapped = (
        replace(first, signature=second.signature[8:]),
        replace(second, signature=AT.to_bytes(8, "big") + first.signature),
    )
    note = Note(HEAD.text(), swapped)
    for key in (plain, timed):
        with pytest.raises(UntrustedError):
            check_line(note, key)


def test_the_time_cannot_be_moved() -> None:
    line = GOOD.split("\n")[-2]
    value = base64.b64decode(line.split(" ")[2])
    for at in (0, AT - 1, AT + 1, 2**63, 2**64 - 1):
        moved = base64.b64encode(value[:4] + at.to_bytes(8, "big") + value[12:]).decode()
        assert refused(GOOD.replace(line, f"— {ORIGIN} {moved}")) is UntrustedError


@pytest.mark.parametrize("case", own("ledger/note.json"), ids=lambda case: case["why"])
def test_own_vectors(case: dict[str, str]) -> None:
    key = PlainKey.from_secret(bytes.fromhex(case["secret"]))
    if case["expect"] == "accepted":
        signed = open_checkpoint(case["note"], case["origin"], key.public)
        made = (publish_checkpoint, sign_checkpoint)
        assert case["note"] in [sign(signed.checkpoint, key, signed.time) for sign in made]
    else:
        with pytest.raises(SeefenError) as caught:
            open_checkpoint(case["note"], case["origin"], key.public)
        assert caught.value.kind == case["expect"]


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "\n",
        GOOD[:-1],
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n— ", "\n- "),
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("\n\n", "\n\n\n", 1) + "\n",
        GOOD.replace("— ", "—  "),
        GOOD.replace("— ", "—\u00a0"),
        GOOD + "— a+b AAAAAAA=\n",
        GOOD + "— a AAAAAA==\n",  # a key id and no signature
        GOOD + "— a AAAAAAB=\n",  # spare bits that are not zero
        GOOD + "— a AAAAAAA\n",
        GOOD + "— a AAAA\u2028AAA=\n",
        GOOD + "— a  AAAAAAA=\n",
        GOOD + "— a AAAAAAA= \n",
        GOOD + "—  AAAAAAA=\n",
        GOOD + "\ud800",
        "\n\n",
        "",
        GOOD + "— a AAAAAAA=\n" * 99,
        GOOD.replace(ORIGIN, "x" * 140_000, 1),
    ],
)
def test_fault_45_a_note_has_one_way_to_be_written(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        open_checkpoint(text, ORIGIN, KEY.public)
    assert caught.value.rule in ("note", "base64")


@pytest.mark.parametrize("character", ["\x00", "\t", "\r", "\x1f", "\ud800"])
def test_a_note_holds_no_control_characters(character: str) -> None:
    with pytest.raises(MalformedError):
        parse_note(f"text{character}\n\n— a AAAAAAA=\n")


def test_a_note_may_be_as_long_as_the_limit() -> None:
    end = "\n\n— a AAAAAAA=\n"
    longest = "x" * (128 * 1024 - len(end)) + end
    assert len(parse_note(longest).text) == 128 * 1024 - len(end) + 1
    with pytest.raises(MalformedError):
        parse_note("x" + longest)


def test_the_signatures_stand_below_the_last_blank_line() -> None:
    note = parse_note("one\n\ntwo\n\n— a AAAAAAA=\n")
    assert note.text == "one\n\ntwo\n"
    assert [line.name for line in note.lines] == ["a"]


def test_a_note_may_have_a_hundred_signatures() -> None:
    text = GOOD + "— a AAAAAAA=\n" * 98
    assert open_checkpoint(text, ORIGIN, KEY.public).checkpoint == HEAD


ROOT = base64.b64encode(HEAD.root).decode()
EMPTY = base64.b64encode(EMPTY_ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"\n3\n{ROOT}\n",
        f"o\n03\n{ROOT}\n",
        f"o\n+5\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n3 \n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n٣\n{ROOT}\n",  # a digit, and not one of ours
        f"o\n9007199254740992\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n",
        f"o\n3\n{ROOT[:40]}\n",  # 30 bytes
        f"o\n3\n{base64.b64encode(HEAD.root[:31]).decode()}\n",
        f"o\n3\n{base64.b64encode(HEAD.root + b'0').decode()}\n",
        f"o\n3\n{ROOT[:-2]}9=\n",
        f"o\n0\n{ROOT}\n",  # an empty tree has one root
        f"o\n3\n{ROOT}\nextension\n",
        f"o\n3\n{ROOT}\n\n",
        f"o\n3\n{ROOT}",
        f"o\n3\n{ROOT}trailing\n",
        "o\n3\n",
        "",
    ],
)
def test_fault_46_a_checkpoint_has_one_way_to_be_written(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_checkpoint(text)
    assert caught.value.rule in ("checkpoint", "base64")


@pytest.mark.parametrize("size", [1, 9, 10, 2**53 - 1])
def test_a_checkpoint_is_read_back(size: int) -> None:
    head = replace(HEAD, size=size)
    assert decode_checkpoint(head.text()) == head
    assert decode_checkpoint(f"o\n0\n{EMPTY}\n").root == EMPTY_ROOT


@given(st.text(st.characters(), max_size=200))
def test_only_malformed_leaves_the_parsers(text: str) -> None:
    parsers = (parse_note, decode_checkpoint, VerifierKey.decode)
    for made in (text, GOOD + text, GOOD[: len(text)] + text, f"{ORIGIN}\n3\n{text}\n\n— {text}\n"):
        for parse in parsers:
            try:
                parse(made)
            except MalformedError:
                continue


@given(st.integers(0, len(TIMED) - 1), st.characters())
def test_no_character_of_a_checkpoint_can_be_changed(at: int, character: str) -> None:
    changed = TIMED[:at] + character + TIMED[at + 1 :]
    if changed != TIMED:
        assert refused(changed) in (MalformedError, UntrustedError)


@pytest.mark.parametrize("type_", [LOG, COSIGNATURE])
def test_a_verifier_key_is_read_back(type_: int) -> None:
    key = VerifierKey(ORIGIN, type_, KEY.public)
    assert VerifierKey.decode(key.encode()) == key


def test_the_id_of_a_key_is_the_one_that_other_tools_compute() -> None:
    assert VerifierKey.decode(TESSERA).id.hex() == "33d7b496"


@pytest.mark.parametrize(
    "text",
    [
        TESSERA.replace("33d7b496", "33d7b497"),
        TESSERA.replace("33d7b496", "33D7B496"),
        TESSERA.replace("log/", "log2/"),
        TESSERA[:-4],
        TESSERA + "+",
        TESSERA.replace("+Ae", "+Be"),
        "example.com",
        "++",
        "",
    ],
)
def test_a_verifier_key_has_one_way_to_be_written(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        VerifierKey.decode(text)
    assert caught.value.rule in ("verifier-key", "base64")


@pytest.mark.parametrize(
    ("name", "type_", "public"),
    [("", 1, bytes(32)), ("a b", 1, bytes(32)), ("a+b", 4, bytes(32)), ("a\u2003b", 4, bytes(32)),
     ("a", 6, bytes(32)), ("a", 1, bytes(31)), ("a\n", 1, bytes(32)), ("\ud800", 1, bytes(32))],
)  # fmt: skip
def test_a_key_under_no_proper_name_is_not_made(name: str, type_: int, public: bytes) -> None:
    with pytest.raises(ValueError, match=r"name|bytes"):
        VerifierKey(name, type_, public)


def test_the_key_and_every_checkpoint_of_tessera() -> None:
    folder = official("tessera/testdata/log")
    key = VerifierKey.decode(TESSERA)
    assert key.encode() == TESSERA
    for size in range(16):
        note = parse_note((folder / f"checkpoint.{size}").read_text(encoding="utf-8"))
        assert check_line(note, key) == 0
        assert decode_checkpoint(note.text).size == size
        with pytest.raises(UntrustedError):
            check_line(Note(note.text + "x", note.lines), key)


@pytest.mark.parametrize(
    ("vkeys", "folder"), [("witness.v0.json", ""), ("mirror/mirror.v0.json", "mirror/")]
)
def test_the_cosignatures_of_sunlight(vkeys: str, folder: str) -> None:
    base = official(SUNLIGHT)
    (text,) = json.loads((base / vkeys).read_text())["verifier_keys"]
    key = VerifierKey.decode(text)
    assert (key.type, key.encode()) == (COSIGNATURE, text)
    note = parse_note((base / folder / LOG_FOLDER / "checkpoint").read_text(encoding="utf-8"))
    assert check_line(note, key) == 1_767_139_200
    assert decode_checkpoint(note.text).size == 300
    with pytest.raises(UntrustedError):
        check_line(replace(note, text=note.text.replace("300", "301")), key)
