"""Passing on: the original is its author's, whole, and here by his leave, or it is not shown."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.messages import (
    ControlledDelivery,
    Forwarded,
    Message,
    Note,
    OnwardDecision,
    Presets,
    Proof,
    encode_cover,
    encode_message,
)
from seefen.protocol.objects import unwrap_content_key
from seefen.protocol.onward import Original, check_forwarded, grants, inside, recipients
from seefen.protocol.statements import Object
from seefen.protocol.suite import new_id
from tests.protocol.authority import apply, revoke
from tests.protocol.builder import forge
from tests.protocol.messages.samples import SAMPLES
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import message
from tests.support.network import AT, Machine

NOTE = Note(text="Twelve pistols.")
DAY = 86_400


def proof(story: Story, by: Machine, said: Message, **changes: Any) -> Proof:
    """Return an object of a machine as it would be embedded, with other fields in its header."""
    network = story.network
    body, cover = encode_message(said), encode_cover(said.cover())
    bundle = message(network, by, story.case, body, cover=cover)
    envelope, content = forge(bundle, by.sign, **changes), bundle.contents[0]
    obj = header(envelope)
    generation = network.keys[story.case, obj.gen]
    honest = header(bundle.statements[0].envelope)
    key = unwrap_content_key(honest, generation, content.key)
    return Proof(envelope=envelope, body=content.body, key=key)


def header(envelope: bytes) -> Object:
    statement = open_envelope(envelope, "object").statement
    assert isinstance(statement, Object)
    return statement


def decision(original: Proof, **changes: Any) -> OnwardDecision:
    of = header(original.envelope).object
    return replace(OnwardDecision(of=of, decision="permitted", recipient=THIRD), **changes)


class Passed(Story):
    """A note of Belgrade that Skopje passes on to Tirana, with Belgrade's permission."""

    def __init__(self) -> None:
        super().__init__()
        self.original = proof(self, self.away, NOTE)
        self.forwarded = Forwarded(
            original=self.original, permissions=(self.permission(),), handling="H2"
        )

    def permission(self, by: Machine | None = None, **changes: Any) -> Proof:
        return proof(self, by or self.away, decision(self.original, **changes))

    def checked(
        self, *, by: str = HOME, reader: str = THIRD, at: int = AT, **changes: Any
    ) -> Original:
        made = replace(self.forwarded, **changes)
        return check_forwarded(made, self.network.directory, by=by, reader=reader, at=at)


def rule(check: Callable[[], object]) -> str:
    with pytest.raises(SeefenError) as refused:
        check()
    return refused.value.rule


@pytest.fixture(scope="module")
def passed() -> Passed:
    return Passed()


def test_what_was_permitted_is_its_authors_word(passed: Passed) -> None:
    original = passed.checked()
    assert (original.node, original.device, original.handling) == (AWAY, passed.away.device, "H2")
    assert original.message == NOTE
    assert original.object == header(passed.original.envelope).object
    assert inside(passed.forwarded) == NOTE
    said = passed.permission(
        decision="conditions", conditions="Not in court.", recipient=f"x-y, {THIRD}"
    )
    assert passed.checked(permissions=(said,)).conditions == ("Not in court.",)


def test_where_no_permission_is_needed(passed: Passed) -> None:
    free = proof(passed, passed.away, replace(NOTE, handling="H0"), handling="H0")
    assert passed.checked(original=free, permissions=(), handling="H0").handling == "H0"
    assert passed.checked(permissions=(), by=AWAY).node == AWAY
    assert passed.checked(permissions=(), reader=AWAY).node == AWAY
    assert passed.checked(permissions=(), reader=HOME).node == AWAY


def test_attack_19_a_message_is_carried_into_another_case_without_leave(passed: Passed) -> None:
    permission = passed.permission
    for permissions in (
        (),
        (permission(recipient="sarajevo-lab"),),
        (permission(of=new_id()),),
        (permission(decision="refused", text="No."),),
        (permission(until="2026-08"),),
        (permission(passed.home),),  # the sender's own leave is nobody's
        (proof(passed, passed.away, NOTE),),
        (replace(permission(), key=bytes(32)),),
        (replace(permission(), body=passed.original.body),),
    ):
        assert rule(partial(passed.checked, permissions=permissions)) == "onward-permission"
    # H1 and H3 bind alike, and the stricter of header and body counts.
    lower = proof(passed, passed.away, NOTE, handling="H0")
    assert rule(lambda: passed.checked(original=lower, permissions=(), handling="H2")) == (
        "onward-permission"
    )
    assert rule(lambda: passed.checked(handling="H0")) == "handling"


def test_a_permission_holds_to_the_end_of_its_last_day(passed: Passed) -> None:
    said = decision(passed.original, until="2026-09-21")
    of, last = said.of, AT - AT % DAY + DAY - 1  # the 21st of September 2026
    assert grants(said, of, THIRD, last)
    assert not grants(said, of, THIRD, last + 1)
    assert grants(replace(said, until="2026-09"), of, THIRD, last + 1)
    assert recipients(replace(said, recipient="a-b, c-d")) == {"a-b", "c-d"}


def test_attack_19_what_is_passed_on_is_not_its_authors(passed: Passed) -> None:
    home, away = passed.home, passed.away
    other = proof(passed, away, Note(text="Thirteen."))
    for original, expected in (
        (proof(passed, home, NOTE, node=AWAY, device=away.device), "wrong-signers"),
        (proof(passed, home, NOTE, node=AWAY), "wrong-node"),
        (proof(passed, away, NOTE, device=new_id()), "unknown-device"),
        (proof(passed, away, NOTE, net=bytes(32)), "net"),
        (
            proof(
                passed,
                away,
                NOTE,
                authority=replace(passed.network.directory.head(), root=bytes(32)),
            ),
            "fork",
        ),
        (replace(passed.original, body=other.body), "body"),
        (proof(passed, away, NOTE, file=True), "onward-original"),
        (proof(passed, away, passed.forwarded), "onward-original"),
        (proof(passed, away, Presets()), "onward-original"),
        (proof(passed, away, delivery()), "closed-group"),
    ):
        assert rule(partial(passed.checked, original=original)) == expected


def delivery() -> Message:
    made = SAMPLES["ControlledDelivery"]
    assert isinstance(made, ControlledDelivery)
    return made


def test_attack_19_a_thief_dates_back_what_he_passes_on() -> None:
    for reason, expected in (("left", ""), ("lost", "revoked"), ("compromised", "revoked")):
        passed = Passed()
        admin = passed.network.of(AWAY)
        assert passed.checked().message == NOTE
        other = passed.add(AWAY, "keyholder")
        theirs = proof(passed, other, NOTE)
        permission = proof(passed, passed.away, decision(theirs))
        gone = revoke(passed.network, other, admin.sign, reason=reason)
        apply(passed.network, "revoke", gone)
        check = partial(passed.checked, original=theirs, permissions=(permission,))
        if expected:
            assert rule(check) == expected
        else:
            assert check().message == NOTE


def test_attack_19_a_device_that_is_out_of_date_signs_nothing_that_is_passed_on(
    passed: Passed,
) -> None:
    """Its place in the log is not embedded: by its own date it must have been in force."""
    certificate = passed.network.directory.device(passed.away.device)
    for created, expired in (
        (certificate.starts - 1, True),
        (certificate.starts, False),  # and then its date is not the one that was sealed
        (certificate.expires - 1, False),
        (certificate.expires, True),
    ):
        original = proof(passed, passed.away, NOTE, created_at=created)
        check = partial(passed.checked, original=original, permissions=(), reader=AWAY)
        assert (rule(check) == "expired") is expired
    honest = passed.checked(permissions=(), reader=AWAY)
    assert honest.created_at == header(passed.original.envelope).created_at
    assert honest.conditions == ()


def test_a_permission_that_is_worth_nothing_hides_no_other(passed: Passed) -> None:
    """Whoever passes a message on could else spoil the leave of its author by another before it."""
    good = passed.permission(decision="conditions", conditions="Not in court.")
    for worthless in (
        replace(passed.permission(), key=bytes(32)),
        passed.permission(passed.home),
        passed.permission(recipient="sarajevo-lab"),
    ):
        for permissions in ((worthless, good), (good, worthless)):
            assert passed.checked(permissions=permissions).conditions == ("Not in court.",)


def test_who_may_not_have_it_hears_why(passed: Passed) -> None:
    for permissions, said in (
        ((), f"{AWAY} has not let it go to {THIRD}"),
        ((replace(passed.permission(), key=bytes(32)),), "a permission is not to be believed: "),
    ):
        with pytest.raises(SeefenError, match=said):
            passed.checked(permissions=permissions)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_permission_ends_at_the_same_moment_wherever_its_reader_is(
    passed: Passed, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = decision(passed.original, until="2026-09-21")
    of, last = said.of, AT - AT % DAY + DAY - 1
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        try:
            assert [grants(said, of, THIRD, at) for at in (last, last + 1)] == [True, False]
        finally:
            patched.undo()
            time.tzset()
