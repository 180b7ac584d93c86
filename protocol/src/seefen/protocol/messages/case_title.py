"""CaseTitle: the title of a case, sealed anew with each version of it."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.form import Message


class CaseTitle(Message, kw_only=True, frozen=True):
    """A title."""

    TYPE: ClassVar[str] = "CaseTitle"

    title: Annotated[str, Meta(max_length=120)] = ""
