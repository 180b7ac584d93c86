"""Login: a nonce, and a token for an assertion."""

from typing import Any

import structlog
from msgspec import Struct

from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.server.web.callers import address_of, refuse
from seefen.server.web.limits import read_json
from seefen.server.web.services import Call

_LONGEST = 16 * 1024


class _Login(Struct, frozen=True, forbid_unknown_fields=True):
    assertion: str


async def get_nonce(call: Call) -> dict[str, Any]:
    """Answer with the nonce that a login and every proof must carry now."""
    return {"nonce": call.services.tokens.nonce()}


async def post_token(call: Call) -> dict[str, Any]:
    """Answer with a token, for a login that proves a device in force."""
    services, request = call.services, call.request
    address = address_of(request)
    # Before anything is verified: what costs us work is what an attacker would repeat.
    services.rates.require_open(address)
    services.rates.login(address)
    try:
        login = await read_json(request, _Login, limit=_LONGEST, rule="login")
        proofs = request.headers.getall("DPoP", [])
        if len(proofs) != 1:
            raise MalformedError("a login needs one DPoP header", rule="login")
        path = request.rel_url.raw_path
        row = await services.tokens.check_login(login.assertion, proofs[0], path)
    except (MalformedError, UntrustedError) as err:
        refuse(services, request, err)
    services.rates.logged_in(address, row.device)
    token = await services.tokens.issue(row)
    structlog.get_logger().info("login", device=row.device)
    return {"token": token, "expires_in": services.tokens.seconds}
