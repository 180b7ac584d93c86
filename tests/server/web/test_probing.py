"""An outsider who asks ten thousand times learns from no answer, nor its time, who exists.

``SEEFEN_PROBES`` says how many pairs are tried (``make probes``: ten thousand); the time is
looked at from a thousand on, since fewer say nothing about it.
"""

import math
import os
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest

from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import parts_root
from seefen.protocol.suite import PlainKey, new_id
from tests.support.broker import local_broker
from tests.support.devices import NODE, WebDevice
from tests.support.network import Machine

PROBES = int(os.environ.get("SEEFEN_PROBES", "40"))
# The same source twice is further apart once in ten thousand times: 0.10 for a thousand pairs,
# 0.03 for ten thousand. A bound that stayed the same would see no more for all the asking.
SHARPEST = math.sqrt(math.log(2 / 1e-4) / PROBES)
LOGINS: dict[str, Any] = {
    "logins_per_minute_per_address": 10_000_000,
    "logins_per_hour_per_device": 10_000_000,
    "bad_proofs_before_block": 10_000_000,
}


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the statistic of Kolmogorov and Smirnov: the largest distance of two distributions."""
    left, right = sorted(one), sorted(other)
    most, i, j = 0.0, 0, 0
    while i < len(left) and j < len(right):
        at = min(left[i], right[j])
        while i < len(left) and left[i] <= at:
            i += 1
        while j < len(right) and right[j] <= at:
            j += 1
        most = max(most, abs(i / len(left) - j / len(right)))
    return most


def test_the_distance_tells_two_sources_apart_and_one_from_none() -> None:
    dice = random.Random(56)
    one, same = ([dice.gauss(1, 0.1) for _ in range(5000)] for _ in range(2))
    later = [dice.gauss(1.05, 0.1) for _ in range(5000)]
    assert distance(one, same) < 0.05 < 0.10 < distance(one, later)


@pytest.mark.timeout(120 + PROBES)
async def test_attack_56_known_and_unknown_devices_get_the_same_bytes_in_the_same_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with (
        local_broker(NODE, **LOGINS) as broker,
        WebDevice(broker.config.url, broker.ca) as device,
    ):
        known, wrong = broker.network.of(NODE), PlainKey.generate()
        strangers = [Machine(NODE, (), "") for _ in range(10)]
        times: dict[bool, list[float]] = {True: [], False: []}
        answers: set[tuple[int, bytes, tuple[str, ...]]] = set()
        for number in range(2 * PROBES):
            exists = bool(number % 2)
            device.machine = known if exists else strangers[number // 2 % 10]
            assertion = await device.assertion(auth=wrong)
            proof = await device.proof("POST", "/v1/token")
            began = time.perf_counter()
            async with device.http.post(
                f"{device.url}/v1/token", json={"assertion": assertion}, headers={"DPoP": proof}
            ) as answer:
                body = await answer.read()
                times[exists].append(time.perf_counter() - began)
                fields = [f"{k}: {v}" for k, v in answer.headers.items()]
                kept = (f for f in fields if not f.startswith(("Date", "DPoP-Nonce")))
                answers.add((answer.status, body, tuple(kept)))
        assert len(answers) == 1, answers
        assert next(iter(answers))[0] == 401
        found = distance(times[True], times[False])
        if PROBES >= 1000:
            with capsys.disabled():
                sys.stdout.write(f"{PROBES} pairs, distance {found:.4f} of {SHARPEST:.4f}\n")
            assert found < SHARPEST, f"known and unknown differ in time: {found:.4f}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/blobs/{}"),
        ("GET", "/v1/blobs/{}/leaves"),
        ("GET", "/v1/blobs/{}/parts/0"),
        ("GET", "/v1/joins/{:.32}"),
        ("GET", "/v1/joins/{:.32}/request"),
    ],
)
async def test_attack_56_without_a_login_nothing_that_is_there_differs_from_what_is_not(
    method: str, path: str
) -> None:
    async with (
        local_broker(NODE, **LOGINS) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
        WebDevice(broker.config.url, broker.ca) as outsider,
    ):
        await device.login()
        there = parts_root([leaf_hash(b"part")]).hex()
        start = f"/v1/blobs/{there}?size=4"
        assert (await device.request("PUT", start, leaf_hash(b"part")))[0] == 201
        answers: set[tuple[int, bool, int, bytes]] = set()
        for name in (there, *(2 * new_id().hex() for _ in range(5))):
            kinds: tuple[dict[str, str], ...] = (
                {},
                {"Authorization": "DPoP x", "DPoP": "x"},
                {"Authorization": f"Invite {name:.32}.{'0' * 64}"},
            )
            for headers in kinds:
                status, body = await outsider.request(method, path.format(name), headers=headers)
                answers.add((len(headers), "Invite" in str(headers), status, body))
        assert len(answers) == 3, answers
        assert {status for *_, status, _ in answers} == {401}
