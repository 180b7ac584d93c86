"""The broker's certificates: a private CA, a server certificate, TLS 1.3 and nothing older.

What devices pin is the CA's key (in the root statement), so that the server certificate
may be renewed without the holders of the root keys. This is the only module of the broker
that imports ``cryptography``.
"""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seefen.protocol.suite import certificate_pin
from seefen.server.files import write_durably

CA_CERTIFICATE: Final = "ca.pem"
CA_KEY: Final = "ca.key"
CERTIFICATE: Final = "server.pem"
KEY: Final = "server.key"

CA_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 397
RENEW_DAYS: Final = 30

_EARLIER: Final = timedelta(days=1)  # a device whose clock is slow still takes it


def make_authority(folder: Path, name: str, at: datetime) -> None:
    """Make the private CA of a broker, unless it is there."""
    if (folder / CA_CERTIFICATE).exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} broker CA")])
    usage = _usage(sign_certificates=True)
    certificate = (
        _builder(subject, subject, key.public_key(), at, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    _write_key(folder / CA_KEY, key)
    write_durably(folder / CA_CERTIFICATE, certificate.public_bytes(Encoding.PEM), mode=0o644)


def make_certificate(folder: Path, host: str, at: datetime) -> None:
    """Make a new server key and a certificate for ``host``, signed by the private CA."""
    ca = _certificate(folder / CA_CERTIFICATE)
    ca_key = load_pem_private_key((folder / CA_KEY).read_bytes(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA key is not of the kind that this broker makes")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), at, CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, SHA256())
    )
    # The key first: a certificate without its key would stop the next start.
    _write_key(folder / KEY, key)
    write_durably(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM), mode=0o644)


def renew_certificate(folder: Path, host: str, at: datetime) -> bool:
    """Renew the server certificate when it ends soon, or is for another host or key."""
    path = folder / CERTIFICATE
    if path.exists() and _is_good(folder, host) and days_left(path, at) > RENEW_DAYS:
        return False
    make_certificate(folder, host, at)
    return True


def days_left(certificate: Path, at: datetime) -> int:
    """Return for how many whole days a certificate is still good; negative when it ended."""
    return (_certificate(certificate).not_valid_after_utc - at).days


def ca_pem(folder: Path) -> str:
    """Return the CA's certificate as devices get it."""
    return (folder / CA_CERTIFICATE).read_text()


def pin(folder: Path) -> bytes:
    """Return the SHA-256 of the CA's public key: what the root statement pins."""
    return certificate_pin(_certificate(folder / CA_CERTIFICATE).public_bytes(Encoding.DER))


def server_context(folder: Path) -> ssl.SSLContext:
    """Return what the broker answers with: TLS 1.3 only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    load_certificate(context, folder)
    context.set_alpn_protocols(["http/1.1"])
    return context


def load_certificate(context: ssl.SSLContext, folder: Path) -> None:
    """Let the broker answer with the certificate that lies there now; lines go on with theirs."""
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)


def device_context(ca: str) -> ssl.SSLContext:
    """Return what a device connects with: TLS 1.3, this CA and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=ca)
    return context


def _is_good(folder: Path, host: str) -> bool:
    certificate = _certificate(folder / CERTIFICATE)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if _alternative(host) not in list(names):
        return False
    try:
        # The broker was stopped between the two files: the pair does not fit, make a new one.
        server_context(folder)
    except (ssl.SSLError, FileNotFoundError):
        return False
    return True


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    at: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at.astimezone(UTC) - _EARLIER)
        .not_valid_after(at.astimezone(UTC) + timedelta(days=days))
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_durably(path, pem, mode=0o600)
