"""An export of the audit that can be checked without any of this.

Entries, their proofs, the checkpoint, the policy and the keys go into one ZIP, together with
two programs that check them (:mod:`seefen.client.standalone`). The same entries under the
same checkpoint give the same bytes. What is written goes through ``verify.py`` first, here:
who exports sees what every reader will see.

The format is ``docs/spec/ledger.md``, section 10.
"""

import base64
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, TypeAlias

from seefen.client.accusing import grown
from seefen.client.engine import Engine
from seefen.client.evidence import accusation
from seefen.client.standalone import verify
from seefen.client.wording import stamp
from seefen.protocol.access import open_committed as open_reason
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import open_envelope, signing_message
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.frames import AuditItem, AuditPage, LogFrom, ViewFrom
from seefen.protocol.ledger.note import COSIGNATURE, LOG, VerifierKey
from seefen.protocol.ledger.record import Core, Record, decode_core
from seefen.protocol.ledger.tree import Proof
from seefen.protocol.search import open_committed as open_account
from seefen.protocol.statements import Access, Root, Search, View
from seefen.protocol.suite import commit, sha256

PAGE: Final = 200
LOGS: Final = ("authority", "activity")
TOOLS: Final = ("README.txt", "verify.py", "verify.sh")
MANIFEST: Final = "MANIFEST.sha256"
_OLDEST: Final = (1980, 1, 1, 0, 0, 0)  # what a ZIP can say; a true time would tell exports apart
_MODE: Final = 0o600 << 16  # reasons are in it: for whoever unpacks it alone

Files: TypeAlias = dict[str, bytes]
Fields: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Collected:
    """What is exported: entries as they came, each with the checkpoint it is proved under."""

    checkpoint: str
    size: int
    items: list[tuple[AuditItem, str]] = field(default_factory=list[tuple[AuditItem, str]])
    growth: dict[int, Proof] = field(default_factory=dict[int, Proof])


@dataclass(frozen=True, slots=True)
class Exported:
    """An export: the ZIP, how many entries are in it, and what a reader will find wrong.

    Attributes:
        log_key: Of the log, in hex; ``net``: the hash of root version 1, the network's id.
        later: Entries that are left out: no quorum of witnesses has seen them yet.
        erased: Places of readings that are left out: they have no text any more. Whoever exports
            has to look whether the log allows it.
        cosigned: How many witnesses signed the checkpoint, of how many, and how many must.
    """

    data: bytes
    entries: int
    size: int
    log_key: str
    net: str
    findings: tuple[str, ...]
    later: int = 0
    cosigned: tuple[int, int, int] = (0, 0, 0)
    erased: tuple[int, ...] = ()


class Bundling:
    """Makes exports, over the entries that this device's node may open, or of what a view shows."""

    def __init__(self, engine: Engine, view: View | None = None) -> None:
        self._engine = engine
        self._view = view

    async def make(self, *, case: str | None = None) -> Exported:
        """Return an export of all entries of the node and its cases, or of one case.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
            RefusedError: rule ``no-entry``: there is no such entry.
        """
        engine = self._engine
        async with engine.lock:
            found = await self._collect()
        if case is not None:
            found.items = [one for one in found.items if self._is_of(one[0], case)]
        size, whole = found.size, len(found.items)
        found.items = [one for one in found.items if one[0].entry.index < size]
        erased = tuple(item.entry.index for item, _ in found.items if not item.entry.core)
        whole -= len(erased)
        # What was erased under retention says nothing any more: its record is in the tree.
        found.items = [one for one in found.items if one[0].entry.core]
        if not found.items:
            raise RefusedError("there is no entry to export", rule="no-entry")
        made = self._files(found)
        key, net = engine.directory.root.log_key, engine.directory.net
        checked = verify.Export(made, key, net)
        findings = tuple(checked.check())
        cosigned = (len(checked.signed), len(checked.witnesses), checked.quorum)
        count = len(found.items)
        later = whole - count
        return Exported(
            pack(made), count, size, key.hex(), net.hex(), findings, later, cosigned, erased
        )

    async def shown(self, size: int | None = None) -> Fields:
        """Return what the log has signed for this device, as a file of evidence.

        Args:
            size: Prove its root at this size too: another node names it, and compares.

        Raises:
            RefusedError: rule ``no-such-size``: the log this device knows is not as long.
        """
        engine = self._engine
        async with engine.lock:
            notes = [kept[1] for log in LOGS if (kept := engine.vault.head(log)) is not None]
            made = accusation(
                "shown", "what this device was shown", engine.trust.root.log_key, notes
            )
            if size is not None:
                if not 0 < size <= engine.trust.head("activity").size:
                    raise RefusedError(
                        "the log that this device knows has no such size", rule="no-such-size"
                    )
                parts = (engine.trust, engine.vault, engine.connection)
                made["grown"] = [await grown(*parts, size, engine.prove)]
            return made

    async def _collect(self) -> Collected:
        engine, start = self._engine, 0
        items: list[tuple[AuditItem, str]] = []
        sizes: dict[int, str] = {}
        while True:
            seen = engine.trust.head("activity").size
            page = await engine.connection.request(*self._asked(start, seen), AuditPage)
            size = await self._accept(page.checkpoint, page.consistency)
            sizes[size] = page.checkpoint
            items += [(item, page.checkpoint) for item in page.items]
            if page.upto <= start or page.upto >= size:
                break
            start = page.upto
        note, last = await self._final()
        if last < max(sizes) and not engine.directory.root.quorum:
            last, note = max(sizes), sizes[max(sizes)]
        growth = {
            size: await engine.prove("activity", min(size, last), max(size, last))
            for size in sizes
            if size != last
        }
        return Collected(note, last, items, growth)

    def _asked(self, start: int, seen: int) -> tuple[str, LogFrom | ViewFrom]:
        if self._view is not None:
            return "view", ViewFrom(self._view.of, start, PAGE, seen)
        return "audit", LogFrom(start, PAGE, seen)

    async def _final(self) -> tuple[str, int]:
        """Return the checkpoint that all is to be proved under, and its size.

        That is the newest which the quorum has seen: a reader can then tell that others were
        shown the same log. The published one carries the lines that other tools know.
        """
        engine = self._engine
        await engine.fetch_witnessed()
        witnessed = engine.witnessed.newest("activity")
        if engine.directory.root.quorum and witnessed is not None:
            return engine.witnessed.note("activity"), witnessed.signed.checkpoint.size
        note = (await engine.connection.http("GET", "/v1/log/activity/checkpoint")).decode()
        return note, await self._accept(note, ())

    async def _accept(self, note: str, proof: Proof) -> int:
        engine = self._engine
        signed = await engine.trust.accept("activity", note, proof, engine.prove)
        return signed.checkpoint.size

    def _is_of(self, item: AuditItem, case: str) -> bool:
        core = _core(item)
        if core is None or not _is_committed(item):
            return True  # it cannot be told whose it is: left out it would be hidden
        state = self._engine.trust.state(bytes.fromhex(core.case)) if core.case else None
        return case in (core.case, "" if state is None else self._engine.name_of(state))

    def _files(self, found: Collected) -> Files:
        made: Files = {name: _tool(name) for name in TOOLS}
        entries = sorted((self._entry(item) for item, _ in found.items), key=_by_index)
        made["entries.jsonl"] = "".join(f"{verify.as_text(one)}\n" for one in entries).encode()
        made["entries.csv"] = verify.as_csv(entries)
        made["checkpoint"] = found.checkpoint.encode()
        for item, note in found.items:
            index = item.entry.index
            made[f"proofs/{index}.tlog-proof"] = tlog_proof(index, item.entry.proof, note)
        for size, proof in found.growth.items():
            made[f"consistency/{size}"] = "".join(f"{line}\n" for line in _lines(proof)).encode()
        made["policy"] = policy(self._engine.directory.root)
        made["roots"] = "".join(f"{one.hex()}\n" for one in self._roots()).encode()
        signers = (item for item, _ in found.items if item.envelope)
        made["keys.json"] = self._keys(signers)
        listed = [f"{sha256(made[name]).hex()}  {name}\n" for name in sorted(made)]
        made[MANIFEST] = "".join(listed).encode()
        net = self._engine.directory.net
        message = signing_message("audit-export", net, made[MANIFEST])
        signature = self._engine.keys.sign.sign(message, power=False)
        made["MANIFEST.sig"] = f"{signature.hex()}\n".encode()
        return made

    def _entry(self, item: AuditItem) -> Fields:
        entry = item.entry
        made: Fields = {
            "index": entry.index,
            "kind": item.kind,
            "core": entry.core.decode("utf-8", "replace"),
            "salt": entry.salt.hex(),
            "record": entry.record.hex(),
            "envelope": base64.b64encode(item.envelope).decode(),
        }
        detail = self._detail(item)
        if detail is not None:
            made["detail"] = {"salt": detail[0].hex(), "data": detail[1].hex()}
        return made

    def _detail(self, item: AuditItem) -> tuple[bytes, bytes] | None:
        """Return salt and bytes of what was sealed to this node's auditors; None if closed."""
        try:
            statement = open_envelope(item.envelope, item.kind).statement
        except SeefenError:
            return None  # it is exported as it came: verify.py says what is wrong with it
        for sealed in getattr(statement, "reasons", ()):
            mailbox = self._engine.directory.mailbox(sealed.node, "audit", gen=sealed.gen)
            seed = self._engine.mailbox_seed(sealed.node, "audit", sealed.gen)
            if mailbox is None or seed is None:
                continue
            try:
                if isinstance(statement, Access):
                    reason = open_reason(statement, mailbox, seed)
                    return reason.salt, reason.text.encode()
                if isinstance(statement, Search):
                    account, salt = open_account(statement, mailbox, seed)
                    return salt, encode(account)
            except SeefenError:
                continue
        return None

    def _roots(self) -> list[bytes]:
        """Return the root statements, the first one first: they say which witnesses count."""
        sql = "SELECT envelope FROM authority WHERE kind = 'root' AND broken IS NULL ORDER BY idx"
        return [bytes(row[0]) for row in self._engine.vault.run(sql)]

    def _keys(self, items: Iterable[AuditItem]) -> bytes:
        directory, own = self._engine.directory, self._engine.keys.device.hex()
        named = {own, *(core.device for core in map(_core, items) if core and core.device)}
        devices: dict[str, str] = {}
        for device in named:
            try:
                devices[device] = directory.device(bytes.fromhex(device)).sign.hex()
            except SeefenError:
                continue  # nobody knows it: its entries are not proved, and verify.py says so
        keys: Fields = {
            "devices": devices,
            "exporter": own,
            "log_key": directory.root.log_key.hex(),
            "net": directory.net.hex(),
        }
        if self._view is not None:
            keys["view"] = _shown(self._view)
        return f"{verify.as_text(keys)}\n".encode()


def _shown(view: View) -> str:
    """Say whose cores a view shows, and from when to when they were made."""
    since = stamp(view.since) if view.since else "the beginning"
    return f"{view.of or 'all nodes'}, {since} to {stamp(view.upto) if view.upto else 'no end'}"


def pack(made: Files) -> bytes:
    """Return the ZIP of files: the same files, the same bytes, whatever the day or machine."""
    data = io.BytesIO()
    # Not compressed: two versions of one library compress to different bytes.
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(made):
            info = zipfile.ZipInfo(name, _OLDEST)
            info.create_system, info.external_attr = 3, _MODE
            archive.writestr(info, made[name])
    return data.getvalue()


def tlog_proof(index: int, proof: Proof, note: str) -> bytes:
    """Return a proof of inclusion as ``c2sp.org/tlog-proof@v1`` writes it."""
    return "\n".join(
        ["c2sp.org/tlog-proof@v1", f"index {index}", *_lines(proof), "", note]
    ).encode()


def policy(root: Root) -> bytes:
    """Return which log key and which witnesses count, as C2SP tlog-policy writes it.

    Of a witness with two keys it names the Ed25519 key: no other is known there.
    """
    log = VerifierKey(f"{root.origin}/activity", LOG, root.log_key)
    lines = [f"log {log.encode()}"]
    names = [f"w{place}" for place in range(1, len(root.witnesses) + 1)]
    for name, public in zip(names, root.witnesses, strict=True):
        signer = f"{root.origin}/witness/{sha256(public).hex()[:16]}"
        lines.append(f"witness {name} {VerifierKey(signer, COSIGNATURE, public[:32]).encode()}")
    if root.quorum:
        lines += [f"group quorum-of-root {root.quorum} {' '.join(names)}", "quorum quorum-of-root"]
    else:
        lines.append("quorum none")
    return "".join(f"{line}\n" for line in lines).encode()


def _tool(name: str) -> bytes:
    return files("seefen.client.standalone").joinpath(name).read_bytes()


def _lines(proof: Proof) -> list[str]:
    return [base64.b64encode(value).decode() for value in proof]


def _by_index(entry: Fields) -> int:
    index: int = entry["index"]
    return index


def _is_committed(item: AuditItem) -> bool:
    entry = item.entry
    return commit(entry.salt, entry.core) == Record.decode(entry.record).core_commitment


def _core(item: AuditItem) -> Core | None:
    try:
        return decode_core(item.entry.core)
    except SeefenError:
        return None
