"""A removal races with messages, ten thousand times over: the judging alone, without a database."""

import random
from typing import Final

from seefen.protocol.bundle import Bundle
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import Activity
from seefen.protocol.suite import random_bytes
from seefen.server.judging import record_statement
from seefen.server.view import Layer
from tests.support import casework
from tests.support.faultbook import note
from tests.support.judge import LAB, PARTNER, Bench

SEEDS: Final = 10_000


def test_attack_29_whatever_comes_in_whatever_order_nothing_goes_under_the_old_key() -> None:
    """Each seed draws who races and in which order; the old key ends with the removal."""
    bench = Bench()
    network, case = bench.network, bench.open_case(PARTNER, LAB)
    bench.known.learn_device(bench.partner.device, 0)
    bench.known.learn_device(bench.lab.device, 0)
    removal = casework.change_members(network, bench.owner, case, remove=(LAB,))
    racing = [removal, *(casework.message(network, by, case) for by in (bench.partner, bench.lab))]
    network.take(removal)
    # What the same sender seals anew, once he knows of it.
    racing.append(casework.message(network, bench.partner, case))
    names = ("removal", "old", "removed", "new")
    base = bench.layer
    opened = dict(zip(names, map(_opened, racing), strict=True))
    contents = {c.object: c for bundle in racing for c in bundle.contents}

    start = int.from_bytes(random_bytes(6))
    outcomes: set[tuple[str, ...]] = set()
    for seed in range(start, start + SEEDS):
        chance = random.Random(seed)
        order = chance.choices(names, k=chance.randint(2, 4))  # also what is delivered twice
        layer, passed = Layer.on(base), list[str]()
        for name in order:
            trial = Layer.on(layer)
            try:
                for one, tag in opened[name]:
                    assert isinstance(one.statement, Activity)
                    by = one.statement.device
                    record_statement(trial, one, tag, by=by, contents=contents)
            except SeefenError:
                continue
            layer.absorb(trial)
            passed.append(name)
        assert len(set(passed)) == len(passed), (seed, order)  # nothing stands twice
        ended = passed.index("removal") if "removal" in passed else len(passed)
        late = set(passed[ended:]) & {"old", "removed"}
        early = set(passed[:ended]) & {"new"}
        assert not late | early, (seed, order, passed)
        outcomes.add(tuple(passed))
    # Either side wins somewhere, or it was no race.
    assert {("removal",), ("old", "removal"), ("removed", "removal"), ("removal", "new")} < outcomes
    note(
        "broker", "messages race with a removal, judged alone", count=SEEDS,
        held="nothing goes under the old key after it", seed=str(start),
    )  # fmt: skip


def _opened(bundle: Bundle) -> list[tuple[Opened, bytes]]:
    return [(open_envelope(one.envelope, one.kind), one.tag) for one in bundle.statements]
