"""What a device without an auditor's role may see: its own accesses, and who read its node's cases.

The own ones stand in its vault because their receipts were proved when they came, so nobody is
asked. Who read a case of the own node is asked of the broker.
"""

from seefen.client.audit.filters import Filter
from seefen.client.audit.rowing import case_name
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow
from seefen.client.once import opened
from seefen.client.views import rows
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Access


def own_rows(engine: Engine, wanted: Filter, after: int, limit: int) -> tuple[list[AuditRow], bool]:
    """Return what this device opened, with the reasons its officer gave, and if there is more."""
    sql = (
        "SELECT access.idx, access.envelope, access.reason, entry.at FROM access"
        " LEFT JOIN entry ON entry.idx = access.idx WHERE access.idx > ? ORDER BY access.idx"
    )
    device = engine.directory.device(engine.keys.device)
    head = engine.trust.head("activity").size
    found: list[AuditRow] = []
    for index, envelope, reason, at in engine.vault.run(sql, after):
        access = opened(envelope, "access").statement
        if not isinstance(access, Access):
            continue
        name, made = case_name(engine, access.case.hex()), at or 0
        if not _is_wanted(wanted, access, name, made):
            continue
        if len(found) == limit:
            return found, True
        objects = rows(engine, "object = ?", access.object) if access.object else []
        cover = objects[0].opened_cover if objects else None
        witnessed, cosigned, witnesses = engine.witnessed.of_entry(index)
        found.append(
            AuditRow(
                index=index,
                at=made,
                node=engine.node,
                officer=device.officer,
                device=device.device.hex(),
                what="opened",
                ref=f"{name}#{objects[0].n}" if objects else name,
                case=name,
                type=cover.type if cover else "",
                purpose=access.purpose,
                basis=access.basis,
                reason=reason or None,
                emergency=access.emergency,
                proved=True,
                size=head,
                scope=access.scope,
                op="consult",
                witnessed=witnessed,
                cosigned=cosigned,
                witnesses=witnesses,
                needed=engine.directory.root.quorum,
            )
        )
    return found, False


def _is_wanted(wanted: Filter, access: Access, case: str, at: int) -> bool:
    return (
        wanted.case in (None, case)
        and (wanted.since is None or at >= wanted.since)
        and (wanted.until is None or at < wanted.until)
        and wanted.basis in ("", access.basis)
        and (access.emergency or not wanted.emergency)
    )


def require_owner(engine: Engine, name: str) -> bytes:
    """Return the id of a case whose readings this device may see: its node opened it.

    Raises:
        RefusedError: rule ``unknown-case``, ``not-the-owner`` or ``role``.
    """
    case = engine.named(name)
    if case is None:
        raise RefusedError(f"there is no case {name} here", rule="unknown-case")
    owner = engine.trust.require_state(case).owner
    if owner != engine.node:
        raise RefusedError(
            f"{name} is a case of {owner}: only {owner} is shown who read it", rule="not-the-owner"
        )
    roles = engine.directory.device(engine.keys.device).roles
    if not {"lead", "keyholder"} & set(roles):
        raise RefusedError(
            "who read a case is shown to leads, keyholders and auditors of the node that opened it",
            rule="role",
        )
    return case
