"""Rows: entries as an auditor reads them, with the facts of the covers that this device may see."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from seefen.client.assigned import assigned_before
from seefen.client.audit.checking import account_of, reason_of
from seefen.client.audit.erasing import erasure_of
from seefen.client.audit.facts import AUDIT, GONE, Facts, reason_number
from seefen.client.audit.store import Store
from seefen.client.cores import asked_in
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow, SearchView, SoughtView
from seefen.client.once import opened
from seefen.client.views import Row, answer_of, recall_of, rows
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import Access, Denied, Search, Statement

WHAT: Final = {
    "access": "opened",
    "release": "released",
    "search": "searched",
    "object": "sent",
    "ack": "acknowledged",
    "assign": "assigned",
    "casekey": "gave a new key",
    "case": "changed the case",
    "denied": "asked for",
    "manifest": "published a manifest for",
    "viewed": "looked at the cores of",
    "erased": "erased readings",
}


def row_of_entry(engine: Engine, store: Store, facts: Facts, head: int) -> AuditRow:
    """Return an entry as an auditor reads it.

    Args:
        head: The newest checkpoint this device has proved to hold the one it was checked under.
    """
    if not facts.act:
        return AuditRow(
            index=facts.idx, at=0, node="", officer="", device="", what="", ref="", case="",
            type="", purpose="", basis="", reason=None, emergency=False, proved=False, size=head,
            scope="", problem=facts.problem,
        )  # fmt: skip
    witnessed, cosigned, witnesses = engine.witnessed.of_entry(facts.idx)
    statement = _statement(store, facts)
    account = _account(engine, statement) if isinstance(statement, Search) else None
    number = case_name(engine, facts.case_id)
    row = _object(engine, facts)
    cover = None if row is None else row.opened_cover
    return AuditRow(
        index=facts.idx,
        at=facts.at // 1000,
        node=facts.node,
        officer=", ".join(facts.officer.split()),
        device=facts.device,
        what=_what(engine, facts, account),
        ref=_ref(number, facts, row),
        case=number,
        type=cover.type if cover else "",
        purpose=facts.purpose,
        basis=facts.basis,
        reason=_reason(engine, statement) if account is None else account.reason,
        emergency=bool(facts.emergency),
        proved=not facts.problem,
        size=head,
        scope=statement.scope if isinstance(statement, Access) else "",
        problem=facts.problem,
        search=account,
        op=facts.op,
        outcome=facts.outcome,
        to=tuple(facts.recipient.split()),
        offence=_said(row, "offence"),
        urgency=cover.urgency if cover else "",
        assigned=_assigned(engine, facts, statement),
        request=_request(engine, row, facts),
        witnessed=witnessed,
        cosigned=cosigned,
        witnesses=witnesses,
        needed=engine.directory.root.quorum,
    )


def _reason(engine: Engine, statement: object) -> str | None:
    reason, problem = reason_of(engine, statement)
    return f"[{problem}]" if problem else reason


def _what(engine: Engine, facts: Facts, account: SearchView | None) -> str:
    """Say what was done; what is opened or sought with the purpose ``audit`` is no look into it."""
    if account is None:
        is_look = facts.is_look  # under a view, say: no more is shown there
    else:
        sought = account.sought or ()
        is_look = facts.purpose == AUDIT and all(one.what == AUDIT for one in sought)
    if is_look:
        return "looked into the audit"
    if facts.act != GONE:
        return WHAT.get(facts.act, facts.act)
    erasure = erasure_of(engine.vault, facts.idx)
    at = datetime.fromtimestamp(0 if erasure is None else erasure.at, UTC)
    return f"erased under retention on {at:%Y-%m-%d}"


def case_name(engine: Engine, case: str) -> str:
    """Return the number of a case, or the beginning of its id where this device knows no more."""
    state = engine.trust.state(bytes.fromhex(case)) if case else None
    return engine.name_of(state) if state is not None else case[:8]


def _statement(store: Store, facts: Facts) -> Statement | None:
    item = store.item(facts.idx)
    if item is None or facts.problem:
        return None
    try:
        statement = opened(item.envelope, item.kind).statement
        return asked_in(statement) if isinstance(statement, Denied) else statement
    except SeefenError:
        return None


def _object(engine: Engine, facts: Facts) -> Row | None:
    if not facts.object:
        return None
    found = rows(engine, "object = ?", bytes.fromhex(facts.object))
    return found[0] if found else None


def _ref(number: str, facts: Facts, row: Row | None) -> str:
    if facts.act in ("manifest", "viewed"):
        return facts.recipient or "all nodes"
    if not facts.object:
        return number
    return f"{number}#{row.n if row is not None else facts.n or '?'}"


def _said(row: Row | None, table: str) -> str:
    cover = None if row is None else row.opened_cover
    codes = () if cover is None else (one.code for one in cover.what if one.table == table)
    return next(iter(codes), "")


def _assigned(engine: Engine, facts: Facts, statement: object) -> str:
    """Say whether the reader's device had the case from a keyholder when it read."""
    if not isinstance(statement, Access) or not facts.case_id:
        return ""
    state = engine.trust.state(statement.case)
    device = engine.directory.device(statement.device)
    if state is None or state.form != "case" or device.node != engine.node:
        return ""  # in a channel everybody on watch reads; of others we are not told
    if "keyholder" in device.roles:
        return "keyholder"
    return "yes" if assigned_before(engine, statement.case, statement.device, facts.idx) else "no"


def _request(engine: Engine, row: Row | None, facts: Facts) -> str:
    """Say how a request or alert stood when it was read: open, answered or taken back."""
    cover = None if row is None else row.opened_cover
    if row is None or cover is None or not cover.life:
        return ""
    back = recall_of(engine, row)
    if back is not None and back.index < facts.idx:
        return "taken back"
    nodes = cover.to or engine.trust.require_state(row.case).members
    for node in nodes:
        answer, _, at = answer_of(engine, row, node)
        if answer is None or at is None or at * 1000 > facts.at:
            return "open"
    return "answered"


def _account(engine: Engine, search: Search) -> SearchView:
    account, problem = account_of(engine, search)
    sought: tuple[SoughtView, ...] | None = None
    if account is not None:
        sought = tuple(SoughtView(s.at, s.what, s.query, s.results) for s in account.sought)
    reason = problem if account is None else account.reason
    return SearchView(search.made_at, search.automated, search.count, reason, sought)


def reads_reason(engine: Engine, store: Store, facts: Facts) -> bool:
    """Tell whether this device can read why, or what for: whether it is sealed to it."""
    statement = _statement(store, facts)
    if isinstance(statement, Search):
        return account_of(engine, statement)[0] is not None
    reason, problem = reason_of(engine, statement)
    return reason is not None or bool(problem)


def gives_reason(engine: Engine, store: Store, facts: Facts) -> bool:
    """Tell whether a reason stands there that this device can read by now."""
    return bool(reason_number(reason_of(engine, _statement(store, facts))[0]))


def rows_of(engine: Engine, store: Store, found: list[Facts], head: int) -> Iterator[AuditRow]:
    """Yield entries as an auditor reads them."""
    return (row_of_entry(engine, store, facts, head) for facts in found)
