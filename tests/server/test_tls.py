"""Certificates: a private CA whose key is pinned, TLS 1.3 and nothing older."""

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seefen.protocol.suite import certificate_pin
from seefen.server import tls

NOW = datetime.now(UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tls.make_authority(tmp_path, "seefen", NOW)
    assert tls.renew_certificate(tmp_path, "127.0.0.1", NOW)
    return tmp_path


def test_only_the_owner_reads_the_keys(folder: Path) -> None:
    for name in (tls.CA_KEY, tls.KEY):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_pin_is_of_the_ca_and_outlives_a_renewal(folder: Path) -> None:
    before, certificate = tls.pin(folder), (folder / tls.CERTIFICATE).read_bytes()
    late = NOW + timedelta(days=tls.CERTIFICATE_DAYS - tls.RENEW_DAYS + 1)
    assert tls.renew_certificate(folder, "127.0.0.1", late)
    assert (folder / tls.CERTIFICATE).read_bytes() != certificate
    assert tls.pin(folder) == before
    ca = ssl.PEM_cert_to_DER_cert(tls.ca_pem(folder))
    assert certificate_pin(ca) == before


def test_nothing_is_made_anew_without_need(folder: Path) -> None:
    before = tls.pin(folder)
    tls.make_authority(folder, "seefen", NOW)
    assert tls.pin(folder) == before
    assert not tls.renew_certificate(folder, "127.0.0.1", NOW)


def test_another_host_gets_another_certificate(folder: Path) -> None:
    assert tls.renew_certificate(folder, "broker.example", NOW)
    assert not tls.renew_certificate(folder, "broker.example", NOW)


def test_a_pair_that_does_not_fit_is_made_anew(folder: Path) -> None:
    # The broker was killed between writing the new key and the new certificate.
    (folder / tls.KEY).write_bytes((folder / tls.CA_KEY).read_bytes())
    assert tls.renew_certificate(folder, "127.0.0.1", NOW)
    tls.server_context(folder)


def test_days_left_are_counted_down(folder: Path) -> None:
    path = folder / tls.CERTIFICATE
    assert tls.days_left(path, NOW) == tls.CERTIFICATE_DAYS - 1
    assert tls.days_left(path, NOW + timedelta(days=tls.CERTIFICATE_DAYS + 1)) < 0


async def shake(folder: Path, context: ssl.SSLContext, name: str = "127.0.0.1") -> str | None:
    """Return the version on which a client with ``context`` agrees with the broker."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls.server_context(folder))
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name
        )
        version: str | None = writer.get_extra_info("ssl_object").version()
        writer.close()
        return version


async def test_devices_speak_tls_1_3_with_the_broker(folder: Path) -> None:
    assert await shake(folder, tls.device_context(tls.ca_pem(folder))) == "TLSv1.3"


async def test_tls_1_2_is_refused(folder: Path) -> None:
    context = tls.device_context(tls.ca_pem(folder))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(folder, context)


async def test_another_ca_is_not_believed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    tls.make_authority(other, "seefen", NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(folder, tls.device_context(tls.ca_pem(other)))


async def test_another_host_is_not_believed(folder: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(folder, tls.device_context(tls.ca_pem(folder)), "broker.example")
