"""Manifests: who is shown what, from the cores alone, and who may say so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.ledger.record import Core
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.manifest import (
    NETWORK,
    Owners,
    as_gaps,
    check_manifest,
    is_whole,
    must_see,
    require_view,
    views,
    visible,
)
from seefen.protocol.statements import Head, Manifest, decode_statement
from tests.protocol.builder import forge, here, read, refused, twin
from tests.support import casework
from tests.support.network import Network
from tests.support.vectors import own

HOME, AWAY, BOARD = "skopje-border", "belgrade-ffp", "oversight-board"
DAY = 86_400


def _founded() -> Network:
    network = Network.founded(HOME, AWAY, BOARD)
    network.directory.apply("view", network.view(network.of(BOARD))[1], at=network.at)
    network.index = 40
    return network


FOUNDED = _founded()


def _check(network: Network, envelope: bytes, **place: int) -> Manifest:
    opened = open_envelope(envelope, "manifest")
    return check_manifest(opened, network.directory, here(network, **place))


# --- who is shown what -------------------------------------------------------------


def _core(act: str, node: str, case: str = "", *to: str) -> Core:
    return Core(
        act=act, at=0, op="consult", node=node, device="", officer="", case=case, case_n=0,
        device_n=0, object="", n=0, to=to, purpose="", basis="", emergency=0, req="", under=(),
        outcome="ok",
    )  # fmt: skip


def test_a_node_sees_its_own_and_all_of_its_cases() -> None:
    owners = Owners()
    for core in (
        _core("case", HOME, "c1", HOME, AWAY),
        _core("case", AWAY, "c2"),
        _core("case", AWAY, "c1"),
    ):
        owners.learn(core)
    for core, nodes in (
        (_core("access", AWAY, "c1"), {AWAY, HOME}),
        (_core("access", AWAY, "c2"), {AWAY}),
        (_core("object", HOME, "c1", HOME, AWAY), {HOME}),  # who receives it is not its auditor
        (_core("release", AWAY, "c1", AWAY), {AWAY, HOME}),
        (_core("search", AWAY), {AWAY}),
        (_core("denied", AWAY, "ff"), {AWAY}),  # of a case that is none
        (_core("manifest", BOARD, "", HOME), {BOARD, HOME}),
    ):
        assert must_see(core, owners.of(core)) == frozenset(nodes), core.act
    assert must_see(_core("viewed", BOARD, "", HOME), "") == frozenset((BOARD, HOME))
    for core in (_core("erased", ""), _core("viewed", BOARD)):
        assert must_see(core, "") is None, "every node"


@given(st.sets(st.integers(0, 10**6)), st.integers(0, 10**6))
def test_gaps_name_the_indices_and_nothing_else(indices: set[int], start: int) -> None:
    rising = sorted(index for index in indices if index >= start)
    bare = decode_statement(bytes.fromhex(_vector()["payload"]), "manifest")
    manifest = replace(bare, start=start, visible=as_gaps(start, rising))
    assert isinstance(manifest, Manifest)
    assert [*visible(manifest)] == rising


def _vector() -> dict[str, Any]:
    return next(c for c in own("statements/kinds.json")["cases"] if c["kind"] == "manifest")


def test_the_vector_names_these() -> None:
    manifest = decode_statement(bytes.fromhex(_vector()["payload"]), "manifest")
    assert isinstance(manifest, Manifest)
    assert [*visible(manifest)] == [12, 13, 17, 37]


# --- the statement -------------------------------------------------------------------


def test_a_manifest_passes() -> None:
    network = twin(FOUNDED)
    bundle = casework.manifest(network, network.of(BOARD), HOME, 40, 0, 3, 39, closed=37)
    assert [*visible(_check(network, bundle.statements[0].envelope))] == [0, 3, 39]
    network.take(bundle)
    assert network.of(BOARD).device_n == 1


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("net", {"net": bytes(32)}),
    ("wrong-node", {"node": AWAY}),
    ("fork", {"authority": Head(3, bytes(32))}),
    ("fork", {"activity": Head(41, bytes(32))}),
    ("unknown-node", {"of": "nobody"}),
    ("manifest-range", {"start": 40}),
    ("manifest-range", {"start": 40, "visible": ()}),
    ("manifest-range", {"activity": Head(39, EMPTY_ROOT)}),
    ("manifest-range", {"visible": (0, 39)}),  # its last place is 40
    ("manifest-range", {"closed": 39}),
]


@pytest.mark.parametrize(("rule", "changes"), WRONG, ids=lambda value: str(value)[:30])
def test_each_rule_of_a_manifest_holds(rule: str, changes: dict[str, Any]) -> None:
    by = FOUNDED.of(BOARD)
    bundle = casework.manifest(FOUNDED, by, HOME, 40, 0, 3)
    with refused(rule, SeefenError):
        _check(FOUNDED, forge(bundle, by.sign, **changes))


def test_a_manifest_is_of_an_entry_at_least_and_of_a_node_of_then() -> None:
    network = twin(FOUNDED)
    by, then = network.of(BOARD), network.directory.size
    last = casework.manifest(network, by, HOME, 40, start=39)
    assert [*visible(_check(network, last.statements[0].envelope))] == []
    early = casework.manifest(network, by, "tirana-lab", 40)
    network.take(network.admit("tirana-lab"))
    with refused("unknown-node", UntrustedError):
        _check(network, early.statements[0].envelope, authority_size=then)
    _check(network, early.statements[0].envelope)


def test_attack_only_who_is_shown_everything_says_what_others_must_see() -> None:
    """A view of one node, or of a year, or one that is over, is not enough."""
    network = twin(FOUNDED)
    other = network.of(AWAY)
    envelope = casework.manifest(network, other, HOME, 40).statements[0].envelope
    with refused("not-a-viewer", UntrustedError):
        _check(network, envelope)
    network.directory.apply("view", network.view(other, HOME)[1], at=network.at)
    with refused("not-a-viewer", UntrustedError):
        _check(network, envelope)
    part = network.view(other, since=1, upto=network.at)[1]
    network.directory.apply("view", part, at=network.at)
    with refused("not-a-viewer", UntrustedError):
        _check(network, envelope)
    network.directory.apply("view", network.view(other)[1], at=network.at)
    _check(network, envelope)
    with refused("not-a-viewer", UntrustedError):
        _check(network, envelope, at=network.at + 30 * DAY)
    before = network.directory.size
    network.directory.apply("view", network.view(other, expires=0)[1], at=network.at)
    with refused("not-a-viewer", UntrustedError):
        _check(network, envelope)
    _check(network, envelope, authority_size=before)


def test_only_its_own_device_signs_it() -> None:
    bundle = casework.manifest(FOUNDED, FOUNDED.of(BOARD), HOME, 40)
    with refused("wrong-signers", UntrustedError):
        _check(FOUNDED, forge(bundle, FOUNDED.of(AWAY).sign))
    search = casework.search(FOUNDED, FOUNDED.of(BOARD))
    opened = open_envelope(search.statements[0].envelope, "search")
    with refused("unknown-kind", UntrustedError):
        check_manifest(opened, FOUNDED.directory, here(FOUNDED))
    assert read(bundle, Manifest).of == HOME


# --- views -----------------------------------------------------------------------------


def test_views_are_found_while_they_are_in_force() -> None:
    network = twin(FOUNDED)
    board, guest = network.of(BOARD), network.of(AWAY)
    network.directory.apply("view", network.view(guest, HOME)[1], at=network.at)
    assert [(one.of, one.node) for one in views(network.directory)] == [(HOME, AWAY), ("", BOARD)]
    assert [one.node for one in views(network.directory, of=NETWORK, at=network.at)] == [BOARD]
    assert views(network.directory, at=network.at + 30 * DAY) == []
    assert is_whole(require_view(network.directory, board.device, NETWORK))
    assert not is_whole(require_view(network.directory, guest.device, HOME))
    for device, of in ((guest.device, NETWORK), (board.device, HOME), (guest.device, BOARD)):
        with refused("not-a-viewer", UntrustedError):
            require_view(network.directory, device, of)
    network.directory.apply("view", network.view(guest, HOME, expires=0)[1], at=network.at)
    with refused("not-a-viewer", UntrustedError):
        require_view(network.directory, guest.device, HOME)  # also where there is no clock
    network.take(network.revoke(guest))
    with refused("revoked", UntrustedError):
        require_view(network.directory, guest.device, HOME)


def test_a_view_ends_with_its_device_and_with_its_role() -> None:
    network = twin(FOUNDED)
    board, directory = network.of(BOARD), network.directory
    ends = directory.device(board.device).expires
    network.at = ends - 5 * DAY
    directory.apply("view", network.view(board)[1], at=network.at)
    require_view(directory, board.device, NETWORK, at=ends - 1)
    with refused("expired", UntrustedError):
        require_view(directory, board.device, NETWORK, at=ends)
    then = directory.size
    board.roles = ("admin", "lead")
    directory.apply("device", network.certify(board, by=board.sign), at=network.at)
    with refused("role", UntrustedError):
        require_view(directory, board.device, NETWORK)
    assert views(directory) == []
    require_view(directory, board.device, NETWORK, size=then)
    with pytest.raises(UntrustedError, match="no view of the network"):
        require_view(directory, network.of(AWAY).device, NETWORK)
    with pytest.raises(UntrustedError, match=f"no view of {HOME}"):
        require_view(directory, network.of(AWAY).device, HOME)


def test_a_view_that_is_over_hides_no_other_of_its_device() -> None:
    network = twin(FOUNDED)
    board, directory = network.of(BOARD), network.directory
    directory.apply("view", network.view(board, HOME)[1], at=network.at)
    directory.apply("view", network.view(board, expires=0)[1], at=network.at)
    assert [one.of for one in views(directory)] == [HOME]


def test_a_view_changes_nothing_at_a_member() -> None:
    """Or it would make everybody sign anew (`old-authority`)."""
    network = twin(FOUNDED)
    before = network.directory.last_change((HOME, AWAY, BOARD))
    network.directory.apply("view", network.view(network.of(AWAY), HOME)[1], at=network.at)
    assert network.directory.last_change((HOME, AWAY, BOARD)) == before
