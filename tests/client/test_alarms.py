"""Alarms: kept, and none in place of another."""

from seefen.client import alarms
from seefen.client.vault import Vault


def test_the_same_one_is_kept_once() -> None:
    vault = Vault.in_memory()
    assert alarms.kept(vault) == ()
    for sentence in ("a", "b", "a"):
        alarms.keep(vault, sentence)
    assert [one.sentence for one in alarms.kept(vault)] == ["b", "a"]
    assert all(one.at for one in alarms.kept(vault)), "each has its date"


def test_attack_a_member_floods_to_hide_what_the_broker_did() -> None:
    vault = Vault.in_memory()
    alarms.keep(vault, "the log was rewound")
    for n in range(3 * alarms.HALF):
        alarms.keep(vault, f"house#{n} does not open")
    assert alarms.kept(vault)[0].sentence == "the log was rewound"
    assert len(alarms.kept(vault)) <= 2 * alarms.HALF


def test_one_that_is_acknowledged_stays_and_is_open_again_when_it_happens_again() -> None:
    vault = Vault.in_memory()
    for sentence in ("the log was rewound", "another"):
        alarms.keep(vault, sentence)
    first, other = alarms.kept(vault)
    alarms.acknowledge(vault, first.name, 1_795_718_626, "the backup was old", 140)
    answered, same = alarms.kept(vault)
    assert (answered.sentence, answered.at) == (first.sentence, first.at)
    assert (answered.acknowledged, answered.why, answered.entry) == (
        1_795_718_626, "the backup was old", 140,
    )  # fmt: skip
    assert same == other
    assert alarms.unanswered(vault) == ("another",)
    alarms.keep(vault, first.sentence)
    assert alarms.unanswered(vault) == ("another", "the log was rewound")
