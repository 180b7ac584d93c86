"""What went wrong, in a sentence, and what to do next.

The sentence comes from where it happened; the advice is here, by the name of the rule.
"""

import re
from dataclasses import dataclass
from typing import Final

from typer import Abort, TyperException

from seefen.client.cli.arguments import UsageError
from seefen.client.connection import UnreachableError
from seefen.protocol.errors import MalformedError, OutOfTurnError, SeefenError, UntrustedError

REFUSED: Final = 1
USAGE: Final = 2
QUEUED: Final = 3
STOPPED: Final = 130

# By rule: the short names that errors carry (docs/spec/statements.md, docs/spec/api.md).
_LOG: Final = "keep this device as it is and tell your auditor: the log was changed"
_AGAIN: Final = "somebody else was faster: run the command again"
_PHONE: Final = "do not admit it: telephone the number on your own paper, not the one they gave"
_INVITE: Final = "an invite opens once and for 48 hours: ask for a new one"
_TRUST: Final = "do not go on: somebody may stand before the broker; tell your administrator"
_HINTS: Final = {
    "a-stale-log": "check the connection with 'seefen status', and this machine's clock",
    "a-unwitnessed": "'seefen status' shows since when; what waits leaves by itself once seen",
    "a-clock": "set it, then run the command again",
    "admins": "name one admin's key enough for your node, or ask for this to be built",
    "audit-away": "run it again when it is back; 'seefen audit list' has what was checked before",
    "audit-file": "it is as 'seefen audit' wrote it, or of no use: let it be made and sent anew",
    "audit-filter": "'seefen audit list --help' shows what can be asked for",
    "acknowledged": "somebody of your node was faster; 'seefen due' shows who took it",
    "answered": "nothing to do; another answer replaces it; 'seefen due' shows what is open",
    "assigned": "'seefen case show CASE' opens it",
    "aware": "--aware 2026-03-14T18:00, local time: when you became aware, and not later than now",
    "broker": "this was NOT done and is not queued: run it again, or use the telephone",
    "broker-card": "'seefen-server init' writes broker.json into its data folder",
    "case-number": "'seefen channel list' and 'seefen case list' show which names are taken",
    "checkpoint": _LOG,
    "classified": "nothing was sent, and the words are not kept here",
    "closed": "'seefen action-day show REF' shows its report",
    "closed-group": "seefen case open --title TEXT --member NODE, with these nodes alone",
    "conditions": "read them; then --accept opens it under them",
    "corrected": "what is right: seefen alert replace REF --form FILE.json",
    "confirmed": "a newer version: seefen alert replace REF --form FILE.json",
    "consistency": _LOG,
    "d-renew": "a keyholder of any member writes in the case first, then yours assigns it anew",
    "d-no-key": "a keyholder assigns it (seefen case assign); at once: case break-glass CASE",
    "decision-unread": "seefen case show REF; then forward it again, if that lets it go",
    "cut-off": "a colleague looks whether it is there: seefen device list; by telephone if not",
    "evidence": "it is JSON as a device keeps it in its folder 'evidence'; nothing was concluded",
    "expired": "a certificate has run out: ask your node's administrator for a new invite",
    "file": "check the path, its rights and the room on its disk; -o names another place",
    "file-name": "nothing was sent: rename the file, or copy it under a shorter name",
    "folder": "name a new folder with -o",
    "fork": _LOG,
    "free": "seefen case forward REF CASE",
    "for-another": "seefen watch take-over --instead takes it in his place: both are told",
    "form": "'seefen schema' lists the forms, 'seefen schema NAME' the fields of one",
    "has-left": "seefen recall REF takes it back, seefen correct REF puts it right",
    "half": "that name was bent: its admin takes a copy from before, or writes it with --is --anew",
    "half-given": "the keyholder gives his half again, of that file: seefen audit name ... -o FILE",
    "hidden-character": "nothing was sent: type that text anew; a file: rename it",
    "hour": "--hour 14, or a time with its offset; 'seefen action-day show REF' says from when",
    "invite": _INVITE,
    "is-a-request": "seefen request ask CASE --form FILE.json",
    "is-a-file": "seefen file get REF -o FOLDER",
    "joined": "'seefen status' shows who it is; --home for a second one on this machine",
    "kind": "a node: --root-key; a device: its node's administrator",
    "lease": "connect to the broker once: 'seefen status'",
    "login": "check the clock of this machine; if it is right, ask your administrator",
    "disk": "'df -h' shows how full it is; then the same command again",
    "dropped": "'seefen queue list' shows what waits",
    "done": "--again does it once more",
    "erased": "nothing to do; 'seefen request show' of the recall shows who has confirmed",
    "not-said": "'seefen case show REF' shows what it says",
    "past": "--until YYYY-MM-DD, in the future",
    "fetched": "or --keep WHY: it stays, closed, as evidence",
    "unread": "seefen case show REF; its entry says why",
    "keeper": "the passphrase opens as ever; 'seefen lock', then 'seefen unlock' begins anew",
    "long": "one or two words of it do",
    "last-holder": "let another keyholder in first: seefen officer add --role keyholder",
    "mark": "letters and digits as read; ? for a character nobody can read, * for several",
    "members": "'seefen case show CASE' lists the members",
    "month": "by UTC, and one that has begun: 2026-03",
    "may-have-left": "'seefen queue list' when the line is back: it leaves once, or has; then "
    "'seefen recall REF'",
    "missing": "fill it in; docs/cli.md has an example",
    "no-entry": "'seefen audit list' shows the entries that your node may see, and their cases",
    "no-such-size": "--at takes the number of entries that the other node names, up to your newest",
    "no-alert": "'seefen alert list' lists them; a colleague's is opened first: "
    "seefen alert show REF",
    "name-known": "--anew writes over it: the old name is gone then, and your auditors are told",
    "no-action-day": "'seefen action-day list' lists them",
    "no-basis": "'seefen schema purpose', 'schema basis' and 'schema offence' list the codes",
    "no-channel": "a lead opens one: seefen channel open NAME NODE...",
    "no-device": "this machine has not joined yet: seefen join FILE, or --home for another folder",
    "no-draft": "answer it yourself: seefen request answer REF --form FILE.json",
    "no-update": "'seefen case show CASE' lists what came; open it first",
    "no-emergency": "'seefen due' shows which reason is due; seefen case break-glass CASE asks",
    "no-file": "seefen case show REF",
    "no-house": "'seefen device list' lists the devices of your node; in a hurry telephone them",
    "no-request": "they run 'seefen join FILE' first; --wait 60 waits for them",
    "no-flash": "seefen alert replace REF --form FILE.json, with urgency FLASH in it",
    "no-handover": "'seefen due' shows what is open",
    "no-mailbox": "an admin invites one: seefen officer add --role auditor (or keyholder)",
    "no-move": "'seefen request show REF' shows how it stands, and what can be done",
    "no-scope": "name the registers and the years they cover",
    "not-a-member": "ask the case's owner to add your node: seefen case add CASE NODE",
    "not-a-reader": "ask the case's owner to add your node, or a keyholder to assign it to you",
    "not-a-request": "'seefen request list' lists the requests, 'seefen case show CASE' all",
    "not-a-viewer": "the root names who sees all (seefen root auditor), a node whom it lets in "
    "(seefen guest add)",
    "not-an-admin": "'seefen device list' shows who is an admin of your node",
    "not-an-auditor": "'seefen audit list' for what you opened; leads and keyholders see who read "
    "a case of your node: 'seefen audit case CASE'",
    "not-asked": "'seefen request show REF' shows who was asked",
    "not-joined": "the same 'seefen join FILE' again goes on where it stopped",
    "not-next": _AGAIN,
    "not-nfc": "nothing was sent: type that text anew; a file: rename it",
    "not-urgent": "--days 14 --why paper_register: how many days, and why",
    "not-later": "'seefen request show REF' shows until when it is due",
    "not-opened": "open it first: seefen alert show REF, of anything else seefen case show REF",
    "not-recalled": "'seefen case show CASE' shows what was taken back",
    "not-yours": "ask its author for it: seefen case send CASE --text '...'",
    "number": "if it stays, this vault may have been copied: tell your administrator",
    "old-authority": _AGAIN,
    "on-its-way": "it may be done already, and goes on by itself: 'seefen status', then look",
    "onward-permission": "ask its author: seefen case forward REF CASE --ask 'what for'; "
    "if he has decided, open that first: seefen case show REF",
    "origin": "use seefen itself, not a browser",
    "other-search": "nothing was answered from that file: make it again, and hand over the new one",
    "other-bytes": "nothing of it was taken: 'seefen case show CASE' shows what stands there; if "
    "this vault was copied to another machine, tell your administrator before you send more",
    "other-invite": "the same command again writes another one",
    "other-request": "somebody else may have used the file: tell who gave it to you, and ask for a "
    "new one",
    "other-size": "nothing of it was sent: seefen case send CASE --file FILE sends it anew",
    "outsider": 'or leave the node out of "to" in the form',
    "own-case": "name the case that it is to go into",
    "own-guest": "on that device: seefen audit; the other node's guests are let in by its admin",
    "own": "the other nodes answer it; 'seefen alert reach REF' shows how far it got",
    "pair-persons": "ask your lead, or send without persons",
    "pair-policy": "every member reads it: send it in a channel or case without that node "
    "('seefen channel list'; a lead opens one); a correction goes with --no-words. "
    "'seefen house show pair-policy' is the table",
    "passed-on": "it stands in 'seefen due'; --passed-to WHOM tells its author where it went",
    "paper-unread": "'seefen status' fetches it; what waits leaves by itself if it still may",
    "paper": "an admin of your node: seefen house lay FILE.json",
    "parts-missing": "the file is still under way: the same command again goes on with it",
    "persons-in-channel": "nothing was sent; a name goes to named nodes in a case",
    "photo": "nothing was sent",
    "alone": "'seefen queue drop ID' lets it go; 'seefen queue list' prints the ID",
    "left-out": "send that file after it: seefen case send CASE --file FILE, under another name",
    "passphrase": "check the keyboard's language and Caps Lock, then try again",
    "pin": _TRUST,
    "purpose-needed": "add --purpose trace --basis pcc-see (or yours); it holds for your shift",
    "quorum": "give more of the root keys: --root-key FILE, once for each",
    "recalled": "'seefen request show' of the recall shows who has confirmed",
    "replaced": "'seefen case show CASE' shows the newest version",
    "request": _PHONE,
    "revoked": "hand it to your node's administrator; you join again with a new invite",
    "rewind": _LOG,
    "rings": "'seefen alert reach REF' shows who has it",
    "role": "a device with another role must do this: 'seefen device list' shows who",
    "roles": "ask your administrator for an invite with that role",
    "root-changed-since": "run the same command again, and look what it would change now",
    "view-period": "--from DAY --until DAY, the later one last, as 2026-03-31",
    "root-same": "'seefen root show' shows it",
    "root-unsigned": "'seefen root show' shows what is in force",
    "root-key": "take the keys that 'seefen found' made for this network",
    "roster": "'seefen device list' and 'seefen nodes' show who there is",
    "short": "parts of words do: seefen search passa",
    "sample-waits": "'seefen audit sample' with that number draws it when the log is so long; a "
    "new one then",
    "no-readings": "another month, or none: then it is drawn from all that your node may see",
    "other-person": "let the keyholder look again, for whom you answer, and hand over that file",
    "person-name": "the name as the person writes it, and again in each other way he writes it",
    "second-officer": "any other officer of your node, on any device of his",
    "stays": "what has left is corrected, or a note says what follows; what waits must leave",
    "stale-mailbox": "'seefen device list' shows who has which role",
    "stale-generation": "the members' keys changed: run the command again",
    "suspended": "the node was suspended by the network's root: ask its coordinator",
    "taken-back": "'seefen queue drop ID' lets it go; if the recall is withdrawn, it leaves",
    "table": "docs/cli.md, at 'seefen items', lists the columns and what stands in them",
    "tls": _TRUST,
    "two-persons": "'seefen device list' shows who has which role",
    "unknown-waiting": "'seefen queue list' shows what waits, with the IDs",
    "unknown-alarm": "'seefen audit' names those that are open",
    "unknown-breach": "'seefen device list' shows officers and ids; it is not asked of a node",
    "unknown-case": "'seefen case list' and 'seefen channel list' show what this device knows",
    "unknown-code": "'seefen schema TABLE' lists the codes, 'seefen schema' the tables",
    "unknown-device": "'seefen device list' lists the devices of your node",
    "unknown-entry": "'seefen audit list --op all' lists them by number; under a view with --of",
    "unknown-node": "'seefen status' lists the nodes of the network",
    "unknown-officer": "'seefen device list' shows those of your node",
    "unknown-object": "'seefen case show CASE' lists what is in it, with the numbers",
    "vault-busy": "end the other seefen command or program first; a tail gives way by itself",
    "version": "'seefen codelist list' shows what your node adopted",
    "split-view": _LOG,
    "unwitnessed": "alerts go on; the case opens once the witnesses are back: tell your admin",
    "witness-card": "'seefen witness' writes it, on the machine that will run the witness",
    "witness-key": "seefen witness -o DIR makes one",
    "witnesses": "name each witness once, with its own card from 'seefen witness'",
    "words": _PHONE,
    "zone": "a city of the zone: Europe/Belgrade, Europe/Kyiv",
}

_RULE_D: Final = "(d) "  # of the protocol's own list of who may read: a letter that tells nobody
_KEPT: Final = re.compile(rf"(?:{re.escape(_RULE_D)})?(.*) \[([a-z0-9-]+)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as it is printed, and the exit code."""

    message: str
    hint: str
    code: int


class StoppedError(Exception):
    """Somebody pressed Ctrl-C, or left a question with ``q``."""


class EndedError(Exception):
    """A question was put, and what answers it has ended: Ctrl-D, an empty pipe."""


def kept_back(problem: str) -> Complaint:
    """Return what to print about what waits in the outbox, from the problem kept with it."""
    found = _KEPT.fullmatch(problem)
    message, rule = (problem, "") if found is None else (found[1], found[2])
    return Complaint(message, _HINTS.get(rule, ""), REFUSED)


def explain(error: BaseException) -> Complaint:
    """Return what to print about an error."""
    if isinstance(error, SeefenError):
        code = QUEUED if isinstance(error, UnreachableError) else REFUSED
        return Complaint(
            str(error).removeprefix(_RULE_D), _HINTS.get(error.rule) or _by_kind(error), code
        )
    if isinstance(error, UsageError):
        return Complaint(error.message, error.hint, USAGE)
    if isinstance(error, TyperException):
        return Complaint(error.format_message(), _help_for(error), error.exit_code)
    if isinstance(error, StoppedError | KeyboardInterrupt | Abort):
        return Complaint("stopped", "'seefen queue list' shows what waits to be sent", STOPPED)
    if isinstance(error, EOFError | EndedError):
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
