"""What the broker says besides the four kinds of the protocol.

::

    SeefenError
    ├── AbsentError      404  nothing of that name here
    ├── TooManyError     429  not so fast: it says when to come again
    ├── UnreachableError 503  the database is away; what was sent may or may not stand
    │   └── FrozenError       the log is not the newest that was signed: nothing is added or signed
    └── FullError        507  no room for more
"""

from typing import ClassVar

from seefen.protocol.errors import SeefenError


class AbsentError(SeefenError):
    """There is nothing of that name."""

    status: ClassVar[int] = 404
    kind: ClassVar[str] = "absent"


class TooManyError(SeefenError):
    """Too many tries from one place."""

    status: ClassVar[int] = 429
    kind: ClassVar[str] = "too-many"

    def __init__(self, message: str, *, rule: str, seconds: int) -> None:
        """Make an error; after ``seconds`` another try is welcome."""
        super().__init__(message, rule=rule)
        self.seconds = seconds


class UnreachableError(SeefenError):
    """The database does not answer. Ask again with the same bytes: the answer is the same."""

    status: ClassVar[int] = 503
    kind: ClassVar[str] = "unreachable"


class FrozenError(UnreachableError):
    """The database is older than what was signed, or nothing shows that it is not."""

    kind: ClassVar[str] = "frozen"

    def __init__(self, message: str, *, rule: str = "frozen") -> None:
        """Make an error; the message says what its operator must do."""
        super().__init__(message, rule=rule)


class FullError(SeefenError):
    """There is no room, on the disk or in the quota of a node."""

    status: ClassVar[int] = 507
    kind: ClassVar[str] = "full"
