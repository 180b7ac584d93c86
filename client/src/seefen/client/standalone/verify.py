#!/usr/bin/env python3
"""Check an export of a seefen audit, or evidence against a log, with nothing but Python.

    python3 verify.py EXPORT.zip            an export as it came
    python3 verify.py FOLDER                the same, unpacked
    python3 verify.py EVIDENCE.json ...     what several nodes kept, taken together

--log-key HEX  is the key of the log as you know it, and --net HEX, for an export, the network:
the hash of the first version of its root, which names the witnesses. Without them the files
vouch for their own key, root and witnesses: compare what is printed with what your node knows
(seefen status). One line is printed for each finding; the exit code is 0 when all is good (of
evidence: when something is proved against the log), 1 when not, 2 when the question was wrong.

Standard library only, Python 3.9 or newer. Sources: RFC 8032 (Ed25519), RFC 6962 and 9162
(trees), C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof and tlog-policy, and
docs/spec/ledger.md of seefen. Nothing here is shared with seefen itself.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import re
import signal
import sys
import zipfile
from datetime import datetime, timezone
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

# What made-up files end in, when they are read as if they were ours.
ODD = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)
MARK = b"\xff" + b"seefen/1/"
COMMIT_KEY = hashlib.sha256(b"seefen/1/audit-commit").digest()
LOG, COSIGNATURE = 1, 4
SLACK = 60  # seconds between the clocks of two processes
APART = 2  # seconds by which heads must differ: several processes sign, and reading takes time


class WrongError(Exception):
    """Something is not as it must be; the text says what."""


def wrong(why: str) -> NoReturn:
    """Stop with a finding."""
    raise WrongError(why)


# --- Ed25519 (RFC 8032, sections 5.1 and 6) --------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)


def _add(a: Any, b: Any) -> Any:
    x = (a[1] - a[0]) * (b[1] - b[0]) % _P
    y = (a[1] + a[0]) * (b[1] + b[0]) % _P
    z, w = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = y - x, w - z, w + z, y + x
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: Any) -> Any:
    found = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = _add(found, point)
        point, number = _add(point, point), number >> 1
    return found


def _point(data: bytes) -> Any:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(data) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _point(bytes.fromhex("58" + "66" * 31))


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature is right (RFC 8032, section 5.1.7)."""
    key, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= _L or key is None or r is None:
        return False
    if _same(_times(8, key), (0, 1, 1, 0)):
        return False  # a key of small order: one signature is right for every message
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    return _same(_times(s, _BASE), _add(r, _times(k, key)))


def _signers(message: bytes, signatures: Any, keys: Any) -> int:
    """Return how many of the keys have signed, by their Ed25519 halves."""
    ids = {hashlib.sha256(key).digest(): key[:32] for key in keys}
    return len({i for i, one in signatures if i in ids and ed25519(ids[i], message, one[:64])})


def _same(a: Any, b: Any) -> bool:
    x, y = a[0] * b[2] - b[0] * a[2], a[1] * b[2] - b[1] * a[2]
    return bool(x % _P == 0 and y % _P == 0)


# --- notes and trees ---------------------------------------------------------------------


class Head(NamedTuple):
    """A signed head: of which log, how many entries, which root, when (unix seconds)."""

    origin: str
    size: int
    root: bytes
    time: int


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return the four bytes that name a key in a line of a note."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(text: str) -> tuple[str, int, bytes]:
    """Return name, type and key of a verifier key."""
    parts = text.split("+", 2)
    blob = _base64(parts[2]) if len(parts) == 3 else b""
    if len(blob) != 33 or key_id(parts[0], blob[0], blob[1:]).hex() != parts[1]:
        wrong("a verifier key in the policy does not fit its own id")
    return parts[0], blob[0], blob[1:]


def signed_by(note: str, name: str, kind: int, public: bytes) -> int:
    """Return the time in the line of a key (0 without one); WrongError when it is not right."""
    body, blank, tail = note.rpartition("\n\n")
    found = [
        _base64(encoded)[4:]
        for dash, _, rest in (line.partition(" ") for line in tail.splitlines())
        for who, _, encoded in (rest.partition(" "),)
        if dash == "\u2014" and who == name and _base64(encoded)[:4] == key_id(name, kind, public)
    ]
    if not blank or len(found) != 1:
        wrong(f"the checkpoint carries {len(found)} signatures of {name}, not one")
    time, signature, message = 0, found[0], f"{body}\n".encode()
    if kind == COSIGNATURE:
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = f"cosignature/v1\ntime {time}\n{body}\n".encode()
    if not ed25519(public, message, signature):
        wrong(f"the signature of {name} on the checkpoint is wrong")
    return time


def open_head(note: str, public: bytes) -> Head:
    """Return the head in a note that the log has signed with its time."""
    lines = note.rpartition("\n\n")[0].split("\n")
    if len(lines) != 3 or not re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]):
        wrong("this is no checkpoint")
    root = _base64(lines[2])
    if len(root) != 32:
        wrong("the root in the checkpoint has another length")
    return Head(lines[0], int(lines[1]), root, signed_by(note, lines[0], COSIGNATURE, public))


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        wrong("a base64 text is broken")
    if base64.b64encode(data).decode() != text:
        wrong("a base64 text has another spelling")
    return data


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _right(here: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the right edge has no sibling."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last


def check_inclusion(leaf: bytes, index: int, head: Head, proof: list[bytes]) -> None:
    """Check that a leaf stands in a tree (RFC 9162, section 2.1.3.2)."""
    here, last, found = index, head.size - 1, leaf
    good = 0 <= index < head.size and {*map(len, (leaf, head.root, *proof))} == {32}
    for one in proof if good else ():
        good = good and last > 0
        if here & 1 or here == last:
            found = _node(one, found)
            here, last = _right(here, last)
        else:
            found = _node(found, one)
        here, last = here >> 1, last >> 1
    if not good or last or found != head.root:
        wrong("the proof does not lead to the root of its checkpoint")


def check_growth(old: Head, new: Head, proof: list[bytes]) -> None:
    """Check that a tree begins with all of an older one (RFC 9162, section 2.1.4.2)."""
    if 0 < old.size == new.size:
        if old.root != new.root or proof:
            wrong("two checkpoints of one size have two roots")
        return
    path = proof if old.size & (old.size - 1) else [old.root, *proof]
    if not 0 < old.size < new.size or not proof or any(len(one) != 32 for one in path):
        wrong("this cannot be a proof that the log only grew")
    here, last = old.size - 1, new.size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    mine = theirs = path[0]
    for one in path[1:]:
        if here & 1 or here == last:
            mine, theirs = _node(one, mine), _node(one, theirs)
            here, last = _right(here, last)
        else:
            theirs = _node(theirs, one)
        here, last = here >> 1, last >> 1
    if last or (mine, theirs) != (old.root, new.root):
        wrong("the log did not only grow between two checkpoints of this export")


# --- what an entry says --------------------------------------------------------------------

COLUMNS = ("index", "time", "act", "op", "outcome", "node", "officer", "device", "case", "n",
           "object", "to", "purpose", "basis", "emergency", "reason")  # fmt: skip
_FORMULA = re.compile("^(?=[ '\"\u00a0]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


def when(time: int) -> str:
    """Return a time, in Unix seconds, for people."""
    try:
        return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"second {time}, which is in no calendar"


def as_text(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def as_csv(entries: list[dict[str, Any]]) -> bytes:
    """Return the table of entries; no cell is a formula for a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for cells in map(_cells, entries):
        writer.writerow([_FORMULA.sub("'", str(cells.get(name, ""))) for name in COLUMNS])
    return ("\ufeff" + out.getvalue()).encode()  # spreadsheets read no UTF-8 without that mark


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a row shows: of an entry whose text cannot be read its index alone."""
    try:
        core = json.loads(entry["core"])
        at = datetime.fromtimestamp(core["at"] // 1000, timezone.utc)
        return {**core, "index": entry["index"], "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "to": " ".join(core["to"]), "reason": reason(entry)}  # fmt: skip
    except (*ODD, WrongError):
        return {"index": entry.get("index", "")}


def reason(entry: dict[str, Any]) -> str:
    """Return the reason in words, and of a search what was looked for; empty if sealed."""
    data = bytes.fromhex(entry["detail"]["data"]) if entry.get("detail") else b""
    if entry["kind"] != "search" or not data:
        return data.decode()
    why, sought = cbor(data)
    return "; ".join([why, *(f"{what}: {query} ({n})" for _, what, query, n in sought)])


def cbor(data: bytes) -> Any:
    """Return what a CBOR item says: numbers, bytes, texts and lists of those."""
    value, at = _item(data, 0)
    if at != len(data):
        wrong("a signed statement is longer than it says")
    return value


def _item(data: bytes, at: int) -> tuple[Any, int]:
    if at >= len(data) or data[at] & 0x1F > 27:
        wrong("a signed statement cannot be read")
    kind, number, at = data[at] >> 5, data[at] & 0x1F, at + 1
    if number >= 24:
        more = 1 << (number - 24)
        number, at = int.from_bytes(data[at : at + more], "big"), at + more
    if kind == 0 or (kind == 7 and 20 <= number <= 22):
        return (number if kind == 0 else (False, True, None)[number - 20]), at
    if kind in (2, 3):
        piece = data[at : at + number]
        return (piece if kind == 2 else piece.decode()), at + number
    if kind != 4 or number > len(data):
        wrong("a signed statement cannot be read")
    found: list[Any] = []
    for _ in range(number):
        value, at = _item(data, at)
        found.append(value)
    return found, at


def commitment(salt: str, message: bytes) -> bytes:
    """Return what a record holds of a text: HMAC-SHA256 under a public key."""
    data = bytes.fromhex(salt)
    if len(data) != 32:
        wrong("a salt has another length than 32 bytes")
    return hmac.new(COMMIT_KEY, data + message, hashlib.sha256).digest()


def check_entry(entry: dict[str, Any], keys: dict[str, Any]) -> None:
    """Check that text, reason and signed statement are those of the record."""
    record, text = bytes.fromhex(entry["record"]), entry["core"].encode()
    if len(record) != 89 or record[0] != 1:
        wrong("the record has another length or version")
    if commitment(entry["salt"], text) != record[25:57]:
        wrong("the text or its salt is not the one that the log committed to")
    core = json.loads(text)
    if as_text(core) != entry["core"] or core["act"] != entry["kind"]:
        wrong("the text has another spelling, or is about another act")
    follows = DOES.get(core["act"], "consult"), core["act"] != "denied"
    if (core["op"], core["outcome"] == "ok") != follows:
        wrong("the text says of its act what does not follow from it")
    detail = entry.get("detail")
    if detail and commitment(detail["salt"], bytes.fromhex(detail["data"])) != record[57:]:
        wrong("the reason or its salt is not the one that the log committed to")
    envelope = base64.b64decode(entry["envelope"], validate=True)
    if not keys.get("view"):
        _check_statement(envelope, core, keys)
    elif envelope or detail:  # an export of cores alone: it says so, and claims no signature
        wrong("a view shows neither statement nor reason")


_CASE = {"case": 4, "node": 5, "device": 6, "device_n": 7, "case_n": 8}
_NO_CASE = {"node": 4, "device": 5, "device_n": 6}
SAYS: dict[str, dict[str, int]] = {  # where a statement holds what the text says of it
    "access": {**_CASE, "object": 12, "purpose": 15, "basis": 16, "emergency": 17},
    "search": {**_NO_CASE, "purpose": 12, "basis": 13}, "manifest": _NO_CASE,
    "object": {**_CASE, "object": 11, "emergency": 25}, "ack": {**_CASE, "object": 11},
    "denied": {"node": 4, "device": 5, "outcome": 7, "case": 8, "object": 9}, "erased": {},
    "release": {"case": 4, "object": 5, "node": 6}, "viewed": {"node": 5, "device": 6},
}  # fmt: skip
DOES = {"ack": "collect", "case": "alter", "erased": "erase", "object": "disclose",
        "casekey": "disclose", "assign": "disclose", "release": "disclose"}  # fmt: skip
_WHY = {"purpose": "", "basis": "", "emergency": 0}  # of a refusal that nobody has signed


def _check_statement(envelope: bytes, core: dict[str, Any], keys: dict[str, Any]) -> None:
    if hashlib.sha256(envelope).hexdigest() != core["req"]:
        wrong("the signed statement is not the one that the text names")
    kind, said = core["act"], cbor(cbor(envelope)[0])
    found = _at(said, SAYS.get(kind, _CASE))
    if kind == "denied":  # the broker's own: in it stands what the device signed, if anything
        kind, envelope = said[6], said[11]
        asked = _at(cbor(cbor(envelope)[0]), SAYS[kind]) if envelope else {}
        found |= _WHY | {name: asked[name] for name in asked if name in _WHY or core[name]}
    for name in [name for name, value in found.items() if core[name] != value]:
        wrong(f"the text has another {name} than the signed statement")
    if envelope and core["device"] and core["act"] != "viewed":  # that is the broker's own word
        _check_author(envelope, kind, keys, core["device"])


def _at(said: Any, places: dict[str, int]) -> dict[str, Any]:
    found = {name: "" if said[place] is None else said[place] for name, place in places.items()}
    return {name: v.hex() if isinstance(v, bytes) else v for name, v in found.items()}


def _check_author(envelope: bytes, kind: str, keys: dict[str, Any], device: str) -> None:
    public = bytes.fromhex(keys["devices"].get(device, ""))
    if not public:
        wrong(f"the key of device {device} is not among the keys")
    payload, signatures = cbor(envelope)
    good = [value for id_, value in signatures if id_ == hashlib.sha256(public).digest()]
    message = MARK + b"sig/" + kind.encode() + b"\0" + bytes.fromhex(keys["net"]) + payload
    if len(good) != 1 or not ed25519(public[:32], message, good[0][:64]):
        wrong(f"device {device} has not signed this statement")


# --- an export -------------------------------------------------------------------------------


class Export:
    """The files of an export, and what was found in them."""

    def __init__(
        self, files: dict[str, bytes], log_key: bytes | None, net: bytes | None = None
    ) -> None:
        self.files, self.log_key, self.known_net = files, log_key, net
        self.findings: list[str] = []
        self.keys: dict[str, Any] = {}
        self.entries: list[dict[str, Any]] = []
        self.origin, self.public, self.exporter, self.net = "", b"", "", b""
        self.witnesses: list[tuple[str, int, bytes]] = []
        self.quorum, self.unchecked = 0, 0
        self.signed: list[str] = []  # names of witnesses
        self.heads: dict[str, Head] = {}
        self.final = Head("", 0, b"", 0)

    def check(self) -> list[str]:
        """Return what is wrong, a sentence each."""
        for step in (self._manifest, self._policy, self._exporter, self._rules, self._checkpoint):
            self._try("", step)
        self._try("entries.jsonl: ", self._read)
        if not self.final.origin:
            return self.findings  # there is no checkpoint to prove entries under
        for entry in self.entries:
            where = f"entry {entry.get('index')}: "
            self._try(where, check_entry, entry, self.keys)
            self._try(where, self._proof, entry)
        self._try("", self._times)
        self._try("", self._whole)
        self._try("entries.csv: ", self._table)
        return self.findings

    def _try(self, where: str, step: Any, *values: Any) -> None:
        try:
            step(*values)
        except WrongError as err:
            self.findings.append(f"{where}{err}")
        except ODD as err:
            self.findings.append(f"{where}cannot be read ({type(err).__name__}: {err})")

    def _file(self, name: str) -> bytes:
        if name not in self.files:
            wrong(f"{name} is missing")
        return self.files[name]

    def _manifest(self) -> None:
        lines = self._file("MANIFEST.sha256").decode().splitlines()
        listed = {name: value for value, _, name in (line.partition("  ") for line in lines)}
        for name in sorted({*listed, *self.files} - {"MANIFEST.sha256", "MANIFEST.sig"}):
            if name not in self.files:
                self.findings.append(f"{name} is missing: the manifest names it")
            elif name not in listed:
                self.findings.append(f"{name} is not in the manifest")
            elif hashlib.sha256(self.files[name]).hexdigest() != listed[name]:
                self.findings.append(f"{name} is not the file that the manifest names")

    def _policy(self) -> None:
        lines = [line.split() for line in self._file("policy").decode().splitlines()]
        ((self.origin, kind, self.public),) = [vkey(one[1]) for one in lines if one[0] == "log"]
        self.witnesses = [vkey(one[2]) for one in lines if one[0] == "witness"]
        groups = {one[1]: int(one[2]) for one in lines if one[0] == "group"}
        ((_, name),) = [one for one in lines if one[0] == "quorum"]
        self.quorum = 0 if name == "none" else groups[name]
        if kind != LOG or (self.log_key or self.public) != self.public:
            wrong("the log key in the policy is not the one you know")
        if json.loads(self._file("keys.json"))["log_key"] != self.public.hex():
            wrong("policy and keys.json name different log keys")

    def _exporter(self) -> None:
        self.keys = json.loads(self._file("keys.json"))
        public = bytes.fromhex(self.keys["devices"][self.keys["exporter"]])
        message = MARK + b"sig/audit-export\0" + bytes.fromhex(self.keys["net"])
        message += self._file("MANIFEST.sha256")
        signature = bytes.fromhex(self._file("MANIFEST.sig").decode().strip())
        if not ed25519(public[:32], message, signature):
            wrong("the manifest is not the one that the exporter signed")
        self.exporter = self.keys["exporter"]

    def _rules(self) -> None:
        """The policy is that of the root: devices sign under the hash of its version 1."""
        net, root = self._root()
        if not root or net.hex() != self.keys["net"]:
            wrong("the root statement is of another network than the entries")
        self.net = net
        # Whoever holds the log's key can make up a root, and witnesses of his own with it.
        if self.known_net not in (None, net):
            wrong(f"this is of the network {net.hex()}, not of the one you know")
        ids = [(hashlib.sha256(public).hexdigest()[:16], public[:32]) for public in root[13]]
        witnesses = [(f"{root[8]}/witness/{id_}", key) for id_, key in ids]  # spec, section 7
        named = [f"{root[8]}/activity", root[11], witnesses, root[14]]
        if named != [self.origin, self.public, [one[::2] for one in self.witnesses], self.quorum]:
            wrong("the policy is not the one of the root statement")

    def _root(self) -> tuple[bytes, list[Any]]:
        """Return the hash of version 1 and the last version, each signed as the one before asks."""
        net, before, known, root = bytes(32), bytes(32), list[Any](), list[Any]()
        for version, line in enumerate(self._file("roots").decode().splitlines(), 1):
            payload, signatures = cbor(bytes.fromhex(line))
            root = cbor(payload)
            if root[1:3] != [net, "root"] or root[4:6] != [version, before]:
                wrong("the root statements are no chain")
            message = MARK + b"sig/root\0" + net + payload
            for keys, threshold in (*known, (root[9], root[10])):
                if _signers(message, signatures, keys) < threshold:
                    wrong("too few root keys have signed the root statement")
            if version == 1:
                net = hashlib.sha256(payload).digest()
            known, before = [(root[9], root[10])], hashlib.sha256(bytes.fromhex(line)).digest()
        return net, root

    def _checkpoint(self) -> None:
        note = self._file("checkpoint").decode()
        self.final = self._head(note)
        for name, kind, public in dict.fromkeys(self.witnesses):
            lines = note.count(f"\u2014 {name} ")
            if lines:
                signed_by(note, name, kind, public)
                self.signed.append(name)
                self.unchecked += lines - 1
        if (count := len(self.signed)) < self.quorum:
            wrong(f"{count} witnesses cosigned the checkpoint, and {self.quorum} are needed")

    def _head(self, note: str) -> Head:
        if note not in self.heads:
            head = open_head(note, self.public)
            if head.origin != self.origin:
                wrong("the checkpoint is of another log")
            self.heads[note] = head
        return self.heads[note]

    def _read(self) -> None:
        for line in self._file("entries.jsonl").decode().splitlines():
            entry = json.loads(line)
            if as_text(entry) != line:
                wrong("a line has another spelling than the one there is")
            self.entries.append(entry)
        order = [entry["index"] for entry in self.entries]
        if order != sorted(set(order)):
            wrong("the entries are not in the order of the log, each once")

    def _proof(self, entry: dict[str, Any]) -> None:
        name = f"proofs/{entry['index']}.tlog-proof"
        head_lines, _, note = self._file(name).decode().partition("\n\n")
        first, second, *hashes = head_lines.split("\n")
        if first != "c2sp.org/tlog-proof@v1" or second != f"index {entry['index']}":
            wrong(f"{name} is the proof of another entry")
        head = self._head(note)
        proof = [_base64(one) for one in hashes]
        check_inclusion(leaf_hash(bytes.fromhex(entry["record"])), entry["index"], head, proof)
        if head.size != self.final.size:
            growth = self._file(f"consistency/{head.size}").decode().split()
            old, new = sorted((head, self.final), key=lambda one: one.size)
            check_growth(old, new, [_base64(one) for one in growth])
            if entry["index"] >= self.final.size:
                wrong("it is newer than the checkpoint")
        elif head.root != self.final.root:
            wrong(f"{name} leads to another root than the checkpoint")

    def _times(self) -> None:
        """The broker writes the times: along the log they never go back, nor past its head."""
        before = 0
        for entry in self.entries:
            at, where = json.loads(entry["core"])["at"] // 1000, f"entry {entry['index']}: "
            if at < before:
                self.findings.append(f"{where}it is dated before the one it follows")
            if at > self.final.time + SLACK:
                self.findings.append(f"{where}it is dated after the checkpoint")
            before = max(at, before)

    def _whole(self) -> None:
        wanted = {f"proofs/{entry['index']}.tlog-proof" for entry in self.entries}
        alone = sorted({name for name in self.files if name.startswith("proofs/")} - wanted)
        self.findings += [f"{one} is there, and its entry is not: it was removed" for one in alone]

    def _table(self) -> None:
        if as_csv(self.entries) != self._file("entries.csv"):
            wrong("the table does not say what the entries say")


def read_files(path: Path) -> dict[str, bytes]:
    """Return the files of an export, from a ZIP or a folder."""
    if path.is_dir():
        found = [one for one in path.rglob("*") if one.is_file()]
        return {one.relative_to(path).as_posix(): one.read_bytes() for one in found}
    try:
        with zipfile.ZipFile(path) as archive:
            files = archive.infolist()
            if len({one.filename for one in files}) != len(files):
                wrong("a file stands in the archive twice")
            # Else a small archive fills the memory: an export is not compressed.
            packed = any(one.compress_type != zipfile.ZIP_STORED for one in files)
            if packed or sum(one.file_size for one in files) > path.stat().st_size:
                wrong("the archive is compressed: this is not as it was exported")
            return {one.filename: archive.read(one) for one in files}
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as err:
        wrong(f"this is no whole ZIP archive ({err})")


# --- evidence --------------------------------------------------------------------------------


def proved(files: list[dict[str, Any]]) -> list[str]:
    """Return what the signatures in files of evidence prove against one log, a sentence each."""
    keys = {one["log_key"] for one in files}
    if len(keys) != 1:
        wrong("these files are about logs with different keys")
    public = bytes.fromhex(keys.pop())
    heads = [open_head(note, public) for one in files for note in one.get("heads", ())]
    shown: list[tuple[int, bytes, Head]] = []
    for entry in (entry for one in files for entry in one.get("entries", ())):
        head = open_head(entry["head"], public)
        record = bytes.fromhex(entry["record"])
        proof = [bytes.fromhex(one) for one in entry["proof"]]
        check_inclusion(leaf_hash(record), entry["index"], head, proof)
        shown.append((entry["index"], record, head))
    heads = sorted({*heads, *(head for _, _, head in shown)}, key=lambda head: head.time)
    roots = [*heads, *(_grown(one, public) for file in files for one in file.get("grown", ()))]
    return [*_two_roots(roots), *_two_times(heads), *_two_records(shown), *_withheld(shown, heads)]


def _grown(value: dict[str, Any], public: bytes) -> Head:
    """Return what a log was at a size, as a later signed head of it fixes it."""
    head = open_head(value["head"], public)
    old = Head(head.origin, value["size"], bytes.fromhex(value["root"]), 0)
    check_growth(old, head, [bytes.fromhex(one) for one in value["proof"]])
    return old


def _two_roots(roots: list[Head]) -> list[str]:
    return [
        f"FORK: the key of {one.origin} signed two logs: over {one.size} entries one has the root "
        f"{one.root.hex()}, the other {two.root.hex()}; one log has one root at each size"
        for one, two in combinations(roots, 2)
        if one[:2] == two[:2] and one.root != two.root
    ]


def _two_times(heads: list[Head]) -> list[str]:
    return [
        f"REWIND: the key of {one.origin} signed {one.size} entries at {when(one.time)}, and at "
        f"{when(two.time)} that its newest head has {two.size}: it got shorter, or one of these "
        "times is false"
        for one, two in combinations(heads, 2)
        if one.origin == two.origin and one.time + APART < two.time and one.size > two.size
    ]


def _two_records(shown: list[tuple[int, bytes, Head]]) -> list[str]:
    return [
        f"CHANGED ENTRY: entry {index} of {head.origin} stands as {record.hex()} under its signed "
        f"head of {head.size}, and as {changed.hex()} under its signed head of {under.size}"
        for (index, record, head), (other, changed, under) in combinations(shown, 2)
        if (index, head.origin) == (other, under.origin) and record != changed
    ]


def _withheld(shown: list[tuple[int, bytes, Head]], heads: list[Head]) -> list[str]:
    """A record says how long the authority log was: no later head of that log is shorter."""
    return [
        f"WITHHELD: entry {index} of {head.origin}, signed at {when(head.time)}, was judged by "
        f"{needed} statements of keys; at {when(late.time)} the same key signed that {late.origin} "
        f"has {late.size}: what lies between (a revocation, say) was withheld"
        for index, record, head in shown
        if head.origin.endswith("/activity") and len(record) == 89
        for needed in [int.from_bytes(record[1:9], "big")]
        for late in heads
        if late.origin == head.origin[:-8] + "authority"
        if late.time > head.time + APART and late.size < needed
    ]


# --- the command -----------------------------------------------------------------------------

WORDS = ("--log-key", "--net")


class Verdict(NamedTuple):
    """What is to be said, a line each, and whether all is good (or something is proved)."""

    lines: list[str]
    good: bool


def cosigned(export: Export) -> str:
    """Say how many witnesses cosigned the checkpoint."""
    if not export.quorum:
        return "no witness is needed: the broker may have shown others another log"
    signed, of = len(export.signed), len(export.witnesses)
    return f"cosigned by {signed} of {of} witnesses, {export.quorum} needed (Ed25519)"


def _good(export: Export) -> list[str]:
    final, view = export.final, export.keys.get("view")
    what = "text alone" if view else "text, reason, statement"
    lines = [
        f"GOOD   {len(export.entries)} entries of {final.origin}: {what}",
        f"GOOD   each stands in the tree of {final.size}, root {final.root.hex()}",
        f"GOOD   signed by the log at {when(final.time)}; {cosigned(export)}",
        *(f"GOOD   cosigned by {name}" for name in export.signed),
    ]
    if view:
        lines.append(f"OPEN   a view of {view}: what devices signed, and why, was not shown to it")
    if export.unchecked:
        lines.append(f"OPEN   {export.unchecked} ML-DSA-44 lines are not checked by this program")
    if export.known_net is None:
        lines.append("OPEN   root and witnesses vouch for themselves: name the network by --net")
    return lines


def check_export(path: Path, key: bytes | None, net: bytes | None = None) -> Verdict:
    """Check an export: a ZIP or a folder."""
    export = Export(read_files(path), key, net)
    findings = export.check()
    lines = [f"WRONG  {finding}" for finding in findings]
    if export.exporter:
        lines.append(
            f"WHO    device {export.exporter} made this export, and may have left entries out; "
            f"its key begins with {export.keys['devices'][export.exporter][:16]}"
        )
    lines += [] if findings else _good(export)
    lines.append(f"NET    {export.net.hex()}: {_known(net, 'the id of its network')}")
    lines.append(f"KEY    {export.public.hex()}: {_known(key, 'the key of the log')}")
    return Verdict(lines, not findings)


def _known(named: bytes | None, what: str) -> str:
    return "the one you named" if named else f"does your node know it as {what}?"


def _evidence(path: Path, key: bytes | None) -> dict[str, Any]:
    """Return a file of evidence that can be read by itself."""
    try:
        one: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if key is not None and bytes.fromhex(one["log_key"]) != key:
            wrong("the log key in it is not the one you know")
        proved([one])
    except WrongError as err:
        wrong(f"{path.name}: {err}")
    except ODD as err:
        wrong(f"{path.name} is no evidence ({type(err).__name__}: {err})")
    return one


def check_evidence(paths: list[Path], key: bytes | None) -> Verdict:
    """Check files of evidence together: what they prove, and what they only say."""
    files = [_evidence(path, key) for path in paths]
    found = proved(files)  # each was read by itself: together nothing of it is odd
    lines = [f"SAID   {one.get('what', '')}" for one in files]
    lines += [f"PROVED {sentence}" for sentence in dict.fromkeys(found)]
    if not found:
        lines.append("OPEN   the signatures here prove nothing: what is said is somebody's word")
    lines.append(f"KEY    {files[0]['log_key']}: {_known(key, 'the key of the log')}")
    return Verdict(lines, bool(found))


def main(arguments: list[str]) -> int:
    """Check what is named; return the exit code."""
    named, paths = _read_words(arguments)
    if not paths:
        print(__doc__)
        return 2
    for word in [one for one, value in named.items() if not re.fullmatch("[0-9a-f]{64}", value)]:
        print(f"WRONG  {word} takes 64 digits of hex")
        return 2
    key, net = (bytes.fromhex(named[word]) if word in named else None for word in WORDS)
    evidence = paths[0].suffix == ".json"
    try:
        verdict = check_evidence(paths, key) if evidence else check_export(paths[0], key, net)
    except WrongError as err:
        verdict = Verdict([f"WRONG  {err}"], good=False)
    except OSError as err:
        verdict = Verdict([f"WRONG  {err.filename} cannot be read: {err.strerror}"], good=False)
    for line in verdict.lines:
        # What others wrote into the files must not be obeyed by a terminal.
        print("".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in line))
    return 0 if verdict.good else 1


def _read_words(words: list[str]) -> tuple[dict[str, str], list[Path]]:
    """Return what is known and the paths; no path when something named would not be looked at."""
    named, paths, rest = dict[str, str](), list[Path](), iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name in WORDS and name not in named:
            named[name] = value or next(rest, "")
        elif word.startswith("-"):
            return {}, []
        else:
            paths.append(Path(word))
    evidence = [path for path in paths if path.suffix == ".json"]
    whole = evidence == paths and "--net" not in named if evidence else len(paths) == 1
    return named, paths if whole else []  # what is not looked at would pass for good


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # whoever stops reading ends it: never with the code of GOOD
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
