"""Retaking: a case in doubt is asked for again, and judged anew with what was hidden.

A statement that comes late cannot be put on top of what followed it: the rules ask for what
was true in its place. So the state of the case is made again from its first entry on, from
what was believed before and what is shown now. Nothing that was believed can be taken back
by not showing it again (that would be a rewind, case by case): it is in the vault, and is
judged again in its place with the rest.
"""

from typing import Final

from msgspec import Struct

from seefen.client import doubts
from seefen.client.engine import PAGE, Engine
from seefen.client.once import opened
from seefen.client.storing import unreplace
from seefen.client.trust import Taken
from seefen.client.vault import StoredEntry, Vault
from seefen.protocol.case_chain import check_stub
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import FeedFrom, Item, Page, Stub
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.statements import Ack, CaseKey, Object

SPARE_PAGES: Final = 64
STOPS: Final = ("fork", "rewind", "consistency")  # what makes a client stop sending


class Shown(Struct):
    """What the broker shows of a case now: items with the checkpoint they stand under.

    ``believed`` are the places whose entries are in the vault; nothing of the case stands before
    the ``first`` of them, else another opening could take the place of the one that is known.
    """

    believed: frozenset[int]
    first: int
    items: dict[int, tuple[Item, Checkpoint]]
    stubs: dict[int, Stub]

    def wants(self, index: int) -> bool:
        """Tell whether what is shown in a place is news."""
        return index >= self.first and index not in self.believed


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
        if err.status in (401, 503) or err.rule in STOPS:
            raise
        engine.alarm(f"what was hidden or refused could not be asked for again: {err}")
        return 0
    count = 0
    for case in due:
        try:
            taken = _judge(engine, case, shown[case])
        except Exception as err:  # one case that breaks must not end the looks of all others
            engine.alarm(f"case {case.hex()[:8]} could not be judged anew: {type(err).__name__}")
            continue
        engine.arrived(taken)
        count += len(taken)
    return count


async def _shown(engine: Engine, cases: list[bytes]) -> dict[bytes, Shown]:
    """Return what the feed has of some cases, from the first of them on."""
    shown = {case: _known(engine, case) for case in cases}
    cursor, more, pages = min(of.first for of in shown.values()), True, 0
    while more:
        ask = FeedFrom(cursor, PAGE, engine.trust.head("activity").size)
        page = await engine.connection.request("feed", ask, Page)
        signed = await engine.trust.accept(
            "activity", page.checkpoint, page.consistency, engine.prove
        )
        under, pages = signed.checkpoint, pages + 1
        if not cursor <= page.upto <= max(under.size, cursor):
            raise UntrustedError("the broker shows a page beyond its own log", rule="page")
        if pages > SPARE_PAGES + 2 * under.size // PAGE:
            raise UntrustedError("the broker shows its log in crumbs", rule="page")
        await engine.reach([item.entry for item in page.items])
        for item in page.items:
            _keep_item(engine, shown, item, under)
        for stub in page.stubs:
            if (of := shown.get(stub.case)) is not None and stub.index < under.size:
                of.stubs[stub.index] = stub
        more = cursor < page.upto < under.size
        cursor = page.upto
    return shown


def _known(engine: Engine, case: bytes) -> Shown:
    sql = "SELECT idx FROM entry WHERE case_id = ? AND envelope IS NOT NULL"
    believed = frozenset(index for (index,) in engine.vault.run(sql, case))
    return Shown(believed, min(believed, default=0), {}, {})


def _keep_item(engine: Engine, shown: dict[bytes, Shown], item: Item, under: Checkpoint) -> None:
    index = item.entry.index
    try:
        of = shown.get(bytes.fromhex(decode_core(item.entry.core).case))
        if of is not None and of.wants(index):
            engine.trust.take_entry(item.kind, item.entry, item.envelope, under)
            of.items[index] = item, under
    except SeefenError as err:  # the rest is worth as much as without it
        engine.alarm(f"entry {index} is not to be believed: {err}")


def _judge(engine: Engine, case: bytes, shown: Shown) -> list[Taken]:
    """Judge a case anew if what is shown of it is not what was known."""
    vault, taken = engine.vault, list[Taken]()
    stored = {entry.index: entry for entry in vault.entries(case)}
    believed = {index for index, entry in stored.items() if entry.envelope is not None}
    # Nothing proves a stub. One that is shown no more was a lie, and is let go.
    places = sorted({*believed, *shown.items, *(i for i in shown.stubs if shown.wants(i))})
    if not shown.items and places == sorted(stored):
        return taken
    with engine.change(), doubts.judging(vault, case):
        vault.run("DELETE FROM entry WHERE case_id = ?", case)
        vault.run("DELETE FROM number WHERE case_id = ?", case)
        # Numbers are given anew; below zero none is in the way of another.
        vault.run("UPDATE object SET n = -1 - idx WHERE case_id = ?", case)
        engine.trust.forget_all()
        for index in places:
            one = _again(engine, case, stored.get(index), shown, index)
            if one is not None:
                taken.append(one)
    return taken


def _is_taken(vault: Vault, case: bytes, index: int) -> bool:
    """Tell whether a stub of another case stands in a place; both cases are looked at again."""
    row = vault.one("SELECT case_id FROM entry WHERE idx = ?", index)
    if row is None:
        return False
    for name in (case, row[0]):
        doubts.doubt(vault, name)
    return True


def _again(
    engine: Engine, case: bytes, kept: StoredEntry | None, shown: Shown, index: int
) -> Taken | None:
    """Judge what stands in one place; what was told of before raises no alarm once more."""
    if _is_taken(engine.vault, case, index):
        return None
    if kept is not None and kept.envelope is not None:
        _judge_again(engine, kept)
        return None
    if index in shown.items:
        taken = engine.take_item(*shown.items[index], alone=kept is not None)
        if taken is not None or kept is None:
            return taken
        doubts.doubt(engine.vault, case)
    if kept is None:
        engine.take_stub(shown.stubs[index])
    else:
        _skip_again(engine, _stub(kept))
    return None


def _judge_again(engine: Engine, kept: StoredEntry) -> None:
    """Judge in its place what was believed."""
    vault, wrong = engine.vault, None
    for past_gap in (False, True):
        try:
            state = engine.trust.follow_again(kept, reader=engine.node, past_gap=past_gap)
        except SeefenError as err:
            wrong = err
            if err.rule != "number" or vault.has_number(kept.case, kept.device, kept.case_n):
                break
            doubts.doubt(vault, kept.case)  # the gap before it is still there
        else:
            sql = "UPDATE object SET n = ? WHERE case_id = ? AND idx = ?"
            vault.run(sql, state.object_count, kept.case, kept.index)
            return
    engine.alarm(f"entry {kept.index} was believed, and is refused now: {wrong}")
    _let_go(engine, kept)
    _skip_again(engine, _stub(kept))


def _let_go(engine: Engine, kept: StoredEntry) -> None:
    """Take away what came of an entry that is refused now."""
    statement = opened(kept.envelope or b"", kept.kind).statement
    vault = engine.vault
    match statement:
        case CaseKey():
            engine.keychain.unlearn(statement)
        case Object():
            unreplace(vault, statement)
            vault.run("DELETE FROM object WHERE object = ?", statement.object)
        case Ack():
            place = (statement.object, statement.node, statement.step)
            vault.run("DELETE FROM step WHERE object = ? AND node = ? AND step = ?", *place)
        case _:
            pass


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
