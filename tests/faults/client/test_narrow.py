"""02:40 and one bar: an alert with a photograph over 64 kbit/s, 600 ms, one packet in 20 lost."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from PIL import Image

from demo.samples import write_samples
from tests.client.homes import PASSPHRASE, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, channel, until
from tests.support.broker import free_port
from tests.support.faultbook import long, note
from tests.support.faultproxy import fault_proxy
from tests.support.narrow import HERE, Line, narrow, why_not

pytestmark = [
    pytest.mark.timeout(900),
    long,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be made here"),
]
RECORDED, PHOTOGRAPH = 15, 60  # seconds
SEED = 20_261_126


@pytest.mark.parametrize("large", [False, True], ids=["photograph", "preview"])
async def test_an_alert_and_its_photograph_pass_a_narrow_line(tmp_path: Path, large: bool) -> None:
    write_samples(tmp_path / "samples")
    photo = tmp_path / "samples" / "serial.jpg"
    if large:
        photo = tmp_path / "large.jpg"
        Image.effect_noise((2400, 1800), 50).convert("RGB").save(photo, "JPEG", quality=92)
        assert photo.stat().st_size > 3_000_000
    front = free_port()
    async with AsyncExitStack() as stack:
        count = await stack.enter_async_context(narrow("narrow", Line(), SEED))
        proxy = await stack.enter_async_context(fault_proxy(front, host=HERE))
        place = await stack.enter_async_context(
            site(tmp_path, SKOPJE, BELGRADE, front=f"{HERE}:{front}")
        )
        proxy.target = place.broker.config.listen
        await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
        await channel(place, BELGRADE)
        belgrade = await place.client(BELGRADE)
        officer = place.home(place.network.of(SKOPJE, nth=1))
        async with place.briefly(SKOPJE, nth=1) as before:  # he was on duty yesterday
            await until(before.channels.list, before)
        took = await _alone(officer, photo)
        await until(belgrade.alerts.list, belgrade)

    what = "preview of a photograph of 3 MB" if large else "photograph"
    assert count.lost > 0
    assert took["recorded"] < RECORDED, took
    assert took["photograph"] < PHOTOGRAPH, took
    note(
        "network", f"64 kbit/s, 600 ms, 5 % of all packets lost: alert with a {what}",
        count=1, seed=str(SEED),
        held=f"recorded after {took['recorded']:.1f} s, {what} after"
        f" {took['photograph']:.1f} s (at most {RECORDED} and {PHOTOGRAPH}); {count.lost} of"
        f" {count.passed + count.lost} packets lost",
    )  # fmt: skip


async def _alone(home: Path, photo: Path) -> dict[str, float]:
    """Let a process behind the narrow line open the device and send; return what it took."""
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", "narrow", sys.executable, "-m",
        "tests.faults.client.narrow_officer", str(home), PASSPHRASE, CHANNEL, str(photo),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    took: dict[str, float] = json.loads(said)
    return took
