"""Pages of the feed: where one ends, and from where the next is asked for.

A reader stands at an index of the log, and where the backlog of a case is due there that is
longer than a page, somewhere inside it. He goes on only from what a page says that it shows.
"""

from msgspec import Struct

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import FeedFrom, Page


class Place(Struct, frozen=True, order=True):
    """Where a reader of the feed stands: all below ``cursor``, and a backlog below ``within``."""

    cursor: int = 0
    within: int = 0

    def asked(self, limit: int, seen: int) -> FeedFrom:
        """Return the question for what comes next."""
        return FeedFrom(self.cursor, limit, seen, self.within)

    def behind(self, page: Page, size: int) -> tuple["Place", bool]:
        """Return where the reader stands behind a page, and whether more follows.

        Args:
            page: What came.
            size: Of the log that it is of.

        Raises:
            UntrustedError: rule ``page``: it shows what is not in the log.
        """
        size = max(size, self.cursor)
        end = Place(page.upto, page.within)
        # A cursor beyond the log would skip what is written there later.
        in_log = end.within < end.cursor < size if end.within else end.cursor <= size
        in_log = in_log and all(stub.index < size for stub in page.stubs)
        if end.cursor < self.cursor or not in_log:
            raise UntrustedError("the broker shows a page beyond its own log", rule="page")
        return end, self < end and end.cursor < size


def place_of(vault: Vault) -> Place:
    """Return where this device stands in its feed."""
    cursor, kept = vault.get_number("cursor"), vault.get("within")
    at, within = (0, 0) if kept is None else decode(kept, tuple[int, int])
    return Place(cursor, within if at == cursor else 0)  # who goes back begins the backlog anew


def keep_place(vault: Vault, place: Place) -> None:
    """Keep where this device stands, in one transaction with what it was shown."""
    vault.put_number("cursor", place.cursor)
    if place.within:
        vault.put("within", encode([place.cursor, place.within]))
    else:
        vault.run("DELETE FROM setting WHERE name = 'within'")
