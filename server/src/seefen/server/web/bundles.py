"""Bundles that are too long for the socket."""

from seefen.protocol.bundle import decode_bundle
from seefen.protocol.encoding import BUNDLE_LIMIT, decode
from seefen.protocol.frames import Recorded, Send
from seefen.server.web.limits import read_body
from seefen.server.web.services import Call

# A Send is an array around the bundle: its head and the size that was seen.
SEND_LIMIT = BUNDLE_LIMIT + 64


async def read_send(call: Call) -> Send:
    """Return what a device sends."""
    data = await read_body(call.request, limit=SEND_LIMIT, content_type="application/cbor")
    return decode(data, Send, limit=SEND_LIMIT)


async def post_bundle(call: Call) -> Recorded:
    """Commit a bundle and answer where it stands."""
    send = await read_send(call)
    return await call.services.broker.submit(call.device, decode_bundle(send.bundle), send.seen)
