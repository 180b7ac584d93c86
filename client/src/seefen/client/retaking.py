"""Retaking: a case in doubt is asked for again, and judged anew with what was hidden.

A statement that comes late cannot be put on top of what followed it: the rules ask for what
was true in its place. So the state of the case is made again from its first entry on, from
what was believed before and what is shown now. Nothing that was believed can be taken back
by not showing it again (that would be a rewind, case by case): it is in the vault, and is
judged again in its place with the rest.
"""

from collections.abc import Iterable

from msgspec import Struct

from seefen.client import doubts
from seefen.client.engine import PAGE, Engine
from seefen.client.trust import Taken
from seefen.client.vault import StoredEntry, Vault
from seefen.protocol.case_chain import check_stub
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import FeedFrom, Item, Page, Stub
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.record import decode_core


class Shown(Struct):
    """What the broker shows of a case now, beside what was believed of it before.

    Items come with the checkpoint they stand under.
    """

    stored: dict[int, StoredEntry]
    items: dict[int, tuple[Item, Checkpoint]]
    stubs: dict[int, Stub]

    def believed(self, index: int) -> bool:
        """Tell whether an entry was believed before."""
        return index in self.stored and self.stored[index].envelope is not None


async def retake(engine: Engine) -> int:
    """Ask again for the cases in doubt that are due; return how many entries came.

    The lock must be held. What cannot be asked for now is asked for later.
    """
    now = engine.now()
    due = [one.case for one in doubts.doubted(engine.vault).values() if one.next_at <= now]
    if not due:
        return 0
    for case in due:
        doubts.tried(engine.vault, case, now)
    try:
        shown = await _shown(engine, due)
    except SeefenError as err:
        if err.status in (401, 503):
            raise
        engine.alarm(f"what was hidden or refused could not be asked for again: {err}")
        return 0
    count = 0
    for case in due:
        taken = _judge(engine, case, shown[case])
        engine.arrived(taken)
        count += len(taken)
    return count


async def _shown(engine: Engine, cases: list[bytes]) -> dict[bytes, Shown]:
    """Return what the feed has of some cases, from the first of them on."""
    vault = engine.vault
    shown = {
        case: Shown({entry.index: entry for entry in vault.entries(case)}, {}, {}) for case in cases
    }
    cursor, more = min(_first(engine, case) for case in cases), True
    while more:
        ask = FeedFrom(cursor, PAGE, engine.trust.head("activity").size)
        page = await engine.connection.request("feed", ask, Page)
        signed = await engine.trust.accept(
            "activity", page.checkpoint, page.consistency, engine.prove
        )
        under = signed.checkpoint
        if not cursor <= page.upto <= max(under.size, cursor):
            raise UntrustedError("the broker shows a page beyond its own log", rule="page")
        await engine.reach([item.entry for item in page.items])
        for item in page.items:
            index = item.entry.index
            of = shown.get(bytes.fromhex(decode_core(item.entry.core).case))
            if of is not None and not of.believed(index):
                engine.trust.take_entry(item.kind, item.entry, item.envelope, under)
                of.items[index] = item, under
        for stub in page.stubs:
            if (of := shown.get(stub.case)) is not None and stub.index < under.size:
                of.stubs[stub.index] = stub
        more = cursor < page.upto < under.size
        cursor = page.upto
    return shown


def _first(engine: Engine, case: bytes) -> int:
    """Return where to begin: at the opening of a case, or at the beginning if that is hidden."""
    sql = "SELECT min(idx) FROM entry WHERE case_id = ? AND envelope IS NOT NULL"
    row = engine.vault.one(sql, case)
    return 0 if row is None or row[0] is None else int(row[0])


def _judge(engine: Engine, case: bytes, shown: Shown) -> list[Taken]:
    """Judge a case anew if something of it came that was not believed before."""
    vault, taken = engine.vault, list[Taken]()
    if not (shown.items or shown.stubs.keys() - shown.stored.keys()):
        return taken
    with engine.change(), doubts.judging(vault, case):
        vault.run("DELETE FROM entry WHERE case_id = ?", case)
        vault.run("DELETE FROM number WHERE case_id = ?", case)
        _drop_strays(vault, shown.items)
        # Numbers are given anew; below zero none is in the way of another.
        vault.run("UPDATE object SET n = -1 - idx WHERE case_id = ?", case)
        engine.trust.forget_all()
        for index in sorted({*shown.stored, *shown.items, *shown.stubs}):
            one = _again(engine, shown, index)
            if one is not None:
                taken.append(one)
        _renumber(engine, case)
    return taken


def _drop_strays(vault: Vault, items: Iterable[int]) -> None:
    """Let go of stubs of other cases in places that are proved to be of this one.

    Nothing proves a stub. One in a wrong case would keep what really stands there out for ever.
    """
    for index in items:
        for (other,) in vault.run("SELECT case_id FROM entry WHERE idx = ?", index):
            vault.run("DELETE FROM entry WHERE idx = ? AND envelope IS NULL", index)
            doubts.doubt(vault, other)


def _again(engine: Engine, shown: Shown, index: int) -> Taken | None:
    """Judge what stands in one place; what was told of before raises no alarm once more."""
    kept = shown.stored.get(index)
    if kept is not None and kept.envelope is not None:
        _judge_again(engine, kept)
        return None
    if index in shown.items:
        taken = engine.take_item(*shown.items[index], alone=kept is not None)
        if taken is not None or kept is None:
            return taken
        doubts.doubt(engine.vault, kept.case)
    if kept is None:
        engine.take_stub(shown.stubs[index])
    else:
        _skip_again(engine, _stub(kept))
    return None


def _judge_again(engine: Engine, kept: StoredEntry) -> None:
    """Judge in its place what was believed."""
    trust, wrong = engine.trust, None
    for past_gap in (False, True):
        try:
            trust.follow_again(kept, reader=engine.node, past_gap=past_gap)
        except SeefenError as err:
            wrong = err
            if err.rule != "number":
                break
            doubts.doubt(engine.vault, kept.case)  # the gap before it is still there
        else:
            return
    engine.alarm(f"entry {kept.index} was believed, and is refused now: {wrong}")
    _skip_again(engine, _stub(kept))


def _skip_again(engine: Engine, stub: Stub) -> None:
    """Count what is not shown, or refused, as before."""
    trust = engine.trust
    state = trust.state(stub.case)
    if state is None:
        doubts.doubt(engine.vault, stub.case)
        trust.keep_stub(stub)
        return
    try:
        check_stub(state, stub, trust.directory, engine.node)
    except UntrustedError:
        doubts.doubt(engine.vault, stub.case)
    try:
        trust.take_stub(stub)
    except OutOfTurnError:
        doubts.doubt(engine.vault, stub.case)
        trust.jump(stub)


def _stub(kept: StoredEntry) -> Stub:
    return Stub(kept.index, kept.kind, kept.case, kept.device, kept.case_n)


def _renumber(engine: Engine, case: bytes) -> None:
    """Give each object the number that it has at everybody: its place among the objects."""
    engine.vault.run(
        "UPDATE object SET n = (SELECT count(*) FROM entry WHERE entry.case_id = object.case_id"
        " AND entry.kind = 'object' AND entry.idx <= object.idx) WHERE case_id = ?",
        case,
    )
