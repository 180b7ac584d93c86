"""The next version of the root statement: other witnesses, another quorum, another limit.

A threshold of the root keys signs it, any device brings it. Keys of the root, of the log and
of TLS, and the origin, stay as they are. Nothing is sealed here, so it also leaves while no
quorum has seen the log: a quorum that cannot be met any more is mended in no other way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seefen.client.admitting import root_signers
from seefen.client.engine import Engine
from seefen.client.founding import read_witness
from seefen.client.granting import Granting, ViewGrant
from seefen.client.sender import Parcel, Sender
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.quorum import check_witnesses, witness_name
from seefen.protocol.manifest import NETWORK
from seefen.protocol.statements import Root
from seefen.protocol.suite import SigningKey

CHAIN: Final = ("root", "")
SHORTEST: Final = 4  # letters of a witness's name that tell it from others
_STAYS: Final = (
    "name", "origin", "keys", "threshold", "log_key", "tls_pins", "suite_min", "expires",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RootView:
    """What a root statement says of witnesses and limits. ``max_stale`` in seconds."""

    network: str
    version: int
    keys: int
    threshold: int
    witnesses: tuple[str, ...]
    quorum: int
    max_stale: int
    auditors: tuple[ViewGrant, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A next version that nobody has signed, beside the one that is in force."""

    before: Root
    witnesses: tuple[bytes, ...]
    quorum: int
    max_stale: int

    @property
    def now(self) -> RootView:
        """What holds until it is signed."""
        return _view(self.before)

    @property
    def then(self) -> RootView:
        """What will hold."""
        root = self.before
        return RootView(
            root.name,
            root.version + 1,
            len(root.keys),
            root.threshold,
            tuple(witness_name(root.origin, public) for public in self.witnesses),
            self.quorum,
            self.max_stale,
        )


class Roots:
    """The root statement of the network, and its next version."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        self.views = Granting(engine, sender)

    def show(self) -> RootView:
        """Return what the root statement in force says."""
        return replace(_view(self._engine.directory.root), auditors=tuple(self.views.list(NETWORK)))

    def propose(
        self,
        *,
        witnesses: Sequence[Path] = (),
        without: Sequence[str] = (),
        quorum: int | None = None,
        max_stale: int | None = None,
    ) -> Proposal:
        """Return the next version as it would be; nothing is signed, nothing leaves.

        Args:
            witnesses: Cards of those to add.
            without: Names of those to take out, or the beginning of their last part.
            quorum: How many must sign; as before, if None.
            max_stale: Seconds; as before, if None.

        Raises:
            RefusedError: rule ``witnesses``: they cannot be the witnesses of this network, or
                none has such a name; ``witness-card``; ``root-same``: nothing would change.
        """
        root = self._engine.directory.root
        gone = {_find(root, name) for name in without}
        named = [public for public in root.witnesses if public not in gone]
        named += [read_witness(path) for path in witnesses]
        needed = root.quorum if quorum is None else quorum
        check_witnesses(root.origin, named, needed)
        stale = root.max_stale if max_stale is None else max_stale
        proposal = Proposal(root, tuple(named), needed, stale)
        if (proposal.witnesses, needed, stale) == (root.witnesses, root.quorum, root.max_stale):
            raise RefusedError("this is what the root statement says already", rule="root-same")
        return proposal

    async def change(self, proposal: Proposal, keys: Sequence[SigningKey]) -> RootView:
        """Sign a proposal with root keys and bring it; return what holds then.

        Raises:
            UntrustedError: rule ``root-key``: a key is not one of this network's root.
            RefusedError: rule ``quorum``: too few keys; ``root-changed-since``: another
                version came meanwhile, and whoever signs must have seen what he changes.
        """
        engine = self._engine
        signers = root_signers(proposal.before, keys)

        def make(parcel: Parcel) -> None:
            if engine.directory.root != proposal.before:
                raise RefusedError(
                    "the root statement was changed meanwhile: look at it again",
                    rule="root-changed-since",
                )
            stays = {name: getattr(proposal.before, name) for name in _STAYS}
            root = parcel.authority(
                Root,
                "root",
                CHAIN,
                witnesses=proposal.witnesses,
                quorum=proposal.quorum,
                max_stale=proposal.max_stale,
                **stays,
            )
            # What the network would refuse is refused before it leaves.
            engine.directory.copy().apply("root", parcel.add(root, *signers))

        async with engine.lock:
            await engine.sync()
            await self._sender.send(make)
        return self.show()


def _view(root: Root) -> RootView:
    names = tuple(witness_name(root.origin, public) for public in root.witnesses)
    counts = (len(root.keys), root.threshold)
    return RootView(root.name, root.version, *counts, names, root.quorum, root.max_stale)


def _find(root: Root, text: str) -> bytes:
    names = {public: witness_name(root.origin, public) for public in root.witnesses}
    found = [
        public
        for public, name in names.items()
        if name == text or (len(text) >= SHORTEST and name.rpartition("/")[2].startswith(text))
    ]
    if len(found) != 1:
        known = ", ".join(names.values()) or "none"
        raise RefusedError(
            f"no one witness is called {text!r}; there are {known}", rule="witnesses"
        )
    return found[0]
