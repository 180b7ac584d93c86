"""A client killed while it judges a case anew: all of the case is there afterwards, once."""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import doubts
from seefen.client.keyfile import NAME, read_key_file
from seefen.client.vault import NAME as VAULT
from seefen.client.vault import Vault
from seefen.protocol.frames import Page
from seefen.protocol.suite import random_bytes
from tests.client.homes import PASSPHRASE
from tests.client.scenes import BELGRADE, SKOPJE
from tests.faults.client.doomed import Doomed, launcher
from tests.faults.client.points import RETAKING, due
from tests.support.faultbook import note
from tests.system.siege import numbers, siege

pytestmark = pytest.mark.timeout(1800)


def make_due(device: Doomed) -> None:
    """Let no minute pass before what was cut off is tried again."""
    keys = read_key_file(device.home / NAME, PASSPHRASE)
    vault = Vault.open(device.home / VAULT, keys.vault)
    for case in doubts.doubted(vault):
        vault.run("DELETE FROM setting WHERE name GLOB 'doubt/*'")
        doubts.doubt(vault, case)
    vault.close()


async def test_a_client_killed_while_a_case_is_judged_anew_has_lost_and_doubled_nothing(
    tmp_path: Path,
) -> None:
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    points = due(RETAKING, random.Random(seed))
    async with siege(tmp_path, SKOPJE, BELGRADE) as place, launcher(tmp_path) as launched:
        skopje = await place.place.client(SKOPJE)
        place.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
        await skopje.cases.send(place.case, "first")
        machine, photo = place.place.network.of(BELGRADE), tmp_path / "none.jpg"
        home = place.place.home(machine)
        device = Doomed(place.place, machine, home, launched, tmp_path / "got", photo)
        await device.lives("sync")
        for point in points:
            hidden = await place.count("activity_leaf")
            for text in ("hidden", "behind it"):
                await skopje.cases.send(place.case, text)

            def lie(page: Page, hidden: int = hidden) -> Page:
                items = tuple(item for item in page.items if item.entry.index != hidden)
                return page if items == page.items else replace(page, items=items)

            place.hostile.lie("feed", lie, times=1, to=machine)
            await device.dies("sync", point)
            make_due(device)
            await device.lives("sync")
            async with place.place.briefly(BELGRADE) as belgrade:
                assert numbers(belgrade, place.case) == numbers(skopje, place.case)
                assert not doubts.doubted(belgrade._engine.vault)
    note(
        "client", "SIGKILL at each step: judging a case anew", count=len(points),
        held="I1 I2 I7", seed=seed,
    )  # fmt: skip
