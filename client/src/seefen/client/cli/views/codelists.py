"""Codes that a node adopted, and where they come from."""

from collections.abc import Sequence

from seefen.client.cli.paint import Grid, Painted, dim, line, stack
from seefen.client.codelists import Adopted


def listed(rows: Sequence[Adopted]) -> Painted:
    """Return the codes that were adopted."""
    if not rows:
        return stack(
            line("Your node adopted no codes: the tables are those of this program."),
            dim("An admin adopts an update he opened: seefen codelist adopt REF"),
        )
    grid = Grid("TABLE", "CODE", "MEANS", "SOURCE", "VERSION", right=(4,))
    for row in rows:
        grid.row(row.table, row.code, row.label, row.source, row.version)
    return grid.painted()
