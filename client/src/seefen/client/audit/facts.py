"""Facts: what a filter asks of an entry, kept beside it in the vault."""

import hashlib
from collections.abc import Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from seefen.client.audit.checking import Checked, officers_of, reason_of
from seefen.client.engine import Engine

GONE: Final = "gone"  # its text was erased, and the log says that it was
AUDIT: Final = "audit"  # purpose of what an auditor himself looks up
# What bitmaps are kept for (`store.py`).
FIELDS: Final = (
    "act", "op", "outcome", "node", "officer", "device", "case_id", "purpose", "basis",
    "recipient", "emergency", "proved",
)  # fmt: skip
Terms: TypeAlias = Iterator[tuple[str, str]]


class Facts(Struct, frozen=True):
    """A row of the table ``audited``, in the order of its columns.

    Several officers or recipients stand in one text, with a blank between: neither kind of
    name can hold one. ``reason`` is a number for equal reasons, 0 for none, never the text.
    """

    idx: int
    at: int  # unix milliseconds by the broker's clock
    act: str
    op: str
    outcome: str
    node: str
    officer: str
    device: str
    case_id: str
    object: str
    n: int
    case_n: int
    device_n: int
    purpose: str
    basis: str
    recipient: str
    emergency: int
    reason: int
    size: int
    problem: str

    @property
    def is_look(self) -> bool:
        """Whether it is a look into the audit: a body that is opened with that purpose is none."""
        return self.act == "search" and self.purpose == AUDIT

    def terms(self) -> Terms:
        """Yield each field and value that a filter finds it by."""
        single = (
            ("act", self.act), ("op", self.op), ("outcome", self.outcome), ("node", self.node),
            ("device", self.device), ("case_id", self.case_id), ("purpose", self.purpose),
            ("basis", self.basis), ("emergency", "1" if self.emergency else ""),
            ("proved", "no" if self.problem else "yes"),
        )  # fmt: skip
        yield from (term for term in single if term[1])
        yield from (("officer", name) for name in self.officer.split())
        yield from (("recipient", name) for name in self.recipient.split())


def facts_of(engine: Engine, one: Checked, size: int) -> Facts:
    """Return the facts of an entry that was checked under a checkpoint of ``size`` leaves."""
    core, index = one.core, one.item.entry.index
    if core is None:
        act, outcome = ("", "") if one.problem else (GONE, "ok")
        nothing = ("", "", "", "", "", 0, 0, 0, "", "", "", 0, 0)
        return Facts(index, 0, act, "", outcome, *nothing, size, one.problem)
    statement = None if one.opened is None else one.opened.statement
    reads = core.act == "release" and core.to
    return Facts(
        index,
        core.at,
        core.act,
        core.op,
        core.outcome,
        core.to[0] if reads else core.node,
        " ".join(officers_of(engine, core, statement)),
        core.device,
        core.case,
        core.object,
        core.n,
        core.case_n,
        core.device_n,
        core.purpose,
        core.basis,
        " ".join(core.to),
        core.emergency,
        # What does not fit its commitment is none: whoever seals rubbish has not said why.
        reason_number(reason_of(engine, statement)[0]),
        size,
        one.problem,
    )


def reason_number(reason: str | None) -> int:
    """Return a number that equal reasons share, whatever their case and spacing; 0 for none."""
    text = " ".join((reason or "").casefold().split())
    if not text:
        return 0
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") or 1
