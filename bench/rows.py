"""What a benchmark says: a figure beside the raw limit or the peer measured in the same run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        section: Letter of the part it belongs to, ``a`` to ``m``.
        name: What was measured, in a few words.
        unit: Of ``ours`` and ``limit``.
        ours: The figure.
        limit: The raw figure of the same run; None where a ratio says nothing.
        must: The ratio (or, without a limit, the figure) that has to be reached; None for none.
        at_most: Whether less is better.
    """

    section: str
    name: str
    unit: str
    ours: float
    limit: float | None = None
    must: float | None = None
    at_most: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours over the limit, None without one."""
        return None if self.limit is None else self.ours / self.limit

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached, None without a goal."""
        if self.must is None:
            return None
        figure = self.ours if self.limit is None else self.ours / self.limit
        return figure <= self.must if self.at_most else figure >= self.must
