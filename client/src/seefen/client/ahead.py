"""Signatures of a page, verified in a second thread ahead of the place where they count.

A verification is native code that lets go of the interpreter's lock: two of them are computed
on two cores at once, and those of the next entries while one is judged. Nothing is decided here. A
claim that holds is remembered by its key, message and signature, byte for byte
(:func:`~seefen.protocol.suite.verify_ahead`), and is of use only to who asks about exactly
these: the rules still name the key, in turn, and what fails is verified again there. A guess
that was wrong costs time and nothing else.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeAlias, TypeVar

from seefen.client.once import opened
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import claims, key_id
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import AuthorityItem, Item, Stub
from seefen.protocol.statements import Activity, Device, Mailbox, Node, Root, Statement
from seefen.protocol.suite import Claim, forget_verified, verify_ahead

BATCH: Final = 24  # pieces handed over at once: two of them are opened and not yet judged
LEAST: Final = 2 * BATCH  # pieces of a page that are worth a thread

Piece: TypeAlias = Item | Stub
P = TypeVar("P")


@contextmanager
def ahead(
    pieces: Sequence[P], claims_of: Callable[[Sequence[P]], deque[Claim]]
) -> Generator[Iterable[P]]:
    """Give the pieces of a page in their order, with a thread that verifies the next ones.

    Args:
        claims_of: Says, of the next pieces, what will be asked of the suite; it may be wrong.
    """
    if len(pieces) < LEAST:
        yield pieces
        return
    batches: SimpleQueue[deque[Claim] | None] = SimpleQueue()
    given: list[deque[Claim]] = []
    thread = threading.Thread(target=_verify, args=(batches,), name="verify", daemon=True)
    thread.start()

    def give(batch: Sequence[P]) -> deque[Claim]:
        given.append(claims_of(batch))
        batches.put(given[-1])
        return given[-1]

    try:
        yield _pieces(pieces, give)
    finally:
        for claimed in given:
            claimed.clear()
        batches.put(None)
        thread.join()
        forget_verified()


def _pieces(pieces: Sequence[P], give: Callable[[Sequence[P]], deque[Claim]]) -> Iterator[P]:
    batches = [pieces[start : start + BATCH] for start in range(0, len(pieces), BATCH)]
    claimed = give(batches[0])
    for batch, following in zip(batches, [*batches[1:], None], strict=True):
        after = claimed if following is None else give(following)
        # Where a leaf is mostly signatures, the other thread is behind: both take from the
        # same batch, and none does what the other has begun.
        _work(claimed)
        claimed = after
        yield from batch


def _verify(batches: "SimpleQueue[deque[Claim] | None]") -> None:
    while (claimed := batches.get()) is not None:
        _work(claimed)


def _work(claimed: deque[Claim]) -> None:
    with suppress(IndexError):  # the other thread took the last one
        while True:
            verify_ahead(claimed.popleft())


def of_entries(directory: Directory) -> Callable[[Sequence[Piece]], deque[Claim]]:
    """Return what tells the claims of entries: each is signed by its device."""
    return partial(_entries, directory)


def _entries(directory: Directory, batch: Sequence[Piece]) -> deque[Claim]:
    found: deque[Claim] = deque()
    for piece in batch:
        if isinstance(piece, Stub):
            continue
        with suppress(SeefenError):
            read = opened(piece.envelope, piece.kind)
            if isinstance(read.statement, Activity):
                public = directory.device(read.statement.device).sign
                keys = {key_id(public): public}
                found.extend(claims(read, keys))
    return found


def of_leaves(directory: Directory) -> Callable[[Sequence[AuthorityItem]], deque[Claim]]:
    """Return what tells the claims of leaves: keys sign that stand in the log before them."""
    keys: dict[bytes, bytes] = {}
    with suppress(SeefenError):  # the network is not founded yet
        _learn(keys, directory.root, directory)
    for node in directory.nodes():
        _learn(keys, directory.node(node), directory)
    return partial(_leaves, directory, keys)


def _leaves(
    directory: Directory, keys: dict[bytes, bytes], batch: Sequence[AuthorityItem]
) -> deque[Claim]:
    found: deque[Claim] = deque()
    for item in batch:
        with suppress(SeefenError):
            read = opened(item.envelope, item.kind)
            _learn(keys, read.statement, directory)
            found.extend(claims(read, keys))
    return found


def _learn(keys: dict[bytes, bytes], statement: Statement, directory: Directory) -> None:
    """Keep the keys that a statement names, or that it is signed by."""
    named: tuple[bytes, ...] = ()
    match statement:
        case Root():
            named = statement.keys
        case Node():
            named = statement.admins
        case Device():
            named = (statement.sign,)
        case Mailbox():
            with suppress(SeefenError):
                named = (directory.device(statement.device).sign,)
        case _:
            pass
    keys.update((key_id(public), public) for public in named)
