"""Where on the disk what was fetched lies: an erasure that leaves it there is none.

Known are the folders that this device wrote to, for as long as the message is not erased.
What was moved or copied from there only the officer knows.
"""

from collections.abc import Iterable
from pathlib import Path

from seefen.client.engine import Engine
from seefen.client.views import Row, rows
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError


def remember(engine: Engine, row: Row, path: Path) -> None:
    """Keep where a file was written."""
    known = _of(engine, row)
    where = str(path.absolute())
    if where not in known:
        with engine.vault.change():
            engine.vault.put(_name(row), encode([*known, where]))


def paths(engine: Engine, gone: Iterable[Row]) -> tuple[Path, ...]:
    """Return where the files of messages, or files themselves, were written, each once."""
    sql = "reply_to = ? AND case_id = ? AND file"
    each = (one for row in gone for one in (row, *rows(engine, sql, row.object, row.case)))
    return tuple(dict.fromkeys(Path(path) for one in each for path in _of(engine, one)))


def require_gone(engine: Engine, gone: Iterable[Row]) -> None:
    """Check that nothing that was fetched lies where it was written.

    Raises:
        RefusedError: rule ``fetched``; names what is there still.
    """
    there = [path for path in paths(engine, gone) if path.exists()]
    if there:
        raise RefusedError(
            f"{len(there)} of its files, fetched before, are still on this disk: "
            f"{', '.join(map(str, there))}; delete them and what was copied of them, then erase",
            rule="fetched",
        )


def forget(engine: Engine, row: Row) -> None:
    """Forget where a file lay; inside a change of the vault."""
    engine.vault.run("DELETE FROM setting WHERE name = ?", _name(row))


def _of(engine: Engine, row: Row) -> list[str]:
    kept = engine.vault.get(_name(row))
    return [] if kept is None else decode(kept, list[str])


def _name(row: Row) -> str:
    return f"fetched/{row.object.hex()}"
