"""Erasing under retention, as whoever keeps the ledger offers it."""

from typing import Final, Protocol

LIFTED: Final = -1  # in place of an index: a hold has ended; lower with each one more


class Erasures(Protocol):
    """Texts that are over their time."""

    async def done(self) -> int:
        """Return up to where the readings are erased that the log says are.

        :data:`LIFTED` or lower after the end of a hold: what it held is to be entered as erased,
        too.
        """
        ...

    async def begin_again(self, lifted: int) -> None:
        """Begin at the first entry, after lifts whose erasure was entered: as ``done`` said.

        One that came since is entered first.
        """
        ...

    async def erasable(self, start: int, stop: int) -> int:
        """Return how many readings in a piece of the log have a text, and are not on hold."""
        ...

    async def erase(self, start: int, stop: int) -> int | None:
        """Erase them and store that it is done up to ``stop``; return how many there were.

        None: it is not done up to ``start`` any more, since a hold was lifted meanwhile.
        """
        ...
