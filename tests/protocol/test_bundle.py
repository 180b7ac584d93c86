"""Bundles: nothing is planted beside what the statements name."""

import pytest
from msgspec.structs import replace

from seefen.protocol.bundle import (
    Bundle,
    Content,
    Signed,
    decode_bundle,
    encode_bundle,
    match_wraps,
    named_wraps,
)
from seefen.protocol.encoding import BUNDLE_LIMIT, encode
from seefen.protocol.errors import MalformedError
from seefen.protocol.statements import Statement
from seefen.protocol.suite import sha256
from tests.protocol.builder import read, refused
from tests.support.casework import assign, message, open_case
from tests.support.network import Network
from tests.support.specs import spec
from tests.support.vectors import own


@pytest.fixture
def network() -> Network:
    return Network.founded("skopje-border", "belgrade-ffp")


def _statements(bundle: Bundle) -> tuple[Statement, ...]:
    return tuple(read(bundle, Statement, n) for n in range(len(bundle.statements)))


def test_a_bundle_comes_back_as_it_was(network: Network) -> None:
    _, bundle = open_case(network, network.of("skopje-border"), "belgrade-ffp")
    assert decode_bundle(encode_bundle(bundle)) == bundle


def test_the_wraps_are_those_that_are_named(network: Network) -> None:
    leader = network.of("skopje-border")
    case, opening = open_case(network, leader, "belgrade-ffp")
    network.take(opening)
    handing = assign(network, leader, case, leader)
    for bundle in (network.admit("tirana-lab"), opening, handing):
        statements = _statements(bundle)
        wraps = match_wraps(bundle, statements)
        assert set(wraps) == {sha256(wrap) for wrap in bundle.wraps}
        assert all(sha256(wrap) == name for name, wrap in wraps.items())
        bent = [
            bundle.wraps[1:],
            (*bundle.wraps, b"planted"),
            (b"planted", *bundle.wraps[1:]),
            (*bundle.wraps, bundle.wraps[0]),
        ]
        for other in bent:
            with refused("wraps", MalformedError):
                match_wraps(replace(bundle, wraps=other), statements)


def test_only_three_kinds_name_wraps(network: Network) -> None:
    leader = network.of("skopje-border")
    admission = network.admit("tirana-lab")
    case, opening = open_case(network, leader, "belgrade-ffp")
    network.take(opening)
    bundles = [admission, opening, assign(network, leader, case, leader)]
    naming = {
        statement.kind
        for bundle in (*bundles, message(network, leader, case))
        for statement in _statements(bundle)
        if named_wraps(statement)
    }
    assert naming == {"mailbox", "casekey", "assign"}


def test_limits() -> None:
    signed = Signed("ack", b"", b"")
    content = Content(bytes(16), bytes(104), b"")
    good = Bundle((signed,) * 64, (b"",) * 4096, (content,) * 64)
    large = replace(good, contents=(replace(content, body=bytes(BUNDLE_LIMIT // 2)),))
    for bundle in (good, large):
        assert decode_bundle(encode_bundle(bundle)) == bundle
    for bad in (
        replace(good, statements=()),
        replace(good, statements=(signed,) * 65),
        replace(good, wraps=(b"",) * 4097),
        replace(good, contents=(content,) * 65),
        replace(good, contents=(replace(content, key=bytes(103)),)),
        replace(good, statements=(replace(signed, tag=bytes(17)),)),
        replace(good, statements=(replace(signed, kind="k" * 17),)),
    ):
        with pytest.raises(MalformedError):
            decode_bundle(encode(bad))
    with pytest.raises(MalformedError):
        decode_bundle(encode(replace(good, contents=(replace(content, body=bytes(BUNDLE_LIMIT)),))))


def test_the_worked_example_is_its_vector() -> None:
    vector = own("bundle/bundle.json")
    statements = tuple(
        Signed(kind, bytes.fromhex(envelope), bytes.fromhex(tag))
        for kind, envelope, tag in vector["statements"]
    )
    wraps = tuple(bytes.fromhex(wrap) for wrap in vector["wraps"])
    contents = tuple(Content(*map(bytes.fromhex, content)) for content in vector["contents"])
    bundle = Bundle(statements, wraps, contents)
    assert encode_bundle(bundle).hex() == vector["bundle"]
    assert decode_bundle(bytes.fromhex(vector["bundle"])) == bundle
    assert vector["bundle"] in spec("bundle.md")
