"""Push: what happens reaches who is on line, keys only after their release."""

import asyncio
from dataclasses import dataclass, field

import pytest

from seefen.protocol.encoding import decode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuthorityPage, Frame, Push
from seefen.protocol.ledger.note import decode_checkpoint, parse_note
from seefen.protocol.ledger.tree import check_consistency
from seefen.protocol.statements import Release
from seefen.server.errors import UnreachableError
from seefen.server.jobs import Job
from seefen.server.releases import Place, ReleaseJob
from seefen.server.store import Store
from seefen.server.view import Layer, Needs
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, refused, served
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")


@dataclass
class Line:
    """A socket that keeps what it was given."""

    machine: Machine
    frames: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    ended: bool = False

    def deliver(self, data: bytes) -> None:
        frame = decode(data, Frame)
        self.frames.append((frame.verb, frame.body))

    def revoked(self) -> None:
        self.ended = True

    @property
    def pushes(self) -> list[Push]:
        return [decode(body, Push) for verb, body in self.frames if verb == "push"]


def attach(it: Served, machine: Machine) -> Line:
    line = Line(machine)
    it.broker.attach(machine.device, line.deliver, line.revoked)
    return line


def checkpoint_size(note: str) -> int:
    return decode_checkpoint(parse_note(note).text).size


async def watch(it: Served, machine: Machine, case: bytes, scope: str = "watch") -> int:
    released = await it.ask(machine, casework.access(it.network, machine, case, scope=scope))
    return released.entry.index


async def test_an_object_reaches_the_members_who_are_on_line() -> None:
    async with served(*NODES, "tirana-lab") as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        lines = [attach(it, m) for m in (author, reader, it.network.of("tirana-lab"))]
        case = await it.open_case(author, NODES[1])
        await it.message(author, case)
        await until(lambda: len(lines[1].pushes) == 3)
        assert [push.item.kind for push in lines[1].pushes] == ["case", "casekey", "object"]
        for push in lines[1].pushes:
            it.check(push.item.entry, push.checkpoint)
            assert (push.release, push.key) == (None, b"")
        assert lines[1].pushes[2].item.body
        assert lines[0].pushes == [], "its author has it"
        assert lines[2].pushes == []


async def test_a_watch_gets_the_key_and_its_release_stands_before() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        under = await watch(it, reader, case)
        line = attach(it, reader)
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        await until(lambda: line.pushes)
        (push,) = line.pushes
        assert push.key == bundle.contents[0].key
        assert push.release is not None
        core = it.check(push.release, push.checkpoint)
        assert (core.act, core.op, core.node, core.device) == ("release", "disclose", NODES[1], "")
        assert (core.under, core.n) == ((under,), 1)
        release = open_envelope(push.envelope, "release")
        assert core.req == release.hash.hex()
        assert isinstance(release.statement, Release)
        assert release.statement.devices == (reader.device,)
        assert release.signatures == ()
        assert push.release.index > push.item.entry.index


async def test_what_fails_beside_an_object_takes_nothing_with_it(alarms: list[str]) -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        await watch(it, reader, case)
        line = attach(it, reader)
        no = _Refused()
        it.broker._sequencer.accompany(lambda _: [no])
        it.broker._sequencer.accompany(_breaks)
        await it.message(author, case)
        await until(lambda: line.pushes)
        assert line.pushes[0].key
        assert line.pushes[0].release is not None
        assert isinstance(no.done.exception(), RefusedError)
        assert any("companion-failed" in text for text in alarms)


async def test_a_release_that_is_refused_doubles_no_other() -> None:
    async with served(*NODES, "tirana-lab") as it:
        author, first, second = (it.network.of(n) for n in (*NODES, "tirana-lab"))
        case = await it.open_case(author, NODES[1], "tirana-lab", form="channel")
        for reader in (first, second):
            await watch(it, reader, case)
        lines = [attach(it, reader) for reader in (first, second)]
        size = (await it.sizes())[1]
        refuse = ReleaseJob.judge

        def judge(job: ReleaseJob, layer: Layer) -> None:
            if job._node == "tirana-lab":
                raise RefusedError("no", rule="no")
            refuse(job, layer)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ReleaseJob, "judge", judge)
            await it.message(author, case)
            await until(lambda: all(line.pushes for line in lines))
        assert lines[0].pushes[0].key
        assert not lines[1].pushes[0].key
        assert (await it.sizes())[1] == size + 2  # the object and one release


async def test_who_hangs_up_while_a_push_is_prepared_costs_nobody_else_his() -> None:
    async with served(*NODES, "tirana-lab") as it:
        author, first, second = (it.network.of(n) for n in (*NODES, "tirana-lab"))
        case = await it.open_case(author, NODES[1], "tirana-lab", form="channel")
        for reader in (first, second):
            await watch(it, reader, case)
        push = it.broker._push
        line, leaver = attach(it, first), Line(second)
        leave = it.broker.attach(second.device, leaver.deliver, leaver.revoked)
        place = Place(it.network.net, case, bytes(16), 1 << 40)
        both = [first.device, second.device]
        leave()
        assert [job._node for job in push._releases(place, both)] == [NODES[1]]
        await it.message(author, case)
        await until(lambda: line.pushes)
        assert not leaver.pushes


def _breaks(_: Layer) -> list[Job]:
    raise KeyError("nobody foresaw this")


class _Refused(Job):
    """A job that no rule lets pass."""

    def __init__(self) -> None:
        super().__init__(Needs())

    def judge(self, layer: Layer) -> None:
        raise RefusedError("no", rule="no")


async def test_one_release_names_all_devices_of_a_node() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author = network.of(NODES[0])
        await it.send(network.of(NODES[1]), network.enrol(NODES[1], ("field",)))
        readers = [network.of(NODES[1]), network.of(NODES[1], nth=1), network.of("tirana-lab")]
        case = await it.open_case(author, NODES[1], "tirana-lab", form="channel")
        for reader in readers:
            await watch(it, reader, case)
        lines = [attach(it, reader) for reader in readers]
        await it.message(author, case)
        await until(lambda: all(line.pushes for line in lines))
        releases = [line.pushes[0].release for line in lines]
        assert None not in releases
        assert releases[0] == releases[1]
        assert releases[0] != releases[2]
        assert (await it.sizes())[1] == 2 + 3 + 1 + 2


async def test_a_release_is_committed_with_its_object() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        await watch(it, reader, case)
        line = attach(it, reader)
        before = (await it.sizes())[1]
        recorded = await it.send(author, casework.message(it.network, author, case))
        # One commit: the head of the author's receipt has both entries, one behind the other.
        assert checkpoint_size(recorded.checkpoint) == before + 2
        await until(lambda: line.pushes)
        assert line.pushes[0].release is not None
        assert line.pushes[0].release.index == before + 1
        assert line.pushes[0].item.body != b""


async def test_attack_31_no_key_is_pushed_while_the_commit_has_not_come_through() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        await watch(it, reader, case)
        line = attach(it, reader)
        size = (await it.sizes())[1]
        bundle = casework.message(it.network, author, case)

        async def away(*_: object) -> bool:
            raise UnreachableError("the database is away", rule="database")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "swap", away)
            with pytest.raises(UnreachableError):
                await it.broker.submit(author.device, bundle, 0)
            await asyncio.sleep(0.1)
            assert line.frames == []
            assert (await it.sizes())[1] == size
        await it.send(author, bundle)
        await until(lambda: line.pushes)
        assert line.pushes[0].key == bundle.contents[0].key
        assert (await it.sizes())[1] == size + 2


async def test_an_object_sent_twice_is_released_once() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        await watch(it, reader, case)
        line = attach(it, reader)
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        await until(lambda: line.pushes)
        size = (await it.sizes())[1]
        again = await it.broker.submit(author.device, bundle, 0)
        assert checkpoint_size(again.checkpoint) == size
        assert (await it.sizes())[1] == size
        assert len(line.pushes) == 1


async def test_a_watch_that_ended_or_begins_later_gives_no_key() -> None:
    async with served(*NODES) as it:
        network = it.network
        author, reader = network.of(NODES[0]), network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        ask = casework.access(network, reader, case, scope="watch", seconds=600)
        await it.ask(reader, ask)
        line = attach(it, reader)
        network.at += 601
        await it.message(author, case)
        await until(lambda: line.pushes)
        assert line.pushes[0].key == b""
        assert line.pushes[0].release is None


async def test_watches_are_remembered_over_a_restart() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        await watch(it, reader, case, scope="case")
        await it.restart()
        line = attach(it, reader)
        await it.message(author, case)
        await until(lambda: line.pushes)
        assert line.pushes[0].key


async def test_an_ack_goes_to_the_node_of_the_author_alone() -> None:
    async with served(*NODES, "tirana-lab") as it:
        network = it.network
        author, reader, third = (network.of(node) for node in (*NODES, "tirana-lab"))
        case = await it.open_case(author, NODES[1], "tirana-lab")
        obj = await it.message(author, case)
        lines = [attach(it, machine) for machine in (author, third)]
        await it.send(reader, casework.ack(network, reader, case, obj))
        await until(lambda: lines[0].pushes)
        assert lines[0].pushes[0].item.kind == "ack"
        await it.message(author, case)
        await until(lambda: lines[1].pushes)
        assert [push.item.kind for push in lines[1].pushes] == ["object"]


async def test_growth_is_proved_from_the_last_head_a_line_was_told() -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        line = attach(it, reader)
        head = it.head((await it.feed(reader)).checkpoint)
        for n in range(5):
            await it.message(author, case)
            await until(lambda n=n: len(line.pushes) > n)  # type: ignore[misc]
        for push in line.pushes:
            new = it.head(push.checkpoint)
            check_consistency(head.size, head.root, new.size, new.root, push.consistency)
            head = new


async def test_a_revoke_cuts_every_line_of_the_device_before_it_is_answered() -> None:
    async with served(*NODES) as it:
        network = it.network
        admin = network.of(NODES[1])
        await it.send(admin, network.enrol(NODES[1], ("field",)))
        lost = network.of(NODES[1], nth=1)
        lines = [attach(it, lost), attach(it, lost), attach(it, admin)]
        await it.send(admin, network.revoke(lost))
        # Before its receipt left: no time limit says it as well, on a machine that does other work.
        assert [line.ended for line in lines] == [True, True, False]
        await refused("revoked", asyncio.to_thread(attach, it, lost))


async def test_a_suspension_and_the_end_of_a_certificate_cut_lines_too() -> None:
    async with served(*NODES) as it:
        network = it.network
        lines = [attach(it, network.of(node)) for node in NODES]
        await it.send(None, network.suspend(NODES[1]))
        assert [line.ended for line in lines] == [False, True]
        network.at += 400 * 86_400
        await until(lambda: lines[0].ended)


async def test_new_leaves_of_the_authority_log_are_pushed_to_all() -> None:
    async with served(*NODES) as it:
        line = attach(it, it.network.of(NODES[0]))
        before = it.network.directory.head()
        await it.admit("tirana-lab")
        await until(lambda: line.frames)
        verb, body = line.frames[0]
        assert verb == "authority"
        page = decode(body, AuthorityPage)
        assert page.start == before.size
        assert [item.kind for item in page.items] == ["node", "device", *["mailbox"] * 3]
        assert not any(item.wraps for item in page.items)
        head = it.head(page.checkpoint, "authority")
        check_consistency(before.size, before.root, head.size, head.root, page.consistency)


async def test_a_line_that_is_detached_or_broken_gets_no_more(alarms: list[str]) -> None:
    async with served(*NODES) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        gone, good = Line(reader), Line(reader)

        def broken(_frame: bytes) -> None:
            raise ConnectionResetError

        detach = it.broker.attach(reader.device, gone.deliver, gone.revoked)
        detach()
        detach()
        it.broker.attach(reader.device, broken, gone.revoked)
        it.broker.attach(reader.device, good.deliver, good.revoked)
        await it.message(author, case)
        await it.message(author, case)
        await until(lambda: len(good.pushes) == 2)
        assert gone.frames == []
        assert alarms == ["line-broken"]
