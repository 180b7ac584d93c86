"""Reasons: fixed once given, guessed by nobody, read by the auditors."""

import pytest
from msgspec.structs import replace

from seefen.protocol import access
from seefen.protocol.access import (
    REASON_LIMIT,
    Reason,
    commit_reason,
    open_committed,
    open_reason,
    require_auditors,
    seal_reason,
)
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.padding import pad
from seefen.protocol.statements import Access, Mailbox, SealedReason, decode_statement
from seefen.protocol.suite import KemKey, commit, new_id, random_bytes, wrap
from tests.protocol.builder import flips, refused
from tests.support.network import Network
from tests.support.specs import spec
from tests.support.vectors import own

VECTOR = own("objects/access.json")


def _hex(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def _statements() -> tuple[Access, Mailbox]:
    given = decode_statement(_hex("access"), "access")
    mailbox = decode_statement(_hex("mailbox"), "mailbox")
    assert isinstance(given, Access)
    assert isinstance(mailbox, Mailbox)
    return given, mailbox


ACCESS, MAILBOX = _statements()
SEED = _hex("seed")


def _given(text: str) -> Access:
    reason = commit_reason(text)
    sealed = seal_reason(reason, case=ACCESS.case, device=ACCESS.device, audits=[MAILBOX])
    return replace(ACCESS, detail=reason.detail, reasons=sealed)


def test_the_reason_of_the_vector_opens() -> None:
    assert open_reason(ACCESS, MAILBOX, SEED) == VECTOR["text"]
    assert commit(_hex("salt"), VECTOR["text"].encode()).hex() == VECTOR["detail"]
    assert ACCESS.detail.hex() == VECTOR["detail"]
    info = access._info(MAILBOX, ACCESS.case, ACCESS.device, ACCESS.detail)
    assert info.hex() == VECTOR["info"]
    assert VECTOR["info"] in spec("access.md")
    assert VECTOR["detail"] in spec("access.md")


@pytest.mark.parametrize("text", ["", "проверка", "x" * REASON_LIMIT])
def test_what_is_sealed_opens(text: str) -> None:
    assert open_reason(_given(text), MAILBOX, SEED) == text


def test_what_is_opened_can_be_proved_to_others() -> None:
    reason = commit_reason("tracing")
    sealed = seal_reason(reason, case=ACCESS.case, device=ACCESS.device, audits=[MAILBOX])
    given = replace(ACCESS, detail=reason.detail, reasons=sealed)
    assert open_committed(given, MAILBOX, SEED) == reason


def test_a_reason_has_at_most_2000_bytes() -> None:
    with refused("reason", RefusedError):
        commit_reason("я" * (REASON_LIMIT // 2 + 1))


def test_its_length_does_not_show_whether_there_is_one() -> None:
    lengths = {len(_given(text).reasons[0].sealed) for text in ("", "x", "x" * 1000)}
    assert len(lengths) == 1
    assert len(_given("x" * REASON_LIMIT).reasons[0].sealed) <= 8192


def test_auditors_of_another_box_cannot_open_it() -> None:
    for other in (replace(MAILBOX, node="tirana-lab"), replace(MAILBOX, version=3)):
        with refused("not-sealed-to-us", RefusedError):
            open_reason(ACCESS, other, SEED)
    with pytest.raises(UntrustedError):
        open_reason(ACCESS, MAILBOX, random_bytes(32))


def test_a_reason_is_of_one_case_and_one_device() -> None:
    for changes in ({"case": new_id()}, {"device": new_id()}, {"detail": bytes(32)}):
        with pytest.raises(UntrustedError):
            open_reason(replace(ACCESS, **changes), MAILBOX, SEED)


def test_attack_33_a_reason_is_not_changed_afterwards() -> None:
    """An officer seals one text and commits to another, or swaps the text later."""
    later = commit_reason("something better")
    resealed = seal_reason(later, case=ACCESS.case, device=ACCESS.device, audits=[MAILBOX])
    with pytest.raises(UntrustedError):
        open_reason(replace(ACCESS, reasons=resealed), MAILBOX, SEED)
    info = access._info(MAILBOX, ACCESS.case, ACCESS.device, ACCESS.detail)
    for plain in (
        random_bytes(32) + pad(VECTOR["text"].encode()),
        _hex("salt") + pad(b"another text"),
    ):
        sealed = SealedReason(MAILBOX.node, MAILBOX.version, wrap(plain, MAILBOX.kem, info))
        with refused("mis-sealed", UntrustedError):
            open_reason(replace(ACCESS, reasons=(sealed,)), MAILBOX, SEED)
    for bent in flips(ACCESS.reasons[0].sealed, 101):
        reasons = (replace(ACCESS.reasons[0], sealed=bent),)
        with pytest.raises(UntrustedError):
            open_reason(replace(ACCESS, reasons=reasons), MAILBOX, SEED)


def test_fault_58_two_auditors_are_not_given_two_texts() -> None:
    """One commitment, two seals: who seals another text to one of them is found out by both."""
    kem = KemKey.from_secret(random_bytes(32))
    second = replace(MAILBOX, node="second-node", kem=kem.public)
    both = (MAILBOX, second)
    told, other = commit_reason("the weapon of the case"), commit_reason("nothing of note")
    sealed = seal_reason(told, case=ACCESS.case, device=ACCESS.device, audits=both)
    honest = replace(ACCESS, detail=told.detail, reasons=sealed)
    assert open_reason(honest, MAILBOX, SEED) == open_reason(honest, second, kem.secret)
    # Sealed as if it were what was committed to: it opens, and it is not.
    false = Reason(other.text, other.salt, told.detail)
    (lie,) = seal_reason(false, case=ACCESS.case, device=ACCESS.device, audits=[second])
    split = replace(honest, reasons=(sealed[0], lie))
    assert open_reason(split, MAILBOX, SEED) == told.text
    with refused("mis-sealed", UntrustedError):
        open_reason(split, second, kem.secret)


def test_attack_34_a_reason_is_not_guessed_from_the_log() -> None:
    """Every likely text, with every salt an outsider knows, misses the commitment."""
    likely = ["", "tracing", "checked", *(f"case {n}" for n in range(1000))]
    seen = {commit_reason(text).detail for text in likely * 2}
    assert len(seen) == 2 * len(likely)  # the same text never looks the same twice
    detail = commit_reason("tracing").detail
    for salt in (bytes(32), ACCESS.case * 2, detail):
        assert detail not in {commit(salt, text.encode()) for text in likely}
    assert commit_reason("").detail != bytes(32)


def test_what_is_no_text_is_no_reason() -> None:
    salt, raw = random_bytes(32), b"\xff\xfe"
    detail = commit(salt, raw)
    info = access._info(MAILBOX, ACCESS.case, ACCESS.device, detail)
    for plain in (salt + pad(raw), salt + raw, b""):
        sealed = SealedReason(MAILBOX.node, MAILBOX.version, wrap(plain, MAILBOX.kem, info))
        with refused("mis-sealed", UntrustedError):
            open_reason(replace(ACCESS, detail=detail, reasons=(sealed,)), MAILBOX, SEED)


# --- whose auditors --------------------------------------------------------------

HOME, AWAY, LAB = "skopje-border", "belgrade-ffp", "tirana-lab"


def _sealed(*to: tuple[str, int]) -> tuple[SealedReason, ...]:
    return tuple(SealedReason(node, gen, b"sealed") for node, gen in to)


def test_a_reason_goes_to_the_auditors_of_each_node_and_to_nobody_else() -> None:
    network = Network.founded(HOME, AWAY)
    network.take(network.admit(LAB, machines=(("admin", "keyholder"),)))
    directory, seen = network.directory, network.directory.size
    for nodes, good in (((HOME, AWAY), [(HOME, 1), (AWAY, 1)]), ((HOME, LAB), [(HOME, 1)])):
        require_auditors(_sealed(*good), nodes, directory, seen)
        require_auditors(_sealed(*good[::-1]), nodes, directory, seen)
        for wrong in (
            [], good[1:], good * 2, [*good, (LAB, 1)], [*good[1:], (HOME, 2)], [*good, (HOME, 2)]
        ):  # fmt: skip
            with refused("reasons", RefusedError):
                require_auditors(_sealed(*wrong), nodes, directory, seen)
    require_auditors((), (LAB,), directory, seen)


def test_auditors_of_whom_one_is_lost_may_be_left_out_until_their_mailbox_is_renewed() -> None:
    network = Network.founded(HOME)
    network.take(network.enrol(HOME, ("auditor",)))
    directory, before = network.directory, network.directory.size
    network.take(network.revoke(network.of(HOME, "auditor", nth=1)))
    lost = directory.size
    network.take(network.renew(HOME, "audit"))
    now = directory.size
    for seen, allowed in ((before, [2]), (lost, [None, 2]), (now, [3])):
        for gen in (None, 1, 2, 3, 4):
            to = _sealed() if gen is None else _sealed((HOME, gen))
            if gen in allowed:
                require_auditors(to, (HOME,), directory, seen)
                continue
            with refused("reasons", RefusedError):
                require_auditors(to, (HOME,), directory, seen)
