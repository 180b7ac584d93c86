"""Two who write at the same moment, in every order: what may never come of it."""

import asyncio
import random
from collections.abc import Awaitable

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Recorded
from seefen.protocol.statements import Case, Object
from seefen.protocol.suite import random_bytes
from tests.support import casework
from tests.support.faultbook import note, times
from tests.support.served import served

ROUNDS = times(20)
OWNER, REMOVED, OTHER = "skopje-border", "belgrade-ffp", "pristina-ffp"


async def test_attack_29_nothing_goes_under_the_old_key_once_a_node_is_removed() -> None:
    """Messages race with the removal of a member; whichever wins, the removed reads none later."""
    seed = random_bytes(8).hex()
    print(f"seed {seed}")  # noqa: T201 - a random test says how to repeat it
    chance = random.Random(seed)
    async with served(OWNER, REMOVED, OTHER) as it:
        owner, other = it.network.of(OWNER), it.network.of(OTHER)
        outcomes: set[tuple[str, ...]] = set()
        for serial in range(1, ROUNDS + 1):
            case = await it.open_case(owner, REMOVED, OTHER, serial=serial)
            racing = [
                (owner, casework.change_members(it.network, owner, case, remove=(REMOVED,))),
                (other, casework.message(it.network, other, case)),
            ]
            chance.shuffle(racing)
            answers = await asyncio.gather(
                *(_late(chance, it.broker.submit(by.device, b, 0)) for by, b in racing),
                return_exceptions=True,
            )
            for answer in answers:
                if isinstance(answer, BaseException):
                    assert isinstance(answer, SeefenError)
                    assert answer.status == 409
            recorded = sorted(
                (answer.entries[0].index, bundle, answer)
                for (_, bundle), answer in zip(racing, answers, strict=True)
                if not isinstance(answer, BaseException)
            )
            for _, bundle, answer in recorded:
                it.take(bundle, answer)
            outcomes.add(tuple(bundle.statements[0].kind for _, bundle, _ in recorded))
        async with it.database() as connection:
            rows = await connection.fetch(
                "SELECT kind, case_id, envelope FROM activity_leaf ORDER BY idx"
            )
    version: dict[bytes, int] = {}
    for row in rows:
        if row["kind"] not in ("case", "object"):
            continue
        statement = open_envelope(row["envelope"], row["kind"]).statement
        if isinstance(statement, Case):
            version[statement.case] = statement.version
        assert not isinstance(statement, Object) or statement.gen == version[statement.case]
    # Both orders came about: the message before the removal, and the message too late.
    assert outcomes == {("case",), ("object", "case")}
    note(
        "broker", "a message races with the removal of a member", count=ROUNDS,
        held="nothing goes under the old key after it", seed=seed,
    )  # fmt: skip


async def _late(chance: random.Random, sending: Awaitable[Recorded]) -> Recorded:
    for _ in range(chance.randint(0, 3)):
        await asyncio.sleep(0)
    return await sending
