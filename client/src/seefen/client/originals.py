"""What was passed on: proved before it is shown, searched or sent.

The proof is :mod:`seefen.protocol.onward`; here is added what this device knows besides:
whether the original, or the permission, was taken back.
"""

from collections.abc import Iterable

from seefen.client.engine import Engine
from seefen.client.views import Row, recall_of, ref_of, rows
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.messages import Forwarded, Message, Proof
from seefen.protocol.onward import Original, check_forwarded, inside
from seefen.protocol.statements import Object


def proven(engine: Engine, row: Row, forwarded: Forwarded) -> Original:
    """Return what a member of a case has passed on, once it is proved.

    Raises:
        UntrustedError: It is not what it is said to be; the sentence and the rule say why.
        RefusedError: rule ``recalled``.
    """
    name, node = ref_of(engine, row), row.statement.node
    try:
        original = check_forwarded(
            forwarded, engine.directory, by=node, reader=engine.node, at=row.at
        )
    except SeefenError as err:
        raise UntrustedError(
            f"{name}, forwarded by {node}, is not shown: {err} [{err.rule}]", rule=err.rule
        ) from None
    _require_kept(engine, name, (forwarded.original, *forwarded.permissions))
    return original


def shown(engine: Engine, row: Row, message: Message) -> Message | None:
    """Return what may be searched and compared of a body: nothing of what is not proved."""
    if not isinstance(message, Forwarded):
        return message
    try:
        return proven(engine, row, message).message
    except SeefenError:
        return None


def require(engine: Engine, nodes: Iterable[str], forwarded: Forwarded) -> None:
    """Check, before it is sealed, that each of these nodes may read it, as it will check itself.

    Raises:
        RefusedError: rule ``onward-permission`` and others; says for whom, and of whom to ask it.
    """
    now = engine.now()
    for node in nodes:
        try:
            check_forwarded(forwarded, engine.directory, by=engine.node, reader=node, at=now)
        except SeefenError as err:
            raise RefusedError(f"nothing was sent: {err}", rule=err.rule) from None
    _require_kept(engine, "what is forwarded", (forwarded.original, *forwarded.permissions))


def inner(message: Message) -> Message:
    """Return the message itself, or the one that is passed on in it."""
    return inside(message) if isinstance(message, Forwarded) else message


def header(proof: Proof) -> Object:
    """Return the signed statement of an embedded object, unchecked."""
    statement = open_envelope(proof.envelope, "object").statement
    if not isinstance(statement, Object):
        raise UntrustedError("this is no object", rule="wrong-kind")
    return statement


def _require_kept(engine: Engine, name: str, proofs: Iterable[Proof]) -> None:
    for proof in proofs:
        for row in rows(engine, "object = ?", header(proof).object):
            back = recall_of(engine, row)
            if back is not None:
                raise RefusedError(
                    f"{name}: {row.statement.node} took {ref_of(engine, row)} back "
                    f"({ref_of(engine, back)})",
                    rule="recalled",
                )
