"""The fan-out measures what it says: every device opens what is true, and nothing else counts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from bench import fanout
from bench.fanout import Author
from bench.listeners import LIMIT, Audience, Device, Known, Order, Task, _first
from bench.stage import SCALES, stage
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Frame, Push
from tests.support.devices import WebDevice
from tests.support.faultbook import long

pytestmark = long

DEVICES = 3


@dataclass
class Heard:
    """Who listened, and the frame that the first of them got."""

    task: Task
    audience: Audience
    frame: bytes

    def device(self, nth: int = 0) -> Device:
        """Return a device that knows what it knew before the alert."""
        return Device(Known(self.task), self.task.listeners[nth])

    def spoiled(self, push: Push) -> bytes:
        """Return the frame with another push in it."""
        return encode(replace(decode(self.frame, Frame, limit=LIMIT), body=encode(push)))

    @property
    def push(self) -> Push:
        """What was pushed."""
        return decode(decode(self.frame, Frame, limit=LIMIT).body, Push, limit=LIMIT)


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with stage(SCALES["tiny"]) as place:
        by, case, machines = await fanout.set_up(place, DEVICES, 2)
        author = Author(place, by, case)
        task = await fanout._task(place, case, machines, "", author)
        audience = Audience(task)
        await audience.obey(Order("connect", DEVICES))
        async with WebDevice(place.url, place.ca, by) as device:
            author.socket = await (await device.login()).socket()
            audience.expect(Order("pushed", DEVICES))
            await author.alert()
            await audience._last
        yield Heard(task, audience, dict(audience._kept)[0])
        await audience.obey(Order("connect", 0))


@pytest.mark.timeout(300)
async def test_alerts_to_many_are_measured_beside_the_floor() -> None:
    async with stage(SCALES["tiny"]) as place:
        rows = await fanout.run(place)
    names = [("alert pushed", "alert opened", "first alert opened")] * 2
    assert [row.section for row in rows] == ["c"] * 6
    for row, name in zip(rows, [name for three in names for name in three], strict=True):
        assert row.name.startswith(name)
        assert row.at_most
        assert row.limit is not None
        assert min(row.ours, row.limit) > 0


async def test_each_device_opens_what_was_pushed_to_it(heard: Heard) -> None:
    assert sorted(place for place, _ in heard.audience._kept) == list(range(DEVICES))
    kept = tuple(heard.audience._kept)
    for place, data in kept:
        assert heard.device(place).take(data)
    answer = await heard.audience.obey(Order("pushed", DEVICES))
    assert answer.frame == len(kept[-1][1])
    assert heard.audience._kept == []


async def test_what_is_not_true_is_not_opened(heard: Heard) -> None:
    push = heard.push
    assert heard.device().take(heard.spoiled(push))
    release = push.release
    assert release is not None
    flipped = push.item.envelope[:-1] + bytes([push.item.envelope[-1] ^ 1])
    note = push.checkpoint.replace(push.checkpoint.split("\n")[1], "999999", 1)
    for false in (
        replace(push, release=None),
        replace(push, release=push.item.entry),
        replace(push, release=replace(release, index=release.index + 1)),
        replace(push, item=replace(push.item, envelope=flipped)),
        replace(push, item=replace(push.item, body=push.item.body[:-1] + b"\0")),
        replace(push, item=replace(push.item, entry=release)),
        replace(push, key=bytes(len(push.key))),
        replace(push, checkpoint=note),
    ):
        with pytest.raises(SeefenError):
            heard.device().take(heard.spoiled(false))
    stranger = replace(heard.task.listeners[0], device=bytes(16))
    with pytest.raises(SeefenError) as caught:
        Device(Known(heard.task), stranger).take(heard.frame)
    assert caught.value.rule == "no-release"


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_messages_come_out_of_the_line_one_by_one(length: int) -> None:
    payload = bytes(length)
    size = (
        bytes([length])
        if length < 126
        else b"\x7e" + length.to_bytes(2, "big")
        if length < 1 << 16
        else b"\x7f" + length.to_bytes(8, "big")
    )
    whole = b"\x82" + size + payload
    for cut in {0, 1, len(whole) // 2, len(whole) - 1}:
        assert _first(bytearray(whole[:cut])) is None
    buffer = bytearray(whole + b"\x89\x01!")
    assert _first(buffer) == (2, payload)
    assert _first(buffer) == (9, b"!")
    assert not buffer
