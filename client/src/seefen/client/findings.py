"""What an audit finds: entries, searches, the verdict over a month, the check of the whole log."""

from dataclasses import dataclass


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
    """

    rows: tuple[AuditRow, ...]
    after: int | None
    head: int
    quorum: int
    own: bool = False
    fresh: bool = True


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


@dataclass(frozen=True, slots=True)
class PersonSeen:
    """A message that names a person, who opened it, and how many other persons it names."""

    ref: str
    type: str
    sender: str
    others: int
    rows: tuple[AuditRow, ...]


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """The answer to a person: ``entry`` is the keyholder's search it rests on."""

    entry: AuditRow
    searched: int
    closed: int
    seen: tuple[PersonSeen, ...]
    head: int
    quorum: int


@dataclass(frozen=True, slots=True)
class NameTold:
    """Who is behind a pseudonym: ``given`` is the entry of the keyholder who gave his half.

    ``written_at`` is when an admin wrote it into the register (unix seconds, by his clock).
    """

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


@dataclass(frozen=True, slots=True)
class EmergencyCase:
    """A case that an officer read in an emergency.

    Attributes:
        at: His first reading there, from which the reason is due within a day.
        reason_at: When he gave it, None while it is missing.
        readable: His reasons are sealed to this device: else nobody here knows.
    """

    case: str
    node: str
    officer: str
    at: int
    readings: int
    due_at: int
    reason_at: int | None
    readable: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The audit on one page."""

    ok: bool
    entries: int
    proved: int
    first: int
    last: int
    consultations: int
    searches: int
    cross_checks: int
    disclosures: int
    refused: int
    emergency: int
    gaps: tuple[str, ...]
    flags: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    limits: tuple[str, ...]
    quorum: int
    head: int
    at: int
    node: str
    network: str
    month: str = ""
    audits: int = 0
    emergencies: tuple[EmergencyCase, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of the whole log found, and what nobody could see."""

    problems: tuple[str, ...]
    checked: int
    head: int
    limits: tuple[str, ...]
    quorum: int
