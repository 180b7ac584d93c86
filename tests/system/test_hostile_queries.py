"""A query that is put in behind the TLS changes neither who asks nor what is written."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.encoding import encode
from seefen.protocol.frames import Send
from tests.client.scenes import BELGRADE, SKOPJE, until
from tests.support import casework
from tests.support.devices import WebDevice
from tests.support.hostile import Request
from tests.support.shadow import database
from tests.system.siege import Siege, numbers, siege

LOGS = ("/v1/log/authority?start=0&limit=100&seen=0", "/v1/log/activity/checkpoint")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def rewrite(place: Siege) -> list[str]:
    """Add to each request that a device of Belgrade asks it; return the paths as they were."""
    other, seen = place.place.network.of(BELGRADE).device.hex(), list[str]()

    def rewritten(request: Request) -> Request:
        seen.append(request.path)
        join = "&" if "?" in request.path else "?"
        request.path += f"{join}device={other}&node={BELGRADE}&role=admin"
        return request

    place.hostile.requests = rewritten
    return seen


async def nodes(place: Siege, table: str) -> set[str]:
    """Return in whose name something stands in a table."""
    async with database(place.place.broker.dsn) as connection:
        return {row["node"] for row in await connection.fetch(f"SELECT node FROM {table}")}


async def test_attack_41_a_query_that_is_changed_on_the_way_grants_nothing(place: Siege) -> None:
    skopje, _ = await place.story("one")
    file = place.place.folder / "scan.bin"
    file.write_bytes(bytes(100_000))
    seen = rewrite(place)
    await skopje.cases.send(place.case, "with a file", [file])
    assert [path for path in seen if path.startswith("/v1/blobs/")]
    # Whatever came of it: nothing is begun or recorded in another name.
    assert await nodes(place, "blob") <= {SKOPJE}
    assert not await place.count(
        "activity_leaf", f"node = '{BELGRADE}' AND kind IN ('object', 'case', 'casekey')"
    )
    place.hostile.honest()
    await until(lambda: skopje.queued() == [], skopje)
    assert await nodes(place, "blob") == {SKOPJE}
    assert len(numbers(skopje, place.case)) >= 2


async def test_attack_41_a_query_at_bundles_and_logs_changes_no_answer(place: Siege) -> None:
    network = place.place.network
    url, ca = place.place.broker.config.url, place.place.broker.ca
    _, ours = casework.open_case(network, network.of(SKOPJE), BELGRADE)
    _, theirs = casework.open_case(network, network.of(BELGRADE), SKOPJE)
    async with WebDevice(url, ca, network.of(SKOPJE)) as web:
        await web.login()
        before: list[tuple[int, bytes]] = []
        between = after = [(0, b"")]
        seen: list[str] = []
        while before != after:  # a head tells the second in which it was the newest
            before = [await web.request("GET", path) for path in LOGS]
            seen = rewrite(place)
            between = [await web.request("GET", path) for path in LOGS]
            place.hostile.honest()
            after = [await web.request("GET", path) for path in LOGS]
        assert between == before
        assert [status for status, _ in before] == [200, 200]
        assert {path.partition("?")[0] for path in seen} >= {LOGS[1]}
        seen = rewrite(place)
        # What Belgrade signed comes from Belgrade alone, whoever the query says that it is.
        status, answer = await web.request("POST", "/v1/bundles", _sending(theirs))
        assert (status, b'"wrong-device"' in answer) == (403, True), answer
        assert await place.count("activity_leaf") == 0
        status, answer = await web.request("POST", "/v1/bundles", _sending(ours))
        assert status == 200, answer
    assert "/v1/bundles" in {path.partition("?")[0] for path in seen}
    assert await nodes(place, "activity_leaf") == {SKOPJE}


def _sending(bundle: Bundle) -> bytes:
    return encode(Send(encode_bundle(bundle), 0))
