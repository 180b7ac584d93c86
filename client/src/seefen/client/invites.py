"""Invite files: where the broker is, which network it serves, and a secret for once."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from seefen.client.connection import Address
from seefen.client.keyfile import replace_file
from seefen.protocol.errors import RefusedError

Hex: Final = r"\A[0-9a-f]+\Z"


class Invite(Struct, frozen=True, kw_only=True):
    """What stands in an invite file (JSON). ``roles`` only for an officer's device.

    Attributes:
        officer: The pseudonym, for a further device of an officer; a new one gets his own.
        agent: It is for the node's agent, a device without an officer.
    """

    v: Annotated[int, Meta(ge=1, le=1)]
    network: str
    net: Annotated[str, Meta(pattern=Hex, min_length=64, max_length=64)]
    broker: Annotated[str, Meta(pattern=r"\Ahttps://[A-Za-z0-9.\-\[\]:]+\Z")]
    ca: str
    pin: Annotated[str, Meta(pattern=Hex, min_length=64, max_length=64)]
    kind: Annotated[str, Meta(pattern=r"\A(node|device)\Z")]
    node: str
    id: Annotated[str, Meta(pattern=Hex, min_length=32, max_length=32)]
    secret: Annotated[str, Meta(pattern=Hex, min_length=64, max_length=64)]
    expires: int
    roles: tuple[str, ...] = ()
    officer: Annotated[str, Meta(pattern=r"\A(o-[0-9a-f]{4,8})?\Z")] = ""
    agent: bool = False

    @property
    def address(self) -> Address:
        """Where to connect."""
        return Address(self.broker, self.ca)

    @property
    def credential(self) -> str:
        """What goes into the Authorization header."""
        return f"{self.id}.{self.secret}"


def read_invite(path: Path) -> Invite:
    """Return the invite in a file.

    Raises:
        RefusedError: rule ``invite``: not there, or not an invite.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Invite)
    except OSError as err:
        raise RefusedError(f"{path} cannot be read: {err.strerror}", rule="invite") from None
    except (ValueError, RecursionError) as err:  # of msgspec, or bytes that are no text
        raise RefusedError(f"{path} is not an invite: {err}", rule="invite") from None


def write_invite(path: Path, invite: Invite) -> None:
    """Write an invite file that only its owner may read: who has it, may ask to join."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(invite)))
