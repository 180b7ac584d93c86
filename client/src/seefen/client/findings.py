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
    """An entry as an auditor sees it, checked on this machine."""

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


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of the whole log found, and what nobody could see."""

    problems: tuple[str, ...]
    checked: int
    head: int
    limits: tuple[str, ...]
    quorum: int
