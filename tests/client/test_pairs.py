"""The pair policy: what may not go to a node is refused before it is kept or sealed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client import Client
from seefen.client.connection import UnreachableError
from seefen.client.views import row_of
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    Correction,
    EmergencyOpened,
    Flash,
    InfoRequest,
    Message,
    Note,
    PairPolicy,
    PairRow,
)
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, alert, until
from tests.protocol.messages.samples import SAMPLES

OPEN = PairRow(n=1, to="*")
OPEN_2 = replace(OPEN, n=2)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def named(text: str = "She drove.") -> Note:
    person: Any = getattr(SAMPLES["InfoRequest"], "persons")  # noqa: B009 - a sample is a message
    return Note(
        text=text, to=(BELGRADE,), persons=person, purpose="trace", basis="pcc-see",
        offence="trafficking",
    )  # fmt: skip


def question(*to: str) -> Message:
    asked = replace(SAMPLES["InfoRequest"], to=to, persons=())
    assert isinstance(asked, InfoRequest)
    return asked


def times(client: Client, ref: str | None) -> dict[str, int]:
    """Return the seconds that each node has to answer, from its cover and from its clock."""
    state, number = client.find(str(ref))
    row = row_of(client._engine, state, number)
    assert row.opened_cover is not None
    lives = client.requests._lives(row, row.opened_cover)
    return {node: life.request.due_s for node, life in lives.items()}


async def refused(client: Client, case: str, message: Message) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await client.cases.publish(case, message)
    assert client.queued() == []
    return caught.value


async def test_the_row_that_bars_a_message_is_named_and_nothing_is_kept(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = (await skopje.cases.open("Pairs", [BELGRADE, PRISTINA])).number
    assert (await skopje.cases.publish(case, named())).ref is not None  # no paper bars nothing

    await skopje.house.lay(PairPolicy(rows=(
        PairRow(n=3, to=BELGRADE, persons=True, basis="pcc-see"),
        PairRow(n=14, to="*", until="2999-12-31"),
    )))  # fmt: skip
    why = await refused(skopje, case, named())
    assert (
        str(why) == "pair policy skopje-border > pristina-ffp has no basis for person data (row 14)"
    )
    assert why.rule == "pair-persons"
    assert (await skopje.cases.publish(case, Note(text="nobody is named"))).ref == f"{case}#2"
    closed = (await skopje.cases.open("For one", [BELGRADE])).number
    assert (await skopje.cases.publish(closed, named())).ref == f"{closed}#1"

    await skopje.house.lay(PairPolicy(rows=(replace(OPEN, until="2026-01-31"),)))
    why = await refused(skopje, case, Note(text="late"))
    assert "ran out on 2026-01-31 (row 1)" in str(why)
    assert why.rule == "pair-policy"
    assert (await skopje.amend.recall(f"{case}#2", "wrong_data")).ref is not None

    await skopje.house.lay(PairPolicy(rows=(PairRow(n=5, to=BELGRADE, forms=("TraceRequest",)),)))
    assert "belgrade-ffp has no row for Note" in str(await refused(skopje, case, Note(text="x")))


async def test_a_member_is_let_in_only_where_what_is_there_may_go(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = (await skopje.cases.open("Pairs", [BELGRADE])).number
    await skopje.cases.publish(case, named())
    await skopje.channels.open(CHANNEL, [BELGRADE])
    sent = await skopje.alerts.send(alert(), CHANNEL)
    await skopje.house.lay(PairPolicy(rows=(
        PairRow(n=1, to=BELGRADE, forms=("SeizureAlert",)), PairRow(n=14, to=PRISTINA),
    )))  # fmt: skip

    with pytest.raises(RefusedError, match=r"no basis for person data \(row 14\)"):
        await skopje.cases.add(case, [PRISTINA])
    assert skopje.cases.show(case).members == (SKOPJE, BELGRADE)
    known = [view.number for view in skopje.cases.list()]
    with pytest.raises(RefusedError, match="has no row for Note"):
        await skopje.cases.open("From alert", [BELGRADE], str(sent.ref))
    assert [view.number for view in skopje.cases.list()] == known
    assert PRISTINA in (await skopje.channels.add(CHANNEL, [PRISTINA])).members
    with pytest.raises(RefusedError, match="there is no node pristina"):
        await skopje.house.lay(PairPolicy(rows=(PairRow(n=1, to="pristina"),)))


async def test_what_waits_is_judged_again_when_it_is_sealed(place: Site, tmp_path: Path) -> None:
    admin = await place.client(SKOPJE)
    await admin.house.lay(PairPolicy(rows=(OPEN,)))
    await place.broker.take(place.network.enrol(SKOPJE, ("keyholder", "lead")))
    lead = await place.client(SKOPJE, nth=1)
    case = (await lead.cases.open("Pairs", [BELGRADE])).number
    annex = tmp_path / "annex.pdf"
    annex.write_bytes(b"%PDF-1.7")
    flush = lead._outbox.flush

    async def unreachable() -> Any:
        raise UnreachableError("no broker", rule="broker")

    setattr(lead._outbox, "flush", unreachable)  # noqa: B010 - a method
    with pytest.raises(UnreachableError):
        await lead.cases.send(case, "see the annex", [annex])
    await admin.house.lay(PairPolicy(rows=(PairRow(n=9, to=BELGRADE, until="2026-02-01"),)))
    setattr(lead._outbox, "flush", flush)  # noqa: B010
    await lead.sync()
    assert "ran out on 2026-02-01 (row 9) [pair-policy]" in str(lead.queued()[0].problem)
    assert lead.cases.show(case).object_count == 0

    await admin.house.lay(PairPolicy(rows=(OPEN,)))
    await until(lambda: not lead.queued(), lead)
    assert lead.cases.show(case).object_count == 2


async def test_attack_a_newer_policy_that_is_kept_closed_lets_nothing_pass(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = (await skopje.cases.open("Pairs", [BELGRADE])).number
    await skopje.house.lay(PairPolicy(rows=(OPEN,)))
    await skopje.house.lay(PairPolicy(rows=(PairRow(n=2, to=PRISTINA),)))
    vault = skopje._engine.vault
    vault.run("UPDATE object SET body = NULL WHERE n = 2 AND file = 0 AND case_id = ?",
              vault.get("house"))  # fmt: skip
    skopje.house._kept = (None, ())
    sent = await skopje.cases.send(case, "under the older one")
    assert sent.ref is None
    assert "[paper-unread]" in str(skopje.queued()[0].problem)


async def test_the_hours_of_a_pair_are_those_of_the_request(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = (await skopje.cases.open("Pairs", [BELGRADE, PRISTINA])).number
    await skopje.house.lay(PairPolicy(rows=(
        PairRow(n=1, to=BELGRADE, normal_h=48), PairRow(n=2, to="*", flash_h=1),
    )))  # fmt: skip
    ask = skopje.requests.ask
    one = await ask(case, question(BELGRADE))
    both = await ask(case, question(BELGRADE, PRISTINA))
    assert skopje.requests.show(str(one.ref)).due_s == 48 * 3600
    assert times(skopje, both.ref) == {BELGRADE: 48 * 3600, PRISTINA: 7 * 86_400}
    trace = replace(case_a.trace_request(), to=(), persons=())
    everybody = await ask(case, trace)
    assert times(skopje, everybody.ref) == {BELGRADE: 48 * 3600, PRISTINA: 7 * 86_400}
    lab = replace(SAMPLES["BallisticRequest"], to=(BELGRADE,))
    assert skopje.requests.show(str((await ask(case, lab)).ref)).due_s == 3 * 86_400


async def test_one_record_is_asked_of_two_nodes_and_each_has_the_hours_of_its_pair(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    pristina = await place.client(PRISTINA)
    case = (await skopje.cases.open("Pairs", [BELGRADE, PRISTINA])).number
    await skopje.house.lay(PairPolicy(rows=(PairRow(n=1, to=BELGRADE, normal_h=24), OPEN_2)))
    ref = str((await skopje.requests.ask(case, question(BELGRADE, PRISTINA))).ref)
    await until(lambda: belgrade.requests.list() and pristina.requests.list(), belgrade, pristina)
    await until(lambda: all(one.due_at for one in skopje.requests.show(ref).lives), skopje)
    for client in (skopje, belgrade, pristina):
        assert times(client, ref) == {BELGRADE: 86_400, PRISTINA: 7 * 86_400}
    owed = {due.node: due for due in skopje.requests.due()}
    assert [*owed] == [BELGRADE, PRISTINA]  # the shorter one first
    (mine,), (theirs,) = belgrade.requests.due(), pristina.requests.due()
    assert mine.due_at == owed[BELGRADE].due_at
    assert (theirs.due_at or 0) - (mine.due_at or 0) > 5 * 86_400
    assert belgrade.cases.look(ref).due_at == mine.due_at
    now = skopje._engine.now
    skopje._engine.now = lambda: now() + 25 * 3600
    assert [(level, due.node) for level, due in skopje.requests.reminders()] == [(100, BELGRADE)]
    skopje._engine.now = now
    await belgrade.requests.extend(ref, 3, "judge")  # longer than its own, not than the longest
    await until(lambda: times(skopje, ref)[BELGRADE] == 3 * 86_400, skopje)
    assert times(skopje, ref)[PRISTINA] == 7 * 86_400


async def test_a_correction_goes_to_whoever_had_what_was_wrong(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    sent = await skopje.alerts.send(alert(), CHANNEL)
    await skopje.house.lay(PairPolicy(rows=(PairRow(n=1, to=BELGRADE, forms=("Note",)),)))
    with pytest.raises(RefusedError, match="no row for SeizureAlert"):
        await skopje.alerts.send(alert(), CHANNEL)
    assert (await skopje.amend.correct(str(sent.ref), "misread", "CZ")).ref
    # Nobody may read of a weapon in a correction of what he never had.
    await skopje.house.lay(PairPolicy(rows=(OPEN,)))
    await skopje.channels.add(CHANNEL, [PRISTINA])
    await skopje.house.lay(PairPolicy(rows=(PairRow(n=1, to=BELGRADE),)))
    with pytest.raises(RefusedError, match="pristina-ffp has no row for SeizureAlert"):
        await skopje.amend.correct(str(sent.ref), "misread", "CZ")
    # That it is wrong, all hear: those who have it must not go on by it.
    told = str((await skopje.amend.correct(str(sent.ref), "misread")).ref)
    belgrade = await place.client(BELGRADE)
    await until(
        lambda: [one for one in belgrade.alerts.list() if one.corrected_by == told], belgrade
    )
    said = (await belgrade.read(told, **WHY)).message
    assert isinstance(said, Correction)
    assert (said.wrong, said.was, said.now) == ("misread", "", "")
    # A word of what it said is one too many.
    quoting = Correction(of=bytes(16), wrong="misread", was="a whole alert")
    with pytest.raises(RefusedError):
        await skopje.cases.publish(CHANNEL, quoting)
    # Nor does a word about nothing pass as a correction.
    loose = Correction(of=bytes(16), wrong="misread", now="a whole alert")
    await skopje.house.lay(PairPolicy(rows=(PairRow(n=1, to="*", forms=("Note",)),)))
    assert (await refused(skopje, CHANNEL, loose)).rule == "pair-policy"


async def test_what_was_let_through_may_be_corrected_and_may_ring(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    sent = await skopje.alerts.send(alert(), CHANNEL)
    note = await skopje.cases.publish(CHANNEL, Note(text="x"))
    row = PairRow(n=1, to="*", forms=("SeizureAlert",))
    await skopje.house.lay(PairPolicy(rows=(row,)))
    for ref in (sent.ref, note.ref):
        assert (await skopje.amend.correct(str(ref), "misread", "CZ")).ref
    for message in (
        Flash(of=bytes(16)),
        EmergencyOpened(officer="o-0000", device=bytes(16), purpose="trace", basis="pcc-see"),
    ):
        assert (await skopje.cases.publish(CHANNEL, message)).ref
