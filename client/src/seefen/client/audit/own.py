"""An officer's own accesses, from his own vault: for a device without an auditor's role.

Each stands here because its receipt was proved when it came, so nobody is asked.
"""

from seefen.client.audit.filters import Filter
from seefen.client.audit.rowing import case_name
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow
from seefen.client.once import opened
from seefen.client.views import rows
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
