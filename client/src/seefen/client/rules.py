"""By whose rules a device judged its authority log, and an auditor the entries he keeps.

A vault remembers what its leaves were judged by, and judges them again when that is no longer
what runs here: a hole that an update closes is closed for what came through it, and a kind that
an older program did not know has its effect. Entries of the audit may be millions: there it is said
by which rules they were checked, and `audit verify` checks them anew.
"""

from functools import cache
from importlib.metadata import version
from typing import Final

# The start of a SHA-256 over the sources that judge a leaf; `tests/client/test_rules.py` says
# which these are, and what belongs here after a change. A number of a release would stay where it
# is between two builds, and whoever mends a rule would have to think of it.
RULES: Final = "090c5ea6ea71cd4a"
CHECKS: Final = "0500ef536f58376f"  # the same of an entry of the audit
# They decode and verify: what one of them let pass, its update may refuse.
LIBRARIES: Final = ("cbor2", "cryptography", "msgspec", "pynacl")


@cache
def judged_by() -> bytes:
    """Return what leaves are judged by here: the rules, and the libraries they stand on."""
    return _with_libraries(RULES)


@cache
def checked_by() -> bytes:
    """Return the same of entries of the audit."""
    return _with_libraries(CHECKS)


def _with_libraries(rules: str) -> bytes:
    return " ".join((rules, *(f"{name}={version(name)}" for name in LIBRARIES))).encode()
