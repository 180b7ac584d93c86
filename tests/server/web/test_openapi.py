"""The OpenAPI document, and schemathesis over it: no 5xx, no answer that is not declared."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import cbor2
import pytest
from hypothesis import HealthCheck, settings

from seefen.protocol.suite import new_id, random_bytes, sha256
from seefen.server.web.openapi import document
from seefen.server.web.routes import ROUTES
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, WebDevice

EXAMPLES = int(os.environ.get("SEEFEN_API_EXAMPLES", "15"))  # more under make fuzz-api
SECONDS = 60
T = TypeVar("T")

schemathesis: Any = import_module("schemathesis")  # its types are not all known
_specific: Any = import_module("schemathesis.specs.openapi.checks")
CHECKS = [
    import_module("schemathesis.checks").not_a_server_error,
    _specific.status_code_conformance,
    _specific.content_type_conformance,
    _specific.response_schema_conformance,
]

schema: Any = schemathesis.openapi.from_dict(document(ROUTES))
schema.config.update(base_url="https://broker")


@schemathesis.serializer("application/cbor")  # type: ignore[untyped-decorator]
def _cbor(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else cbor2.dumps(value, default=_as_text)


@schemathesis.serializer("application/octet-stream")  # type: ignore[untyped-decorator]
def _octets(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def _as_text(encoder: Any, value: Any) -> None:
    encoder.encode(str(value))


@dataclass
class Api:
    """A real broker in a thread of its own, a device that is logged in, and an open invite."""

    loop: asyncio.AbstractEventLoop
    broker: LocalBroker
    device: WebDevice
    ca: Path
    invite: str
    secret: str

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SECONDS)

    def headers(self, case: Any) -> dict[str, str]:
        """Return what the caller shows: a login, or an invite."""
        schemes: list[str] = [
            name for one in case.operation.definition.raw["security"] for name in one
        ]
        if schemes == ["invited"]:
            return {"Authorization": f"Invite {self.invite}.{self.secret}"}
        if "device" in schemes:
            path = case.formatted_path
            return self.run(self.device.headers(case.method.upper(), path))
        return {}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Generator[Api, None, None]:
    loop = asyncio.new_event_loop()
    stop, ready = asyncio.Event(), threading.Event()
    made: list[Api] = []

    async def serve() -> None:
        many: dict[str, Any] = {
            "logins_per_hour_per_device": 10**9,
            "bad_proofs_before_block": 10**9,
        }
        async with local_broker(NODE, **many) as broker:
            ca = tmp_path_factory.mktemp("ca") / "ca.pem"
            ca.write_text(broker.ca)
            machine = broker.network.of(NODE)
            async with WebDevice(broker.config.url, broker.ca, machine) as device:
                await device.login()
                invite, secret = new_id().hex(), random_bytes(32)
                made.append(Api(loop, broker, device, ca, invite, secret.hex()))
                await _invite(device, invite, secret)
                ready.set()
                await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()  # also when it could not start: then nothing was made

    thread = threading.Thread(target=run, name="broker")
    thread.start()
    try:
        assert ready.wait(SECONDS)
        yield made[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)
        loop.close()


async def _invite(device: WebDevice, invite: str, secret: bytes) -> None:
    assert device.machine is not None
    wanted = (
        f'{{"id": "{invite}", "secret_hash": "{sha256(secret).hex()}", "node": "{NODE}",'
        f' "roles": ["field"], "expires": {int(time.time()) + 86_400}}}'
    )
    status, answer = await device.request(
        "POST", "/v1/invites", wanted.encode(), content_type="application/json"
    )
    assert status == 201, answer


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=EXAMPLES, suppress_health_check=list[Any](HealthCheck), deadline=None)
def test_no_answer_is_undeclared_or_an_error_of_the_broker(case: Any, api: Api) -> None:
    if "id" in case.path_parameters:
        case.path_parameters["id"] = api.invite
    response = case.call(
        base_url=api.broker.config.url, headers=api.headers(case), verify=str(api.ca)
    )
    case.validate_response(response, checks=CHECKS)


def test_an_error_of_the_broker_is_noticed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api.broker.services.blobs, "find", broken)
    case = schema["/v1/blobs/{root}"]["GET"].Case(path_parameters={"root": "0" * 64})
    response = case.call(
        base_url=api.broker.config.url, headers=api.headers(case), verify=str(api.ca)
    )
    assert response.status_code == 500
    with pytest.raises(BaseExceptionGroup):
        case.validate_response(response, checks=CHECKS)


def test_every_route_is_in_the_document() -> None:
    found = document(ROUTES)["paths"]
    assert sum(len(methods) for methods in found.values()) == len(ROUTES)
    assert all("pattern" not in path and ":" not in path for path in found)
