"""Names in two halves: the worked example, and whatever does not belong together."""

import pytest
from msgspec.structs import replace

from seefen.protocol import naming
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import signing_message
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.naming import (
    LENGTH,
    NAME_LIMIT,
    SignedName,
    check_name,
    hand_over,
    join,
    name_in,
    open_half,
    seal_name,
    take_over,
)
from seefen.protocol.statements import Mailbox, decode_statement
from seefen.protocol.suite import SigningKey
from tests.support.specs import spec
from tests.support.vectors import own

VECTOR = own("objects/names.json")


def _hex(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def _box(name: str) -> Mailbox:
    made = decode_statement(_hex(name), "mailbox")
    assert isinstance(made, Mailbox)
    return made


AUDIT, CASE, KEY = (
    _box("audit_mailbox"),
    _box("case_mailbox"),
    SigningKey.from_secret(_hex("secret")),
)
SIGNED = SignedName(_hex("payload"), _hex("signature"))
ENTRY = name_in(SIGNED)


def _sealed(name: str) -> SignedName:
    return seal_name(name, "o-4f2a", (AUDIT, CASE), device=ENTRY.device, key=KEY, at=1)


def test_the_worked_example_is_the_vector() -> None:
    check_name(SIGNED, AUDIT.net, KEY.public)
    one = open_half(ENTRY, AUDIT, _hex("audit_seed"))
    two = open_half(ENTRY, CASE, _hex("case_seed"))
    assert (one, two) == (_hex("half_audit"), _hex("half_case"))
    assert join(one, two) == VECTOR["name"]
    assert [naming._info(box, "o-4f2a") for box in (AUDIT, CASE)] == [
        _hex("info_audit"), _hex("info_case"),
    ]  # fmt: skip
    for name in ("half_case", "info_audit", "info_case", "signature"):
        assert VECTOR[name] in spec("access.md")


@pytest.mark.parametrize("name", ["x", "Љубица", "n" * NAME_LIMIT])
def test_each_name_comes_back_and_all_are_as_long(name: str) -> None:
    entry = name_in(_sealed(name))
    halves = [
        open_half(entry, AUDIT, _hex("audit_seed")),
        open_half(entry, CASE, _hex("case_seed")),
    ]
    assert [len(half) for half in halves] == [LENGTH, LENGTH]
    assert join(*halves) == name
    assert len(encode(entry)) == len(encode(name_in(_sealed("y"))))


@pytest.mark.parametrize("name", ["", "  ", "n" * (NAME_LIMIT + 1)])
def test_no_name_and_one_too_long_are_refused(name: str) -> None:
    with pytest.raises(RefusedError):
        _sealed(name)


def test_attack_a_half_opens_for_its_mailbox_and_its_pseudonym_alone() -> None:
    audit, case = _hex("audit_seed"), _hex("case_seed")
    for entry, box, seed in (
        (ENTRY, AUDIT, case),
        (ENTRY, CASE, audit),
        (replace(ENTRY, officer="o-4f2b"), AUDIT, audit),
        (replace(ENTRY, audit=ENTRY.case), AUDIT, audit),
        (replace(ENTRY, audit_gen=ENTRY.audit_gen + 1), AUDIT, audit),
        (replace(ENTRY, node="belgrade-ffp"), AUDIT, audit),
        (ENTRY, replace(AUDIT, box="alert"), audit),
    ):
        with pytest.raises(UntrustedError):
            open_half(entry, box, seed)


def test_attack_a_name_that_no_admin_signed_is_refused() -> None:
    other = SigningKey.generate()
    bad = SignedName(encode(replace(ENTRY, officer="o-4f2b")), SIGNED.signature)
    for signed, net, public in (
        (SIGNED, AUDIT.net, other.public),
        (SIGNED, bytes(32), KEY.public),
        (bad, AUDIT.net, KEY.public),
    ):
        with pytest.raises(SeefenError):
            check_name(signed, net, public)


def test_what_is_handed_over_is_about_one_thing_alone() -> None:
    seed = _hex("audit_seed")
    sealed = hand_over(b"half", b"about", AUDIT)
    assert take_over(sealed, b"about", AUDIT, seed) == b"half"
    for about, data in ((b"other", sealed), (b"about", sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(UntrustedError):
            take_over(data, about, AUDIT, seed)


def test_halves_that_do_not_belong_together_are_no_name() -> None:
    one, two = _hex("half_audit"), _hex("half_case")
    for first, second in ((one, one), (one, bytes(LENGTH)), (one[:-1], two[:-1]), (b"", b"")):
        with pytest.raises(UntrustedError) as caught:
            join(first, second)
        assert caught.value.rule == "half"


def test_an_entry_says_whose_it_is_since_when_and_who_vouches() -> None:
    signed = seal_name("  Ana  ", "o-4f2a", (AUDIT, CASE), device=b"d" * 16, key=KEY, at=7)
    check_name(signed, AUDIT.net, KEY.public)
    entry = name_in(signed)
    assert (entry.net, entry.node, entry.officer) == (AUDIT.net, AUDIT.node, "o-4f2a")
    assert (entry.device, entry.made_at) == (b"d" * 16, 7)
    assert (entry.audit_gen, entry.case_gen) == (AUDIT.version, CASE.version)
    halves = (
        open_half(entry, AUDIT, _hex("audit_seed")),
        open_half(entry, CASE, _hex("case_seed")),
    )
    assert join(*halves) == "Ana"


@pytest.mark.parametrize(("letters", "passes"), [(120, True), (121, False)])
def test_a_name_is_measured_in_bytes(letters: int, passes: bool) -> None:
    name = "ш" * letters
    if passes:
        assert name_in(_sealed(name))
        return
    with pytest.raises(RefusedError) as caught:
        _sealed(name)
    assert caught.value.rule == "person-name"


def test_attack_a_name_of_another_network_counts_nowhere_whoever_signed_it_here() -> None:
    payload = encode(replace(ENTRY, net=bytes(32)))
    signature = KEY.sign(signing_message("name", AUDIT.net, payload), power=False)
    with pytest.raises(UntrustedError) as caught:
        check_name(SignedName(payload, signature), AUDIT.net, KEY.public)
    assert caught.value.rule == "net"


def test_attack_a_half_of_an_earlier_mailbox_is_asked_for_by_its_own_number() -> None:
    """Else a holder of the newest box would open, or fail, by whatever the entry claims."""
    later = replace(AUDIT, version=AUDIT.version + 1)
    for box in (later, replace(AUDIT, node="belgrade-ffp"), replace(AUDIT, box="alert")):
        with pytest.raises(UntrustedError) as caught:
            open_half(ENTRY, box, _hex("audit_seed"))
        assert caught.value.rule == "half"


def _plain(text: bytes, length: int) -> bytes:
    return text.ljust(LENGTH - 1, b"\0") + bytes([length])


@pytest.mark.parametrize(
    "plain",
    [
        _plain(b"Ana", 0),
        _plain(b"Ana", 2),
        _plain(b"n" * (NAME_LIMIT + 1), NAME_LIMIT + 1),
        _plain(b"Ana" + bytes(200) + b"x", 3),
        _plain(b"Ana".ljust(LENGTH - 1, b"\0")[:-1] + b"x", 3),
        _plain(b"\xff\xfe", 2),
        _plain(b"Ana", 255),
    ],
    ids=["none", "cut", "too long", "more behind it", "at the end", "no text", "all of it"],
)
def test_attack_two_halves_that_make_no_name_are_shown_as_none(plain: bytes) -> None:
    """Each of the two could send the other whatever he likes: it must not become a name."""
    with pytest.raises(UntrustedError) as caught:
        join(bytes(LENGTH), plain)
    assert caught.value.rule == "half"


def test_halves_of_another_length_are_none() -> None:
    assert join(bytes(LENGTH), _plain(b"n" * NAME_LIMIT, NAME_LIMIT)) == "n" * NAME_LIMIT
    short = b"Ana" + bytes(LENGTH - 5) + bytes([3])
    for one, two in ((bytes(LENGTH - 1), short), (bytes(LENGTH + 1), b"\0" + short + b"\3")):
        with pytest.raises(UntrustedError) as caught:
            join(one, two)
        assert caught.value.rule == "half"
