"""References in a form: where a field holds the id of an object, ``CASE#number`` does as well.

An officer reads references on his screen; ids stand nowhere that he would look.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from seefen.client import Client
from seefen.client.cli import forms
from seefen.client.cli.arguments import reference
from seefen.client.cli.session import Session
from seefen.protocol.messages import Message, saying

_FIELDS: Final = ("of", "about", "reply_to")
_SOME: Final = bytes(16).hex()  # so that the rest of the form is checked before anything is opened


@dataclass(frozen=True, slots=True)
class Filled:
    """A message from a form, and the references that its fields were given."""

    message: Message
    references: dict[str, str]

    def placed(self, session: Session) -> Message:
        """Return the message with the ids of what it refers to.

        Raises:
            RefusedError: This device knows no such object.
        """

        def found(client: Client) -> dict[str, bytes]:
            return {field: client.cases.object_id(ref) for field, ref in self.references.items()}

        ids: dict[str, Any] = session.do(found)
        return saying(replace(self.message, **ids), *self.message.said)


def filled(path: Path) -> Filled:
    """Return the message in a form; see :func:`seefen.client.cli.forms.message`.

    Raises:
        UsageError: It is no form, or a reference in it is none.
    """
    fields = forms.read_form(path)
    given = {
        field: str(reference(value))
        for field in _FIELDS
        if isinstance(value := fields.get(field), str) and "#" in value
    }
    return Filled(forms.message_of({**fields, **dict.fromkeys(given, _SOME)}), given)
