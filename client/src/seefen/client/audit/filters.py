"""Filters: what an auditor asks for, as conditions on the facts of entries."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from seefen.client.audit.store import Condition, Store
from seefen.client.engine import Engine
from seefen.client.wording import utc
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES

# What is listed where no operation is asked for: who looked at what, and what is not proved.
_UNPROVED: Final = ("proved", "no")
READINGS: Final[Condition] = (
    ("act", "access"), ("act", "release"), ("act", "search"), ("act", "denied"), ("act", "gone"),
    ("act", "erased"), ("act", "manifest"), ("act", "viewed"), _UNPROVED,
)  # fmt: skip
# What an attempt may have lacked (`docs/spec/ledger.md`, 5).
RULES: Final = (
    "expired", "not-a-member", "not-a-reader", "not-a-viewer", "not-the-owner", "revoked", "role",
    "suspended",
)  # fmt: skip
OPERATIONS: Final = ("collect", "consult", "disclose", "alter")
LIMIT: Final = 100
NAMED: Final = 20  # of what is known, where something else was asked for


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list; an empty field asks nothing.

    Attributes:
        since: Unix seconds, the first that counts; ``until`` is the first that does not.
        op: ``collect``, ``consult``, ``disclose``, ``alter`` or ``all``; empty: readings and
            searches, and what is not proved.
        outcome: ``ok``, the rule that refused, or ``refused`` (``denied``) for whatever was.
        to: A node that received.
    """

    since: int | None = None
    until: int | None = None
    node: str | None = None
    officer: str | None = None
    device: str | None = None
    case: str | None = None
    op: str = ""
    outcome: str = ""
    basis: str = ""
    to: str | None = None
    emergency: bool = False

    @property
    def beyond_own(self) -> bool:
        """Whether it asks for what an officer's own accesses do not have."""
        others = (self.node, self.officer, self.device, self.to, self.outcome not in ("", "ok"))
        return any(others) or self.op not in ("", "consult", "all")

    def __str__(self) -> str:
        """Return it in the words of the command, for the entry about the auditor himself."""
        parts: list[str] = []
        for name, value in asdict(self).items():
            if value is None or value is False or value == "":
                continue
            if name in ("since", "until"):
                value = utc(value).strftime("%Y-%m-%dT%H:%MZ")
            parts.append(name if value is True else f"{name} {value}")
        return ", ".join(parts) or "everything"


def conditions(engine: Engine, store: Store, wanted: Filter) -> list[Condition]:
    """Return the conditions a filter stands for; see :func:`or_unproved`.

    Raises:
        RefusedError: rule ``unknown-case``, ``unknown-device``, ``unknown-officer``,
            ``unknown-node`` or ``audit-filter``.
    """
    _check(engine, store, wanted)
    same = (("node", wanted.node), ("officer", wanted.officer), ("basis", wanted.basis),
            ("recipient", wanted.to), ("emergency", "1" if wanted.emergency else ""))  # fmt: skip
    found: list[Condition] = [((field, value),) for field, value in same if value]
    if wanted.case:
        found.append((("case_id", case_id(engine, store, wanted.case)),))
    if wanted.device:
        found.append(tuple(("device", one) for one in devices(engine, wanted.device)))
    if wanted.outcome:
        found.append(tuple(("outcome", one) for one in outcomes(store, wanted.outcome)))
    return [or_unproved(one) for one in (*found, *_operation(wanted.op))]


def or_unproved(condition: Condition) -> Condition:
    """Return a condition that what is not proved fulfils, too.

    Whose it is, and what about, is nobody's word: else a broker that changes the case or the
    officer in the text of a reading hides it from whoever asks for that case or officer.
    """
    return condition if _UNPROVED in condition else (*condition, _UNPROVED)


def _check(engine: Engine, store: Store, wanted: Filter) -> None:
    """Refuse what cannot fit any entry: else a slip of the pen reads as *nobody opened it*."""
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise RefusedError("the period ends before it begins", rule="audit-filter")
    directory = engine.directory
    nodes = tuple(sorted(directory.nodes()))
    for node in filter(None, (wanted.node, wanted.to)):
        _require(node, nodes, "node", "unknown-node")
    if wanted.officer:
        known = {one.officer for node in nodes for one in directory.devices(node)} - {""}
        _require(wanted.officer, tuple(sorted(known)), "officer", "unknown-officer")
    if wanted.basis:
        known = {*TABLES["basis"], *store.values("basis")}
        _require(wanted.basis, tuple(sorted(known)), "legal basis", "audit-filter")
    if wanted.outcome:
        known = {"ok", "refused", "denied", *RULES, *store.values("outcome")}
        _require(wanted.outcome, tuple(sorted(known)), "outcome", "audit-filter")


def _require(text: str, known: tuple[str, ...], what: str, rule: str) -> None:
    if text in known:
        return
    named = ", ".join(known[:NAMED]) + (f" and {len(known) - NAMED} more" * (len(known) > NAMED))
    raise RefusedError(f"{text} is no {what} that is known here; known are: {named}", rule=rule)


def _operation(op: str) -> list[Condition]:
    if op not in ("", "all", *OPERATIONS):
        raise RefusedError(
            f"an operation is one of: {', '.join(OPERATIONS)}, all", rule="audit-filter"
        )
    if op == "all":
        return []
    return [(("op", op),)] if op else [READINGS]


def case_id(engine: Engine, store: Store, name: str) -> str:
    """Return the id of a case by its name, or by the first eight digits of its id.

    Raises:
        RefusedError: rule ``unknown-case``.
    """
    known = engine.named(name)
    if known is not None:
        return known.hex()
    for (case,) in store.vault.run("SELECT DISTINCT case_id FROM number"):
        state = engine.trust.state(case)
        if state is not None and engine.name_of(state) == name:
            return str(case.hex())
    low = name.lower()
    if len(low) >= 8 and set(low) <= set("0123456789abcdef"):
        found = store.values("case_id", low)
        if len(found) == 1:
            return found[0]
    raise RefusedError(
        f"no entry your node may see is about {name}: 'seefen audit list' names the cases",
        rule="unknown-case",
    )


def devices(engine: Engine, text: str) -> tuple[str, ...]:
    """Return the ids of devices that a text means: an id or its beginning, or an officer.

    Raises:
        RefusedError: rule ``unknown-device``.
    """
    directory = engine.directory
    known = (one for node in directory.nodes() for one in directory.devices(node))
    found = tuple(
        one.device.hex()
        for one in known
        if text in (one.officer, one.device.hex()) or one.device.hex().startswith(text.lower())
    )
    if not found:
        raise RefusedError(
            f"there is no device {text}",
            rule="unknown-device",
        )
    return found


def outcomes(store: Store, outcome: str) -> tuple[str, ...]:
    """Return the outcomes a word stands for."""
    if outcome not in ("refused", "denied"):
        return (outcome,)
    return tuple(one for one in store.values("outcome") if one != "ok") or ("refused",)


def month(text: str, engine_now: int) -> tuple[int, int]:
    """Return the first second of a month (``2026-03``, by UTC) and the first behind it.

    Raises:
        RefusedError: rule ``month``: it is none, or has not begun.
    """
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError("a month is written 2026-03", rule="month") from None
    if text != f"{first.year:04}-{first.month:02}":
        # A month has one spelling: with two, two samples of it could wait for their seeds.
        raise RefusedError("a month is written 2026-03", rule="month")
    if first.timestamp() > engine_now:
        raise RefusedError(f"{text} has not begun", rule="month")
    after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return int(first.timestamp()), int(after.timestamp())


def this_month(now: int) -> str:
    """Return the month of a moment, by UTC."""
    day: date = datetime.fromtimestamp(now, UTC).date()
    return f"{day.year:04}-{day.month:02}"
