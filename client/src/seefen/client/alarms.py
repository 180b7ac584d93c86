"""Alarms: what an officer is told until the vault is gone, none of them in place of another."""

from typing import Final

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode

HALF: Final = 50  # of the first and of the last that are kept: a member who floods hides neither
_NAME: Final = "alarm"


def keep(vault: Vault, sentence: str) -> None:
    """Keep an alarm; the same one is kept once, as the newest."""
    found = [one for one in kept(vault) if one != sentence] + [sentence]
    if len(found) > 2 * HALF:
        found = found[:HALF] + found[-HALF:]
    vault.put(_NAME, encode(found))


def kept(vault: Vault) -> tuple[str, ...]:
    """Return all alarms, the newest last."""
    value = vault.get(_NAME)
    return () if value is None else decode(value, tuple[str, ...])
