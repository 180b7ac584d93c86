"""Signatures of a page, verified in a second thread ahead of the place where they count.

A verification is native code that lets go of the interpreter's lock: while one entry is
judged, those of the next entries are computed on another core. Nothing is decided here. A
claim that holds is remembered by its key, message and signature, byte for byte
(:func:`~seefen.protocol.suite.verify_ahead`), and is of use only to who asks about exactly
these: the rules of the case still name the key, in turn, and what fails is verified again
there. A guess that was wrong costs time and nothing else.
"""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final, TypeAlias

from seefen.client.once import opened
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import PLAIN_LENGTH, signing_message
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Item, Stub
from seefen.protocol.statements import Activity
from seefen.protocol.suite import Claim, claim, forget_verified, verify_ahead

BATCH: Final = 24  # entries handed over at once: two of them are opened and not yet judged
LEAST: Final = 2 * BATCH  # entries of a page that are worth a thread

Piece: TypeAlias = Item | Stub


@contextmanager
def ahead(pieces: Sequence[Piece], directory: Directory) -> Generator[Iterable[Piece]]:
    """Give the pieces of a page in their order, with a thread that verifies the next ones."""
    if len(pieces) < LEAST:
        yield pieces
        return
    claims: SimpleQueue[list[Claim] | None] = SimpleQueue()
    over = threading.Event()
    thread = threading.Thread(target=_verify, args=(claims, over), name="verify", daemon=True)
    thread.start()
    try:
        yield _pieces(pieces, directory, claims)
    finally:
        over.set()
        claims.put(None)
        thread.join()
        forget_verified()


def _pieces(
    pieces: Sequence[Piece], directory: Directory, claims: "SimpleQueue[list[Claim] | None]"
) -> Iterator[Piece]:
    batches = [pieces[start : start + BATCH] for start in range(0, len(pieces), BATCH)]
    claims.put(_claims(batches[0], directory))
    for n, batch in enumerate(batches, start=1):
        if n < len(batches):
            claims.put(_claims(batches[n], directory))
        yield from batch


def _verify(claims: "SimpleQueue[list[Claim] | None]", over: threading.Event) -> None:
    while (batch := claims.get()) is not None:
        for one in batch:
            if over.is_set():
                return
            verify_ahead(one)


def _claims(batch: Sequence[Piece], directory: Directory) -> list[Claim]:
    """Return what will be asked of a batch, as far as it can be known before its turn."""
    found: list[Claim] = []
    for piece in batch:
        if isinstance(piece, Stub):
            continue
        try:
            read = opened(piece.envelope, piece.kind)
            statement = read.statement
            if not isinstance(statement, Activity):
                continue
            public = directory.device(statement.device).sign
        except SeefenError:
            continue  # it is refused when its turn comes
        message = signing_message(read.kind, statement.net, read.payload)
        found += [
            claim(public, message, signature.value)
            for signature in read.signatures
            if len(signature.value) == PLAIN_LENGTH
        ]
    return found
