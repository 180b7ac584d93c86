"""Fields and limits of every kind, against our vectors and whoever bends them."""

from typing import Any, cast, get_type_hints

import pytest
from msgspec.structs import replace

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import (
    POWER_KINDS,
    check_signed_by,
    open_envelope,
    sign,
    signing_message,
)
from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.statements import (
    ACTIVITY_KINDS,
    AUTHORITY_KINDS,
    KINDS,
    LATEST,
    DeviceWrap,
    LeftOut,
    Member,
    decode_statement,
)
from seefen.protocol.suite import SigningKey, sha256
from tests.protocol.builder import flips, refused
from tests.support.specs import spec
from tests.support.vectors import own

CASES: list[dict[str, Any]] = own("statements/kinds.json")["cases"]
PAYLOADS = {case["kind"]: bytes.fromhex(case["payload"]) for case in CASES}
EXAMPLES = {kind: decode_statement(payload, kind) for kind, payload in PAYLOADS.items()}
KEY = SigningKey.from_secret(bytes(range(64)))


def _plain(value: object) -> Any:
    """Return a field of a vector: text that begins with 0x is bytes."""
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[object]", value)]
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["kind"]))
def test_a_statement_is_this(case: dict[str, Any]) -> None:
    assert encode(_plain(case["fields"])).hex() == case["payload"]
    assert encode(EXAMPLES[case["kind"]]).hex() == case["payload"]
    assert sha256(PAYLOADS[case["kind"]]).hex() == case["sha256"]
    assert case["sha256"] in spec("statements.md")


def test_there_is_a_vector_of_every_kind() -> None:
    assert PAYLOADS.keys() == KINDS.keys()
    assert PAYLOADS["ack"].hex() in spec("statements.md")


def test_the_specification_names_every_kind_and_field() -> None:
    page = spec("statements.md")
    for kind, type_ in KINDS.items():
        for name in type_.__struct_fields__:
            assert f"`{name}`" in page, f"{kind}.{name}"


def test_what_grants_power_carries_both_signatures() -> None:
    named = {"root", "node", "suspend", "device", "revoke", "mailbox", "view"}
    named |= {"case", "casekey", "assign"}
    assert named == POWER_KINDS
    assert not AUTHORITY_KINDS.keys() & ACTIVITY_KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_is_needed_and_of_its_type(kind: str) -> None:
    fields = list(_plain(next(case["fields"] for case in CASES if case["kind"] == kind)))
    hints = get_type_hints(KINDS[kind])
    assert len(fields) == len(hints)
    bent = [[*fields, None], fields[:-1], [*fields[:4], *fields[5:]]]
    for place in range(len(fields)):
        for wrong in (-1, "\u2028", b"x", [1], None, True):
            name = KINDS[kind].__struct_fields__[place]
            if fields[place] == wrong or _fits(kind, name, wrong):
                continue
            bent.append([*fields[:place], wrong, *fields[place + 1 :]])
    for value in bent:
        with pytest.raises(MalformedError):
            decode_statement(encode(value), kind)


def _fits(kind: str, name: str, wrong: object) -> bool:
    """Tell what a field may also hold by its type."""
    free: dict[str, tuple[Any, ...]] = {
        "title": (b"x", "\u2028"),
        "link": (b"x",),
        "cover": (b"x",),
        "name": ("\u2028",),
    }
    free |= {"emergency": (True,), "file": (True,), "origin": ("\u2028",), "suite": (-1,)}
    free |= {"number": ("\u2028",), "under": ([1],), "automated": (True,), "unwitnessed": (True,)}
    free |= {"asked": (b"x",), "visible": ([1],)}
    nothing = {"since", "object", "reply_to", "supersedes"} if wrong is None else set[str]()
    nothing |= {"case"} if wrong is None and kind == "denied" else set[str]()
    return wrong in free.get(name, ()) or name in nothing


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("root", {"keys": ()}),
    ("root", {"keys": (KEY.public,) * 17}),
    ("root", {"tls_pins": ()}),
    ("root", {"threshold": 0}),
    ("node", {"node": "ab"}),
    ("node", {"node": "a" * 41}),
    ("node", {"node": "Skopje"}),
    ("node", {"node": "skopje-"}),
    ("node", {"node": "skopje border"}),
    ("node", {"code": "SK"}),
    ("node", {"code": "skp"}),
    ("node", {"code": "SKPX"}),
    ("node", {"title": ""}),
    ("node", {"title": "x" * 201}),
    ("node", {"admins": ()}),
    ("node", {"admins": (KEY.public,) * 13}),
    ("suspend", {"reason": "Not a code"}),
    ("suspend", {"reason": ""}),
    ("device", {"device": bytes(15)}),
    ("device", {"officer": "Ana"}),
    ("device", {"officer": "o-4F2A"}),
    ("device", {"roles": ("root",)}),
    ("device", {"roles": ("field",) * 6}),
    ("device", {"sign": bytes(1983)}),
    ("device", {"kem": bytes(1215)}),
    ("revoke", {"reason": "stolen"}),
    ("mailbox", {"box": "inbox"}),
    ("mailbox", {"link": bytes(257)}),
    ("mailbox", {"left_out": (LeftOut("x", "dislike"),)}),
    ("case", {"form": "group"}),
    ("case", {"members": ()}),
    ("case", {"members": (Member("skopje-border", 0),)}),
    ("case", {"title": bytes(2049)}),
    ("case", {"version": 2**53}),
    ("casekey", {"reason": "why not"}),
    ("casekey", {"gen": 0}),
    ("assign", {"devices": ()}),
    ("object", {"handling": "H4"}),
    ("object", {"cover": bytes(4097)}),
    ("object", {"case_n": 0}),
    ("object", {"device_n": 0}),
    ("access", {"scope": "all"}),
    ("access", {"purpose": "free text"}),
    ("access", {"reasons": EXAMPLES["access"].reasons * 3}),  # type: ignore[attr-defined]
    ("ack", {"step": "seen"}),
    ("search", {"count": 0}),
    ("search", {"count": 65}),
    ("search", {"device_n": 0}),
    ("search", {"purpose": "free text"}),
    ("search", {"reasons": EXAMPLES["search"].reasons * 2}),  # type: ignore[attr-defined]
    ("view", {"of": "Skopje"}),
    ("view", {"of": "a" * 41}),
    ("view", {"expires": LATEST + 1}),
    ("manifest", {"of": ""}),
    ("manifest", {"visible": (0,) * 8193}),
    ("manifest", {"visible": (-1,)}),
    ("release", {"devices": ()}),
    ("release", {"under": ()}),
    ("denied", {"what": "object"}),
    ("erased", {"years": 0}),
    ("erased", {"upto": -1}),
    ("denied", {"rule": "Not a code"}),
    ("denied", {"asked": bytes(32_769)}),
    ("denied", {"of": "No-Node"}),
    ("viewed", {"of": "Skopje"}),
    ("viewed", {"node": ""}),
]


@pytest.mark.parametrize(("kind", "changes"), LIMITS)
def test_each_limit_holds(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        decode_statement(encode(replace(EXAMPLES[kind], **changes)), kind)


def test_the_longest_statements_fit() -> None:
    wraps = tuple(
        DeviceWrap(bytes([n % 256, n // 256]) + bytes(14), bytes(32)) for n in range(2000)
    )
    for kind in ("mailbox", "casekey", "assign"):
        name = "wraps" if kind == "mailbox" else "devices"
        longest = replace(EXAMPLES[kind], **{name: wraps})
        assert decode_statement(encode(longest), kind) == longest
    with pytest.raises(MalformedError):
        decode_statement(encode(replace(EXAMPLES["assign"], devices=wraps * 3)), "assign")


def test_a_kind_that_is_not_there_is_refused() -> None:
    with refused("unknown-kind", MalformedError):
        decode_statement(PAYLOADS["ack"], "shred")


def test_any_bit_changed_gives_another_statement_or_none() -> None:
    for kind, payload in PAYLOADS.items():
        for bent in flips(payload, max(1, len(payload) // 50)):
            try:
                assert decode_statement(bent, kind) != EXAMPLES[kind]
            except MalformedError:
                continue


@pytest.mark.parametrize("kind", KINDS)
def test_attack_21_one_kind_never_passes_for_another(kind: str) -> None:
    """Every pair of kinds: bytes, claimed kind and signature of one offered as another."""
    ours = EXAMPLES[kind]
    for other, theirs in EXAMPLES.items():
        if other == kind:
            continue
        with pytest.raises(MalformedError):
            decode_statement(PAYLOADS[kind], other)
        with refused("wrong-kind", MalformedError):
            # The fields of one under the name of the other.
            decode_statement(encode(replace(ours, kind=other)), kind)
        with pytest.raises(MalformedError):
            open_envelope(sign(ours, KEY), other)
        message = signing_message(kind, theirs.net, PAYLOADS[other])
        power = other in POWER_KINDS
        signature = (KEY.key_id, KEY.sign(message, power=power))
        stolen = encode([PAYLOADS[other], [signature]])
        with refused("signature", UntrustedError):
            check_signed_by(open_envelope(stolen, other), KEY.public)


@pytest.mark.parametrize("kind", KINDS)
def test_attack_24_another_suite_is_refused(kind: str) -> None:
    for suite in (0, 2, 255):
        payload = encode(replace(EXAMPLES[kind], suite=suite))
        with refused("unknown-suite", MalformedError):
            decode_statement(payload, kind)
