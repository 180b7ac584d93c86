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

from msgspec import Struct
from msgspec.structs import replace

from seefen.client import alarms
from seefen.client.ahead import ahead, of_leaves
from seefen.client.cores import agrees
from seefen.client.evidence import accusation, keep_evidence
from seefen.client.once import opened as opened_once
from seefen.client.once import verified
from seefen.client.rules import judged_by
from seefen.client.states import count_earlier, keep_objects_before, restore
from seefen.client.vault import StoredEntry, Vault
from seefen.protocol import case_chain
from seefen.protocol.case import CaseState, Last, Position
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuthorityItem, AuthorityPage, Before, Item, Stub
from seefen.protocol.ledger.note import Checkpoint, SignedCheckpoint
from seefen.protocol.ledger.record import Core, Record
from seefen.protocol.ledger.tree import EMPTY_ROOT, check_consistency
from seefen.protocol.messages import Cover
from seefen.protocol.receipt import Entry, check_entry
from seefen.protocol.statements import Activity, Head, Root, Statement

Prove = Callable[[str, int, int], Awaitable[tuple[bytes, ...]]]


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
        """Take the directory from the vault again, as after a page that was not true.

        Raises:
            UntrustedError: rule ``fork``: the vault holds another log than it says was signed.
        """
        self.directory = Directory(self._net)
        if self._vault.get("judged") != judged_by():
            self._judge_again()
            return
        for kind, envelope, broken in self._vault.run(
            "SELECT kind, envelope, broken FROM authority ORDER BY idx"
        ):
            if broken is None:
                self.directory.retake(kind, envelope)
            else:
                self.directory.skip(envelope)
        self.check_replayed(self.head("authority"))

    def _judge_again(self) -> None:
        """Replay what was judged by other rules, by those of this program.

        Raises:
            UntrustedError: rule ``fork``, as in :meth:`reload`; all is as it was.
        """
        sql = "SELECT idx FROM authority WHERE broken IS NOT NULL"
        with self._vault.soon():
            before = set(self._vault.run(sql))
            rows = self._vault.run("SELECT kind, envelope FROM authority ORDER BY idx")
            self._vault.run("DELETE FROM authority")
            leaves = tuple(AuthorityItem(kind, envelope, ()) for kind, envelope in rows)
            sentences = self.take_authority(AuthorityPage(0, leaves, "", ()))
            # Rules that hold say nothing of a leaf that is not the one that was signed.
            self.check_replayed(self.head("authority"))
            if set(self._vault.run(sql)) - before:  # it counted, and counts no longer
                for sentence in sentences:
                    alarms.keep(self._vault, sentence)
            self._vault.put("judged", judged_by())

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
        new = page.items[max(0, self.directory.size - page.start) :]
        with self._vault.change(), ahead(new, of_leaves(self.directory)) as leaves:
            for item in leaves:
                index, broken = self.directory.size, None
                try:
                    self.directory.take(opened_once(item.envelope, item.kind))
                except SeefenError as err:
                    broken = f"{err.rule}: {err}"
                    self.directory.skip(item.envelope)
                    alarms.append(f"signed record {index} has no effect: {err}")
                row = (index, item.kind, item.envelope, broken)
                self._vault.later("INSERT INTO authority VALUES (?, ?, ?, ?)", *row)
        return alarms

    def check_replayed(self, checkpoint: Checkpoint | Head) -> None:
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
            restored = restore(self._vault, case)
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
        core = taken.core
        position = Position(taken.record.authority_size, taken.index, core.at // 1000)
        place = (taken.opened.kind, _case_of(taken.opened.statement), bytes.fromhex(core.device))
        numbers = (core.case_n, position.authority_size, position.at)
        entry = StoredEntry(taken.index, *place, *numbers, taken.opened.envelope, None)
        return self._follow(entry, taken.opened, reader=reader, past_gap=past_gap)

    def follow_again(
        self, entry: StoredEntry, *, reader: str = "", past_gap: bool = False
    ) -> CaseState:
        """Do as :meth:`follow` with an entry of the vault, whose state is made anew."""
        opened = opened_once(entry.envelope or b"", entry.kind)
        return self._follow(entry, opened, reader=reader, past_gap=past_gap)

    def _follow(
        self, entry: StoredEntry, opened: Opened, *, reader: str, past_gap: bool
    ) -> CaseState:
        case, device = entry.case, entry.device
        position = Position(entry.authority_size or 0, entry.index, entry.at or 0)
        before = self.state(case)
        known = Last(0, None) if before is None else before.last(device)
        if past_gap and before is not None:
            before = _counted(before, device, Last(entry.case_n - 1, None))
        state = case_chain.apply(before, opened, self.directory, position, reader=reader)
        if known.case_n > entry.case_n:
            state = _counted(state, device, known)
        if before is None:
            state = count_earlier(self._vault, state, reader)
        self._keep(case, state, device)
        self._vault.add_entry(entry)
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

    def count_before(self, count: Before, node: str) -> None:
        """Keep how many objects stand before ``node`` came to a case; it is no member of it yet."""
        state = self.state(count.case)
        if state is None or not state.was_member(node):
            keep_objects_before(self._vault, count)
            self._states.pop(count.case, None)  # its keys count from another number now

    def _keep(self, case: bytes, state: CaseState, device: bytes) -> None:
        self._states[case] = state
        last = state.last(device)
        row = (case, device, last.case_n, last.object_hash)
        sql = "INSERT OR REPLACE INTO number VALUES (?, ?, ?, ?)"
        self._vault.later(sql, *row, key=(case, device))

    def came_before(self, case: bytes, device: bytes, object_hash: bytes) -> None:
        """Count an object that is refused as the one before the next, if none came behind it."""
        state = self.state(case)
        if state is not None and (last := state.last(device)).object_hash is None:
            last = Last(last.case_n, object_hash)
            self._keep(case, _counted(state, device, last), device)

    def forget_all(self) -> None:
        """Drop the states in memory, after a transaction that was rolled back."""
        self._states.clear()


def _counted(state: CaseState, device: bytes, last: Last) -> CaseState:
    return replace(state, numbers={**state.numbers, device: last})


def _case_of(statement: Statement) -> bytes:
    if not isinstance(statement, Activity):
        raise UntrustedError("not a statement of a case", rule="unknown-kind")
    return statement.case
