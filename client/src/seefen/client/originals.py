"""What was passed on: proved before it is shown, searched or sent.

The proof is :mod:`seefen.protocol.onward`; here is added what this device knows besides:
whether the original, or the permission, was taken back.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from seefen.client import correcting
from seefen.client.engine import Engine
from seefen.client.values import CorrectionView
from seefen.client.views import Row, recall_of, ref_of, rows
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.messages import Correction, Forwarded, Message, Proof
from seefen.protocol.onward import Original, check_forwarded, inside
from seefen.protocol.statements import Object

Corrections: TypeAlias = tuple[CorrectionView, ...]


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


def is_in_use(engine: Engine, row: Row) -> bool:
    """Tell whether an object was not taken back, nor what it rests on where it was passed on.

    So nothing is found by what :func:`proven` refuses to show.
    """
    if recall_of(engine, row) is not None:
        return False
    message = row.message
    if not isinstance(message, Forwarded):
        return True
    try:
        return not any(_taken_back(engine, (message.original, *message.permissions)))
    except SeefenError:
        return False  # what does not parse was never proved


def copies_of(engine: Engine, object_: bytes, case: bytes | None = None) -> list[Row]:
    """Return as what the own node passed an object on: into a case, or into any.

    Only what is open here: what a copy is of stands in its body.
    """
    sql = "node = ? AND body IS NOT NULL AND NOT file AND superseded_by IS NULL"
    return [
        row
        for row in rows(engine, sql, engine.node)
        if case in (None, row.case)
        and (cover := row.opened_cover) is not None
        and cover.type == Forwarded.TYPE
        and isinstance(row.message, Forwarded)
        and header(row.message.original).object == object_
        and recall_of(engine, row) is None
    ]


def corrections_of(engine: Engine, row: Row, original: Original | None) -> Corrections:
    """Return what its author said later was wrong in a message: here, or passed on after it."""
    found = correcting.corrections_of(engine, row)
    if original is None:
        return found
    replies = "reply_to = ? AND case_id = ? AND body IS NOT NULL AND NOT file"
    return (*found, *filter(None, (
        _correction(engine, one, original) for one in rows(engine, replies, row.object, row.case)
    )))  # fmt: skip


def _correction(engine: Engine, row: Row, of: Original) -> CorrectionView | None:
    message = row.message
    if not isinstance(message, Forwarded) or recall_of(engine, row) is not None:
        return None
    try:
        passed = proven(engine, row, message)
    except SeefenError:
        return None
    said = passed.message
    # Nobody corrects what another node said, neither here.
    ours = header(message.original).reply_to == of.object and passed.node == of.node
    if not ours or not isinstance(said, Correction):
        return None
    return CorrectionView(ref_of(engine, row), row.at, said.was, said.now)


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
    for row, back in _taken_back(engine, proofs):
        raise RefusedError(
            f"{name}: {row.statement.node} took {ref_of(engine, row)} back "
            f"({ref_of(engine, back)})",
            rule="recalled",
        )


def _taken_back(engine: Engine, proofs: Iterable[Proof]) -> Iterator[tuple[Row, Row]]:
    """Yield what of an original and its permissions was taken back, and with what."""
    for proof in proofs:
        for row in rows(engine, "object = ?", header(proof).object):
            back = recall_of(engine, row)
            if back is not None:
                yield row, back
