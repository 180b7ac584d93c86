"""File bodies over the wire: up in any order, resumed, down again byte for byte."""

import json

from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, RUN, parts_root
from seefen.protocol.suite import random_bytes
from tests.support.devices import WebDevice


async def test_a_body_goes_up_and_comes_down(device: WebDevice) -> None:
    body = random_bytes(2 * PART_SIZE + 7)
    parts = [body[i : i + PART_SIZE] for i in range(0, len(body), PART_SIZE)]
    leaves = [leaf_hash(part) for part in parts]
    base = f"/v1/blobs/{parts_root(leaves).hex()}"
    start = f"{base}?size={len(body)}"
    assert (await device.request("GET", base))[0] == 404
    status, answer = await device.request("PUT", start, b"".join(leaves))
    assert (status, json.loads(answer)) == (201, {"parts": 3, "missing": [0, 1, 2]})
    assert (await device.request("PUT", f"{base}/parts/2", parts[2]))[0] == 204
    assert (await device.request("PUT", f"{base}/parts/2", parts[2]))[0] == 204
    status, answer = await device.request("PUT", start, b"".join(leaves))
    assert json.loads(answer)["missing"] == [0, 1]
    for number in (1, 0):
        assert (await device.request("PUT", f"{base}/parts/{number}", parts[number]))[0] == 204
    status, answer = await device.request("GET", base)
    assert json.loads(answer) == {"size": len(body), "missing": [], "complete": True}
    assert (await device.request("GET", f"{base}/leaves"))[1] == b"".join(leaves)
    got = [(await device.request("GET", f"{base}/parts/{n}"))[1] for n in range(3)]
    assert b"".join(got) == body


async def test_wrong_bytes_and_wrong_numbers_are_refused(device: WebDevice) -> None:
    part = random_bytes(100)
    root = parts_root([leaf_hash(part)]).hex()
    base = f"/v1/blobs/{root}"
    assert (await device.request("PUT", base, leaf_hash(part)))[0] == 400
    assert (await device.request("PUT", f"{base}?size=x", leaf_hash(part)))[0] == 400
    assert (await device.request("PUT", f"{base}?size=100", bytes(32)))[0] == 403
    assert (await device.request("PUT", f"{base}?size=100", leaf_hash(part)))[0] == 201
    for path, data, status in (
        (f"{base}/parts/0", bytes(100), 403),
        (f"{base}/parts/1", part, 404),
        (f"{base}/parts/-1", part, 400),
        (f"{base}/parts/x", part, 400),
    ):
        assert (await device.request("PUT", path, data))[0] == status, path


async def test_a_run_of_parts_goes_in_one_request_each_way(device: WebDevice) -> None:
    body = random_bytes(3 * PART_SIZE + 7)
    parts = [body[i : i + PART_SIZE] for i in range(0, len(body), PART_SIZE)]
    leaves = [leaf_hash(part) for part in parts]
    base = f"/v1/blobs/{parts_root(leaves).hex()}"
    start = f"{base}?size={len(body)}"
    await device.request("PUT", start, b"".join(leaves))
    # What is right and whole before the first wrong byte is kept.
    spoiled = parts[0] + parts[1][:-1] + bytes([parts[1][-1] ^ 1]) + parts[2]
    assert (await device.request("PUT", f"{base}/parts/0", spoiled))[0] == 403
    _, answer = await device.request("PUT", start, b"".join(leaves))
    assert json.loads(answer)["missing"] == [1, 2, 3]
    assert (await device.request("GET", f"{base}/parts/0?count=2"))[0] == 404
    assert (await device.request("PUT", f"{base}/parts/1", parts[1] + parts[2][:100]))[0] == 403
    _, answer = await device.request("PUT", start, b"".join(leaves))
    assert json.loads(answer)["missing"] == [2, 3]
    assert (await device.request("PUT", f"{base}/parts/2", parts[2] + parts[3]))[0] == 204
    assert (await device.request("PUT", f"{base}/parts/2", parts[2] + parts[3] + b"x"))[0] == 403
    assert (await device.request("GET", f"{base}/parts/0?count=4")) == (200, body)
    assert (await device.request("GET", f"{base}/parts/2?count=2")) == (200, parts[2] + parts[3])
    for count, status in (("0", 400), (str(RUN + 1), 400), ("x", 400), ("-1", 400), ("5", 404)):
        assert (await device.request("GET", f"{base}/parts/0?count={count}"))[0] == status
    assert (await device.request("PUT", f"{base}/parts/0", bytes(RUN * PART_SIZE + 1)))[0] == 413
