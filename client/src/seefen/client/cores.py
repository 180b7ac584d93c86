"""Cores: what the broker writes about an act must be what the officer signed.

An auditor reads the core. It binds the statement by its hash alone, so each field that
both have is compared; or the broker could put another purpose, number or device there.
"""

from seefen.protocol.envelope import open_envelope
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import (
    Access,
    Ack,
    Activity,
    Assign,
    Case,
    Caseless,
    Denied,
    Manifest,
    Object,
    Release,
    Search,
    Statement,
    Viewed,
)


def agrees(core: Core, statement: Statement) -> bool:
    """Tell whether a core says what its statement says."""
    if isinstance(statement, Caseless):
        return _agrees(core, statement)
    if isinstance(statement, Denied):
        return _refuses(core, statement)
    if isinstance(statement, Viewed):
        return _shows(core, statement)
    if isinstance(statement, Release):
        return _releases(core, statement)
    if not isinstance(statement, Activity):
        return True  # what is erased is judged by its own rule
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
        and _is_addressed(core, statement)
    )


def _is_addressed(core: Core, statement: Activity) -> bool:
    """Tell whether a core names the recipients that its statement names, as far as it does.

    The nodes that can read an object, or a key, follow from its case: auditors compare them.
    """
    match statement:
        case Access():
            return core.to == ()
        case Assign():
            return core.to == (statement.node,)
        case Case():
            return core.to == tuple(sorted({member.node for member in statement.members}))
        case _:
            return True


def _releases(core: Core, release: Release) -> bool:
    """Tell whether a core says of a release what the broker wrote: to whom, which, and why."""
    return (
        (core.node, core.to, core.under) == (release.node, (release.node,), release.under)
        and (core.case, core.object) == (release.case.hex(), release.object.hex())
        and (core.device, core.officer, core.purpose, core.basis) == ("", "", "", "")
        and (core.case_n, core.device_n, core.emergency) == (0, 0, 0)
    )


def _agrees(core: Core, statement: Caseless) -> bool:
    why = ("", "")
    about: tuple[str, ...] = ()
    if isinstance(statement, Search):
        why = (statement.purpose, statement.basis)
    elif isinstance(statement, Manifest):
        about = (statement.of,)  # by this the broker shows it to whom it is about
    return (
        (core.purpose, core.basis, core.emergency) == (*why, 0)
        and core.node == statement.node
        and core.device == statement.device.hex()
        and core.device_n == statement.device_n
        and (core.case, core.case_n, core.object, core.n) == ("", 0, "", 0)
        and core.to == about
    )


def _shows(core: Core, viewed: Viewed) -> bool:
    """Tell whether a core says of a look what the broker wrote; by ``to`` it shows it to whose."""
    return (
        (core.node, core.device) == (viewed.node, viewed.device.hex())
        and core.to == ((viewed.of,) if viewed.of else ())
        and (core.case, core.object, core.purpose, core.basis) == ("", "", "", "")
        and (core.case_n, core.device_n, core.n, core.emergency) == (0, 0, 0, 0)
        and core.outcome == "ok"
    )


def asked_in(denied: Denied) -> Access | Search | None:
    """Return what was refused, its signature unchecked; None where the request carries none.

    Raises:
        MalformedError: It is no statement of the kind that was asked.
    """
    if not denied.asked:
        return None
    statement = open_envelope(denied.asked, denied.what).statement
    return statement if isinstance(statement, Access | Search) else None


def _refuses(core: Core, denied: Denied) -> bool:
    """Tell whether a core says of a refusal what the broker wrote and the device asked."""
    asked = asked_in(denied)
    why = ("", "", 0)
    if asked is not None:
        why = (asked.purpose, asked.basis, int(isinstance(asked, Access) and asked.emergency))
        if (asked.device, asked.node) != (denied.device, denied.node):
            return False
    about = (denied.case, denied.object)
    if isinstance(asked, Access) and any(
        one not in (None, other)
        for one, other in zip(about, (asked.case, asked.object), strict=True)
    ):
        return False
    return (
        (core.purpose, core.basis, core.emergency) == why
        and (core.node, core.device) == (denied.node, denied.device.hex())
        and (core.case, core.object) == tuple((one or b"").hex() for one in about)
        and (core.case_n, core.device_n, core.n, core.to) == (0, 0, 0, ())
        and core.outcome == denied.rule != "ok"
    )
