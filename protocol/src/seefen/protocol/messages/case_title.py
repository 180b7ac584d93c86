"""CaseTitle: the title of a case, sealed anew with each version of it."""

import re
from typing import ClassVar, Final

from seefen.protocol.messages.form import Form, Title, refuse

_NUMBER: Final = re.compile(r"\d{5}")


class CaseTitle(Form, kw_only=True, frozen=True):
    """A title. Members read it in lists without an entry in the log: it names no one."""

    TYPE: ClassVar[str] = "CaseTitle"

    title: Title = ""

    def check(self) -> None:
        """Check that no serial number, document or telephone number stands in it."""
        if _NUMBER.search(self.title):
            refuse(
                "title",
                "a title is read without an entry in the log, so no serial number, document or "
                "telephone number belongs in it: put it into a message of the case",
                "title",
            )
