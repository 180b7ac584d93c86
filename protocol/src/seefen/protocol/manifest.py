"""Manifests and views: who is shown everything, and what each node must have been shown.

Commitments hide whom an entry concerns, so a broker could keep one from a node. Whoever has a
view of the network gets every core, and says in the log, node by node, at which places the
node's own auditors must have been shown something. They compare.

Rules: ``docs/spec/statements.md``, 3 and 4.9; ``docs/spec/ledger.md``, 12.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from seefen.protocol.case import Position
from seefen.protocol.case_chain import require_author
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Manifest, View

NETWORK: Final = ""  # what a view is of, when it is of all nodes
MOST: Final = 8192  # places that one manifest names


class Owners:
    """Which node opened each case, from the cores of the log in their order."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def learn(self, core: Core) -> None:
        """Take in the next core: the first that changes a case is by the node that opened it."""
        if core.act == "case":
            self._of.setdefault(core.case, core.node)

    def of(self, core: Core) -> str:
        """Return the node that opened the case of an entry; empty: there is none."""
        return self._of.get(core.case, "")


def must_see(core: Core, owner: str) -> frozenset[str] | None:
    """Return whose auditors must be shown an entry; None: those of every node.

    They are shown what their own devices did or received, and all of the cases that their
    node opened; a manifest is shown to whom it is about, and a look at cores to whose they were.

    Args:
        core: Of the entry.
        owner: The node that opened its case, if there is one.
    """
    if core.act == "erased" or (core.act == "viewed" and not core.to):
        return None  # what is erased, and a look at the cores of all, is everybody's
    nodes = {core.node, owner, *(core.to if core.act in ("manifest", "viewed") else ())}
    return frozenset(nodes - {""})


def as_gaps(start: int, indices: Iterable[int]) -> tuple[int, ...]:
    """Return rising indices from ``start`` on, each as how many are left out before it."""
    gaps: list[int] = []
    for index in indices:
        gaps.append(index - start)
        start = index + 1
    return tuple(gaps)


def visible(manifest: Manifest) -> Iterator[int]:
    """Yield the indices that a manifest names."""
    index = manifest.start - 1
    for gap in manifest.visible:
        index += gap + 1
        yield index


def require_view(
    directory: Directory,
    device: bytes,
    of: str,
    *,
    size: int | None = None,
    at: int | None = None,
) -> View:
    """Return the view that a device has of a node's entries, or of all.

    Raises:
        UntrustedError: rule ``not-a-viewer``: it has none, or it is over; ``role``, or not in
            force.
    """
    directory.require_role(device, "auditor", size=size, at=at)
    view = directory.latest(("view", f"{of}/{device.hex()}"), View, size=size)
    if view is None or not view.expires or (at is not None and view.expires <= at):
        whom = of or "the network"
        raise UntrustedError(f"this device has no view of {whom}", rule="not-a-viewer")
    return view


def views(directory: Directory, *, of: str | None = None, at: int | None = None) -> list[View]:
    """Return the views that are in force, by the node and device that have them.

    Args:
        of: Of this node, or :data:`NETWORK`; None: of any.
        at: Unix seconds; None: whatever the date.
    """
    devices = (one for node in directory.nodes() for one in directory.devices(node))
    wanted = (NETWORK, *directory.nodes()) if of is None else (of,)
    found: list[View] = []
    for device in devices:
        for one in wanted:
            if directory.link(("view", f"{one}/{device.device.hex()}")) is None:
                continue  # nearly always, and much cheaper than a refusal
            try:
                found.append(require_view(directory, device.device, one, at=at))
            except UntrustedError:
                continue
    return found


def is_whole(view: View) -> bool:
    """Tell whether a view shows every entry: only who has one can say what a node must see."""
    return (view.of, view.since, view.upto) == (NETWORK, 0, 0)


def check_manifest(opened: Opened, directory: Directory, position: Position) -> Manifest:
    """Return the manifest in an envelope, all its rules checked but the number and the order.

    Raises:
        UntrustedError, RefusedError: The rule it breaks (``docs/spec/statements.md``, 4.9).
    """
    manifest = opened.statement
    if not isinstance(manifest, Manifest):
        raise UntrustedError("this is not a manifest", rule="unknown-kind")
    require_author(manifest, opened, directory, position)
    size = position.authority_size
    directory.node(manifest.of, size=size)
    view = require_view(directory, manifest.device, NETWORK, size=size, at=position.at)
    if not is_whole(view):
        raise UntrustedError("this device is not shown every entry", rule="not-a-viewer")
    span, count = manifest.upto - manifest.start, len(manifest.visible)
    inside = sum(manifest.visible) + count <= span and count + manifest.closed <= span
    if not (span > 0 and manifest.upto <= manifest.activity.size and inside):
        raise RefusedError("a manifest names what its author has seen", rule="manifest-range")
    return manifest
