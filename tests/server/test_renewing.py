"""The certificate of a broker that is never restarted."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from seefen.server import app, tls
from tests.support.broker import LocalBroker, local_broker
from tests.support.waiting import until
from tests.support.wire import head, wire


async def shown(broker: LocalBroker) -> bytes:
    async with wire(broker.config.url, broker.ca) as (_, writer):
        line: ssl.SSLObject = writer.get_extra_info("ssl_object")
        found = line.getpeercert(binary_form=True)
        assert found is not None
        return found


async def test_a_certificate_is_renewed_while_the_broker_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who connects gets the new one; a line that is open goes on."""
    monkeypatch.setattr(app, "RENEW_SECONDS", 0.05)
    async with local_broker() as broker, wire(broker.config.url, broker.ca) as (reader, writer):
        first = await shown(broker)
        await asyncio.sleep(0.2)
        assert await shown(broker) == first, "nothing is renewed before its time"
        old = datetime.now(UTC) - timedelta(days=tls.CERTIFICATE_DAYS - tls.RENEW_DAYS + 1)
        tls.make_certificate(broker.config.data, broker.config.host, old)
        running_out = tls.days_left(broker.config.data / tls.CERTIFICATE, datetime.now(UTC))
        assert running_out < tls.RENEW_DAYS

        async def is_new() -> bool:
            return await shown(broker) != first

        await until(is_new, seconds=10)
        left = tls.days_left(broker.config.data / tls.CERTIFICATE, datetime.now(UTC))
        assert left > tls.CERTIFICATE_DAYS - 2
        writer.write(head("GET", "/healthz"))
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")


async def test_a_renewal_that_fails_is_an_alarm_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: list[str] = []

    def note(rule: str, **_: object) -> None:
        raised.append(rule)

    monkeypatch.setattr(app, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(app, "alarm", note)
    async with local_broker() as broker:
        first = await shown(broker)
        certificate = broker.config.data / tls.CERTIFICATE
        good = certificate.read_bytes()
        certificate.write_bytes(b"spoiled")
        await until(lambda: "certificate" in raised, seconds=10)
        certificate.write_bytes(good)
        assert await shown(broker) == first
