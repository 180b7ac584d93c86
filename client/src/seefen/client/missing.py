"""What a signed record names and the broker did not pass on with it: noted until it comes.

The record itself was taken in. A cursor that stayed before it would hold up all that is honest.
"""

from typing import Final, Literal

from msgspec import Struct

from seefen.client.vault import Vault

Log = Literal["authority", "activity"]
_NAME: Final = "missing/{}/{:012d}"


class Missing(Struct, frozen=True, order=True):
    """Of which record something is missing, and how often it was asked for in vain."""

    tries: int
    log: Log
    index: int


def note(vault: Vault, log: Log, index: int) -> bool:
    """Note that something of a record is missing; return False if that was known."""
    name = _NAME.format(log, index)
    if vault.get(name) is not None:
        return False
    vault.put_number(name, 0)
    return True


def tried(vault: Vault, one: Missing) -> None:
    """Note that it was asked for once more, and did not come."""
    vault.put_number(_NAME.format(one.log, one.index), one.tries + 1)


def drop(vault: Vault, log: Log, index: int) -> None:
    """Forget it: it came, or is not wanted any more."""
    vault.run("DELETE FROM setting WHERE name = ?", _NAME.format(log, index))


def waiting(vault: Vault) -> list[Missing]:
    """Return what is missing, what was asked for least often first."""
    found: list[Missing] = []
    for (name,) in vault.run("SELECT name FROM setting WHERE name GLOB 'missing/*'"):
        _, log, index = name.split("/")
        found.append(Missing(vault.get_number(name), log, int(index)))
    return sorted(found)


def hides_key(vault: Vault, case: bytes) -> bool:
    """Tell whether a key that would open a case may be among what is missing."""
    return (
        vault.one(
            "SELECT 1 FROM setting WHERE name GLOB 'missing/authority/*' UNION ALL"
            " SELECT 1 FROM entry JOIN setting ON name = printf('missing/activity/%012d', idx)"
            " WHERE case_id = ? AND kind IN ('casekey', 'assign') LIMIT 1",
            case,
        )
        is not None
    )
