"""Alarms: kept, and none in place of another."""

from seefen.client import alarms
from seefen.client.vault import Vault


def test_the_same_one_is_kept_once() -> None:
    vault = Vault.in_memory()
    assert alarms.kept(vault) == ()
    for sentence in ("a", "b", "a"):
        alarms.keep(vault, sentence)
    assert alarms.kept(vault) == ("b", "a")


def test_attack_a_member_floods_to_hide_what_the_broker_did() -> None:
    vault = Vault.in_memory()
    alarms.keep(vault, "the log was rewound")
    for n in range(3 * alarms.HALF):
        alarms.keep(vault, f"house#{n} does not open")
    assert alarms.kept(vault)[0] == "the log was rewound"
    assert len(alarms.kept(vault)) <= 2 * alarms.HALF
