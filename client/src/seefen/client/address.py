"""Where the broker is, and the only TLS that is spoken with it."""

import ssl
from dataclasses import dataclass

from seefen.protocol.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and which CA vouches for it (PEM)."""

    url: str
    ca: str


def tls_context(ca: str) -> ssl.SSLContext:
    """Return the only TLS that is spoken: 1.3, to this CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise RefusedError("the invite names no certificate of a broker", rule="invite") from None
    if context.cert_store_stats()["x509"] != 1:
        # One key is pinned: another beside it would be believed without a pin.
        raise RefusedError("the invite names more than one certificate", rule="invite")
    return context
