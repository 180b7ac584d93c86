"""Who calls: a device with a token and its proof, somebody with an invite, or nobody.

All failures are 401 and say no more than the caller has proved to be entitled to hear.
"""

from enum import Enum
from typing import Final, NoReturn

import structlog
from aiohttp import hdrs, web

from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.server.web.problems import ProblemError
from seefen.server.web.services import SERVICES, Call, Services

# Rules that say somebody does not hold the key he shows; the others happen to the honest.
_BAD = frozenset(("", "login", "invite"))
NAMED: Final = 20  # addresses in a minute: each is another one


class Caller(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    DEVICE = "a device that is logged in"
    INVITED = "whoever holds an invite"
    DEVICE_OR_INVITED = "either"


async def identify(request: web.Request, wanted: Caller) -> Call:
    """Return the call of a request, once its caller is known as ``wanted``.

    Raises:
        ProblemError: 401.
        TooManyError: The address had too many bad proofs.
    """
    services = request.app[SERVICES]
    if wanted is Caller.ANYONE:
        return Call(request, services)
    services.rates.require_open(address_of(request))
    scheme, _, credential = _only(request, hdrs.AUTHORIZATION).partition(" ")
    try:
        if scheme == "DPoP" and wanted is not Caller.INVITED:
            proof = _only(request, "DPoP")
            path = request.rel_url.raw_path
            token = await services.tokens.check(credential, proof, request.method, path)
            return Call(request, services, token=token)
        if scheme == "Invite" and wanted is not Caller.DEVICE:
            invite = await services.enrolment.open(credential)
            return Call(request, services, invite=invite)
    except (MalformedError, UntrustedError) as err:
        refuse(services, request, err)
    raise _unauthorized("login", f"this is for {wanted.value}")


def refuse(services: Services, request: web.Request, err: SeefenError) -> NoReturn:
    """Answer 401, and count it against the address if it was a bad proof."""
    if err.rule in _BAD:
        address = address_of(request)
        blocked = services.rates.bad_proof(address)
        if blocked and (times := services.repeats.due("address.blocked", most=NAMED)):
            structlog.get_logger().warning("address.blocked", address=address, times=times)
    raise _unauthorized(err.rule or "login", str(err)) from None


def address_of(request: web.Request) -> str:
    """Return the address at the other end of the connection; no header has a say in it."""
    return request.remote or ""


def _only(request: web.Request, name: str) -> str:
    values = request.headers.getall(name, [])
    if len(values) != 1:
        raise _unauthorized("login", f"this needs one {name} header")
    return values[0]


def _unauthorized(rule: str, title: str) -> ProblemError:
    return ProblemError(401, rule, title, headers={"WWW-Authenticate": 'DPoP algs="EdDSA"'})
