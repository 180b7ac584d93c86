"""The audit: who opened what and looked for what, when and why, each line checked on this machine.

The broker's word counts for nothing here. An entry is proved when its text matches the
commitment in the signed log, the signed record is the one it names, and the device that
signed was in force. What nobody can see without witnesses is printed with each verdict.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final, TypeAlias

from seefen.client.bundling import Bundling, Exported
from seefen.client.differing import settle
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow, SearchView, SoughtView, Verdict, VerifyReport
from seefen.client.trust import Taken
from seefen.client.views import rows
from seefen.protocol.access import open_reason
from seefen.protocol.case import Position
from seefen.protocol.envelope import Opened, check_signed_by
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuditItem, AuditPage, LogFrom, RecordPage
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.quorum import INDEPENDENT
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.search import check_search, open_account
from seefen.protocol.statements import Access, Release, Search

PAGE: Final = 200
RECORDS: Final = 4096
WHAT: Final = {
    "access": "opened",
    "release": "released",
    "search": "searched",
    "object": "sent",
    "ack": "acknowledged",
}
LIMITS: Final = (
    "one broker, no witness: split views are possible",
    "nobody can see a hidden tail or a hidden revocation until the other side speaks",
    "the last number of a device is known only when it speaks again",
    "all times are the broker's",
)


Sentences: TypeAlias = list[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """An entry with what was found wrong with it, if anything."""

    item: AuditItem
    core: Core | None
    opened: Opened | None
    problem: str


AllChecked: TypeAlias = list[Checked]
Rows: TypeAlias = list[AuditRow]
Records: TypeAlias = list[tuple[int, bytes]]


class Audit:
    """For auditors and admins, over the entries of their node and of its cases."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(
        self, *, case: str | None = None, node: str | None = None, officer: str | None = None
    ) -> Rows:
        """Return who opened what, in the order of the log.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
        """
        checked, under = await self._fetch()
        found = [self._row(one, under) for one in checked if _is_reading(one)]
        return [
            row
            for row in found
            if case in (None, row.case)
            and node in (None, row.node)
            and officer in (None, row.officer)
        ]

    async def export(self, *, case: str | None = None) -> Exported:
        """Return entries as a ZIP that verifies without any of this, of one case or all."""
        return await Bundling(self._engine).make(case=case)

    async def shown(self, size: int | None = None) -> dict[str, object]:
        """Return what the log has signed for this device, for others to compare."""
        return await Bundling(self._engine).shown(size)

    async def verdict(self) -> Verdict:
        """Return the audit on one page."""
        engine = self._engine
        report = await self.verify()
        checked, under = await self._fetch()
        good = [one for one in checked if not one.problem]
        acts = [one.core for one in good if one.core is not None]
        gaps = self._gaps(checked)
        found = (*report.problems, *(c.problem for c in checked if c.problem))
        problems = tuple(sentence for sentence in dict.fromkeys(found) if sentence not in gaps)
        return Verdict(
            ok=not problems and not gaps and engine.vault.get("alarm") is None,
            entries=len(checked),
            proved=len(good),
            first=checked[0].item.entry.index if checked else 0,
            last=checked[-1].item.entry.index if checked else 0,
            consultations=sum(core.act == "access" for core in acts),
            searches=_count(good, automated=False),
            cross_checks=_count(good, automated=True),
            disclosures=sum(core.act in ("object", "release") for core in acts),
            refused=sum(core.outcome != "ok" for core in acts),
            emergency=sum(core.emergency for core in acts),
            gaps=gaps,
            flags=(),
            problems=problems,
            limits=report.limits,
            quorum=engine.directory.root.quorum,
            head=under.size,
            at=engine.now(),
            node=engine.node,
            network=engine.directory.root.name,
        )

    async def verify(self) -> VerifyReport:
        """Fetch every record of the log, compare with what was seen before and with the root.

        A problem is a sentence that says which entry, and what is wrong with it.
        """
        engine = self._engine
        problems: Sentences = []
        checked = 0
        async with engine.lock:
            # One lie must not keep the other checks from being made.
            try:
                await engine.sync()
            except UntrustedError as err:
                problems.append(str(err))
            try:
                checked, found = await self._compare_records()
                problems += found
            except UntrustedError as err:
                problems.append(str(err))
            await settle(engine, whole=not problems)
        try:
            entries, _ = await self._fetch()
        except UntrustedError as err:
            if err.rule not in ("role", "not-an-auditor", "forbidden"):
                problems.append(str(err))
            entries = []
        problems += [one.problem for one in entries if one.problem]
        if entries:
            problems += self._gaps(entries)
        quorum = engine.directory.root.quorum
        limits = LIMITS if quorum == 0 else LIMITS[1 if quorum < INDEPENDENT else 2 :]
        head = engine.trust.head("activity").size
        return VerifyReport(tuple(dict.fromkeys(problems)), checked, head, limits, quorum)

    async def _compare_records(self) -> tuple[int, Sentences]:
        engine = self._engine
        tree = CompactRange()
        problems: Sentences = []
        head = engine.trust.head("activity")
        new: Records = []
        start = 0
        while start < head.size:
            page = await engine.connection.request(
                "records", LogFrom(start, RECORDS, head.size), RecordPage
            )
            if not page.records:
                problems.append(f"the log ends at {start}, and {head.size} entries were signed")
                break
            for index, record in enumerate(page.records, start=start):
                if index >= head.size:
                    break
                tree.append(leaf_hash(record))
                known = engine.vault.one("SELECT record FROM record WHERE idx = ?", index)
                if known is not None and bytes(known[0]) != record:
                    problems.append(self._difference(index, record))
                    return index, problems
                new.append((index, record))
            start += len(page.records)
        if not problems and tree.root() != head.root:
            problems.append("the records are not the ones whose root was signed")
        if not problems:
            with engine.vault.change():
                engine.vault.many("INSERT OR IGNORE INTO record VALUES (?, ?)", new)
        return tree.size, problems

    def _difference(self, index: int, record: bytes) -> str:
        following = self._engine.vault.one("SELECT record FROM record WHERE idx = ?", index + 1)
        if following is not None and bytes(following[0]) == record:
            return f"entry {index} was removed from the log"
        return f"entry {index} is not the one that was signed: it was altered"

    async def _fetch(self) -> tuple[AllChecked, Checkpoint]:
        engine = self._engine
        checked: AllChecked = []
        start = 0
        async with engine.lock:
            while True:
                seen = engine.trust.head("activity").size
                page = await engine.connection.request(
                    "audit", LogFrom(start, PAGE, seen), AuditPage
                )
                signed = await engine.trust.accept(
                    "activity", page.checkpoint, page.consistency, engine.prove
                )
                under = signed.checkpoint
                checked += [self._check(item, under) for item in page.items]
                if page.upto <= start or page.upto >= under.size:
                    return checked, under
                start = page.upto

    def _check(self, item: AuditItem, under: Checkpoint) -> Checked:
        engine = self._engine
        core: Core | None = None
        try:
            core = decode_core(item.entry.core)
            taken = engine.trust.take_entry(item.kind, item.entry, item.envelope, under)
            if item.kind != "release":
                self._check_author(taken)
        except SeefenError as err:
            return Checked(item, core, None, f"entry {item.entry.index}: {err}")
        return Checked(item, taken.core, taken.opened, "")

    def _check_author(self, taken: Taken) -> None:
        directory, size = self._engine.directory, taken.record.authority_size
        at = taken.core.at // 1000
        id_ = bytes.fromhex(taken.core.device)
        device = directory.require_active(id_, size=size, at=at)
        check_signed_by(taken.opened, device.sign)
        if taken.core.officer != device.officer:
            raise UntrustedError("the entry names another officer", rule="core")
        if isinstance(taken.opened.statement, Search):
            # It stands in no case, so no member has checked its rules but its own auditors.
            check_search(taken.opened, directory, Position(size, taken.index, at))

    def _gaps(self, entries: AllChecked) -> tuple[str, ...]:
        """Return what is missing in the numbers of devices, from 1 on.

        Of the own devices every number; of partners those in the own cases. How far a device
        got is also known from what it told this one: its last entries cannot be cut off.
        """
        engine = self._engine
        numbers: dict[str, set[int]] = defaultdict(set)
        in_case: dict[tuple[str, str], set[int]] = defaultdict(set)
        for one in entries:
            if one.core is None or not one.core.device_n:
                continue
            in_case[one.core.case, one.core.device].add(one.core.case_n)
            if one.core.node == engine.node:
                numbers[one.core.device].add(one.core.device_n)
        ours = engine.keys.device.hex()
        last = {device: max(seen) for device, seen in numbers.items()}
        last[ours] = max(last.get(ours, 0), engine.vault.get_number("device_n"))
        gaps: Sentences = []
        for device, upto in last.items():
            missing = sorted(set(range(1, upto + 1)) - numbers[device])
            gaps += [
                f"an entry of {self._officer(device)} is missing: its number {number}"
                for number in missing
            ]
        whole = {device for device in last if len(numbers[device]) == last[device]} - {ours}
        for case, device, upto in engine.vault.run("SELECT case_id, device, case_n FROM number"):
            state = engine.trust.require_state(case)
            own = engine.directory.device(device).node == engine.node
            if state.owner != engine.node and not own:
                continue
            if own and device.hex() not in whole and device.hex() in last:
                continue  # its missing numbers are named above
            missing = sorted(set(range(1, upto + 1)) - in_case[case.hex(), device.hex()])
            gaps += [
                f"an entry of {self._officer(device.hex())} in {engine.name_of(state)} is "
                f"missing: its number {number} there"
                for number in missing
            ]
        return tuple(gaps)

    def _officer(self, device: str) -> str:
        return self._engine.directory.device(bytes.fromhex(device)).officer or device[:8]

    def _row(self, one: Checked, under: Checkpoint) -> AuditRow:
        core = one.core
        if core is None:
            return AuditRow(
                one.item.entry.index,
                0,
                "",
                "",
                "",
                one.item.kind,
                "",
                "",
                "",
                "",
                "",
                None,
                False,
                False,
                under.size,
                "",
                one.problem,
            )
        statement = None if one.opened is None else one.opened.statement
        account = self._account(statement) if isinstance(statement, Search) else None
        ref, case, type_ = self._named(core)
        return AuditRow(
            index=one.item.entry.index,
            at=core.at // 1000,
            node=core.to[0] if core.act == "release" and core.to else core.node,
            officer=core.officer or self._officers(statement),
            device=core.device,
            what=WHAT.get(core.act, core.act),
            ref=ref,
            case=case,
            type=type_,
            purpose=core.purpose,
            basis=core.basis,
            reason=self._reason(statement) if account is None else account.reason,
            emergency=bool(core.emergency),
            proved=not one.problem,
            size=under.size,
            scope=statement.scope if isinstance(statement, Access) else "",
            problem=one.problem,
            search=account,
        )

    def _named(self, core: Core) -> tuple[str, str, str]:
        engine = self._engine
        state = engine.trust.state(bytes.fromhex(core.case)) if core.case else None
        number = engine.name_of(state) if state is not None else core.case[:8]
        if not core.object:
            return number, number, ""
        found = rows(engine, "object = ?", bytes.fromhex(core.object))
        if not found:
            return f"{number}#{core.n or '?'}", number, ""
        cover = found[0].opened_cover
        return f"{number}#{found[0].n}", number, cover.type if cover else ""

    def _officers(self, statement: object) -> str:
        if not isinstance(statement, Release):
            return ""
        directory = self._engine.directory
        return ", ".join(directory.device(device).officer for device in statement.devices)

    def _reason(self, statement: object) -> str | None:
        if not isinstance(statement, Access):
            return None
        engine = self._engine
        for sealed in statement.reasons:
            mailbox = engine.directory.mailbox(sealed.node, "audit", gen=sealed.gen)
            seed = engine.mailbox_seed(sealed.node, "audit", sealed.gen)
            if mailbox is not None and seed is not None:
                try:
                    return open_reason(statement, mailbox, seed)
                except SeefenError as err:
                    return f"[{err}]"
        return None

    def _account(self, search: Search) -> SearchView:
        """Return what was looked for, as far as this device may know it."""
        reason: str | None = None
        sought: tuple[SoughtView, ...] | None = None
        for sealed in search.reasons:
            mailbox = self._engine.directory.mailbox(sealed.node, "audit", gen=sealed.gen)
            seed = self._engine.mailbox_seed(sealed.node, "audit", sealed.gen)
            if mailbox is not None and seed is not None:
                try:
                    account = open_account(search, mailbox, seed)
                except SeefenError as err:
                    reason = f"[{err}]"
                    continue
                reason = account.reason
                sought = tuple(SoughtView(s.at, s.what, s.query, s.results) for s in account.sought)
        return SearchView(search.made_at, search.automated, search.count, reason, sought)


def _is_reading(one: Checked) -> bool:
    read = one.core is None or one.core.act in ("access", "release", "search")
    return read or bool(one.problem)


def _count(checked: AllChecked, *, automated: bool) -> int:
    """Return how many searches of officers, or automated ones, entries stand for."""
    made = [one.opened.statement for one in checked if one.opened is not None]
    return sum(s.count for s in made if isinstance(s, Search) and s.automated == automated)
