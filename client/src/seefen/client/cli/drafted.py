"""A draft that a program left: an officer sees it, and sends it or not."""

from seefen.client.cli import forms
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import bold, line, stack, warn
from seefen.client.cli.session import Session
from seefen.client.cli.views import messages
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Message


def name_of(ref: str) -> str:
    """Return under which name the draft of an answer to a request is kept."""
    return f"reply/{ref}"


def reply(session: Session, ref: str) -> Message:
    """Show the draft of an answer and return it once the officer has said that it leaves.

    Raises:
        RefusedError: There is none.
        UsageError: Nobody is there to read it: what leaves is an officer's word.
    """
    kept = session.do(lambda client: client.draft(name_of(ref)))
    if kept is None:
        raise RefusedError(f"there is no draft of an answer to {ref} here", rule="no-draft")
    if not session.screen.can_ask:
        raise UsageError(
            "a draft is sent by an officer who has seen it",
            "run this at a terminal, without --json",
        )
    draft = forms.message_of(forms.fields_of(kept))
    # What he sees is what leaves.
    message = session.do(lambda client: client.presets.fill(draft, client.cases.object_id(ref)))
    session.screen.say(
        stack(
            warn(f"A program drafted this answer to {ref}. Nobody has checked it."),
            line(""),
            bold(message.cover().subject),
            messages.body(message),
            messages.terms(message),
        )
    )
    if session.screen.ask("[Enter] send   [q] keep the draft").lower().startswith("q"):
        raise KeyboardInterrupt
    return message
