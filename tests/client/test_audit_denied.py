"""What was refused, as an auditor sees it: who tried what, in red, proved; and never invented."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace as replace_row
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.checking import check
from seefen.client.audit.filters import Filter
from seefen.client.cli.views import audits
from seefen.client.standalone import verify
from seefen.protocol.access import commit_reason
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, open_envelope, sign
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import Ask, AuditItem, Released
from seefen.protocol.ledger.note import Checkpoint, SignedCheckpoint
from seefen.protocol.ledger.record import Record, decode_core, encode_core
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Access, Denied, Head
from seefen.protocol.suite import SUITE, commit, new_id, random_bytes, sha256
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, alert, channel
from tests.support.exports import by_shell, in_python, unpack, unzip

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSED = Filter(outcome="denied")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def skopje(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """Pristina, no member, has asked for an alert of Skopje's and Belgrade's channel."""
    async with site(tmp_path_factory.mktemp("denied"), SKOPJE, BELGRADE, PRISTINA) as place:
        skopje = await channel(place, BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        await _try(place, skopje, await place.client(PRISTINA))
        yield skopje


async def _try(place: Site, skopje: Client, pristina: Client) -> None:
    engine = pristina._engine
    ((case, object_),) = skopje._engine.vault.run("SELECT case_id, object FROM object")
    device = engine.directory.device(engine.keys.device)
    size = engine.trust.head("authority")
    reason = commit_reason("")
    asked = Access(
        SUITE, engine.directory.net, "access", new_id(), case, device.node, device.device, 1, 1,
        size, Head(0, engine.trust.head("activity").root), "object", object_, 0,
        engine.now() + 3600, "trace", "pcc-see", emergency=True, detail=reason.detail, reasons=(),
    )  # fmt: skip
    ask = Ask(sign(asked, engine.keys.sign), random_bytes(16), (object_,), 0)
    with pytest.raises(RefusedError) as caught:
        await engine.connection.request("access", ask, Released)
    assert caught.value.rule == "not-a-reader"
    await place.broker.services.broker.denials.settled()


async def test_a_refusal_is_counted_listed_and_proved(skopje: Client) -> None:
    (row,) = (await skopje.audit.page(REFUSED)).rows
    assert (row.node, row.what, row.ref) == (PRISTINA, "asked for", f"{CHANNEL}#1")
    assert (row.outcome, row.purpose, row.proved) == ("not-a-reader", "trace", True)
    shown = printed(audits.listed([replace_row(row, emergency=False)], 0), 400)
    assert "REFUSED: it was not given" in " ".join(shown.split())
    verdict = await skopje.audit.verdict()
    assert (verdict.refused, verdict.gaps, verdict.problems) == (1, (), ())
    assert (verdict.emergency, verdict.emergencies) == (0, ())  # nothing was read in it
    assert row.index in [one.index for one in (await skopje.audit.case(CHANNEL)).rows]
    assert (await skopje.audit.show(row.index)).fields["outcome"] == "not-a-reader"


async def test_a_refusal_stands_in_an_export_with_what_the_device_signed(
    skopje: Client, tmp_path: Path
) -> None:
    made = await skopje.audit.export(case=CHANNEL)
    assert made.findings == ()
    folder = unpack(unzip(made), tmp_path / "export")
    assert in_python(folder)[0] == by_shell(folder)[0] == 0


LIES = ["nothing", "another's signature", "another rule", "another case", "another purpose",
        "another officer", "another device"]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
async def test_fault_16_a_broker_cannot_put_an_attempt_into_an_officers_mouth(
    skopje: Client, lie: str
) -> None:
    """It commits to whatever it likes, and signs the tree: what the device signed must fit."""
    engine = skopje._engine
    (row,) = (await skopje.audit.page(REFUSED)).rows
    item = skopje.audit.store.item(row.index)
    assert item is not None
    denied, core = open_envelope(item.envelope, "denied").statement, decode_core(item.entry.core)
    assert isinstance(denied, Denied)
    asked = open_envelope(denied.asked, "access").statement
    match lie:
        case "another's signature":
            denied = replace(denied, asked=sign(asked, engine.keys.sign))
        case "another rule":
            core = replace(core, outcome="revoked")
        case "another case":
            core, case = replace(core, case="11" * 16), bytes.fromhex("11" * 16)
            denied = replace(denied, case=case)
        case "another purpose":
            core = replace(core, purpose="border-control")
        case "another officer":
            core = replace(core, officer="o-ffff")
        case "another device":
            core = replace(core, device=skopje.device_hex)
            denied = replace(denied, device=engine.keys.device)
        case _:
            pass
    envelope = encode(Envelope(encode(denied), ()))
    text, salt = encode_core(replace(core, req=sha256(envelope).hex())), bytes(32)
    old = Record.decode(item.entry.record)
    record = replace(old, core_commitment=commit(salt, text)).encode()
    under = Checkpoint(engine.trust.origin("activity"), 1, leaf_hash(record))
    bent = AuditItem("denied", Entry(0, record, text, salt, ()), envelope)
    signed = SignedCheckpoint(under, engine.now())
    assert bool(check(engine, bent, signed).problem) == (lie != "nothing")
    if lie == "another officer":
        return  # who stands behind a device no export says
    keys = json.loads(unzip(await skopje.audit.export(case=CHANNEL))["keys.json"])
    entry = {
        "index": 0, "kind": "denied", "core": text.decode(), "salt": salt.hex(),
        "record": record.hex(), "envelope": base64.b64encode(envelope).decode(),
    }  # fmt: skip
    with nullcontext() if lie == "nothing" else pytest.raises(verify.WrongError):
        verify.check_entry(entry, keys)


@pytest.mark.parametrize(
    ("field", "value"), [("purpose", "border-control"), ("basis", "national-law"), ("emergency", 0)]
)
async def test_attack_an_export_says_of_a_refusal_what_its_device_did_not_ask(
    skopje: Client, field: str, value: object
) -> None:
    made = unzip(await skopje.audit.export(case=CHANNEL))
    export = verify.Export(made, None)
    export.check()
    (entry,) = (one for one in export.entries if one["kind"] == "denied")
    verify.check_entry(entry, export.keys)
    text = verify.as_text({**json.loads(entry["core"]), field: value})
    record = bytes.fromhex(entry["record"])
    mark = verify.commitment(entry["salt"], text.encode())
    bent = {**entry, "core": text, "record": (record[:25] + mark + record[57:]).hex()}
    with pytest.raises(verify.WrongError, match=f"another {field} than"):
        verify.check_entry(bent, export.keys)


async def test_what_the_broker_refused_is_checked_by_the_program_given_away(
    skopje: Client,
) -> None:
    made = unzip(await skopje.audit.export(case=CHANNEL))
    export = verify.Export(made, None)
    export.check()
    (entry,) = (one for one in export.entries if one["kind"] == "denied")
    keys: dict[str, Any] = dict(export.keys)
    verify.check_entry(entry, keys)
    keys["devices"] = dict.fromkeys(keys["devices"], "11" * 1984)
    with pytest.raises(verify.WrongError):
        verify.check_entry(entry, keys)
