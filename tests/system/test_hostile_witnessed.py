"""A broker with the log key against three witnesses: what it shows one device alone shows."""

from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.witnessing import Witness, watch
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import WitnessedHead
from tests.client.scenes import BELGRADE, SKOPJE, deaf
from tests.support.hostile import Change
from tests.system.siege import Siege, siege

DAY = 86_400


async def cosign(client: Client, witnesses: list[Witness]) -> None:
    """Let honest witnesses have their turn, over the line of a device that is told the truth."""
    for one in witnesses:
        assert await watch(client._engine.connection, one) == []


def held_back() -> Change:
    """Return a lie that shows the first true answer for each log, and never a newer one."""
    first: dict[str, WitnessedHead] = {}

    def old(head: WitnessedHead) -> WitnessedHead:
        return first.setdefault(head.checkpoint.partition("\n")[0], head)

    return old


async def forked(place: Siege, witnesses: list[Witness]) -> tuple[Client, Client]:
    """Show Belgrade another activity log than Skopje and the witnesses see; return both."""
    skopje, belgrade = await place.place.client(SKOPJE), await place.place.client(BELGRADE)
    await cosign(skopje, witnesses[:2])
    place.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
    await cosign(skopje, witnesses)
    await belgrade.sync()
    deaf(belgrade)
    await skopje.cases.send(place.case, "two")
    shadow = await place.shadow()
    true, record = shadow.records[-1]
    # The tag of the newest record is another one: all that is opened still fits.
    shadow.records[-1] = (true, record[:9] + bytes(16) + record[25:])
    shadow.show(to=place.place.network.of(BELGRADE))
    await cosign(skopje, witnesses)
    return skopje, belgrade


async def test_attack_09_witnesses_show_a_split_view_before_any_message_crosses(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / f"witness-{number}" for number in range(3)]
    publics = tuple(Witness.create(one)[:32] for one in folders)
    async with siege(tmp_path, SKOPJE, BELGRADE, witnesses=publics, quorum=2) as place:
        witnesses = [Witness.open(one, place.place.network.root) for one in folders]
        to = place.place.network.of(BELGRADE)
        lie = place.hostile.lie("witnessed", held_back(), to=to)
        skopje, belgrade = await forked(place, witnesses)

        # Held back: Belgrade believes its own log, and has a day to say something in it.
        await belgrade.sync()
        heads = [one._engine.trust.head("activity") for one in (skopje, belgrade)]
        assert heads[0].size == heads[1].size
        assert heads[0].root != heads[1].root
        engine = belgrade._engine
        now = engine.now
        engine.now = lambda: now() + DAY + 61  # type: ignore[method-assign]
        sent = await belgrade.cases.send(place.case, "is it still there?")
        assert sent.queued
        assert "a-unwitnessed" in str(belgrade.queued()[0].problem)
        engine.now = now  # type: ignore[method-assign]
        belgrade._engine.vault.run("DELETE FROM draft")

        # Shown: what the quorum has signed is another log at the same size.
        place.hostile._lies.remove(lie)
        with pytest.raises(UntrustedError) as caught:
            await belgrade.sync()
        assert caught.value.rule == "split-view"
        assert "the witnesses have seen another activity log" in str(belgrade.alarm)
        (kept,) = place.evidence(BELGRADE)
        cosigned = [head.count("/witness/") for head in kept["heads"]]
        assert max(cosigned) >= 2
        assert min(cosigned) == 0  # what this device alone was shown
        assert skopje.alarm is None
        for one in witnesses:
            one.close()
