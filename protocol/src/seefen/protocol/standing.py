"""How some nodes stand: who is in force, when anything last changed, whose mailbox is fresh.

Every object and every key asks this of all members of its case, and the answer is the same
until the authority log grows: what was asked of a directory is kept as long as it is.
"""

from collections.abc import Callable
from typing import Final, TypeVar, cast
from weakref import WeakKeyDictionary

from msgspec import Struct

from seefen.protocol.directory import Directory

KEPT: Final = 256
_NEVER: Final = 1 << 63

T = TypeVar("T")

_GIVEN: Final[WeakKeyDictionary[Directory, dict[object, object]]] = WeakKeyDictionary()


class Standing(Struct, frozen=True):
    """Some nodes as of a size of the authority log, apart from what runs out by itself.

    ``until`` is the unix second at which the first of those in force runs out, and
    ``changed`` the smallest size that includes the last change at any of the nodes.
    """

    in_force: frozenset[str]
    until: int
    changed: int


class Mailbox(Struct, frozen=True):
    """The newest mailbox of a node; ``stale``: a lost device could still open it."""

    gen: int
    stale: bool


def standing(directory: Directory, nodes: tuple[str, ...], size: int) -> Standing:
    """Return how nodes stand as of ``size``."""
    return _kept(directory, (nodes, size), size, lambda: _find_standing(directory, nodes, size))


def mailboxes(
    directory: Directory, nodes: tuple[str, ...], box: str, size: int
) -> dict[str, Mailbox]:
    """Return the newest mailboxes of those nodes that have one."""
    key = (nodes, box, size)
    return _kept(directory, key, size, lambda: _find_mailboxes(directory, nodes, box, size))


def in_force(directory: Directory, nodes: tuple[str, ...], size: int, at: int) -> frozenset[str]:
    """Return those of ``nodes`` that are in force at a size and a time (unix seconds)."""
    found = standing(directory, nodes, size)
    if at < found.until:
        return found.in_force
    return frozenset(n for n in found.in_force if directory.in_force(n, size=size, at=at) is None)


def _kept(directory: Directory, key: object, size: int, answer: Callable[[], T]) -> T:
    given = _GIVEN.get(directory)
    if given is None:
        given = _GIVEN[directory] = {}
    if key not in given:
        found = answer()
        if size > directory.size:
            return found  # the next leaf may make it another
        if len(given) >= KEPT:
            given.clear()
        given[key] = found
    return cast("T", given[key])


def _find_standing(directory: Directory, nodes: tuple[str, ...], size: int) -> Standing:
    active = frozenset(n for n in nodes if directory.in_force(n, size=size) is None)
    until = min((directory.node(n, size=size).expires for n in active), default=_NEVER)
    return Standing(active, until, directory.last_change(nodes, size=size))


def _find_mailboxes(
    directory: Directory, nodes: tuple[str, ...], box: str, size: int
) -> dict[str, Mailbox]:
    newest = {node: directory.mailbox(node, box, size=size) for node in nodes}
    return {
        node: Mailbox(found.version, directory.mailbox_stale(node, box, size=size))
        for node, found in newest.items()
        if found is not None
    }
