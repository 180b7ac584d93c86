"""Twenty things are triaged from covers alone: nothing is opened, nothing is asked."""

from pathlib import Path

from msgspec.structs import replace

from demo import case_a
from tests.client.homes import site
from tests.client.scenes import BELGRADE, SKOPJE, until


async def test_twenty_requests_are_sorted_without_opening_one(tmp_path: Path) -> None:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
        case = await skopje.cases.open("Pistols", (BELGRADE,))
        for n in range(20):
            urgent = {"urgency": "URGENT", "urgency_reason": "court"} if n % 4 == 0 else {}
            request = replace(case_a.trace_request(), to=(BELGRADE,), **urgent)
            await skopje.requests.ask(case.number, request)
        await until(lambda: len(belgrade.requests.waiting()) == 20, belgrade)

        waiting = belgrade.requests.waiting()
        assert [one.urgency for one in waiting] == ["URGENT"] * 5 + [
            "NORMAL"
        ] * 15  # the most urgent first
        assert all("1 pistol" in one.subject and one.handling == "H1" for one in waiting)
        assert await skopje.audit.list(node=BELGRADE) == []  # nobody has read anything
