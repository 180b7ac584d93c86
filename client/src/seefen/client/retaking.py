"""Retaking: a case in doubt is asked for again, and judged anew with what was hidden.

A statement that comes late cannot be put on top of what followed it: the rules ask for what
was true in its place. So the state of the case is made again from its first entry on, from
what was believed before and what is shown now. Nothing that was believed can be taken back
by not showing it again (that would be a rewind, case by case): it is in the vault, and is
judged again in its place with the rest.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from seefen.client import alarms
from seefen.client.doubts import Doubt, doubt, doubted, judging, put_off, tried
from seefen.client.engine import PAGE, Engine
from seefen.client.once import opened
from seefen.client.paging import Place
from seefen.client.resaying import Own, say_again
from seefen.client.states import objects_before
from seefen.client.storing import crowded, object_of, store_step, unreplace
from seefen.client.stubs import is_told_less, stub_of
from seefen.client.trust import Taken
from seefen.client.vault import StoredEntry, Vault
from seefen.protocol.case_chain import check_stub
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import Before, Item, Page, Stub
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.statements import Ack, Object

CRUMBS: Final = 64  # pages that hold next to nothing, though more follow
CRUMB: Final = 1 << 20  # bytes; an honest page ends with twice as much, or with PAGE entries
STOPS: Final = ("fork", "rewind", "consistency")  # what makes a client stop sending


class Proved(Struct, frozen=True):
    """An item, the checkpoint it stands under, and its number, which its core proves."""

    item: Item
    under: Checkpoint
    stub: Stub


class Shown(Struct):
    """What the broker shows of a case now, besides what is ``believed``."""

    believed: frozenset[int]
    items: dict[int, Proved] = {}
    stubs: dict[int, Stub] = {}
    before: Before | None = None


class Anew(Struct, frozen=True):
    """What stands in the places of a case: of ``told`` the stubs say what was there before."""

    believed: dict[int, StoredEntry]
    told: dict[int, Stub]
    items: dict[int, Proved]
    stubs: dict[int, Stub]


async def catch_up(engine: Engine, look: Callable[[], Awaitable[None]]) -> int:
    """Fetch what is new, then ask again for the cases in doubt; return how many entries came.

    The engine's lock must not be held: it is let go between two pages and between two cases, or
    an alert would wait until a long case was read again.

    Args:
        look: For what is hidden, before the lock is let go: a broker that takes its time over a
            page would else be written to under a key whose successor it hides.
    """
    async with engine.lock:
        count, now = await engine.sync(), engine.now()
        await look()
        due = [one for one in doubted(engine.vault).values() if one.next_at <= now]
        for one in due:
            tried(engine.vault, one.case, now)
    if due:
        count += await _retake(engine, due)
    return count


async def _retake(engine: Engine, due: list[Doubt]) -> int:
    try:
        shown, upto = await _shown(engine, [one.case for one in due])
    except SeefenError as err:
        if err.status in (401, 503) or err.rule in STOPS:
            for one in due:
                put_off(engine.vault, one, engine.now())
            raise
        engine.alarm(f"what was hidden or refused could not be asked for again: {err}")
        return 0
    count = 0
    for one in due:
        async with engine.lock:
            try:
                taken = _judge(engine, one, shown[one.case], upto)
            except Exception as err:  # one case that breaks must not end the looks of all others
                name = one.case.hex()[:8]
                engine.alarm(f"case {name} could not be judged anew: {type(err).__name__}")
                continue
            engine.arrived(taken)
            count += len(taken)
    return count


async def _shown(engine: Engine, cases: list[bytes]) -> tuple[dict[bytes, Shown], int]:
    """Return what the feed has of some cases, from the first of them on, and where it ended."""
    shown = {case: Shown(_believed(engine.vault, case)) for case in cases}
    place, more, crumbs = Place(min(min(of.believed, default=0) for of in shown.values())), True, 0
    while more:
        ask = place.asked(PAGE, engine.trust.head("activity").size)
        page = await engine.connection.request("feed", ask, Page)
        async with engine.lock:
            place, more = await _keep_page(engine, shown, page, place)
        crumbs += more and _is_crumb(page)
        if crumbs > CRUMBS:
            raise UntrustedError("the broker shows its log in crumbs", rule="page")
    return shown, place.cursor


async def _keep_page(
    engine: Engine, shown: dict[bytes, Shown], page: Page, place: Place
) -> tuple[Place, bool]:
    """Keep what a page has of some cases; return where it ends, and whether more follows."""
    signed = await engine.trust.accept("activity", page.checkpoint, page.consistency, engine.prove)
    under = signed.checkpoint
    end = place.behind(page, under.size)
    await engine.reach([item.entry for item in page.items])
    for item in page.items:
        _keep_item(engine, shown, item, under)
    for stub in page.stubs:
        if (of := shown.get(stub.case)) is not None and stub.index < under.size:
            of.stubs[stub.index] = stub
    for count in page.before:
        if (of := shown.get(count.case)) is not None:
            of.before = count
    return end


def _is_crumb(page: Page) -> bool:
    size = sum(len(item.envelope) + len(item.body) for item in page.items)
    return len(page.items) + len(page.stubs) < PAGE // 2 and size < CRUMB


def _believed(vault: Vault, case: bytes) -> frozenset[int]:
    sql = "SELECT idx FROM entry WHERE case_id = ? AND envelope IS NOT NULL"
    return frozenset(index for (index,) in vault.run(sql, case))


def _keep_item(engine: Engine, shown: dict[bytes, Shown], item: Item, under: Checkpoint) -> None:
    index = item.entry.index
    try:
        of = shown.get(bytes.fromhex(decode_core(item.entry.core).case))
        if of is not None and index not in of.believed:
            taken = engine.trust.take_entry(item.kind, item.entry, item.envelope, under)
            of.items[index] = Proved(item, under, stub_of(taken))
    except SeefenError as err:  # the rest is worth as much as without it
        engine.alarm(f"entry {index} is not to be believed: {err}")


def _judge(engine: Engine, one: Doubt, shown: Shown, upto: int) -> list[Taken]:
    """Judge a case anew if what is shown of it is not what was known; return what is news."""
    vault, case, taken = engine.vault, one.case, list[Taken]()
    anew = _places(vault, case, shown, upto)
    count = shown.before
    counts_same = count is None or count.objects == objects_before(vault, case)
    if not anew.items and anew.stubs == anew.told and counts_same and not one.late:
        return taken
    with engine.change(), judging(vault, case):
        _begin(engine, case)
        if count is not None:
            engine.trust.count_before(count, engine.node)
        for index in sorted({*anew.believed, *anew.items, *anew.stubs}):
            if not _is_taken(vault, case, index):
                taken += _put(engine, anew, index)
        _let_go(engine, case)
        _settle(engine, taken)
    return taken


def _places(vault: Vault, case: bytes, shown: Shown, upto: int) -> Anew:
    """Return what stands in the places of a case now.

    Nothing stands before its first entry that is believed, else another opening could take the
    place of the one that is known. Nothing proves a stub: the newest word about a place counts,
    and one that is shown no more was a lie. What came since the reading stays.
    """
    kept = {entry.index: entry for entry in vault.entries(case)}
    believed = {index: entry for index, entry in kept.items() if entry.envelope is not None}
    told = {index: _stub(entry) for index, entry in kept.items() if index not in believed}
    first = min(believed, default=0)
    items = {i: one for i, one in shown.items.items() if i >= first and i not in believed}
    later = {index: stub for index, stub in told.items() if index >= upto}
    taken = believed.keys() | items.keys()
    stubs = {i: s for i, s in (shown.stubs | later).items() if i >= first and i not in taken}
    return Anew(believed, told, items, stubs)


def _put(engine: Engine, anew: Anew, index: int) -> list[Taken]:
    """Judge what stands in one place; return it if it is news."""
    if index in anew.believed:
        _judge_again(engine, anew.believed[index])
    elif index in anew.items:
        return _take(engine, anew.items[index], told=index in anew.told)
    elif anew.told.get(index) == anew.stubs[index]:
        _skip_again(engine, anew.stubs[index])
    else:
        engine.take_stub(anew.stubs[index])
    return []


def _begin(engine: Engine, case: bytes) -> None:
    """Take away what is made again, entry by entry."""
    vault = engine.vault
    own = "SELECT object FROM object WHERE case_id = ?"
    vault.run(f"DELETE FROM step WHERE object IN ({own})", case)  # noqa: S608 - ours
    vault.run("DELETE FROM entry WHERE case_id = ?", case)
    vault.run("DELETE FROM number WHERE case_id = ?", case)
    # Numbers are given anew; below zero none is in the way of another.
    vault.run("UPDATE object SET n = -1 - idx WHERE case_id = ?", case)
    engine.trust.forget_all()


def _is_taken(vault: Vault, case: bytes, index: int) -> bool:
    """Tell whether a stub of another case stands in a place; both cases are looked at again."""
    row = vault.one("SELECT case_id FROM entry WHERE idx = ?", index)
    if row is None:
        return False
    for name in (case, row[0]):
        doubt(vault, name)
    return True


def _take(engine: Engine, one: Proved, *, told: bool) -> list[Taken]:
    """Take an item in; one that was told of before, and is refused as then, raises no alarm."""
    taken = engine.take_item(one.item, one.under, alone=told)
    if taken is not None:
        return [taken]
    if told:
        doubt(engine.vault, one.stub.case)
        _skip_again(engine, one.stub)
    return []


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
            if not is_told_less(engine.trust.require_state(kept.case), _stub(kept), engine.node):
                doubt(vault, kept.case)  # the gap before it is still there
        else:
            _store_again(engine, kept, state.object_count)
            return
    engine.alarm(f"entry {kept.index} was believed, and is refused now: {wrong}")
    _skip_again(engine, _stub(kept))


def _store_again(engine: Engine, kept: StoredEntry, count: int) -> None:
    """Keep again what came of an entry that is believed as before."""
    match opened(kept.envelope or b"", kept.kind).statement:
        case Object():
            sql = "UPDATE object SET n = ? WHERE case_id = ? AND idx = ? RETURNING 1"
            if not engine.vault.run(sql, count, kept.case, kept.index):
                _tell_once(engine, crowded(kept.index))
        case Ack() as ack:
            officer = engine.directory.device(kept.device).officer
            store_step(engine.vault, ack, kept.at or 0, officer)
        case _:
            pass


def _let_go(engine: Engine, case: bytes) -> None:
    """Take away what came of entries that are refused now: messages, and keys."""
    vault, own = engine.vault, list[Own]()
    sql = "SELECT idx, envelope, cover, body FROM object WHERE case_id = ? AND n < 0 ORDER BY idx"
    for index, envelope, cover, body in vault.run(sql, case):
        obj = object_of(envelope)
        if obj.device == engine.keys.device:
            own.append(Own(index, envelope, obj, cover, body))
        unreplace(vault, obj)
        vault.run("DELETE FROM mark WHERE object = ?", obj.object)
        vault.run("DELETE FROM word WHERE rowid = ?", index)
        vault.run("DELETE FROM object WHERE object = ?", obj.object)
    if own:
        say_again(engine, own)
    state = engine.trust.state(case)
    engine.keychain.keep_only(case, 0 if state is None else len(state.generations))


def _settle(engine: Engine, taken: Sequence[Taken]) -> None:
    """Bring in order what follows from messages that came in between others."""
    vault = engine.vault
    engine.look_for_crowded_out(taken)
    for one in taken:
        vault.put(f"late/{one.index}", b"")  # for who was told of all up to a later entry
        obj = one.opened.statement
        if not isinstance(obj, Object):
            continue
        if one.cover is not None:
            unreplace(vault, obj)  # what replaced the same later does so still
        if vault.one("SELECT 1 FROM object WHERE idx = ? AND body IS NOT NULL", one.index):
            vault.put_number("folding", 0)  # it was open, by a copy: its words have moved
        else:
            vault.run("DELETE FROM mark WHERE object = ?", obj.object)


def _tell_once(engine: Engine, sentence: str) -> None:
    """Raise an alarm, unless it was raised before: an auditor may have explained it since."""
    if all(one.sentence != sentence for one in alarms.kept(engine.vault)):
        engine.alarm(sentence)


def _skip_again(engine: Engine, stub: Stub) -> None:
    """Count what is not shown, or refused, as before."""
    trust = engine.trust
    state = trust.state(stub.case)
    if state is None:
        doubt(engine.vault, stub.case)
        trust.keep_stub(stub)
        return
    try:
        check_stub(state, stub, trust.directory, engine.node)
    except UntrustedError:
        doubt(engine.vault, stub.case)
    try:
        trust.take_stub(stub)
    except OutOfTurnError:
        if not is_told_less(state, stub, engine.node):
            doubt(engine.vault, stub.case)
        trust.jump(stub)


def _stub(kept: StoredEntry) -> Stub:
    return Stub(kept.index, kept.kind, kept.case, kept.device, kept.case_n)
