"""A call: who makes it, and what he may do in whose name."""

import pytest
from aiohttp.test_utils import make_mocked_request

from seefen.protocol.errors import UntrustedError
from seefen.protocol.suite import new_id
from seefen.server.enrolment import Invite
from seefen.server.tokens import TokenRow
from seefen.server.web.services import Call
from tests.protocol.builder import refused
from tests.support.broker import LocalBroker
from tests.support.devices import NODE

ID = bytes(range(16))
INVITE = Invite(ID, bytes(32), "node", "tirana-border", (), 0)


def call(
    broker: LocalBroker, path: str = "", *, device: bytes = b"", invite: Invite | None = None
) -> Call:
    request = make_mocked_request("GET", "/", match_info={"id": path} if path else {})
    token = TokenRow(device, "", 0) if device else None
    return Call(request, broker.services, token=token, invite=invite)


async def test_attack_an_invite_opens_the_path_of_its_own_id_and_no_other(
    broker: LocalBroker,
) -> None:
    assert call(broker, ID.hex(), invite=INVITE).opened_invite is INVITE
    for wrong in (
        call(broker, new_id().hex(), invite=INVITE),
        call(broker, "", invite=INVITE),
        call(broker, ID.hex()),
        call(broker, ID.hex(), device=ID),
    ):
        with refused("invite", UntrustedError):
            _ = wrong.opened_invite


async def test_a_device_is_who_has_logged_in_and_nobody_else(broker: LocalBroker) -> None:
    machine = broker.network.of(NODE)
    known = call(broker, device=machine.device)
    assert (known.device, known.node) == (machine.device, NODE)
    for nobody in (call(broker), call(broker, invite=INVITE)):
        with refused("login", UntrustedError):
            _ = nobody.device
        with pytest.raises(UntrustedError):
            _ = nobody.node


async def test_attack_50_who_makes_an_invite_under_the_id_of_a_device_takes_no_turn_of_its(
    broker: LocalBroker,
) -> None:
    callers = [call(broker, device=ID).caller, call(broker, invite=INVITE).caller]
    assert callers == [f"device {ID.hex()}", f"invite {ID.hex()}"]
    assert call(broker).caller == ""
    assert call(broker, device=ID, invite=INVITE).caller == callers[0]
