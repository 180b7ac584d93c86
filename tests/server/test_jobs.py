"""Jobs: what is asked of whoever sends or asks, each time a job is judged."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from seefen.protocol.authority_rules import VIEW_LIFE
from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import Ask
from seefen.protocol.ledger.record import Record
from seefen.protocol.statements import NO_NET
from seefen.protocol.suite import new_id, sha256
from seefen.server.jobs import AskAgainJob, AskJob, BundleJob, Job, LookJob, access_in
from seefen.server.rows import AuthorityRow
from seefen.server.view import Known, Layer, Needs
from tests.protocol.builder import refused
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER, Bench
from tests.support.network import Machine, Network

pytestmark = pytest.mark.asyncio  # a job waits in a loop


@pytest.fixture
def bench() -> Bench:
    return Bench()


def tried(bench: Bench, job: Job, *, at: int | None = None) -> Layer:
    """Judge a job on a layer of its own, where everything that it needs was looked up."""
    needs = job.needs
    for device in needs.devices:
        if device not in bench.layer.device_ns:
            bench.known.learn_device(device, 0)
    for case in needs.cases:
        if case not in bench.layer.cases:
            bench.known.learn_case(case, None)
    for owner, number in needs.numbers:
        bench.known.learn_number(owner, number, taken=False)
    for device, of in needs.manifests:
        bench.known.learn_manifest(device, of, 0)
    trial = Layer.on(bench.layer, at=0 if at is None else at * 1000)
    job.judge(trial)
    return trial


def asked(ask: Ask, by: Machine) -> AskJob:
    return AskJob(by.device, open_envelope(ask.envelope, "access"), ask.tag, ask.objects)


def again(ask: Ask, device: bytes, *objects: bytes) -> AskAgainJob:
    return AskAgainJob(device, 0, access_in(open_envelope(ask.envelope, "access")), objects)


def second_of_partner(bench: Bench) -> Machine:
    bench.network.take(bench.network.enrol(PARTNER, ("keyholder",)))
    return bench.network.of(PARTNER, "keyholder", nth=1)


async def test_a_job_waits_and_one_that_writes_nothing_needs_nothing(bench: Bench) -> None:
    job = LookJob()
    assert (job.needs, job.wanted, job.readers, job.opens_under) == (Needs(), (), (), None)
    assert not job.done.done()
    layer = tried(bench, job)
    assert (layer.changes.activity, layer.changes.authority) == ([], [])


# --- a new access ---------------------------------------------------------------------


async def test_an_access_asks_for_each_object_once_and_for_its_device(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    one, two = bench.message(case), bench.message(case)
    ask = casework.access(bench.network, bench.partner, case, one, two, scope="case")
    job = asked(replace(ask, objects=(two, one, two)), bench.partner)
    assert job.wanted == (two, one)
    assert job.readers == (bench.partner.device,)
    assert job.opens_under is None
    assert job.needs == Needs(
        frozenset((case,)), frozenset((bench.partner.device,)), frozenset((one, two))
    )
    single = asked(casework.access(bench.network, bench.partner, case, one), bench.partner)
    assert replace(single.needs, devices=frozenset()) == Needs(
        frozenset((case,)), objects=frozenset((one,))
    )
    layer = tried(bench, job)
    (row,) = layer.changes.activity
    assert (row.kind, row.envelope) == ("access", ask.envelope)
    assert Record.decode(row.record).tag == ask.tag
    assert layer.changes.objects == []


async def test_attack_30_one_object_out_of_scope_and_none_is_opened(bench: Bench) -> None:
    case, other = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    mine, more, theirs = bench.message(case), bench.message(case), bench.message(other)
    ask = casework.access(bench.network, bench.partner, case, mine)
    tried(bench, asked(ask, bench.partner))
    for objects in ((theirs,), (mine, theirs), (mine, more), (more,)):
        with refused("scope", RefusedError):
            tried(bench, asked(replace(ask, objects=objects), bench.partner))
    shift = casework.access(bench.network, bench.partner, case, mine, scope="case")
    tried(bench, asked(replace(shift, objects=(mine, more)), bench.partner))
    with refused("scope", RefusedError):
        tried(bench, asked(replace(shift, objects=(mine, theirs)), bench.partner))


async def test_attack_22_nobody_asks_by_the_access_of_another(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    obj, other = bench.message(case), second_of_partner(bench)
    ask = casework.access(bench.network, bench.partner, case, obj)
    with refused("wrong-device", UntrustedError):
        tried(bench, asked(ask, other))
    for device in (other.device, new_id(), b""):
        with pytest.raises(UntrustedError):
            tried(bench, again(ask, device, obj))
    with refused("wrong-device", UntrustedError):
        tried(bench, again(ask, other.device))
    tried(bench, again(ask, bench.partner.device, obj))


async def test_what_is_no_access_asks_for_nothing(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    (signed,) = casework.message(bench.network, bench.owner, case).statements
    with refused("wrong-kind", MalformedError):
        access_in(open_envelope(signed.envelope, signed.kind))


# --- the same access again --------------------------------------------------------------


async def test_the_same_access_again_opens_under_its_entry_and_writes_none(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    one, two = bench.message(case), bench.message(case)
    ask = casework.access(bench.network, bench.partner, case, scope="case")
    access = access_in(open_envelope(ask.envelope, "access"))
    job = AskAgainJob(bench.partner.device, 7, access, (two, one, two))
    assert (job.wanted, job.readers, job.opens_under) == ((two, one), (bench.partner.device,), 7)
    assert job.needs == Needs(frozenset((case,)), objects=frozenset((one, two)))
    layer = tried(bench, job)
    assert layer.changes.activity == []
    assert layer.activity_size == bench.layer.activity_size


async def test_attack_27_a_revoked_device_is_told_nothing_again(bench: Bench) -> None:
    """Not even where it asks for no key: the receipt says what the log holds now."""
    reader, case = second_of_partner(bench), bench.open_case(PARTNER)
    obj = bench.message(case)
    ask = casework.access(bench.network, reader, case, obj)
    for objects in ((), (obj,)):
        tried(bench, again(ask, reader.device, *objects))
    bench.network.take(bench.network.revoke(reader))
    for objects in ((), (obj,)):
        with refused("revoked", UntrustedError):
            tried(bench, again(ask, reader.device, *objects))


async def test_the_same_access_again_ends_with_its_time_and_its_device(bench: Bench) -> None:
    case, now = bench.open_case(PARTNER), bench.network.at
    obj = bench.message(case)
    ask = casework.access(bench.network, bench.partner, case, obj, seconds=600)
    tried(bench, again(ask, bench.partner.device, obj), at=now + 599)
    with refused("until", RefusedError):
        tried(bench, again(ask, bench.partner.device, obj), at=now + 600)
    ends = bench.network.directory.device(bench.partner.device).expires
    long = casework.access(bench.network, bench.partner, case, seconds=ends, scope="case")
    tried(bench, again(long, bench.partner.device), at=ends - 1)
    with refused("expired", UntrustedError):
        tried(bench, again(long, bench.partner.device), at=ends)


async def test_the_same_access_again_opens_nothing_out_of_its_scope(bench: Bench) -> None:
    case, other = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    mine, theirs = bench.message(case), bench.message(other)
    ask = casework.access(bench.network, bench.partner, case, scope="case")
    for objects in ((theirs,), (mine, theirs), (theirs, mine)):
        with refused("scope", RefusedError):
            tried(bench, again(ask, bench.partner.device, *objects))


# --- bundles ------------------------------------------------------------------------------


async def test_attack_27_who_is_not_in_force_brings_nothing(bench: Bench) -> None:
    """Not even what an admin has signed: each line of it would be the revoked device's doing."""
    network = bench.network
    lost = second_of_partner(bench)
    brought = (network.enrol(PARTNER, ("field",)), network.revoke(bench.partner))
    for bundle in brought:
        tried(bench, BundleJob(lost.device, bundle))
    network.take(network.revoke(lost))
    for bundle in brought:
        with refused("revoked", UntrustedError):
            tried(bench, BundleJob(lost.device, bundle))
        with refused("unknown-device", UntrustedError):
            tried(bench, BundleJob(new_id(), bundle))
        with refused("login", UntrustedError):
            tried(bench, BundleJob(None, bundle))
    ends = network.directory.device(bench.owner.device).expires
    bundle = network.revoke(bench.partner)
    tried(bench, BundleJob(bench.owner.device, bundle), at=ends - 1)
    with refused("expired", UntrustedError):
        tried(bench, BundleJob(bench.owner.device, bundle), at=ends)


async def test_records_of_keys_are_judged_at_the_time_of_the_log(bench: Bench) -> None:
    """Without a time a view could be given for ever: on a replay nobody knows how late it is."""
    last = bench.network.at + VIEW_LIFE
    for expires in (last, last + 1):
        bundle = Network.bundle("view", bench.network.view(bench.lab, expires=expires)[1])
        job = BundleJob(bench.owner.device, bundle)
        tried(bench, job, at=bench.network.at + 1)
        if expires > last:
            with refused("view-life", RefusedError):
                tried(bench, job)


async def test_what_is_tried_changes_nothing_below_it(bench: Bench) -> None:
    network = bench.network
    known, before = bench.layer.directory, bench.layer.directory.head()
    bundle = network.enrol(PARTNER, ("keyholder",))
    job = BundleJob(bench.partner.device, bundle)
    layer = tried(bench, job)
    assert bench.layer.directory is known
    assert known.head() == before
    assert layer.directory.size == before.size + len(bundle.statements)
    assert layer.changes.authority == [
        AuthorityRow(before.size + place, signed.kind, sha256(signed.envelope), signed.envelope)
        for place, signed in enumerate(bundle.statements)
    ]
    assert layer.changes.wraps == {sha256(wrap): wrap for wrap in bundle.wraps}
    assert bundle.wraps
    assert tried(bench, job).directory.head() == layer.directory.head()  # as often as one likes


async def test_a_bundle_is_in_the_order_of_its_statements_and_by_its_sender(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    good = casework.message(bench.network, bench.owner, case)
    job = BundleJob(bench.owner.device, good)
    assert (job.device, job.bundle) == (bench.owner.device, good)
    layer = tried(bench, job)
    (row,) = layer.changes.activity
    assert row.envelope == good.statements[0].envelope
    assert Record.decode(row.record).tag == good.statements[0].tag
    assert [row.content_key for row in layer.changes.objects] == [good.contents[0].key]
    with refused("wrong-device", UntrustedError):
        tried(bench, BundleJob(bench.partner.device, good))
    with refused("login", UntrustedError):
        tried(bench, BundleJob(None, good))


async def test_a_network_is_named_by_the_root_that_founds_it_and_once(bench: Bench) -> None:
    network, other = Network(), Network()
    empty = Known(bench.known.heads, Directory(NO_NET))
    ground = Layer.on(empty, at=network.at * 1000)
    layer = Layer.on(ground)
    BundleJob(None, network.found(), founding=True).judge(layer)
    assert layer.directory.net == network.net
    assert layer.directory.size == 1
    assert empty.directory.size == 0
    second = Layer.on(layer)
    with refused("founded", RefusedError):
        BundleJob(None, other.found(), founding=True).judge(second)
    with refused("net", UntrustedError):
        BundleJob(None, network.found()).judge(Layer.on(ground))


async def test_what_a_bundle_needs_is_looked_up_before_it_is_judged(bench: Bench) -> None:
    network, owner = bench.network, bench.owner
    case, bundle = casework.open_case(network, owner, PARTNER)
    number = f"SF-2026-{network.directory.node(OWNER).code}-00001"
    assert BundleJob(owner.device, bundle).needs == Needs(
        frozenset((case,)), frozenset((owner.device,)), numbers=frozenset(((OWNER, number),))
    )
    bench.record(bundle)
    obj = bench.message(case)
    change = casework.change_members(network, owner, case, add=(LAB,))
    ack = casework.ack(network, bench.partner, case, obj)
    search = casework.search(network, bench.partner)
    manifest = casework.manifest(network, bench.lab, OWNER, 3)
    for made, expected in (
        (change, Needs(frozenset((case,)), frozenset((owner.device,)))),
        (ack, Needs(frozenset((case,)), frozenset((bench.partner.device,)), frozenset((obj,)))),
        (search, Needs(devices=frozenset((bench.partner.device,)))),
        (
            manifest,
            Needs(
                devices=frozenset((bench.lab.device,)),
                manifests=frozenset(((bench.lab.device, OWNER),)),
            ),
        ),
        (network.revoke(bench.lab), Needs()),
    ):
        assert BundleJob(owner.device, made).needs == expected


async def test_the_parts_of_a_file_must_be_there_and_a_message_has_none(bench: Bench) -> None:
    case, root = bench.open_case(PARTNER), new_id() * 2
    file = casework.file(bench.network, bench.owner, case, root=root, size=7)
    assert BundleJob(bench.owner.device, file).files == {file.contents[0].object: root}
    message = casework.message(bench.network, bench.owner, case)
    assert BundleJob(bench.owner.device, message).files == {}


async def test_a_bundle_that_is_none_is_no_job(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    good = casework.message(bench.network, bench.owner, case)
    (signed,) = good.statements
    change = casework.change_members(bench.network, bench.owner, case, add=(LAB,))
    for rule, bad in (
        ("unknown-kind", Bundle((Signed("release", signed.envelope, b""),), (), ())),
        ("tag", replace(good, statements=(replace(signed, tag=b"short"),))),
        ("wraps", replace(good, wraps=(b"planted",))),
        ("contents", replace(good, contents=())),
        ("bundle-shape", Bundle(change.statements[:1], (), ())),
        ("wrong-kind", replace(good, statements=(replace(signed, kind="ack"),))),
    ):
        with pytest.raises(MalformedError) as caught:
            BundleJob(bench.owner.device, bad)
        if rule != "wrong-kind":  # which of two is told first depends on the fields
            assert caught.value.rule == rule


async def test_attack_29_a_job_is_judged_anew_on_what_is_committed_meanwhile(
    bench: Bench,
) -> None:
    """It waited while somebody was removed: it is the ground that counts, not the first verdict."""
    case = bench.open_case(PARTNER, LAB)
    obj = bench.message(case)
    jobs: tuple[Callable[[], Job], ...] = (
        lambda: asked(casework.access(bench.network, bench.lab, case, obj), bench.lab),
        lambda: again(casework.access(bench.network, bench.lab, case, obj), bench.lab.device, obj),
    )
    made = [make() for make in jobs]
    stale = BundleJob(bench.owner.device, casework.message(bench.network, bench.owner, case))
    for job in (*made, stale):
        tried(bench, job)
    bench.record(casework.change_members(bench.network, bench.owner, case, remove=(LAB,)))
    for job in made:
        with pytest.raises(RefusedError):
            tried(bench, job)
    with pytest.raises(OutOfTurnError):
        tried(bench, stale)
