"""Arguments: text in, checked value out, and a hint when it is not what it should be."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from seefen.client import photos, wording
from seefen.client.audit.viewing import ALL
from seefen.client.cli.answers import choose
from seefen.client.cli.paint import safe
from seefen.client.drafts import Attach
from seefen.protocol.messages import TABLES

ROLES: Final = {
    "field": "raises and opens alerts, works on cases assigned to it",
    "keyholder": "holds the node's case mailbox and assigns cases",
    "lead": "opens cases and changes their members",
    "admin": "admits and revokes devices of the node",
    "auditor": "sees who opened what, never what was in it",
}
HANDLING: Final = ("H0", "H1", "H2", "H3")
INDEX: Final = 2**53  # of an entry: no log is as long, and a vault cannot ask for more
LOSSES: Final = ("lost", "compromised", "left", "replaced")

_CASE = r"[A-Za-z0-9][A-Za-z0-9-]{1,59}"
_REFERENCE: Final = re.compile(rf"({_CASE})#([1-9][0-9]{{0,14}})", re.ASCII)
_NAME: Final = re.compile(_CASE, re.ASCII)
_NODE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_NODE_LENGTH: Final = range(3, 41)
_SERIAL_LENGTH: Final = 80
_DEVICE: Final = re.compile(r"o-[0-9a-f]{4,8}|[0-9a-f]{4,32}", re.ASCII)
_LASTING: Final = re.compile(r"([0-9]{1,4}) ?([hd])", re.ASCII)
_LONGEST: Final = 366 * 86_400  # seconds

T = TypeVar("T")


class UsageError(typer.BadParameter):
    """An argument is not what the command takes; ``hint`` says what is."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def format_message(self) -> str:
        """Return the sentence alone: it names what is wrong by itself."""
        return self.message


@dataclass(frozen=True, slots=True)
class Reference:
    """An object: its case or channel, and its number in there."""

    case: str
    number: int

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.case}#{self.number}"


def reference(text: str) -> Reference:
    """Return the reference that ``CASE#n`` means."""
    found = _REFERENCE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"{_quoted(text)} is not a reference to a message or file",
            "write CASE#number, for example SF-2026-SKP-00418#3; "
            "'seefen alert list' and 'seefen case show CASE' print them",
        )
    return Reference(_spelled(found[1]), int(found[2]))


def case_name(text: str) -> str:
    """Return a case number or the name of a channel as it is spelled."""
    name = text.strip()
    if "#" in name:
        raise UsageError(
            f"{_quoted(text)} names one message, and a whole case or channel is needed",
            f"leave out what stands after the case: {safe(name.partition('#')[0])}",
        )
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{_quoted(text)} is neither a case number nor the name of a channel",
            "a case is written SF-2026-SKP-00418, a channel seefen-border",
        )
    return _spelled(name)


def _spelled(name: str) -> str:
    """Return a case number in capitals, a channel in small letters."""
    return name.upper() if name.upper().startswith("SF-") else name.lower()


def node_name(text: str) -> str:
    """Return the name of a node."""
    name = text.strip()
    if _NODE.fullmatch(name) is None or len(name) not in _NODE_LENGTH:
        raise UsageError(
            f"{_quoted(text)} is not the name of a node",
            "a node is named by city and agency in small letters: belgrade-ffp, skopje-border",
        )
    return name


def day_start(text: str) -> datetime:
    """Return the moment that a day or a time means: in UTC, as the months of a statement are."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(
            f"'{safe(text)}' is no day",
            "write 2026-03-14 or 2026-03-14T18:00 (UTC), or 2026-03-14T18:00+01:00",
        ) from None


def day_end(text: str) -> datetime:
    """Return the first moment behind a day, or a time as it stands."""
    found = day_start(text)
    whole = len(text.strip()) == len("2026-03-14") and found < wording.LAST
    return found + timedelta(days=1) if whole else found


def view_of(text: str) -> str:
    """Return whose entries are looked at under a view: a node, or ``all``."""
    return ALL if text.strip() == ALL else node_name(text)


def device_at(text: str) -> str:
    """Return the device of another node: ``NODE/OFFICER``, or the start of its id."""
    node, slash, device = text.strip().partition("/")
    if not slash or _DEVICE.fullmatch(device) is None:
        raise UsageError(
            f"{_quoted(text)} is no device of a node",
            "NODE/DEVICE, by officer or the start of its id: oversight-board/o-2b9f",
        )
    return f"{node_name(node)}/{device}"


def serial(text: str) -> str:
    """Return a serial number as it was read."""
    if not text.strip() or len(text) > _SERIAL_LENGTH:
        raise UsageError(
            f"a serial number has 1 to {_SERIAL_LENGTH} characters",
            "write it as read; ? stands for a character nobody can read, * for several",
        )
    return text.strip()


def role(text: str) -> str:
    """Return a role of a device."""
    return _one_of(text.strip().lower(), tuple(ROLES), "role")


def handling(text: str) -> str:
    """Return a handling code."""
    return _one_of(text.strip().upper(), HANDLING, "handling code")


def lasting(text: str) -> int:
    """Return the seconds that ``72h`` or ``3d`` mean."""
    found = _LASTING.fullmatch(text.strip().lower())
    seconds = int(found[1]) * (3600 if found[2] == "h" else 86_400) if found else 0
    if not 0 < seconds <= _LONGEST:
        raise UsageError(
            f"{_quoted(text)} is no length of time", "hours or days from now: 72h, 3d; at most 366d"
        )
    return seconds


def loss(text: str) -> str:
    """Return why a device is revoked."""
    return _one_of(text.strip().lower(), LOSSES, "reason")


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise UsageError(f"{_quoted(value)} is not a {what}", f"one of: {', '.join(known)}")
    return value


def existing_file(text: str) -> Path:
    """Return the path of a file that can be read."""
    path = Path(text).expanduser()
    if path.is_dir():
        raise UsageError(f"{_quoted(text)} is a folder, and one file is needed", "name the file")
    if not path.exists():
        raise UsageError(f"there is no file {_quoted(text)}", f"looked in {safe(str(Path.cwd()))}")
    if not path.is_file():
        raise UsageError(f"{_quoted(text)} is not a file", "copy it into a file first")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{_quoted(text)} cannot be read: {reason}", "check its rights") from None
    return path


def folder(text: str) -> Path:
    """Return the path of a folder, which need not exist yet."""
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise UsageError(f"{_quoted(text)} is a file, and a folder is needed", "name a folder")
    return path


def new_file(text: str) -> Path:
    """Return the path of a file that does not exist yet, in a folder that does."""
    path = Path(text).expanduser()
    if path.exists():
        raise UsageError(f"{_quoted(text)} exists already", "name another file, or move it away")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {_quoted(str(path.parent))}", "make it first")
    return path


def code_of(table: str) -> Callable[[str], str]:
    """Return what turns a code of a table, or its words, into the code."""

    def parse(text: str) -> str:
        code = choose(TABLES[table], text)
        if not code:
            raise UsageError(
                f"{_quoted(text)} is none of these", f"one of: {', '.join(TABLES[table])}"
            )
        return code

    return parse


def photograph(text: str) -> Attach:
    """Return a photograph and what it shows: ``wheel.jpg``, ``serial=close.jpg``."""
    word, mark, name = text.partition("=")
    if not mark or Path(text).expanduser().exists():
        return Attach(_picture(text))
    roles = [code for code in TABLES["file_role"] if word and code.startswith(word)]
    if not roles:
        raise UsageError(
            f"{_quoted(word)} is nothing that a photograph shows",
            f"one of: {', '.join(TABLES['file_role'])}; their beginning does",
        )
    return Attach(_picture(name), roles[0])


def _picture(text: str) -> Path:
    """Return the path of a picture: who waits for one is sent no empty file and no letter."""
    path = existing_file(text)
    with path.open("rb") as file:
        head = file.read(photos.HEAD)
    if not photos.kind_of(head):
        what = "is no picture" if head else "is empty"
        raise UsageError(f"{_quoted(text)} {what}", "other files: seefen case send CASE --file")
    return path


def distinct(values: list[T] | None, what: str, *, least: int = 0) -> tuple[T, ...]:
    """Return what was given several times, each once."""
    kept = tuple(dict.fromkeys(values or ()))
    if len(kept) != len(values or ()):
        raise UsageError(f"the same {what} is named twice", "name each once")
    if len(kept) < least:
        raise UsageError(f"at least {least} {what} is needed", "'--help' shows an example")
    return kept


def _quoted(text: str) -> str:
    return f"'{safe(text)}'"


Ref = Annotated[
    Reference,
    typer.Argument(parser=reference, metavar="REF", help="Message or file: CASE#number."),
]
Matters = Annotated[
    int | None,
    typer.Option(
        "--until",
        parser=lasting,
        metavar="72h",
        help="How long it matters, from now: then nobody is asked any more [always].",
    ),
]
Original = Annotated[
    bool,
    typer.Option(
        "--original", help="Photographs as they are, with place and device they were taken with."
    ),
]
CaseName = Annotated[
    str, typer.Argument(parser=case_name, metavar="CASE", help="Case number or channel name.")
]
NodeName = Annotated[str, typer.Argument(parser=node_name, metavar="NODE", help="Name of a node.")]
NodeNames = Annotated[
    list[str], typer.Argument(parser=node_name, metavar="NODE...", help="Names of nodes.")
]

Of = Annotated[
    str | None,
    typer.Option(
        "--of", parser=view_of, metavar="NODE", help="Another node's, or all; where you are let."
    ),
]
