"""What went wrong, in a sentence, and what to do next.

The sentence comes from where it happened; the advice is here, by the name of the rule.
"""

from dataclasses import dataclass
from typing import Final

from typer import TyperException

from seefen.client.cli.arguments import UsageError
from seefen.client.connection import UnreachableError
from seefen.protocol.errors import MalformedError, OutOfTurnError, SeefenError, UntrustedError

REFUSED: Final = 1
USAGE: Final = 2
QUEUED: Final = 3
STOPPED: Final = 130

# By rule: the short names that errors carry (docs/spec/statements.md, docs/spec/api.md).
_HINTS: Final = {
    "broker": "nothing is lost: what was queued leaves when the broker is back",
    "tls": "do not go on: somebody may stand between you and the broker; tell your administrator",
    "no-device": "this machine has not joined yet: seefen join FILE, or --home for another folder",
    "passphrase": "check the keyboard's language and Caps Lock, then try again",
    "vault-busy": "another seefen command or the desk has this vault open: close it first",
    "unknown-node": "'seefen status' lists the nodes of the network",
    "unknown-device": "'seefen device list' lists the devices of your node",
    "unknown-case": "'seefen case list' and 'seefen channel list' show what this device knows",
    "unknown-object": "'seefen case show CASE' lists what is in it, with the numbers",
    "revoked": "this device was revoked: hand it to your node's administrator",
    "suspended": "the node was suspended by the network's root: ask its coordinator",
    "expired": "a certificate has run out: ask your node's administrator for a new invite",
    "not-a-reader": "ask the case's owner to add your node, or a keyholder to assign it to you",
    "not-a-member": "ask the case's owner to add your node: seefen case add CASE NODE",
    "role": "a device with another role must do this: ask your lead or administrator",
    "parts-missing": "the file is still under way: the same command again goes on with it",
    "stale-generation": "the members' keys changed: run the command again",
    "old-authority": "a member's keys changed meanwhile: run the command again",
    "not-next": "somebody else was faster: run the command again",
    "number": "if it stays, this vault may have been copied: tell your administrator",
    "acknowledged": "somebody of your node was faster; 'seefen due' shows who took it",
    "not-on-watch": "'seefen watch on' once a shift, or state purpose and basis here",
    "stale-checkpoint": "check the connection with 'seefen status'; alerts may still be sent",
    "members": "'seefen case show CASE' lists the members",
    "invite": "an invite opens once and for 48 hours: ask for a new one",
    "words": "do not admit it: telephone the number on your paper, not the one they gave",
    "wrong-words": "do not admit it: telephone the number on your paper, not the one they gave",
    "consistency": "keep this device as it is and tell your auditor: the log was changed",
    "fork": "keep this device as it is and tell your auditor: the log was changed",
    "rewind": "keep this device as it is and tell your auditor: the log was changed",
    "origin": "use seefen itself, not a browser",
    "login": "check the clock of this machine; if it is right, ask your administrator",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as it is printed, and the exit code."""

    message: str
    hint: str
    code: int


def explain(error: BaseException) -> Complaint:
    """Return what to print about an error."""
    if isinstance(error, SeefenError):
        code = QUEUED if isinstance(error, UnreachableError) else REFUSED
        return Complaint(str(error), _HINTS.get(error.rule) or _by_kind(error), code)
    if isinstance(error, UsageError):
        return Complaint(error.message, error.hint, USAGE)
    if isinstance(error, TyperException):
        return Complaint(error.format_message(), _help_for(error), error.exit_code)
    if isinstance(error, EOFError):
        return Complaint(
            "an answer is needed, and nobody is there to give it",
            "give it as an option; '--help' lists them",
            USAGE,
        )
    if isinstance(error, OSError):
        return Complaint(_of_system(error), "check the path, its rights and the disk", REFUSED)
    return Complaint(
        f"seefen itself failed ({type(error).__name__}: {error})",
        "nothing is lost; SEEFEN_DEBUG=1 shows where, for the people who mend it",
        REFUSED,
    )


def _by_kind(error: SeefenError) -> str:
    if isinstance(error, OutOfTurnError):
        return "run the command again: what is missing is fetched first"
    if isinstance(error, UntrustedError):
        return "nothing of it was stored; 'seefen audit' shows whether the log is in order"
    if isinstance(error, MalformedError):
        return "it was dropped; if it is a file of yours, ask its sender for it again"
    return "'seefen status' shows this device, its roles and the connection"


def _help_for(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "seefen")
    return f"'{path} --help' shows how it is written"


def _of_system(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else str(reason)
