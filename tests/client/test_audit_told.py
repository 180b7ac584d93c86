"""A broker that writes into the log what nobody signed: committed to, signed, and still named.

It makes the cores, and signs the log over them. What a device signed, and what follows from the
act, it cannot say otherwise without a problem at each auditor and in each export.
"""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from seefen.client import Client, reading
from seefen.client.audit.filters import Filter
from seefen.client.cores import agrees
from seefen.protocol.access import Reason
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import AuditPage
from seefen.protocol.ledger.record import Core, decode_core, encode_core
from seefen.protocol.statements import Release, decode_statement
from seefen.server import entries, releases
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    SKOPJE,
    WHY,
    alert,
    channel,
    deaf,
    honest,
    spoil,
    until,
)
from tests.client.test_audit_withheld import run
from tests.client.test_emergencies import asked, cases, night, readings
from tests.support.exports import by_python, read, unpack, unzip
from tests.support.vectors import own

REF = f"{CHANNEL}#1"
LIES: dict[str, tuple[str, dict[str, Any]]] = {
    "a reading called refused": ("access", {"outcome": "role"}),
    "a reading called an answer": ("access", {"op": "collect"}),
    "a message that went nowhere": ("object", {"to": ()}),
    "a message that stayed in its node": ("object", {"to": (SKOPJE,)}),
    "a message called a reading": ("object", {"op": "consult"}),
    "a message called an emergency": ("object", {"emergency": 1}),
    "a reading that went to somebody": ("access", {"to": (SKOPJE,)}),
    "a reading for another purpose": ("access", {"purpose": "laboratory"}),
}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def lie(patch: pytest.MonkeyPatch, act: str, change: dict[str, Any]) -> None:
    """Let the broker commit to other cores of one kind than it should, and than it can read."""
    encoder = msgspec.json.Encoder(order="sorted")

    def told(core: Core) -> bytes:
        return encoder.encode(replace(core, **change) if core.act == act else core)

    patch.setattr(entries, "encode_core", told)


async def story(place: Site) -> tuple[Client, Client]:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    return skopje, belgrade


@pytest.mark.parametrize("name", LIES)
async def test_attack_a_broker_says_of_an_act_what_nobody_signed(
    place: Site, tmp_path: Path, name: str
) -> None:
    skopje, belgrade = await story(place)
    act, change = LIES[name]
    with pytest.MonkeyPatch.context() as patch:
        lie(patch, act, change)
        if act == "object":
            await skopje.alerts.send(alert(), CHANNEL)
        else:
            with pytest.raises(SeefenError):  # nor does the reader believe such a receipt
                await belgrade.alerts.show(REF, **WHY)
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    assert verdict.entries - verdict.proved == 1
    rows = [row for row in await skopje.audit.list() if not row.proved]
    assert [row.problem in verdict.problems for row in rows] == [True]
    assert (await skopje.audit.register())[0].objects == 1, "what is not proved is not counted"
    # Who is given an export finds what stands in the statement; the rest is the exporter's to say.
    exported = await skopje.audit.export()
    assert any(finding.startswith(f"entry {rows[0].index}: ") for finding in exported.findings)
    code, said = by_python(unpack(unzip(exported), tmp_path / "export"))
    if "to" not in change:
        assert (code, f"entry {rows[0].index}: the text " in said) == (1, True), said


async def test_attack_a_broker_releases_a_key_to_whom_the_node_is_not(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await belgrade.sync()
    await belgrade.watch.on(**WHY)
    for ghost in (bytes(16), place.network.of(SKOPJE).device):

        def other(*said: Any, ghost: bytes = ghost) -> Any:
            made: Any = Release
            *rest, devices, under = said
            return made(*rest, (*devices, ghost), under)

        with monkeypatch.context() as patch:
            patch.setattr(releases, "Release", other)
            await skopje.alerts.send(alert(), CHANNEL)
    verdict = await skopje.audit.verdict()
    assert len(verdict.problems) == 2
    assert "no signed record names this device" in verdict.problems[0]
    assert "a device of another node" in verdict.problems[1]


async def test_attack_a_breach_names_what_was_opened_by_its_id_and_not_by_a_number_of_the_broker(
    place: Site,
) -> None:
    skopje, belgrade = await story(place)
    with pytest.MonkeyPatch.context() as patch:
        lie(patch, "access", {"n": 9})
        await belgrade.alerts.show(REF, **WHY)
    for what in (CHANNEL, belgrade.officer):
        (found,) = await skopje.audit.breach(what)
        assert found.exposed[0].opened == (REF,), what


@pytest.mark.parametrize("garbled", [False, True])
async def test_attack_a_broker_that_changes_whose_a_reading_is_hides_it_from_no_filter(
    place: Site, garbled: bool
) -> None:
    """What is not proved fits every filter: its text is nobody's word."""
    skopje, belgrade = await story(place)
    await belgrade.alerts.show(REF, **WHY)
    (reading,) = await skopje.audit.list(node=BELGRADE)

    def blame(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(map(bent, page.items)))

    def bent(item: Any) -> Any:
        core = decode_core(item.entry.core)
        if core.act != "access":
            return item
        text = encode_core(
            replace(core, officer=skopje.officer, node=SKOPJE, device=skopje.device_hex,
                    case="11" * 16, object="22" * 16, basis="bilateral")
        )  # fmt: skip
        return replace(item, entry=replace(item.entry, core=b"{}" if garbled else text))

    spoil(skopje, "audit", blame, once=False)
    await skopje.audit.verify()
    for wanted in (
        Filter(case=CHANNEL), Filter(node=BELGRADE), Filter(officer=belgrade.officer),
        Filter(device=belgrade.device_hex[:8]), Filter(op="disclose"), Filter(basis="pcc-see"),
        Filter(to=BELGRADE), Filter(emergency=True), Filter(outcome="denied"),
        Filter(case=CHANNEL, op="consult", node=BELGRADE),
    ):  # fmt: skip
        rows = await skopje.audit.list(wanted=wanted)
        assert [row.index for row in rows if not row.proved] == [reading.index], wanted
    case = await skopje.audit.case(CHANNEL)
    assert [row.index for row in case.rows if not row.proved] == [reading.index]
    assert case.readers == ()
    exported = await skopje.audit.export(case=CHANNEL)
    assert any(finding.startswith(f"entry {reading.index}: ") for finding in exported.findings)
    assert reading.index in [one["index"] for one in read(unzip(exported))]
    honest(skopje)
    assert (await skopje.audit.verify()).ok
    assert (await skopje.audit.export(case=CHANNEL)).findings == ()


async def test_attack_a_spoilt_entry_keeps_nobody_from_what_he_holds(
    place: Site,
) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await belgrade.sync()
    deaf(belgrade)

    def bad(page: Any) -> Any:
        return replace(page, items=tuple(map(spoilt, page.items)))

    def spoilt(item: Any) -> Any:
        core = item.entry.core[:-2] + b"9}"
        return replace(item, entry=replace(item.entry, core=core))

    spoil(belgrade, "feed", bad, once=False)
    await skopje.alerts.send(alert(), CHANNEL)
    for words in (("status",), ("audit", "list"), ("audit", "verify"), ("breach", CHANNEL)):
        said = await run(belgrade, *words)
        assert "NOT BELIEVED  the core is not the one in the log" in said.out, words
        assert said.code == (1 if "verify" in words else 0), words
    said = await run(belgrade, "audit")
    assert said.code == 1
    assert "NOT IN ORDER: 1 alarm, 1 problem  " in said.out
    assert "is not to be believed: the core is not the one in the log" in said.out
    # Nor an officer from what he holds; what he says waits, and why is said.
    for words in (("alert", "list"), ("case", "list"), ("due",)):
        said = await run(belgrade, *words)
        assert said.code == 0, words
        assert "NOT BELIEVED  the core is not the one in the log" in said.out, words
    sent = await belgrade.alerts.send(alert(), CHANNEL)
    assert sent.queued
    assert "the core is not the one in the log" in (sent.problem or "")
    honest(belgrade)
    assert "NOT BELIEVED" not in (await run(belgrade, "status")).out


async def test_attack_a_reading_with_the_purpose_of_an_audit_is_called_a_reading(
    place: Site,
) -> None:
    """An officer may say so; a body that he opens is no look into the audit for it."""
    skopje, belgrade = await story(place)
    await belgrade.alerts.show(REF, purpose="audit", basis="pcc-see")
    belgrade.search("Zastava", "audit", "national-law")
    await belgrade.journal.upload()
    (row,) = await skopje.audit.list(node=BELGRADE)
    assert (row.what, row.ref, row.purpose) == ("opened", REF, "audit")
    verdict = await skopje.audit.verdict()
    assert (verdict.readings, verdict.audits) == (1, 1), "the list above, and the opened alert"
    record = await belgrade.audit.processing()
    assert ("audit", 1) in record.purposes
    whats = [one.what for one in await belgrade.audit.list() if one.purpose == "audit"]
    assert whats[:2] == ["opened", "searched"]


async def test_attack_a_reason_of_rubbish_is_no_reason(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An altered program seals another text than it committed to: nobody has said why."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    await asked(belgrade, officer, number)
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    module: Any = reading
    real = module.seal_reason

    def rubbish(reason: Reason, **rest: Any) -> Any:
        return real(dataclasses.replace(reason, text="x"), **rest)

    monkeypatch.setattr(reading, "seal_reason", rubbish)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    for auditor in (belgrade, skopje):
        [named] = (await auditor.audit.verdict()).emergencies
        assert (named.reason_at, named.unknown) == (None, "")
        assert (await readings(auditor, officer))[-1].reason == (
            "[the reason is not the one committed to]"
        )


def kind(name: str) -> Any:
    """Return the statement of a kind that stands in the vectors."""
    (vector,) = (c for c in own("statements/kinds.json")["cases"] if c["kind"] == name)
    return decode_statement(bytes.fromhex(vector["payload"]), name)


def test_attack_a_core_says_that_a_case_or_a_key_went_to_others() -> None:
    """The register counts by these: a node that is left out was never told of."""
    for name, op in (("case", "alter"), ("assign", "disclose")):
        said = kind(name)
        members = getattr(said, "members", ())
        to = tuple(sorted(one.node for one in members)) or (said.node,)
        core = Core(
            act=name, at=0, op=op, node=said.node, device=said.device.hex(), officer="",
            case=said.case.hex(), case_n=said.case_n, device_n=said.device_n, object="", n=0,
            to=to, purpose="", basis="", emergency=0, req="", under=(), outcome="ok",
        )  # fmt: skip
        assert agrees(core, said)
        for odd in ((), to[1:], (*to, "zagreb-lab"), ("zagreb-lab",)):
            assert not agrees(replace(core, to=odd), said), (name, odd)


def test_attack_a_core_of_a_release_says_what_the_release_does_not() -> None:
    release = kind("release")
    core = Core(
        act="release", at=0, op="disclose", node=release.node, device="", officer="",
        case=release.case.hex(), case_n=0, device_n=0, object=release.object.hex(), n=1,
        to=(release.node,), purpose="", basis="", emergency=0, req="", under=release.under,
        outcome="ok",
    )  # fmt: skip
    assert agrees(core, release)
    for odd in (
        {"node": SKOPJE + "x"}, {"to": ()}, {"to": (BELGRADE, SKOPJE)}, {"under": ()},
        {"case": "00" * 16}, {"object": "00" * 16}, {"device": "00" * 16}, {"officer": "o-0000"},
        {"purpose": "trace"}, {"basis": "pcc-see"}, {"case_n": 1}, {"device_n": 1},
        {"emergency": 1},
    ):  # fmt: skip
        assert not agrees(replace(core, **odd), release), odd
