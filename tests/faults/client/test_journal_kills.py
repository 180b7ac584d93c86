"""An officer's machine killed while he searches: what he saw is in the log, and once."""

import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from seefen.protocol.suite import random_bytes
from tests.client.homes import site
from tests.client.scenes import SKOPJE
from tests.faults.client.doomed import launcher
from tests.faults.client.points import SEARCHING, due
from tests.faults.client.shift import SHOWN
from tests.support.faultbook import note

pytestmark = pytest.mark.timeout(900)


async def test_fault_27_who_is_killed_while_he_searches_is_entered_once(tmp_path: Path) -> None:
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    points = due(SEARCHING, random.Random(seed))
    async with site(tmp_path, SKOPJE) as place, launcher(tmp_path) as launched:
        home = place.home(place.network.of(SKOPJE))
        seen = Counter[str]()
        for nth, point in enumerate(points):
            if nth % 2:  # else what an earlier one left is on its way when this one begins
                assert await launched.run("sync", home) == 0, launched.said
            query = f"wort{nth}"
            code = await launched.run("search", home, point, query=query)
            assert code == -signal.SIGKILL, f"{point.name}: ended with {code}: {launched.said}"
            seen[query] += SHOWN in launched.said.split()
        assert await launched.run("sync", home) == 0, launched.said
        async with place.briefly(SKOPJE) as client:
            assert client.journal.waiting == 0
            rows = [row for row in await client.audit.list() if row.search is not None]
            verdict = await client.audit.verdict()
        entered = Counter(s.query for row in rows if row.search for s in row.search.sought or ())
        assert verdict.ok, verdict
        assert max(entered.values()) == 1, "a search stands twice"
        assert not [query for query in +seen if entered[query] != 1], (
            "one that was shown is not there"
        )
        assert sum(seen.values()) >= 2, "hardly anything was shown before a kill"
    note(
        "client", "SIGKILL at each step: searching", count=len(points),
        held="what was shown is in the log, once; I7", seed=seed,
    )  # fmt: skip
