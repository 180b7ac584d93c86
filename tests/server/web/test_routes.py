"""The gate at the web: which answers can hold the key to a body, walked route by route."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from aiohttp import web

from seefen.protocol.bundle import Content
from seefen.protocol.frames import AuthorityPage, ContentKey, Push, Recorded, Released
from seefen.protocol.statements import Part
from seefen.server.web import routes, verbs
from seefen.server.web.callers import Caller
from seefen.server.web.routes import ROUTES, add_routes
from seefen.server.web.services import Call
from seefen.server.web.table import Route
from tests.support.broker import local_broker
from tests.support.devices import RefusedByBrokerError, WebDevice
from tests.support.wire import exchange, head

# The types in which the wrapped key of a body stands.
KEYS = (ContentKey, Content, Push)


def _parts(type_: Any) -> Iterator[type]:
    """Yield each type that stands in ``type_``, at whatever depth."""
    if get_origin(type_) in (Union, UnionType, tuple, list):
        for inner in get_args(type_):
            yield from _parts(inner)
    elif isinstance(type_, type):
        yield type_
        if issubclass(type_, Part):
            for inner in get_type_hints(type_).values():
                yield from _parts(inner)


def can_carry_keys(type_: type) -> bool:
    return any(part in KEYS for part in _parts(type_))


def test_the_walk_sees_a_key_at_any_depth() -> None:
    assert can_carry_keys(Released)
    assert can_carry_keys(Push)
    assert not can_carry_keys(Recorded)
    assert not can_carry_keys(AuthorityPage)


def test_no_route_can_answer_with_a_content_key() -> None:
    assert [route.path for route in ROUTES if can_carry_keys(route.answer)] == []


def test_access_alone_of_all_verbs_can_answer_with_content_keys() -> None:
    assert [name for name, verb in verbs.VERBS.items() if can_carry_keys(verb.gives)] == ["access"]


def test_what_is_answered_as_bytes_is_a_body_a_hash_or_a_request() -> None:
    # Bytes are not typed further, so each place that answers with them is named here.
    untyped = (bytes, web.StreamResponse)
    found = {route.handler.__name__ for route in ROUTES if route.answer in untyped}
    assert found == {"get_leaves", "get_part", "get_request", "get_tile"}


def test_every_route_of_the_application_is_in_the_table() -> None:
    app = web.Application()
    add_routes(app)
    there = {(r.method, r.resource.canonical) for r in app.router.routes() if r.resource}
    assert len(list(app.router.routes())) == len(there) == len(ROUTES)


def test_only_health_nonce_login_and_the_document_are_for_anyone() -> None:
    anyone = {route.path for route in ROUTES if route.caller is Caller.ANYONE}
    assert anyone == {"/healthz", "/readyz", "/v1/nonce", "/v1/token", "/v1/openapi.json"}


def _example(path: str) -> str:
    for name, value in (
        ("{root:[0-9a-f]{64}}", "0" * 64),
        ("{id:[0-9a-f]{32}}", "0" * 32),
        ("{log:authority|activity}", "activity"),
        ("{tile:tile/.*}", "tile/0/000"),
        ("{part}", "0"),
    ):
        path = path.replace(name, value)
    return path


WITHOUT = ((), ("Authorization: DPoP x", "DPoP: y"), ("Authorization: Invite x.y",))


async def test_every_other_route_is_401_without_a_login() -> None:
    guarded = [route for route in ROUTES if route.caller is not Caller.ANYONE]
    async with local_broker(bad_proofs_before_block=1000) as broker:
        for route in guarded:
            for fields in (
                (),
                ("Authorization: DPoP x", "DPoP: y"),
                ("Authorization: Invite x.y",),
            ):
                sent = head(route.method, _example(route.path), *fields, "Content-Length: 0")
                status, answer = await exchange(broker.config.url, broker.ca, sent)
                assert status == 401, (route.path, fields, answer)


def test_an_answer_of_an_undeclared_type_does_not_leave() -> None:
    async def forgets_the_gate(_: Call) -> object:
        return Push

    route = Route("GET", "/x", Caller.ANYONE, forgets_the_gate, Recorded)
    with pytest.raises(TypeError):
        routes._respond(route, ContentKey(bytes(16), b"key"))


async def test_a_verb_that_answers_another_type_says_nothing(
    device: WebDevice, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def forgets_the_gate(*_: object) -> object:
        return Recorded((), (), "secret", ())

    row = verbs.VERBS["ping"]
    monkeypatch.setitem(verbs.VERBS, "ping", verbs.Verb(None, row.gives, forgets_the_gate))
    socket = await device.socket()
    with pytest.raises(RefusedByBrokerError, match="unexpected"):
        await socket.ask_raw("ping", b"")
