"""Checkpoints: signed tree heads, as text that C2SP tools read too.

A checkpoint is a note of three lines (origin, size, root) with signature lines below.
The log signs the time and the text (type 0x04): that is what devices check, and what makes
freshness provable. Where a checkpoint is published, a line over the text alone (type 0x01)
by the same key stands before it, for tools that know no other.
Witnesses add lines of type 0x04, and of type 0x06 with ML-DSA-44, under their own names
(:mod:`seefen.protocol.ledger.quorum`). Lines of unknown keys are ignored.

:func:`parse_note` and :func:`decode_checkpoint` read text that nobody vouches for;
:func:`open_checkpoint` is the way from text to a head that may be relied on.

The format is ``docs/spec/ledger.md``, section 3 (C2SP signed-note, tlog-checkpoint,
tlog-cosignature). There are no extension lines: no monitor could audit them.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, Self

from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.ledger.tree import EMPTY_ROOT, HASH_LENGTH, SIZE_LIMIT
from seefen.protocol.suite import PlainKey, WitnessKey, sha256, verify_lattice, verify_plain

LOG: Final = 0x01  # an Ed25519 signature over the text of the note
COSIGNATURE: Final = 0x04  # an Ed25519 signature over a time and the text of the note
LATTICE: Final = 0x06  # an ML-DSA-44 signature over name, time, origin, size and root
KEY_LENGTHS: Final = {LOG: 32, COSIGNATURE: 32, LATTICE: 1312}

NOTE_LIMIT: Final = 128 * 1024  # characters: room for 16 signatures of the largest kind
SIGNATURE_LIMIT: Final = 100
TIME_LIMIT: Final = 2**63 - 1
NAME_LIMIT: Final = 255  # bytes of a name or an origin, where its length takes one byte

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)
_UNCLEAN: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # controls; no UTF-8
_NO_NAME: Final = re.compile(r"[+\s]")


@dataclass(frozen=True)
class VerifierKey:
    """A key that signs notes, with the name and the type it signs under."""

    name: str
    type: int
    public: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a signature line."""
        if not _is_name(self.name) or self.type not in KEY_LENGTHS:
            raise ValueError("no name or no type of a key that signs notes")
        if len(self.public) != KEY_LENGTHS[self.type]:
            raise ValueError(f"a key of this type has {KEY_LENGTHS[self.type]} bytes")
        if self.type == LATTICE and len(self.name.encode()) > NAME_LIMIT:
            raise ValueError(f"the name of a witness has {NAME_LIMIT} bytes at most")

    @cached_property
    def id(self) -> bytes:
        """Four bytes that say which key a line claims to be of; they prove nothing."""
        kind_and_key = bytes([self.type]) + self.public
        return sha256(self.name.encode() + b"\n" + kind_and_key)[:4]

    def encode(self) -> str:
        """Return the key as C2SP writes it: ``name+id+base64``."""
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.type]) + self.public)}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return the key that :meth:`encode` wrote.

        Raises:
            MalformedError: It is not one, or its id is that of another key.
        """
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = _from_base64(encoded)
        try:
            key = cls(name, material[0] if material else 0, material[1:])
        except ValueError as err:
            raise MalformedError(f"no verifier key: {err}", rule="verifier-key") from err
        if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != key.id:
            raise MalformedError("the id is not that of the key", rule="verifier-key")
        return key


@lru_cache(maxsize=64)
def verifier(name: str, type_: int, public: bytes) -> VerifierKey:
    """Return the key of these parts: the few a process has are asked for all the time."""
    return VerifierKey(name, type_, public)


@dataclass(frozen=True, slots=True)
class Line:
    """A signature line of a note, not checked yet."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> str:
        """Return the line as it stands in a note."""
        return f"— {self.name} {_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signature lines. Nothing in it is vouched for yet."""

    text: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root of a log, and which log it is."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that its log vouches for, and when it did (unix seconds)."""

    checkpoint: Checkpoint
    time: int


def sign_checkpoint(checkpoint: Checkpoint, key: PlainKey, at: int) -> str:
    """Return the note: the checkpoint with the log's timed line.

    Whoever calls this makes the log's promise: it MUST come after the commit that made
    the tree, and never follow a larger one.

    Args:
        checkpoint: The head to sign. Its origin is the name in the line.
        key: The log's key.
        at: Unix seconds.
    """
    text = checkpoint.text()
    timed = verifier(checkpoint.origin, COSIGNATURE, key.public)
    signature = at.to_bytes(8, "big") + key.sign(_cosigned(text, at))
    return f"{text}\n{_line(timed, signature)}"


def publish_checkpoint(checkpoint: Checkpoint, key: PlainKey, at: int) -> str:
    """Return the note for everybody: the log's plain line, then its timed one.

    See :func:`sign_checkpoint` for what it promises.
    """
    text, line = sign_checkpoint(checkpoint, key, at).split("\n\n")
    plain = verifier(checkpoint.origin, LOG, key.public)
    return f"{text}\n\n" + _line(plain, key.sign(f"{text}\n".encode())) + line


def open_checkpoint(text: str, origin: str, log_public: bytes) -> SignedCheckpoint:
    """Return the head in a note, once the lines of the log are checked.

    Raises:
        MalformedError: It is no note, or not of a checkpoint.
        UntrustedError: It is of another log, or not signed by this one.
    """
    note = parse_note(text)
    checkpoint = decode_checkpoint(note.text)
    if checkpoint.origin != origin:
        # The name in a signature line is not signed: with one key for both logs, only
        # this keeps the head of one from passing for the head of the other.
        raise UntrustedError("this is the checkpoint of another log", rule="origin")
    plain = verifier(origin, LOG, log_public)
    if any((line.name, line.key_id) == (plain.name, plain.id) for line in note.lines):
        # The timed line says all that it says, and more. But other tools believe it: one
        # that is wrong must not pass here as a good checkpoint.
        check_line(note, plain)
    time = check_line(note, verifier(origin, COSIGNATURE, log_public))
    return SignedCheckpoint(checkpoint, time)


def check_line(note: Note, key: VerifierKey) -> int:
    """Check the one line of ``key`` and return its time (0 for a line without one).

    Raises:
        UntrustedError: There is no such line, there are two, or it is wrong. A second
            line is refused so that no key can be counted twice towards a quorum.
    """
    claimed = [line for line in note.lines if (line.name, line.key_id) == (key.name, key.id)]
    if len(claimed) != 1:
        raise UntrustedError(f"{len(claimed)} signatures of {key.name}", rule="note-signature")
    signature = claimed[0].signature
    if key.type == LOG:
        verify_plain(key.public, note.text.encode(), signature)
        return 0
    time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
    if time > TIME_LIMIT:
        raise UntrustedError(f"{key.name} signed no time there is", rule="note-signature")
    if key.type == COSIGNATURE:
        verify_plain(key.public, _cosigned(note.text, time), signature)
    else:
        verify_lattice(key.public, head_message(key.name, note.text, time), signature)
    return time


def parse_note(text: str) -> Note:
    """Return the parts of a note, its signatures unchecked.

    Raises:
        MalformedError: It is not written as C2SP signed-note says.
    """
    if len(text) > NOTE_LIMIT or not text.endswith("\n") or _UNCLEAN.search(text):
        raise MalformedError("this is no note", rule="note")
    body, blank, tail = text.rpartition("\n\n")
    lines = tail[:-1].split("\n")
    if not blank or len(lines) > SIGNATURE_LIMIT:
        raise MalformedError("a note has 1 to 100 signatures", rule="note")
    return Note(body + "\n", tuple(_parse_line(line) for line in lines))


def decode_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that the text of a note holds.

    Raises:
        MalformedError: It is not exactly three lines, or one is not as it must be.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise MalformedError("a checkpoint has three lines", rule="checkpoint")
    origin, decimal, encoded = lines[:3]
    size = int(decimal) if _DECIMAL.fullmatch(decimal) else -1
    if not 0 <= size <= SIZE_LIMIT:
        raise MalformedError("the second line is no size", rule="checkpoint")
    root = _from_base64(encoded)
    if len(root) != HASH_LENGTH or (size == 0 and root != EMPTY_ROOT):
        raise MalformedError("the third line is no root of this size", rule="checkpoint")
    return Checkpoint(origin, size, root)


def cosign(text: str, name: str, key: WitnessKey, at: int, *, lattice: bool) -> str:
    """Return the lines of a witness under the text of a checkpoint.

    Whoever calls this makes the witness's promise: the head MUST be stored before, and be
    checked to have grown from the one stored then.

    Args:
        text: The three lines.
        name: Of the witness.
        key: Its key.
        at: Unix seconds.
        lattice: Whether the root names its ML-DSA-44 half too.

    Raises:
        MalformedError: The text is no checkpoint.
    """
    stamp, plain = at.to_bytes(8, "big"), verifier(name, COSIGNATURE, key.plain.public)
    lines = _line(plain, stamp + key.plain.sign(_cosigned(text, at)))
    if lattice:
        hard = verifier(name, LATTICE, key.public[32:])
        lines += _line(hard, stamp + key.sign_lattice(head_message(name, text, at)))
    return lines


def head_message(name: str, text: str, time: int) -> bytes:
    """Return what a witness signs with ML-DSA-44: the tree, who saw it, and when.

    Raises:
        MalformedError: The text is no checkpoint, or its origin is too long.

    Source:
        C2SP tlog-cosignature, "ML-DSA-44 signed message", for a whole tree (``start`` 0).
    """
    head = decode_checkpoint(text)
    return b"".join(
        (
            b"subtree/v1\n\0",
            _short(name),
            time.to_bytes(8, "big"),
            _short(head.origin),
            bytes(8),
            head.size.to_bytes(8, "big"),
            head.root,
        )
    )


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > NAME_LIMIT:
        raise MalformedError(f"a name has {NAME_LIMIT} bytes at most", rule="checkpoint")
    return bytes([len(data)]) + data


def _cosigned(text: str, time: int) -> bytes:
    # No checkpoint can begin like this (its second line is a number), so a signature of
    # type 0x04 never counts as one of type 0x01 by the same key, nor the other way round.
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _line(key: VerifierKey, signature: bytes) -> str:
    return Line(key.name, key.id, signature).encode()


def _parse_line(line: str) -> Line:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    value = _from_base64(encoded)
    if dash != "—" or not _is_name(name) or len(value) < 5:
        raise MalformedError("this is no signature line", rule="note")
    return Line(name, value[:4], value[4:])


def _is_name(name: str) -> bool:
    return name != "" and not _UNCLEAN.search(name) and not _NO_NAME.search(name)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise MalformedError("this is no base64", rule="base64") from err
    if _base64(data) != text:
        # Spare bits at the end must be zero, or one signature could be written four ways.
        raise MalformedError("this is not the one way to write it", rule="base64")
    return data
