"""The shape of a bundle: what is refused before anything is looked up."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from seefen.protocol.bundle import Bundle, Content, Signed
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, open_envelope, sign
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError
from seefen.protocol.statements import BROKER_KINDS, NO_NET, Case, CaseKey, Node, Root, Suspend
from seefen.protocol.suite import SigningKey, new_id, random_bytes
from seefen.server.shapes import check_from_nobody, check_kinds, check_shape, match_contents
from tests.protocol.builder import forge, read, refused, twin
from tests.support import casework
from tests.support.judge import FOUNDED, LAB, OWNER, PARTNER
from tests.support.network import Network

NEW = "sarajevo-lab"


@pytest.fixture
def network() -> Network:
    return twin(FOUNDED)


def opened(bundle: Bundle) -> tuple[Opened, ...]:
    return tuple(open_envelope(signed.envelope, signed.kind) for signed in bundle.statements)


def case_of(network: Network, *partners: str) -> bytes:
    case, bundle = casework.open_case(network, network.of(OWNER), *partners)
    network.take(bundle)
    return case


def of(*statements: Signed) -> Bundle:
    return Bundle(statements, (), ())


# --- kinds and tags ------------------------------------------------------------


def test_attack_nobody_sends_what_the_broker_alone_may_write(network: Network) -> None:
    """A release or an erasure from outside would be an entry that nobody has earned."""
    good = casework.message(network, network.of(OWNER), case_of(network, PARTNER)).statements[0]
    for kind in (*BROKER_KINDS, "", "login", "name"):
        for statements in ((Signed(kind, b"", b""),), (good, Signed(kind, b"", b""))):
            with refused("unknown-kind", MalformedError):
                check_kinds(of(*statements))
    check_kinds(of(good))


def test_a_tag_is_sixteen_bytes_and_stands_in_a_case_alone(network: Network) -> None:
    bundle = casework.message(network, network.of(OWNER), case_of(network, PARTNER))
    (signed,) = bundle.statements
    for length in (0, 16):
        check_kinds(of(replace(signed, tag=bytes(length))))
    for length in (1, 15):
        with refused("tag", MalformedError):
            check_kinds(of(replace(signed, tag=bytes(length))))
    (revoke,) = network.revoke(network.of(LAB)).statements
    check_kinds(of(revoke))
    with refused("tag", MalformedError):
        check_kinds(of(revoke, replace(revoke, tag=bytes(16))))


# --- contents --------------------------------------------------------------------


def matched(bundle: Bundle) -> dict[bytes, Content]:
    return match_contents(bundle, opened(bundle))


def test_contents_are_those_of_the_objects_each_once(network: Network) -> None:
    owner, case = network.of(OWNER), case_of(network, PARTNER)
    bundle = casework.message(network, owner, case)
    other = casework.message(network, owner, case)
    (content,) = bundle.contents
    assert matched(bundle) == {content.object: content}
    both = Bundle(bundle.statements + other.statements, (), bundle.contents + other.contents)
    assert matched(both) == {one.object: one for one in both.contents}
    for contents in (
        (),
        other.contents,
        (content, content),
        (content, replace(content, key=random_bytes(104))),
        (content, Content(new_id(), content.key, b"")),
    ):
        with refused("contents", MalformedError):
            matched(replace(bundle, contents=contents))
    with refused("contents", MalformedError):
        matched(replace(network.revoke(owner), contents=bundle.contents))


def test_a_body_is_the_one_that_was_signed_and_a_file_brings_none(network: Network) -> None:
    owner, case = network.of(OWNER), case_of(network, PARTNER)
    bundle = casework.message(network, owner, case)
    (content,) = bundle.contents
    for body in (b"", content.body + b"x", content.body[:-1]):
        with refused("body", UntrustedError):
            matched(replace(bundle, contents=(replace(content, body=body),)))
    file = casework.file(network, owner, case, root=random_bytes(32), size=7)
    assert [*matched(file).values()] == [*file.contents]
    with refused("contents", MalformedError):
        matched(replace(file, contents=(replace(file.contents[0], body=b"x"),)))


# --- what must stand together --------------------------------------------------------


def test_nothing_stands_twice(network: Network) -> None:
    one = network.revoke(network.of(LAB))
    check_shape(opened(one))
    with refused("bundle-shape", MalformedError):
        check_shape(opened(one) * 2)


def test_a_case_that_is_opened_may_wait_for_its_key(network: Network) -> None:
    _, bundle = casework.open_case(network, network.of(OWNER), PARTNER)
    check_shape(opened(bundle)[:1])


def test_attack_a_change_of_members_brings_its_own_key_behind_it(network: Network) -> None:
    """Else who has left reads on: what is written meanwhile goes under the key he has."""
    owner = network.of(OWNER)
    first, second = case_of(network, PARTNER), case_of(network, PARTNER)
    change, key = opened(casework.change_members(network, owner, first, add=(LAB,)))
    other = opened(casework.change_members(network, owner, second, add=(LAB,)))
    assert isinstance(change.statement, Case)
    assert isinstance(key.statement, CaseKey)
    check_shape((change, key))
    check_shape((change, other[0], other[1], key))
    (renewed,) = opened(casework.renew_key(network, owner, first))  # of the version before
    for statements in (
        (change,),
        (key, change),
        (change, renewed),
        (change, other[1]),
        (change, *other),
        (*other, change),
    ):
        with refused("bundle-shape", MalformedError):
            check_shape(statements)


# --- what comes from nobody ------------------------------------------------------------


def from_nobody(network: Network, *statements: Opened) -> None:
    check_from_nobody(statements, network.directory, founding=False)


def test_a_network_is_founded_by_a_root_and_once(network: Network) -> None:
    (root,) = opened(network.found())
    (revoke,) = opened(network.revoke(network.of(LAB)))
    check_from_nobody((root,), Directory(NO_NET), founding=True)
    for statements, directory in (
        ((revoke,), Directory(NO_NET)),
        ((root,), network.directory),
    ):
        with refused("founded", RefusedError):
            check_from_nobody(statements, directory, founding=True)


def test_attack_who_is_not_logged_in_brings_nothing_but_the_word_of_the_root(
    network: Network,
) -> None:
    owner = network.of(OWNER)
    for bundle in (
        network.revoke(owner),
        network.enrol(OWNER, ("field",)),
        network.renew(OWNER, "case"),
        casework.open_case(network, owner, PARTNER)[1],
        casework.search(network, owner),
        Network.bundle("view", network.view(owner)[1]),
    ):
        with refused("login", UntrustedError):
            from_nobody(network, *opened(bundle))


def admissions(network: Network) -> Iterator[tuple[Opened, ...]]:
    """Yield what an admission of a node must not bring along."""
    node, *rest = opened(network.admit(NEW))
    assert isinstance(node.statement, Node)
    yield (node, *rest, *opened(network.revoke(network.of(LAB))))
    yield (node, *rest, *opened(network.suspend(LAB)))
    yield (node, *rest, *opened(network.admit("zagreb-ffp"))[1:])  # devices of another
    yield (node, *opened(network.enrol(OWNER, ("field",))))
    yield (node, node)
    again = replace(node, statement=replace(node.statement, version=2))
    yield (again, *rest)
    yield (again,)


def test_attack_an_admission_without_a_login_is_of_one_new_node_alone(
    network: Network,
) -> None:
    from_nobody(network, *opened(network.admit(NEW)))
    for statements in admissions(network):
        with refused("login", UntrustedError):
            from_nobody(network, *statements)


def test_a_root_and_a_suspension_come_alone(network: Network) -> None:
    (suspend,) = opened(network.suspend(LAB))
    (root,) = opened(network.found())
    later = opened(network.renew(OWNER, "case"))
    for first in (suspend, root):
        from_nobody(network, first)
        for others in (later, opened(network.enrol(OWNER, ("field",)))[:1]):
            with refused("login", UntrustedError):
                from_nobody(network, first, *others)


def test_a_suspension_without_a_login_is_signed_by_holders_of_the_root_alone(
    network: Network,
) -> None:
    bundle, admin = network.suspend(LAB), network.admin(LAB).sign
    statement = read(bundle, Suspend)
    root = read(network.found(), Root)
    assert len(root.keys) == len(network.roots)
    one, two = network.roots
    for keys in ((one,), (two,), (one, two)):
        from_nobody(network, open_envelope(sign(statement, *keys), "suspend"))
    for keys in ((admin,), (one, admin), (SigningKey.generate(),)):
        with refused("login", UntrustedError):
            from_nobody(network, open_envelope(forge(bundle, *keys), "suspend"))
