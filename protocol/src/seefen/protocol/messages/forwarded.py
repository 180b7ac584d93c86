"""Forwarded: a message of another case, whole, with what proves who wrote it."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Piece, Story
from seefen.protocol.statements import Hash


class Proof(Piece, kw_only=True, frozen=True):
    """An object as its author signed and sealed it, with the key that opens it.

    Attributes:
        envelope: The signed statement.
        body: The sealed body, whose size and root stand in the statement.
        key: The content key of this body, and of nothing else.
    """

    envelope: Annotated[bytes, Meta(min_length=1, max_length=8192)]
    body: Annotated[bytes, Meta(min_length=1, max_length=65_536)]
    key: Hash


class Forwarded(Message, kw_only=True, frozen=True):
    """What stood in one case, taken into another. Its reader checks it (``onward.py``).

    The terms are those of the original, and so is what the cover shows.

    Attributes:
        permissions: Decisions of the originator that let it go to these readers.
        shows: What the cover of the original showed.
        text: Why it is passed on.
    """

    TYPE: ClassVar[str] = "Forwarded"

    original: Proof
    permissions: Annotated[tuple[Proof, ...], Meta(max_length=16)] = ()
    shows: Annotated[tuple[Said, ...], Meta(max_length=12)] = ()
    text: Story = ""

    def what(self) -> tuple[Said, ...]:
        """Return what the original said of itself: codes and counts."""
        return self.shows
