"""Pages of the audit: who may look, and where a page ends."""

from collections.abc import Sequence

import pytest

from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import CaseFrom, LogFrom, ViewFrom
from seefen.protocol.statements import View
from seefen.protocol.suite import new_id
from seefen.server.pages import Asked, read_pieces, require_auditing
from seefen.server.rows import AuthorityRow, LeafRow
from tests.protocol.builder import refused
from tests.support.judge import LAB, OWNER, PARTNER, Bench
from tests.support.network import Machine, Network

ALL = LogFrom(0, 10, 0)
ROLES = ("admin", "auditor", "field", "keyholder", "lead")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def who(bench: Bench, by: Machine, ask: Asked, case: bytes = b"", at: int = 0) -> str | View:
    state = bench.layer.cases.get(case)
    return require_auditing(bench.network.directory, by.device, ask, state, at or bench.network.at)


def with_role(bench: Bench, node: str, *roles: str) -> Machine:
    made = bench.network.enrol(node, roles, renew=False)
    bench.network.take(made)
    return list(bench.network.machines.values())[-1]


def test_each_role_sees_what_it_is_for_and_nothing_else(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    readings = CaseFrom(case, 0, 10, 0)
    for role in ROLES:
        machine = with_role(bench, OWNER, role)
        assert machine.roles == (role,)
        for ask, roles in (
            (ALL, {"admin", "auditor"}),
            (readings, {"admin", "auditor", "keyholder", "lead"}),
        ):
            if role in roles:
                assert who(bench, machine, ask, case) == OWNER
            else:
                with refused("role", UntrustedError):
                    who(bench, machine, ask, case)


def test_attack_who_read_a_case_is_shown_to_the_node_that_opened_it_alone(
    bench: Bench,
) -> None:
    """A case that is none is refused in the same words: nobody learns which ids are cases."""
    case, ask = bench.open_case(PARTNER), CaseFrom(new_id(), 0, 10, 0)
    said: set[str] = set()
    for machine, of in ((bench.partner, case), (bench.lab, case), (bench.owner, b"none")):
        with pytest.raises(RefusedError) as caught:
            who(bench, machine, ask, of)
        assert caught.value.rule == "not-the-owner"
        said.add(str(caught.value))
    assert len(said) == 1
    assert who(bench, bench.owner, ask, case) == OWNER


def test_attack_27_who_is_not_in_force_looks_at_nothing(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    auditor = with_role(bench, OWNER, "auditor")
    view = Network.bundle("view", bench.network.view(auditor, "", expires=2**33)[1])
    bench.network.directory.apply("view", view.statements[0].envelope)
    asks: tuple[Asked, ...] = (ALL, CaseFrom(case, 0, 10, 0), ViewFrom("", 0, 10, 0))
    ends = bench.network.directory.device(auditor.device).expires
    for ask in asks:
        who(bench, auditor, ask, case, ends - 1)
        with refused("expired", UntrustedError):
            who(bench, auditor, ask, case, ends)
    bench.network.take(bench.network.revoke(auditor))
    for ask in asks:
        with refused("revoked", UntrustedError):
            who(bench, auditor, ask, case)


def test_a_view_is_of_whom_it_says_and_ends(bench: Bench) -> None:
    view, envelope = bench.network.view(bench.lab, OWNER)
    bench.network.take(Network.bundle("view", envelope))
    assert who(bench, bench.lab, ViewFrom(OWNER, 0, 10, 0)) == view
    assert who(bench, bench.lab, ViewFrom(OWNER, 0, 10, 0), at=view.expires - 1) == view
    for ask, at in (
        (ViewFrom("", 0, 10, 0), 0),
        (ViewFrom(PARTNER, 0, 10, 0), 0),
        (ViewFrom(OWNER, 0, 10, 0), view.expires),
    ):
        with refused("not-a-viewer", UntrustedError):
            who(bench, bench.lab, ask, at=at)
    assert who(bench, bench.lab, ALL) == LAB


# --- pieces --------------------------------------------------------------------------------


def row(idx: int, length: int) -> AuthorityRow:
    return AuthorityRow(idx, "mailbox", b"", bytes(length))


class Log:
    """Rows at every second place, read in pieces."""

    def __init__(self, count: int, length: int = 10) -> None:
        self.rows = [row(2 * n, length) for n in range(count)]
        self.asked: list[tuple[int, int]] = []

    async def read(self, start: int, limit: int) -> Sequence[AuthorityRow]:
        self.asked.append((start, limit))
        return [one for one in self.rows if one.idx >= start][:limit]


async def test_pieces_follow_each_other_to_the_limit_or_to_the_end() -> None:
    for count, limit, expected, ended, asked in (
        (300, 200, 200, False, [(0, 128), (255, 72)]),
        (300, 128, 128, False, [(0, 128)]),
        (129, 200, 129, True, [(0, 128), (255, 72)]),
        (128, 200, 128, True, [(0, 128), (255, 72)]),
        (0, 5, 0, True, [(0, 5)]),
        (5, 0, 0, False, []),
    ):
        log = Log(count)
        assert await read_pieces(log.read, 0, limit) == (log.rows[:expected], ended)
        assert log.asked == asked


async def test_a_page_ends_with_the_row_that_passes_its_bytes() -> None:
    log = Log(10, length=100)
    assert await read_pieces(log.read, 0, 10, 300) == (log.rows[:4], False)
    assert await read_pieces(log.read, 0, 10, 299) == (log.rows[:3], False)
    assert await read_pieces(log.read, 0, 20, 1000) == (log.rows, True)


async def test_the_text_of_an_entry_counts_as_well() -> None:
    """Cores have up to 16 KiB, and an erased statement none: else a page would be of any length."""
    leaf = LeafRow(
        0, bytes(89), bytes(200), b"", None, "access", b"", "", None, None, None, None, b"",
        bytes(100),
    )  # fmt: skip

    async def read(start: int, limit: int) -> Sequence[LeafRow]:
        return [leaf] * limit

    for most, expected in ((299, 1), (300, 2), (599, 2), (600, 3)):
        rows, ended = await read_pieces(read, 0, 10, most)
        assert (len(rows), ended) == (expected, False)
