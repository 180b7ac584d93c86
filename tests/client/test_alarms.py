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
    alarms.acknowledge(vault, first, 1_795_718_626, "the backup was old", 140)
    answered, same = alarms.kept(vault)
    assert (answered.sentence, answered.at) == (first.sentence, first.at)
    assert (answered.acknowledged, answered.why, answered.entry) == (
        1_795_718_626, "the backup was old", 140,
    )  # fmt: skip
    assert same == other
    assert alarms.unanswered(vault) == ("another",)
    alarms.keep(vault, first.sentence)
    assert alarms.unanswered(vault) == ("another", "the log was rewound")


def test_attack_one_that_is_raised_while_it_is_acknowledged_is_open() -> None:
    """The broker is told of the words, and answers with what it did before."""
    vault = Vault.in_memory()
    alarms.keep(vault, "the log was rewound")
    known = alarms.acknowledge(vault, alarms.kept(vault)[0], 7, "the backup was old", None)
    alarms.keep(vault, "the log was rewound")
    alarms.acknowledge(vault, known, 7, "the backup was old", 140)
    assert alarms.unanswered(vault) == ("the log was rewound",)


def test_attack_what_a_flood_pushes_out_stands_against_the_verdict() -> None:
    """The first ones are all acknowledged: what comes between them and the last would be gone."""
    vault = Vault.in_memory()
    for n in range(alarms.HALF):
        alarms.keep(vault, f"house#{n} does not open")
        alarms.acknowledge(vault, alarms.kept(vault)[-1], 1, "the author was told", n)
    assert alarms.unanswered(vault) == ()
    alarms.keep(vault, "the log was rewound")
    for flood in ("first", "second"):
        for n in range(alarms.HALF):
            alarms.keep(vault, f"the {flood} flood: house#{n} does not open")
        assert "the log was rewound" not in alarms.unanswered(vault)
        assert alarms.LOST in alarms.unanswered(vault)
        (lost,) = (one for one in alarms.kept(vault) if one.sentence == alarms.LOST)
        alarms.acknowledge(vault, lost, 1, "the agent has all of them", None)
    assert len(alarms.kept(vault)) == 2 * alarms.HALF


def test_attack_a_sentence_that_a_broker_chose_breaks_no_vault() -> None:
    vault = Vault.in_memory()
    for n in range(2 * alarms.HALF):
        alarms.keep(vault, f"{n} e\u0301 " + "\u20ac" * 100_000)
    assert len(alarms.kept(vault)) == 2 * alarms.HALF
    assert alarms.kept(vault)[0].sentence.startswith("0 \u00e9 ")
