"""What an audit finds: entries, searches, the verdict over a month, the check of the whole log."""

from dataclasses import dataclass, field
from typing import Final

from seefen.client.alarms import Kept
from seefen.client.compared import Compared
from seefen.client.explained import REASON, Finding
from seefen.client.wording import counted, stamp

NO_WITNESS: Final = "one broker, no witness: split views possible"


def without_quorum(named: int) -> str:
    """Return what is said where no witness must sign, though so many may be named."""
    if not named:
        return NO_WITNESS
    return f"{counted(named, 'witness', 'witnesses')} named, none required: split views possible"


def _in_order(alarms: tuple[Kept, ...], *found: tuple[int, str], ok: bool) -> str:
    """Return ``IN ORDER``, or how many of what stand against it; alarms until acknowledged."""
    if ok:
        return "IN ORDER"
    unanswered = sum(not one.acknowledged for one in alarms)
    against = [counted(count, name) for count, name in ((unanswered, "alarm"), *found) if count]
    return f"NOT IN ORDER: {', '.join(against)}"


def _known(findings: tuple[Finding, ...]) -> str:
    """Return how many findings are explained: they stand, and are never left out."""
    known = sum(bool(one.acknowledged) for one in findings)
    return f" ({counted(known, 'finding')} known)" if known else ""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """How far the witnesses have seen the log: what the newest head with their names on it says.

    Attributes:
        size: Of that head, 0 while no quorum has signed one; ``head`` is what was shown here.
        by: So many ``of`` the root's witnesses signed it; ``at`` is their time, Unix seconds.
        needed: How many must sign; with 0 there is nobody to.
        signed: The witnesses that signed it, by the names under which they sign; ``silent``:
            those that did not. A root names keys: which node runs one, no log says.
    """

    size: int
    by: int
    of: int
    at: int
    needed: int
    head: int
    signed: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What stands behind a verdict."""
        if not self.needed:
            return without_quorum(self.of)
        if not self.size:
            return f"cosigned by nobody yet: {self.needed} of {self.of} witnesses must sign"
        seen = f"cosigned up to {self.size} by {self.by} of {self.of} witnesses, {stamp(self.at)}"
        return "; ".join((seen, *self.unseen))

    @property
    def unseen(self) -> tuple[str, ...]:
        """What no quorum has seen yet, as a sentence; none where all is seen, or nobody asked."""
        if not self.needed or self.size >= self.head:
            return ()
        last = self.head - 1
        which = f"entry {last}" if self.size == last else f"entries {self.size} to {last}"
        return (f"{which} by nobody yet",)


@dataclass(frozen=True, slots=True)
class SoughtView:
    """One search: when by the device's clock, in which way, what for, in how many places."""

    at: int
    what: str
    query: str
    results: int


@dataclass(frozen=True, slots=True)
class SearchView:
    """An entry of one search, or of automated ones; ``sought`` and reason for auditors alone."""

    made_at: int
    automated: bool
    count: int
    reason: str | None
    sought: tuple[SoughtView, ...] | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry as an auditor sees it, checked on this machine.

    What stands on a cover is empty where this device has no key to it: ``type``, ``offence``,
    ``urgency``, ``request`` (``open``, ``answered``, ``taken back``). ``assigned`` is ``yes``,
    ``no`` or ``keyholder`` for a case and an officer of the own node, else empty. ``cosigned``
    of ``witnesses`` signed the checkpoint ``witnessed`` that holds it; 0 while none has. Where no
    quorum is asked for (``needed`` 0) there is nothing to sign.
    """

    index: int
    at: int
    node: str
    officer: str
    device: str
    what: str
    ref: str
    case: str
    type: str
    purpose: str
    basis: str
    reason: str | None
    emergency: bool
    proved: bool
    size: int
    scope: str
    problem: str = ""
    search: SearchView | None = None
    op: str = ""
    outcome: str = "ok"
    to: tuple[str, ...] = ()
    offence: str = ""
    urgency: str = ""
    assigned: str = ""
    request: str = ""
    witnessed: int = 0
    cosigned: int = 0
    witnesses: int = 0
    needed: int = 0


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of entries; ``after`` is where the next begins, None when this is the last.

    Attributes:
        own: Only what this device opened itself: it has no auditor's role.
        fresh: The broker was asked; else it is what was checked before.
        of: Whose cores these are, under a view: empty for all. None: of the own node.
        asked: The filter in words; ``behind`` is the index it began behind, -1 for none.
        named: So many witnesses the root names, whether or not any must sign.
    """

    rows: tuple[AuditRow, ...]
    after: int | None
    head: int
    quorum: int
    own: bool = False
    fresh: bool = True
    asked: str = "everything"
    behind: int = -1
    of: str | None = None
    named: int = 0


@dataclass(frozen=True, slots=True)
class CaseAudit:
    """Who saw what of a case, and when; ``readers`` are node, officer and how often.

    ``problems`` are readings that the broker keeps to itself.
    """

    case: str
    owner: str
    members: tuple[str, ...]
    rows: tuple[AuditRow, ...]
    readers: tuple[tuple[str, str, int], ...]
    after: int | None
    head: int
    quorum: int
    problems: tuple[str, ...] = ()
    named: int = 0


@dataclass(frozen=True, slots=True)
class PersonSeen:
    """A message that names a person, who opened it, and how many other persons it names."""

    ref: str
    type: str
    sender: str
    others: int
    rows: tuple[AuditRow, ...]


@dataclass(frozen=True, slots=True)
class PersonSought:
    """What a keyholder looked for, as his entry says: ``name`` as he typed it.

    ``words`` are those of it that a message must have to be found: one that is too short is none.
    ``found`` messages have them, of ``searched``.
    """

    entry: AuditRow
    name: str
    words: tuple[str, ...]
    found: int
    searched: int
    closed: int


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """The answer to a person; ``sought`` is what it rests on."""

    sought: PersonSought
    seen: tuple[PersonSeen, ...]
    head: int
    cosigned: Cosigned


@dataclass(frozen=True, slots=True)
class NameTold:
    """Who is behind a pseudonym: ``given`` is the keyholder's entry, ``written_at`` in unix s."""

    officer: str
    name: str
    given: AuditRow
    written_at: int
    head: int


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry whole: every field, where it stands, and who may know what of it.

    ``by`` names the witnesses of the checkpoint that holds it, and when each signed (unix s).
    ``kept_until`` is by the rule of the broker, 0 for as long as the log.
    """

    row: AuditRow
    fields: dict[str, str]
    record: str
    leaf: str
    proof: tuple[str, ...]
    root: str
    head: int
    knows: tuple[tuple[str, str], ...]
    quorum: int
    by: tuple[tuple[str, int], ...] = ()
    kept_until: int = 0
    named: int = 0


@dataclass(frozen=True, slots=True)
class EmergencyCase:
    """A case that an officer read in an emergency.

    Attributes:
        at: His first reading there, from which the reason is due within a day.
        reason_at: When he gave it, None while it is missing.
        unknown: Why nobody here knows whether one is missing; empty where that is known.
        subject: While it is overdue, the hash by which that is explained; else empty.
    """

    case: str
    node: str
    officer: str
    at: int
    readings: int
    due_at: int
    reason_at: int | None
    unknown: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ViewVerdict:
    """What is shown under a view, on one page.

    Attributes:
        of: The node, empty for the whole network; shown is what was made in ``[since, upto)``.
        acts: How many entries of each kind; ``gone`` were erased.
        whole: Whether every entry of the log must be shown.
        problems: What is wrong with single entries, and which have no opening.
        alarms: All that this device keeps: one that nobody acknowledged stands against it, too.
        findings: Entries that are not proved; one that was explained is no problem.
    """

    of: str
    since: int
    upto: int
    expires: int
    whole: bool
    entries: int
    acts: tuple[tuple[str, int], ...]
    problems: tuple[str, ...]
    cosigned: Cosigned
    head: int
    at: int
    limits: tuple[str, ...]
    alarms: tuple[Kept, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands against it."""
        return not self.problems and all(one.acknowledged for one in self.alarms)

    @property
    def sentence(self) -> str:
        """``IN ORDER``, or what stands against it."""
        said = _in_order(self.alarms, (len(self.problems), "problem"), ok=self.ok)
        return said + _known(self.findings)


@dataclass(frozen=True, slots=True)
class Published:
    """A manifest that was entered: of whose entries, of which places, how many are named."""

    of: str
    start: int
    upto: int
    named: int
    closed: int
    entry: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The audit on one page.

    ``alarms`` are all that this device keeps; one that nobody acknowledged stands against ``ok``.
    ``operations`` are proved entries of the month, by operation.
    ``findings`` are gaps, entries that are not proved and reasons that are overdue, with those
    that were explained: these alone stand neither in ``gaps`` nor in ``problems``.
    """

    ok: bool
    entries: int
    proved: int
    first: int
    last: int
    readings: int
    searches: int
    cross_checks: int
    disclosures: int
    refused: int
    emergency: int
    operations: tuple[tuple[str, int], ...]
    gaps: tuple[str, ...]
    flags: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    limits: tuple[str, ...]
    cosigned: Cosigned
    head: int
    at: int
    node: str
    network: str
    month: str = ""
    audits: int = 0
    emergencies: tuple[EmergencyCase, ...] = ()
    alarms: tuple[Kept, ...] = ()
    manifests: Compared = field(default_factory=Compared)
    findings: tuple[Finding, ...] = ()

    @property
    def sentence(self) -> str:
        """``IN ORDER``, or what stands against it; and how many findings are known."""
        overdue = sum(one.what == REASON and not one.acknowledged for one in self.findings)
        said = _in_order(
            self.alarms, (len(self.problems), "problem"), (len(self.gaps), "gap"),
            (len(self.manifests.problems), "difference"), (overdue, "overdue reason"), ok=self.ok,
        )  # fmt: skip
        return said + _known(self.findings)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of the whole log found, and what nobody could see.

    Attributes:
        checked: So many records lead to the signed root of ``head``.
        entries: So many entries of the node were checked. None: that is for its auditors.
        stale: Why the log is too old to be called in order; empty if it is not.
        findings: Gaps and entries that are not proved; one that was explained is no problem.
    """

    problems: tuple[str, ...]
    checked: int
    head: int
    limits: tuple[str, ...]
    cosigned: Cosigned
    entries: int | None = None
    stale: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands against it."""
        return not self.problems and not self.stale
