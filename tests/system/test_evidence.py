"""Evidence: what a broker signed against itself, judged by a program that trusts nobody."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.standalone import verify
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.suite import PlainKey
from tests.client.scenes import BELGRADE, SKOPJE, deaf, until
from tests.support.waiting import until as later
from tests.system.siege import Siege, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def files(place: Siege, node: str) -> list[Path]:
    folder = place.place.home(place.place.network.of(node)) / "evidence"
    return sorted(folder.glob("*.json"))


def judged(place: Siege, *paths: Path) -> verify.Verdict:
    """Judge files as a third party does, who knows the log's key and nothing else."""
    return verify.check_evidence(list(paths), place.place.network.log_key.public)


def proves(verdict: verify.Verdict, what: str) -> bool:
    return verdict.good and any(line.startswith(f"PROVED {what}: ") for line in verdict.lines)


async def refused(client: Client) -> None:
    with pytest.raises(UntrustedError):
        await client.sync()


async def test_fault_02_a_fork_of_one_size_is_proved_by_the_file_of_one_device(
    place: Siege,
) -> None:
    _, belgrade = await place.story("one")
    deaf(belgrade)
    shadow = await place.shadow()
    true, record = shadow.records[-1]
    shadow.records[-1] = (true, record[:9] + bytes(16) + record[25:])
    shadow.grows = False
    shadow.show(to=place.place.network.of(BELGRADE))
    await refused(belgrade)
    (kept,) = files(place, BELGRADE)
    assert proves(judged(place, kept), "FORK")
    assert not verify.check_evidence([kept], None).lines[-1].endswith("you named")
    with pytest.raises(verify.WrongError, match=r"not the one you know"):
        verify.check_evidence([kept], PlainKey.generate().public)


async def test_fault_01_a_rewind_is_proved_by_the_times_that_the_log_signed(place: Siege) -> None:
    skopje, _ = await place.story("one")
    deaf(skopje)
    before = skopje._engine.vault.head("activity")
    assert before is not None
    shadow = await place.shadow()
    shadow.grows = False
    shadow.records.pop()
    shadow.show()
    clock = place.place.broker.services.clock
    signed = verify.open_head(before[1], place.place.network.log_key.public).time
    await refused(skopje)
    (kept,) = files(place, SKOPJE)
    if clock() <= signed + verify.APART:  # two heads of one second prove nothing
        assert not proves(judged(place, kept), "REWIND")
    await later(lambda: clock() > signed + verify.APART)
    await refused(skopje)
    (kept,) = files(place, SKOPJE)  # what proves it has taken the place
    assert proves(judged(place, kept), "REWIND")


async def test_fault_23_a_withheld_revocation_is_proved_by_a_record_and_a_later_head(
    place: Siege,
) -> None:
    network = place.place.network
    await place.place.broker.take(network.enrol(SKOPJE, ("field",)))
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await place.place.broker.take(network.revoke(network.of(SKOPJE, "field", nth=1)))
    await skopje.sync()
    shadow = await place.shadow()
    shadow.authority.pop()  # the revocation
    shadow.show(to=network.of(BELGRADE))
    await skopje.cases.send(place.case, "after the revocation")
    with pytest.raises(UntrustedError) as caught:
        await belgrade.sync()
    assert caught.value.rule == "withheld"
    (kept,) = files(place, BELGRADE)
    assert proves(judged(place, kept), "WITHHELD")


async def test_fault_05_a_changed_entry_is_proved_by_two_records_in_one_place(place: Siege) -> None:
    skopje, belgrade = await place.story("one", "two")
    assert (await belgrade.audit.verify()).problems == ()
    deaf(belgrade)
    shadow = await place.shadow()
    true, record = shadow.records[2]
    shadow.records[2] = (true, record[:-1] + bytes([record[-1] ^ 1]))
    shadow.show(to=place.place.network.of(BELGRADE))
    await skopje.cases.send(place.case, "three")
    report = await belgrade.audit.verify()
    assert any("entry 2 is not the one that was signed" in one for one in report.problems)
    changed = [path for path in files(place, BELGRADE) if "changed" in path.name]
    assert len(changed) == 1
    assert proves(judged(place, *changed), "CHANGED ENTRY")


async def test_fault_04_two_files_prove_what_neither_does_alone(
    place: Siege, tmp_path: Path
) -> None:
    """Fault 4: one node alone is shown another log; the first message that crosses tells."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.send(place.case, "two")
    shadow = await place.shadow()
    true, record = shadow.records[-1]
    shadow.records[-1] = (true, record[:9] + bytes(16) + record[25:])
    shadow.show(to=place.place.network.of(BELGRADE))
    await belgrade.sync()
    await until(lambda: skopje.alarm is not None, skopje)
    (kept,) = files(place, SKOPJE)
    alone = judged(place, kept)
    assert not alone.good
    assert alone.lines[1].startswith("OPEN")
    # The other node proves what it was shown at the size that its own message named.
    size, root = json.loads(kept.read_text())["theirs"]
    ours = tmp_path / "ours.json"
    shown = await belgrade.audit.shown(size)
    ours.write_text(json.dumps(shown))
    both = judged(place, kept, ours)
    assert proves(both, "FORK")
    assert root in "".join(both.lines)
    with pytest.raises(RefusedError):
        await belgrade.audit.shown(10**6)
