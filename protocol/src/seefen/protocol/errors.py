"""What can go wrong, by what the caller does next.

::

    SeefenError          500  something else
    ├── MalformedError   400  it does not parse: drop it
    ├── UntrustedError   403  no key we trust vouches for it: raise an alarm
    ├── OutOfTurnError   409  genuine, but not now: fetch what is missing, try again
    └── RefusedError     422  a rule says no: show the officer which one

A mistake of the calling program is a ``ValueError``, never one of these.
"""

from typing import ClassVar


class SeefenError(Exception):
    """The base of all that seefen raises.

    The text is a sentence for a person. ``status`` is the HTTP status that fits and
    ``kind`` the name that travels to the other side.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "error"

    def __init__(self, message: str, *, rule: str = "") -> None:
        """Make an error; ``rule`` is the short name of what failed, like "unknown-device"."""
        super().__init__(message)
        self.rule = rule


class MalformedError(SeefenError):
    """The bytes do not have the form they must have."""

    status = 400
    kind = "malformed"


class UntrustedError(SeefenError):
    """No key we trust vouches for this, or it was changed on the way."""

    status = 403
    kind = "untrusted"


class OutOfTurnError(SeefenError):
    """Genuine, but not now: something came before it, or something is missing."""

    status = 409
    kind = "out-of-turn"


class RefusedError(SeefenError):
    """Understood and refused; ``rule`` says by which rule."""

    status = 422
    kind = "refused"
