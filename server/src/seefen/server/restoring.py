"""What an operator does after a backup was put back, and what he is told of it."""

from collections.abc import Sequence

from seefen.server.app import read_log_key
from seefen.server.config import Config
from seefen.server.high_water import HighWater
from seefen.server.mirrors import Mirror
from seefen.server.proofs import Prover
from seefen.server.rebuilding import Rebuilder, Rebuilt
from seefen.server.store import Store


async def rebuild(config: Config, dsn: str, mirrors: Sequence[Mirror]) -> Rebuilt:
    """Put back what mirrors hold, and return what that was.

    Raises:
        SetupError: It cannot come to the root that was signed; nothing was changed.
    """
    key = read_log_key(config)
    high_water = HighWater(config.high_water_file, key.public)
    async with Store.open(dsn) as store:
        prover = Prover(store, key)
        work = Rebuilder(store, prover, high_water, config.name, key.public)
        return await work.run(mirrors)


def told(rebuilt: Rebuilt) -> list[str]:
    """Return in sentences what was put back."""
    heads = rebuilt.heads
    lines = [
        f"authority log: {heads.authority.size} entries, {rebuilt.authority} of them put back",
        f"activity log: {heads.activity.size} entries, {rebuilt.activity} of them put back",
    ]
    if rebuilt.filled:
        lines.append(f"{rebuilt.filled} entries that were lost before have their text again")
    if rebuilt.healed:
        lines.append(f"{rebuilt.healed} entries have the sealed body or wrapped keys they lacked")
    if rebuilt.lost:
        some = ", ".join(map(str, rebuilt.lost[:10])) + (", ..." if len(rebuilt.lost) > 10 else "")
        lines.append(
            f"{len(rebuilt.lost)} entries stand without their text ({some}): bring the mirrors of "
            "the other nodes, and run this once more"
        )
    if rebuilt.keyless:
        lines.append(
            f"{rebuilt.keyless} messages lack the key to their body: who has read them keeps them; "
            "for others their authors send them again"
        )
    if rebuilt.bodiless:
        lines.append(
            f"{rebuilt.bodiless} messages lack their sealed body as well: bring the mirror of a "
            "node that was sent them, and run this once more"
        )
    if rebuilt.wrapless:
        lines.append(
            f"{rebuilt.wrapless} entries hand over keys that are not here: bring the mirror of the "
            "node they went to; a key that is in no mirror is handed over anew"
        )
    if rebuilt.marked:
        lines.append(
            "there was no high-water mark to compare with: ask each node whether it agrees"
        )
    return [*lines, "the roots are those that were signed: start the broker"]
