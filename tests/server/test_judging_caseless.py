"""Judging: what stands in no case, a search and a manifest, and where it counts all the same."""

import pytest

from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.statements import Search
from seefen.protocol.suite import new_id
from tests.protocol.builder import read, refused
from tests.support import casework
from tests.support.judge import BEFORE, LAB, OWNER, PARTNER, Bench, changed
from tests.support.network import Network


@pytest.fixture
def bench() -> Bench:
    return Bench()


def let_see(bench: Bench) -> None:
    """Let the machine of LAB see every entry."""
    bench.network.take(Network.bundle("view", bench.network.view(bench.lab)[1]))


def test_a_search_counts_with_all_its_device_writes_and_stands_in_no_case(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    bundle = casework.search(bench.network, bench.owner)
    number = bench.owner.device_n
    for wrong in (number, number + 2):
        bent = changed(bundle, bench.owner, {"device_n": wrong})
        with refused("number", OutOfTurnError):
            bench.judge(bent.statements[0])
    for other in (bench.partner.device, new_id(), b""):
        with refused("wrong-device", UntrustedError):
            bench.judge(bundle.statements[0], by=other)
    for rule, changes in (("count", {"count": 2}), ("reasons", {"reasons": ()})):
        bent = changed(bundle, bench.owner, changes)
        with refused(rule, RefusedError):
            bench.judge(bent.statements[0])
    before = bench.layer.cases[case]
    bench.record(bundle)
    bench.message(case)  # the next number, and the case knows of nothing between
    assert bench.layer.device_n(bench.owner.device) == number + 2
    assert before.last(bench.owner.device).case_n == 2
    assert bench.layer.cases[case].last(bench.owner.device).case_n == 3
    row = bench.layer.changes.activity[-2]
    search = read(bundle, Search)
    assert (row.kind, row.case, row.case_n, row.object) == ("search", b"", None, None)
    assert Record.decode(row.record).detail_commitment == search.detail
    core = decode_core(row.core)
    assert (core.act, core.op) == ("search", "consult")
    assert (core.purpose, core.basis) == ("trace", "pcc-see")
    assert (core.case, core.case_n, core.device_n, core.to) == ("", 0, number + 1, ())


def test_a_manifest_counts_with_all_its_device_writes_and_tells_whom_it_is_about(
    bench: Bench,
) -> None:
    let_see(bench)
    bench.open_case(PARTNER)
    bench.record(casework.search(bench.network, bench.lab))
    bundle = casework.manifest(bench.network, bench.lab, OWNER, BEFORE, 3, 7)
    for wrong in (1, 3):
        bent = changed(bundle, bench.lab, {"device_n": wrong})
        with refused("number", OutOfTurnError):
            bench.judge(bent.statements[0])
    for other in (bench.owner.device, new_id(), b""):
        with refused("wrong-device", UntrustedError):
            bench.judge(bundle.statements[0], by=other)
    index, size = bench.network.index, len(bench.layer.changes.activity)
    bench.record(bundle)
    (row,) = bench.layer.changes.activity[size:]
    assert (row.idx, row.kind, row.case, row.envelope) == (
        index, "manifest", b"", bundle.statements[0].envelope
    )  # fmt: skip
    assert Record.decode(row.record).tag == bundle.statements[0].tag
    core = bench.core()
    assert (core.act, core.op, core.node, core.to) == ("manifest", "consult", LAB, (OWNER,))
    assert (core.case, core.device_n, core.purpose, core.basis) == ("", 2, "", "")
    assert bench.layer.device_n(bench.lab.device) == 2
    assert bench.layer.activity_size == index + 1


def test_attack_a_manifest_begins_where_the_one_before_about_its_node_ended(bench: Bench) -> None:
    let_see(bench)
    for of, start, upto, wrong in (
        (OWNER, 0, 20, (1, 5)),
        (PARTNER, 0, 30, (20,)),  # what was said of another node counts for nothing
        (OWNER, 20, 38, (0, 19, 21)),
        (PARTNER, 30, 31, (0, 20, 31, 38)),
    ):
        for other in wrong:
            bundle = casework.manifest(bench.network, bench.lab, of, BEFORE, start=other)
            with refused("not-next", OutOfTurnError):
                bench.judge(bundle.statements[0])
        bench.record(casework.manifest(bench.network, bench.lab, of, upto, start=start))
        assert bench.layer.manifested(bench.lab.device, of) == upto


def test_attack_nobody_says_what_is_seen_without_a_view(bench: Bench) -> None:
    bundle = casework.manifest(bench.network, bench.lab, OWNER, BEFORE)
    with refused("not-a-viewer", UntrustedError):
        bench.judge(bundle.statements[0])
    assert bench.layer.changes.activity == []
    assert bench.layer.manifests == {}


def test_a_view_that_is_over_says_nothing_more(bench: Bench) -> None:
    let_see(bench)
    over = bench.network.at + 30 * 86_400
    bundle = casework.manifest(bench.network, bench.lab, OWNER, BEFORE)
    bench.layer.at = over * 1000
    with refused("not-a-viewer", UntrustedError):
        bench.judge(bundle.statements[0])
    bench.layer.at = over * 1000 - 1
    bench.judge(bundle.statements[0])


def test_a_device_that_is_out_of_date_enters_no_search(bench: Bench) -> None:
    ends = bench.network.directory.device(bench.owner.device).expires
    bundle = casework.search(bench.network, bench.owner)
    bench.layer.at = ends * 1000
    with refused("expired", UntrustedError):
        bench.judge(bundle.statements[0])
    bench.layer.at = ends * 1000 - 1
    bench.judge(bundle.statements[0])
