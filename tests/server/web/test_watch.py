"""Figures: counted where things happen, served to this machine alone, and no names in them."""

import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from seefen.server.config import Config, SetupError, read_config
from seefen.server.web.watch import figures, watched
from tests.support import casework
from tests.support.broker import LocalBroker, free_port, local_broker
from tests.support.devices import NODE, WebDevice

PARTNER = "belgrade-ffp"


def _value(text: str, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0.0


async def test_what_happens_is_counted(broker: LocalBroker, device: WebDevice) -> None:
    before = figures(broker.services).decode()
    by = broker.network.of(NODE)
    _, opening = casework.open_case(broker.network, by)
    await broker.take(opening)
    assert (await device.request("GET", f"/v1/blobs/{'0' * 64}"))[0] == 404
    socket = await device.socket()
    await socket.ask_raw("ping", b"")
    text = figures(broker.services).decode()

    def grown(name: str, **labels: str) -> float:
        return _value(text, name, **labels) - _value(before, name, **labels)

    assert grown("seefen_leaves_total", log="activity", kind="case") == 1
    assert grown("seefen_refused_total", status="404", rule="unknown-blob") == 1
    assert grown("seefen_commit_seconds_count") >= 1
    assert grown("seefen_group_jobs_sum") >= 1
    assert _value(text, "seefen_lines") == 1
    assert _value(text, "seefen_log_size", log="activity") == 2
    busy = _value(text, "seefen_database_connections", state="busy")
    assert busy + _value(text, "seefen_database_connections", state="idle") >= 2
    assert _value(text, "process_resident_memory_bytes") > 1 << 20


async def test_no_figure_names_anybody() -> None:
    async with local_broker(NODE, PARTNER) as broker:
        by = broker.network.of(NODE)
        case, opening = casework.open_case(broker.network, by, PARTNER)
        await broker.take(opening)
        async with WebDevice(broker.config.url, broker.ca, by) as device:
            await device.login()
            await device.request("GET", f"/v1/no-such-address/{case.hex()}")
            await device.request("PUT", f"/v1/joins/{case.hex()}", b"\x80")
        text = figures(broker.services).decode()
    for word in (NODE, PARTNER, by.officer, case.hex(), by.device.hex(), "127.0.0.1"):
        assert word not in text
    # Every label is a short word of this code.
    assert all(
        re.fullmatch(r"[a-z0-9.+_-]{0,32}", v.lower()) for v in re.findall(r'="([^"]*)"', text)
    )


async def test_they_are_served_at_their_own_address_and_nowhere_else(
    broker: LocalBroker, device: WebDevice
) -> None:
    assert (await device.request("GET", "/metrics"))[0] == 404
    address = f"127.0.0.1:{free_port()}"
    config = Config(
        broker.config.data, "seefen", broker.config.url, broker.config.listen,
        metrics_listen=address,
    )  # fmt: skip
    async with watched(config, broker.services), aiohttp.ClientSession() as session:
        async with session.get(f"http://{address}/metrics") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/plain"
            assert "seefen_log_size" in await answer.text()
        with pytest.raises(SetupError, match="cannot listen"):
            async with watched(config, broker.services):
                pass
    async with watched(broker.config, broker.services):  # off, unless it is asked for
        pass


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "10.0.0.5:9464", "broker.example:9464"])
def test_they_leave_this_machine_by_the_operators_hand_only(tmp_path: Path, address: str) -> None:
    (tmp_path / "seefen.toml").write_text(
        'name = "seefen"\nurl = "https://a:1"\nlisten = "127.0.0.1:1"\n'
        f'metrics_listen = "{address}"\n'
    )
    with pytest.raises(SetupError, match="metrics_listen"):
        read_config(tmp_path, {})
