"""Cores: what the broker writes about an act must be what the officer signed.

An auditor reads the core. It binds the statement by its hash alone, so each field that
both have is compared; or the broker could put another purpose, number or device there.
"""

from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Access, Ack, Activity, Object, Search, Statement


def agrees(core: Core, statement: Statement) -> bool:
    """Tell whether a core says what its statement says."""
    if isinstance(statement, Search):
        return _agrees(core, statement)
    if not isinstance(statement, Activity):
        return True  # a release has no signature of its own: the broker makes both
    about = statement.object if isinstance(statement, Object | Access | Ack) else None
    why = ("", "", 0)
    if isinstance(statement, Access):
        why = (statement.purpose, statement.basis, int(statement.emergency))
    elif isinstance(statement, Object):
        why = ("", "", int(statement.unwitnessed))
    return (
        (core.purpose, core.basis, core.emergency) == why
        and core.node == statement.node
        and core.device == statement.device.hex()
        and core.case == statement.case.hex()
        and (core.case_n, core.device_n) == (statement.case_n, statement.device_n)
        and core.object == (about or b"").hex()
    )


def _agrees(core: Core, search: Search) -> bool:
    return (
        (core.purpose, core.basis, core.emergency) == (search.purpose, search.basis, 0)
        and core.node == search.node
        and core.device == search.device.hex()
        and core.device_n == search.device_n
        and (core.case, core.case_n, core.object, core.n) == ("", 0, "", 0)
    )
