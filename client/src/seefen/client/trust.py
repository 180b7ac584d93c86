"""Trust: bytes in, trusted value out. Nothing else fills the vault.

1. A checkpoint is signed by the log key that the root statement names.
2. It does not take back what an earlier one said (rewind) and shows the same entries (fork).
3. Each authority leaf follows the rules of its kind; one that does not has no effect.
4. An entry stands under the checkpoint, and its core is the one committed to.
5. Its statement is the one the core names, signed, in turn, under the rules of its case.

What fails 1, 2 or 4 is kept as evidence, and the client stops sending.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from seefen.client import alarms
from seefen.client.cores import agrees
from seefen.client.evidence import accusation, keep_evidence
from seefen.client.once import opened as opened_once
from seefen.client.once import verified
from seefen.client.vault import StoredEntry, Vault
from seefen.protocol import case_chain
from seefen.protocol.case import CaseState, Generation, Last, Position
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuthorityPage, Item, Stub
from seefen.protocol.ledger.note import Checkpoint, SignedCheckpoint
from seefen.protocol.ledger.record import Core, Record
from seefen.protocol.ledger.tree import EMPTY_ROOT, check_consistency
from seefen.protocol.messages import Cover
from seefen.protocol.receipt import Entry, check_entry
from seefen.protocol.statements import Activity, Assign, Case, CaseKey, Head, Root, Statement
from seefen.protocol.suite import sha256

Prove = Callable[[str, int, int], Awaitable[tuple[bytes, ...]]]
STRUCTURE: Final = ("case", "casekey", "assign")


class Taken(Struct, frozen=True):
    """An item that passed every check."""

    opened: Opened
    core: Core
    index: int
    record: Record
    cover: Cover | None = None  # of an object whose key is here


class Trust:
    """What this device believes, and why."""

    def __init__(self, vault: Vault, net: bytes, evidence: Path) -> None:
        self._vault = vault
        self._evidence = evidence
        self._net = net
        self._root: Root | None = None
        self._states: dict[bytes, CaseState] = {}
        self.directory = Directory(net)
        self.reload()

    def reload(self) -> None:
        """Take the directory from the vault again, as after a page that was not true."""
        self.directory = Directory(self._net)
        for kind, envelope, broken in self._vault.run(
            "SELECT kind, envelope, broken FROM authority ORDER BY idx"
        ):
            if broken is None:
                self.directory.apply(kind, envelope)
            else:
                self.directory.skip(envelope)

    def learn_root(self, page: AuthorityPage) -> None:
        """Learn the log key from root version 1 before its checkpoint can be checked.

        Raises:
            UntrustedError: The first leaf does not found the network of the invite.
        """
        if self.directory.size == 0 and page.start == 0 and page.items:
            first = Directory(self._net)
            first.apply(page.items[0].kind, page.items[0].envelope)
            self._root = first.root

    @property
    def root(self) -> Root:
        """The newest root statement."""
        if self.directory.size == 0 and self._root is not None:
            return self._root
        return self.directory.root

    # --- heads ---------------------------------------------------------------

    def head(self, log: str) -> Head:
        """Return the highest verified head of a log."""
        kept = self._vault.head(log)
        return Head(0, EMPTY_ROOT) if kept is None else kept[0]

    def origin(self, log: str) -> str:
        """Return the name of a log."""
        return f"{self.root.origin}/{log}"

    async def accept(
        self, log: str, note: str, proof: tuple[bytes, ...], prove: Prove
    ) -> SignedCheckpoint:
        """Check a checkpoint against the highest head and keep the higher one.

        Args:
            proof: Of consistency; it fits when the request named our newest head.
            prove: Asks the broker for another consistency proof.

        Raises:
            UntrustedError: rule ``rewind``, ``fork`` or ``consistency``; evidence is kept.
        """
        signed = verified(note, self.origin(log), self.root.log_key)
        new, mine = signed.checkpoint, self.head(log)
        try:
            if new.size < mine.size:
                # Older than what we know is fine only if it is a part of it.
                await self._check_part(log, new, mine, prove)
                return signed
            await self._check_growth(log, mine, new, proof, prove)
        except UntrustedError as err:
            self._keep_evidence(log, new, note, err)
            raise
        with self._vault.soon():  # what it stands for is committed after it, and in full
            self._vault.put_head(log, Head(new.size, new.root), note)
        return signed

    async def _check_growth(
        self, log: str, mine: Head, new: Checkpoint, proof: tuple[bytes, ...], prove: Prove
    ) -> None:
        if mine.size == new.size:
            check_consistency(mine.size, mine.root, new.size, new.root, ())
            return
        try:
            check_consistency(mine.size, mine.root, new.size, new.root, proof)
        except UntrustedError as err:
            if err.rule == "fork":
                raise
            # Our head moved on while the answer was on its way: ask for the right proof.
            proof = await prove(log, mine.size, new.size)
            check_consistency(mine.size, mine.root, new.size, new.root, proof)

    async def _check_part(self, log: str, new: Checkpoint, mine: Head, prove: Prove) -> None:
        try:
            proof = await prove(log, new.size, mine.size)
            check_consistency(new.size, new.root, mine.size, mine.root, proof)
        except SeefenError as err:
            if err.status not in (400, 403, 409, 422):
                raise  # only an answer counts: a line that broke says nothing about the log
            raise UntrustedError(
                f"the {log} log was rewound: the broker now shows {new.size} entries, "
                f"and it had signed {mine.size}",
                rule="rewind",
            ) from None

    def _keep_evidence(self, log: str, new: Checkpoint, note: str, err: UntrustedError) -> None:
        alarms.keep(self._vault, str(err))
        kept = self._vault.head(log)
        before = "" if kept is None else kept[1]
        value = accusation(err.rule, str(err), self.root.log_key, [before, note])
        name = f"{log}-{err.rule}-{new.size}-{new.root.hex()[:16]}.json"
        keep_evidence(self._evidence, name, value)

    # --- authority log ---------------------------------------------------------

    def take_page(self, page: AuthorityPage, under: Checkpoint) -> list[str]:
        """Replay a page under its checkpoint, all of it or nothing; return what broke a rule.

        Raises:
            UntrustedError: rule ``page``, ``fork``, or ``withheld``: leaves are signed for
                that the broker does not show (a revocation, say: attack 11).
        """
        try:
            with self._vault.change():
                upto = page.start + len(page.items)
                if page.start > self.directory.size or (page.items and upto > under.size):
                    raise UntrustedError("the broker shows leaves it has not signed", rule="page")
                alarms = self.take_authority(page)
                self.check_replayed(under)
                if not page.items and self.directory.size < self.head("authority").size:
                    raise UntrustedError(
                        "the broker withholds signed records of keys", rule="withheld"
                    )
                return alarms
        except BaseException:
            # The vault was rolled back: what is in memory must go back with it.
            self.reload()
            raise

    def take_authority(self, page: AuthorityPage) -> list[str]:
        """Replay the leaves of a page; return what broke a rule, as sentences.

        The page must end at or before the checkpoint that was accepted for it; the
        caller compares the root when the replay has reached it.
        """
        alarms: list[str] = []
        with self._vault.change():
            for index, item in enumerate(page.items, start=page.start):
                if index < self.directory.size:
                    continue
                broken: str | None = None
                try:
                    self.directory.apply(item.kind, item.envelope)
                except SeefenError as err:
                    broken = f"{err.rule}: {err}"
                    self.directory.skip(item.envelope)
                    alarms.append(f"signed record {index} has no effect: {err}")
                row = (index, item.kind, item.envelope, broken)
                self._vault.run("INSERT INTO authority VALUES (?, ?, ?, ?)", *row)
        return alarms

    def check_replayed(self, checkpoint: Checkpoint) -> None:
        """Check that the replay gives the root of the checkpoint.

        Raises:
            UntrustedError: The broker showed other leaves than it signed.
        """
        if (
            checkpoint.size <= self.directory.size
            and self.directory.root_at(checkpoint.size) != checkpoint.root
        ):
            raise UntrustedError("the authority log is not the one that was signed", rule="fork")

    # --- activity log ----------------------------------------------------------

    def state(self, case: bytes) -> CaseState | None:
        """Return the state of a case, from the vault when it is not in memory."""
        if case not in self._states:
            restored = self._restore(case)
            if restored is None:
                return None
            self._states[case] = restored
        return self._states[case]

    def require_state(self, case: bytes) -> CaseState:
        """Return the state of a case.

        Raises:
            UntrustedError: This device knows no such case.
        """
        state = self.state(case)
        if state is None:
            raise UntrustedError("this device knows no such case", rule="unknown-case")
        return state

    def take_entry(self, kind: str, entry: Entry, envelope: bytes, under: Checkpoint) -> Taken:
        """Check that an entry stands in the log and that its statement is the one named.

        Raises:
            UntrustedError: rule ``core-commitment``, ``inclusion``, ``other-statement``.
        """
        core = check_entry(entry, under)
        opened = opened_once(envelope, kind)
        named = core.act == kind and core.req == opened.hash.hex()
        if not named or not agrees(core, opened.statement):
            raise UntrustedError(
                f"entry {entry.index} is about another signed record than the one shown",
                rule="other-statement",
            )
        return Taken(opened, core, entry.index, Record.decode(entry.record))

    def take_item(self, item: Item, under: Checkpoint) -> Taken | None:
        """Take a feed item into the state of its case; None if it was taken before."""
        if self._vault.has_entry(item.entry.index):
            return None
        taken = self.take_entry(item.kind, item.entry, item.envelope, under)
        self.follow(taken)
        return taken

    def follow(self, taken: Taken, *, reader: str = "", past_gap: bool = False) -> CaseState:
        """Apply a checked statement to its case and keep both.

        Args:
            reader: The own node, whose ``assign`` statements alone are shown here.
            past_gap: A number beside its own is missing, or this one was for a while.
        """
        case = _case_of(taken.opened.statement)
        position = Position(taken.record.authority_size, taken.index, taken.core.at // 1000)
        before, device = self.state(case), bytes.fromhex(taken.core.device)
        known = Last(0, None) if before is None else before.last(device)
        if past_gap and before is not None:
            before = _counted(before, device, Last(taken.core.case_n - 1, None))
        state = case_chain.apply(before, taken.opened, self.directory, position, reader=reader)
        if known.case_n > taken.core.case_n:
            state = _counted(state, device, known)
        self._keep(case, state, device)
        place = (taken.index, taken.opened.kind, case, device, taken.core.case_n)
        size, at = position.authority_size, position.at
        self._vault.add_entry(StoredEntry(*place, size, at, taken.opened.envelope, None))
        return state

    def take_stub(self, stub: Stub) -> None:
        """Count a statement that is not for us.

        Raises:
            OutOfTurnError: A number is missing: something was withheld.
        """
        if self._vault.has_entry(stub.index):
            return
        state = self.require_state(stub.case)
        position = Position(state.position.authority_size, stub.index, state.position.at)
        self._keep(stub.case, case_chain.skip(state, stub, position), stub.device)
        self.keep_stub(stub)

    def keep_stub(self, stub: Stub) -> None:
        """Keep where a statement stands that is not for us, or that has no effect."""
        place = (stub.index, stub.kind, stub.case, stub.device, stub.case_n)
        self._vault.add_entry(StoredEntry(*place, None, None, None, None))

    def jump(self, stub: Stub) -> None:
        """Go on behind a gap, after the alarm about it; a number given twice moves nothing."""
        state = self.require_state(stub.case)
        if stub.case_n <= state.last(stub.device).case_n:
            self.keep_stub(stub)
            return
        self._states[stub.case] = _counted(state, stub.device, Last(stub.case_n - 1, None))
        self.take_stub(stub)

    def _keep(self, case: bytes, state: CaseState, device: bytes) -> None:
        self._states[case] = state
        last = state.last(device)
        row = (case, device, last.case_n, last.object_hash)
        sql = "INSERT OR REPLACE INTO number VALUES (?, ?, ?, ?)"
        self._vault.later(sql, *row, key=(case, device))

    def forget_all(self) -> None:
        """Drop the states in memory, after a transaction that was rolled back."""
        self._states.clear()

    def _restore(self, case: bytes) -> CaseState | None:
        # The statements were verified when they were taken in; the vault is ours.
        versions: list[Case] = []
        generations: list[Generation] = []
        assigned: dict[int, frozenset[bytes]] = {}
        case_hash = b""
        opened_at: Position | None = None
        for entry in self._vault.entries(case, *STRUCTURE):
            if entry.envelope is None or entry.authority_size is None or entry.at is None:
                continue
            statement = open_envelope(entry.envelope, entry.kind).statement
            position = Position(entry.authority_size, entry.index, entry.at)
            opened_at = opened_at or position
            match statement:
                case Case():
                    versions.append(statement)
                    case_hash = sha256(entry.envelope)
                case CaseKey():
                    count = self._count_objects(case, entry.index)
                    generations.append(
                        Generation(statement, sha256(entry.envelope), position, count)
                    )
                case Assign():
                    devices = {wrap.device for wrap in statement.devices}
                    assigned[statement.gen] = assigned.get(statement.gen, frozenset()) | devices
                case _:
                    pass
        if opened_at is None:
            return None
        numbers = {
            device: Last(case_n, hash_)
            for device, case_n, hash_ in self._vault.run(
                "SELECT device, case_n, object_hash FROM number WHERE case_id = ?", case
            )
        }
        newest = self._vault.one(
            "SELECT max(idx), max(authority_size), max(at) FROM entry WHERE case_id = ?", case
        ) or (0, 0, 0)
        position = Position(newest[1], newest[0], newest[2])
        count = self._count_objects(case, newest[0] + 1)
        chain = (tuple(versions), case_hash, position, opened_at, tuple(generations))
        return CaseState(case, *chain, assigned, numbers, count)

    def _count_objects(self, case: bytes, before: int) -> int:
        row = self._vault.one(
            "SELECT count(*) FROM entry WHERE case_id = ? AND kind = 'object' AND idx < ?",
            case,
            before,
        )
        return 0 if row is None else row[0]


def _counted(state: CaseState, device: bytes, last: Last) -> CaseState:
    return replace(state, numbers={**state.numbers, device: last})


def _case_of(statement: Statement) -> bytes:
    if not isinstance(statement, Activity):
        raise UntrustedError("not a statement of a case", rule="unknown-kind")
    return statement.case
