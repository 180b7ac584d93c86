"""A broker that withholds, reorders, repeats, edits and invents what it passes on.

The client is the shipped one. It refuses, says which rule, and goes on with the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.doubts import FIRST_SECONDS
from seefen.protocol.bundle import decode_bundle, encode_bundle
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import OutOfTurnError, SeefenError
from seefen.protocol.frames import Frame, Page, Push, Recorded, Released, Send, Stub
from seefen.protocol.keys import CASE_NODE, wrap_case_key
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.messages import Note
from seefen.protocol.statements import CaseKey
from seefen.protocol.suite import random_bytes
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, deaf, until
from tests.support import waiting
from tests.support.hostile import LIMIT
from tests.system.siege import Siege, numbers, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def objects(page: Page) -> list[Any]:
    """Return the items of a page that are objects."""
    return [item for item in page.items if item.kind == "object"]


async def said(client: Client, ref: str) -> str:
    """Open a note and return its words."""
    message = (await client.read(ref, **WHY)).message
    assert isinstance(message, Note)
    return message.text


def heard(into: list[Any], *, pass_on: bool = True) -> Callable[[Any], Any]:
    """Return a lie that only listens, or that keeps back what it hears."""

    def hear(answer: Any) -> Any:
        into.append(answer)
        return answer if pass_on else None

    return hear


# --- what is passed on ------------------------------------------------------------------------


async def test_attack_13_one_message_of_nine_is_dropped(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.story()
    deaf(belgrade)
    for n in range(1, 10):
        await skopje.cases.send(place.case, f"message {n}")
    withheld: list[int] = []

    def without_the_fifth(page: Page) -> Page:
        if not withheld:
            withheld.append(objects(page)[4].entry.index)
        kept = tuple(i for i in page.items if i.entry.index not in withheld)
        return replace(page, items=kept)

    place.hostile.lie("feed", without_the_fifth)
    await belgrade.sync()
    assert "number" in str(belgrade.alarm)
    # What was dropped is not counted as shown, and what came after it is there to be read.
    shown = belgrade.cases.show(place.case).objects
    assert len(shown) == 8
    assert await said(belgrade, shown[-1].ref) == "message 9"
    place.hostile.honest()
    now = belgrade._engine.now()
    monkeypatch.setattr(belgrade._engine, "now", lambda: now + FIRST_SECONDS + 1)
    await belgrade.sync()
    for n in (4, 5, 6, 9):
        assert await said(belgrade, f"{place.case}#{n}") == f"message {n}"


@pytest.mark.parametrize("kind", ["object", "case", "ack"])
async def test_attack_13_a_message_shown_as_a_stub_is_named(place: Siege, kind: str) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.send(place.case, "two")
    withheld: list[int] = []

    def as_stub(page: Page) -> Page:
        hidden = objects(page)[-1]
        core = decode_core(hidden.entry.core)
        stub = Stub(
            hidden.entry.index, kind, bytes.fromhex(core.case), bytes.fromhex(core.device),
            core.case_n,
        )  # fmt: skip
        withheld.append(stub.index)
        kept = tuple(i for i in page.items if i is not hidden)
        return replace(page, items=kept, stubs=(*page.stubs, stub))

    place.hostile.lie("feed", as_stub, times=1)
    await belgrade.sync()
    place.hostile.honest()
    at_once = {
        "object": f"entry {withheld[0]} of {place.case} was withheld: an object for this node",
        "case": f"entry {withheld[0]} of {place.case} was withheld: a case is for every member",
    }
    if kind in at_once:
        assert at_once[kind] in (belgrade.alarm or "")
    else:
        # An ack of another node is a stub by right: this is seen when the author writes again.
        assert belgrade.alarm is None
    await skopje.cases.send(place.case, "three")
    await belgrade.sync()
    assert any("was withheld" in alarm for alarm in belgrade.alarms)
    (row,) = [one for one in belgrade.cases.show(place.case).objects if one.number == 1]
    assert (await belgrade.read(row.ref, **WHY)).message


async def test_attack_15_what_comes_shuffled_is_shown_in_signed_order(place: Siege) -> None:
    skopje, belgrade = await place.story()
    held: list[Push] = []
    place.hostile.lie("push", heard(held, pass_on=False), to=place.place.network.of(BELGRADE))
    for n in range(1, 6):
        await skopje.cases.send(place.case, f"message {n}")
    await until(lambda: len(held) >= 5, skopje)
    place.hostile.lie(
        "feed", lambda page: replace(page, items=page.items[::-1], stubs=page.stubs[::-1])
    )
    machine = place.place.network.of(BELGRADE)
    for push in reversed(held):
        await place.hostile.say(Frame(0, "push", encode(push)), to=machine)
    await until(lambda: len(numbers(belgrade, place.case)) == 5, belgrade)
    assert numbers(belgrade, place.case) == [1, 2, 3, 4, 5]
    for n in range(1, 6):
        assert await said(belgrade, f"{place.case}#{n}") == f"message {n}"
    assert belgrade.alarm is None


async def test_attack_16_what_is_delivered_again_changes_nothing(place: Siege) -> None:
    skopje = await channel(place.place, BELGRADE)
    belgrade = await place.place.client(BELGRADE)
    pushed: list[Push] = []
    place.hostile.lie("push", heard(pushed))
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    before = belgrade.alerts.list()
    for push in (*pushed, *pushed):
        await place.hostile.say(Frame(0, "push", encode(push)), to=place.place.network.of(BELGRADE))
    page: list[Page] = []
    place.hostile.lie("feed", heard(page))
    belgrade._engine.vault.put_number("cursor", 0)  # the whole feed comes once more
    await belgrade.sync()
    assert page
    assert objects(page[0])
    assert [one.ref for one in belgrade.alerts.list()] == [one.ref for one in before]
    assert pushed
    assert belgrade._engine.vault.one("SELECT count(*) FROM object") == (1,)
    assert belgrade.alarm is None


async def test_attack_17_bodies_passed_from_message_to_message_open_nowhere(place: Siege) -> None:
    skopje, belgrade = await place.story()
    deaf(belgrade)
    for n in range(1, 4):
        await skopje.cases.send(place.case, f"message {n}")

    def spliced(page: Page) -> Page:
        bodies = {one.entry.index: one.body for one in objects(page)}
        places = sorted(bodies)
        moved = {at: bodies[places[n - 1]] for n, at in enumerate(places)}
        items = tuple(replace(i, body=moved.get(i.entry.index, i.body)) for i in page.items)
        return replace(page, items=items)

    place.hostile.lie("feed", spliced)
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2, 3]
    # Asked for alone, each comes as it is: only the splice is a lie.
    place.hostile.lie("feed", lambda page: replace(page, items=()))
    for n in range(1, 4):
        with pytest.raises(SeefenError) as refused:
            await belgrade.read(f"{place.case}#{n}", **WHY)
        assert refused.value.rule == "withheld"
    assert {one["rule"] for one in place.evidence(BELGRADE)} == {"body"}
    place.hostile.honest()
    await belgrade.sync()
    for n in range(1, 4):
        assert await said(belgrade, f"{place.case}#{n}") == f"message {n}"


@pytest.mark.parametrize("field", ["core", "salt"])
async def test_fault_19_a_leaf_whose_opening_is_not_shown_is_named(
    place: Siege, field: str
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.send(place.case, "two")
    await skopje.cases.send(place.case, "three")
    empty: dict[str, Any] = {"core": {"core": b""}, "salt": {"salt": bytes(32)}}[field]

    def closed(page: Page) -> Page:
        second = objects(page)[0]
        items = tuple(
            replace(i, entry=replace(i.entry, **empty)) if i is second else i for i in page.items
        )
        return replace(page, items=items)

    place.hostile.lie("feed", closed, times=1)
    with pytest.raises(SeefenError) as refused:
        await belgrade.sync()
    assert refused.value.rule in ("core-commitment", "core", "malformed")
    assert belgrade.alarm is not None
    place.hostile.honest()
    await belgrade.sync()
    # The page is asked for again: nothing is lost for good by one lie.
    refs = [one.ref for one in belgrade.cases.show(place.case).objects]
    words = [await said(belgrade, ref) for ref in refs]
    assert sorted(words) == ["one", "three", "two"]


# --- what is asked ------------------------------------------------------------------------------


async def test_attack_41_what_is_changed_on_the_way_in_is_recorded_nowhere(place: Siege) -> None:
    skopje, _ = await place.story("one")
    before = await place.count("activity_leaf")
    changed: list[str] = []

    async def one_bit(frame: Frame) -> Frame:
        sent = decode(frame.body, Send, limit=LIMIT)
        bundle = bytearray(sent.bundle)
        place_ = len(bundle) // 2
        bundle[place_] ^= 1
        changed.append(frame.verb)
        return Frame(frame.id, frame.verb, encode(replace(sent, bundle=bytes(bundle))))

    place.hostile.before("send", one_bit)
    sent = await skopje.cases.send(place.case, "two")
    assert changed
    assert sent.ref is None
    assert sent.problem
    assert await place.count("activity_leaf") == before


async def test_attack_63_an_answer_lost_after_the_commit_comes_again(place: Siege) -> None:
    async with place.place.briefly(SKOPJE) as dying:
        place.case = (await dying.cases.open("Pistols", [BELGRADE])).number
        kept: list[Recorded] = []
        place.hostile.lie("send", heard(kept, pass_on=False))  # recorded, and never told
        sending = asyncio.create_task(dying.cases.send(place.case, "once"))
        await waiting.until(lambda: bool(kept), seconds=30)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    pending = await place.count("activity_leaf", "kind = 'object'")
    assert pending == 1
    place.hostile.honest()
    again: list[Recorded] = []
    place.hostile.lie("send", heard(again))
    async with place.place.briefly(SKOPJE) as skopje:
        await until(lambda: skopje.queued() == [], skopje)
        assert numbers(skopje, place.case) == [1]
        assert skopje.alarm is None
    assert await place.count("activity_leaf", "kind = 'object'") == 1
    (entry,) = kept[0].entries
    same = [got for got in again if got.entries and got.entries[0].index == entry.index]
    assert same
    assert same[0].entries[0].record == entry.record


async def test_attack_63_other_bytes_under_an_id_that_stands_are_refused(place: Siege) -> None:
    skopje, _ = await place.story()
    sent: list[bytes] = []

    async def hear(frame: Frame) -> Frame:
        sent.append(decode(frame.body, Send, limit=LIMIT).bundle)
        return frame

    place.hostile.before("send", hear)
    await skopje.cases.send(place.case, "one")
    (bundle,) = [b for b in map(decode_bundle, sent) if b.contents]
    place.hostile.honest()
    connection = skopje._engine.connection
    again = await connection.request("send", Send(encode_bundle(bundle), 0), Recorded)
    assert len(again.entries) == 1
    content = bundle.contents[0]
    other = replace(bundle, contents=(replace(content, key=content.key[::-1]),))
    with pytest.raises(OutOfTurnError) as refused:
        await connection.request("send", Send(encode_bundle(other), 0), Recorded)
    assert refused.value.rule == "other-bytes"
    assert await place.count("activity_leaf", "kind = 'object'") == 1


async def test_fault_15_a_signed_request_sent_again_is_one_entry(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    asked: list[Frame] = []

    async def hear(frame: Frame) -> Frame:
        asked.append(frame)
        return frame

    place.hostile.before("access", hear)
    place.hostile.before("send", hear)
    await belgrade.read(f"{place.case}#1", **WHY)
    await skopje.cases.send(place.case, "two")
    assert {frame.verb for frame in asked} == {"access", "send"}
    signed = "kind IN ('object', 'access')"  # what comes by itself meanwhile is an ack
    before = await place.count("activity_leaf", signed)
    for frame in tuple(asked):
        await place.hostile.repeat(frame)
    assert await place.count("activity_leaf", signed) == before
    await belgrade.sync()
    await skopje.sync()
    assert (skopje.alarm, belgrade.alarm) == (None, None)


# --- keys that are released --------------------------------------------------------------


async def test_attack_31_a_broker_that_releases_without_an_entry_opens_nothing(
    place: Siege,
) -> None:
    _, belgrade = await place.story("one", "two")
    first: list[Released] = []

    def of_another(got: Released) -> Released:
        # The key is true; the entry is the one of an access before.
        if not first:
            first.append(got)
            return got
        return replace(got, entry=first[0].entry)

    place.hostile.lie("access", of_another)
    await belgrade.read(f"{place.case}#1", **WHY)
    with pytest.raises(SeefenError) as refused:
        await belgrade.read(f"{place.case}#2", purpose="investigation", basis=WHY["basis"])
    assert refused.value.rule
    assert belgrade.cases.show(place.case).objects[1].fetched is False
    place.hostile.honest()
    assert (await belgrade.read(f"{place.case}#2", **WHY)).message


async def test_attack_04_a_wrap_that_no_statement_names_is_not_opened(place: Siege) -> None:
    skopje = await place.place.client(SKOPJE)
    own = random_bytes(32)  # the broker's

    def injected(page: Page) -> Page:
        def with_ours(item: Any) -> Any:
            if item.kind != "casekey":
                return item
            casekey = open_envelope(item.envelope, "casekey").statement
            assert isinstance(casekey, CaseKey)
            mailbox = place.place.network.directory.mailbox(BELGRADE, "case")
            assert mailbox is not None
            wrap = wrap_case_key(
                own, mailbox.kem, casekey, purpose=CASE_NODE, author=casekey.device
            )
            return replace(item, wraps=(wrap,))

        return replace(page, items=tuple(map(with_ours, page.items)))

    case = await skopje.cases.open("Pistols", [BELGRADE])
    await skopje.cases.send(case.number, "one")
    place.hostile.lie("feed", injected)
    belgrade = await place.place.client(BELGRADE)
    await belgrade.sync()
    state, _ = belgrade.find(f"{case.number}#1")
    assert belgrade._engine.case_key(state.case, 1) is None
    assert belgrade.alarm is not None
    assert "wrap" in belgrade.alarm
    with pytest.raises(SeefenError):
        await belgrade.read(f"{case.number}#1", **WHY)
    place.hostile.honest()
    await belgrade.sync()
    assert await said(belgrade, f"{case.number}#1") == "one"
