"""Bundles by HTTP: the same answer as by the socket, and the same again."""

import json

import pytest

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import Recorded, Send
from seefen.protocol.ledger.note import open_checkpoint
from seefen.protocol.receipt import check_entry
from tests.support.broker import LocalBroker
from tests.support.casework import open_case
from tests.support.devices import NODE, Connect, RefusedByBrokerError, WebDevice


def sending(bundle: Bundle) -> bytes:
    return encode(Send(encode_bundle(bundle), 0))


async def test_a_bundle_is_recorded_once_however_often_sent(
    device: WebDevice, broker: LocalBroker
) -> None:
    network = broker.network
    _, bundle = open_case(network, network.of(NODE))
    first = await device.request("POST", "/v1/bundles", sending(bundle))
    again = await device.request("POST", "/v1/bundles", sending(bundle))
    assert first[0] == again[0] == 200
    by_socket = await (await device.socket()).ask("send", Send(encode_bundle(bundle), 0), Recorded)
    answers = [decode(body, Recorded) for _, body in (first, again)]
    places = [[entry.index for entry in a.entries] for a in (*answers, by_socket)]
    assert places == [[0, 1]] * 3


@pytest.mark.parametrize("sent", [b"", b"\x00", encode(Send(b"", 0)), encode(Send(b"x" * 99, 0))])
async def test_what_is_no_bundle_is_400(device: WebDevice, sent: bytes) -> None:
    status, answer = await device.request("POST", "/v1/bundles", sent)
    assert status == 400
    assert json.loads(answer)["status"] == 400


async def test_a_refusal_is_a_problem_with_the_rule(device: WebDevice, broker: LocalBroker) -> None:
    network = broker.network
    case, bundle = open_case(network, network.of(NODE))
    other = open_case(network, network.of(NODE), serial=2)[1]
    assert (await device.request("POST", "/v1/bundles", sending(bundle)))[0] == 200
    status, answer = await device.request("POST", "/v1/bundles", sending(other))
    assert (status, json.loads(answer)["rule"]) == (409, "number")
    assert case.hex() not in answer.decode()


async def test_attack_36_two_machines_with_one_key_are_told_apart_by_their_numbers(
    connect: Connect, broker: LocalBroker
) -> None:
    network = broker.network
    officer, thief = await connect().login(), await connect().login()
    _, first = open_case(network, network.of(NODE))
    _, second = open_case(network, network.of(NODE), serial=2)
    socket, copied = await officer.socket(), await thief.socket()
    await socket.ask("send", Send(encode_bundle(first), 0), Recorded)
    with pytest.raises(RefusedByBrokerError) as caught:
        await copied.ask("send", Send(encode_bundle(second), 0), Recorded)
    assert (caught.value.problem.status, caught.value.problem.rule) == (409, "number")


async def test_the_answer_proves_where_it_stands(device: WebDevice, broker: LocalBroker) -> None:
    network = broker.network
    _, bundle = open_case(network, network.of(NODE))
    _, body = await device.request("POST", "/v1/bundles", sending(bundle))
    recorded = decode(body, Recorded)
    signed = open_checkpoint(recorded.checkpoint, "seefen/activity", network.log_key.public)
    for entry in recorded.entries:
        assert check_entry(entry, signed.checkpoint)
