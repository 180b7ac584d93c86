"""A statement on paper is as its maker signed it, over a log that others know; or it is refused."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
import pytest_asyncio

from seefen.client import Client
from seefen.client.audit.filters import this_month
from seefen.client.audit.vouching import KIND, Vouched, parse
from seefen.client.cli.views import inquiries
from seefen.client.connection import UnreachableError
from seefen.client.statements import statement_csv, statement_pdf
from seefen.protocol.envelope import signing_message
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.suite import PlainKey, SigningKey, sha256, verify_plain
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE
from tests.support.specs import spec
from tests.support.vectors import own

NAME = "Март 2026.pdf"
NEW = bytes(16)  # a device that nobody has heard of


class Story(NamedTuple):
    place: Site
    skopje: Client
    belgrade: Client
    pdf: bytes
    note: bytes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    async with site(tmp_path_factory.mktemp("statement"), SKOPJE, BELGRADE) as place:
        skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
        made = await skopje.audit.report(this_month(skopje._engine.now()))
        assert skopje.device_hex in statement_csv(made)
        pdf = statement_pdf(made)
        await skopje.audit.list()  # that is entered: the log has grown since
        yield Story(place, skopje, belgrade, pdf, skopje.audit.vouch(made, NAME, pdf))


def signed(client: Client, one: Vouched, key: SigningKey | None = None) -> bytes:
    """Return another text, signed by the device of a client or by somebody's key."""
    engine, text = client._engine, one.text()
    message = signing_message(KIND, engine.directory.net, text)
    signature = (key or engine.keys.sign).sign(message, power=False)
    return text + f"sig {signature.hex()}\n".encode()


def test_the_vector_and_the_worked_example() -> None:
    made = own("ledger/statement.json")
    one, text, signature = parse(made["text"].encode())
    assert one == Vouched(
        made["name"], sha256(made["data"].encode()), bytes.fromhex(made["device"]), made["log"],
        made["size"], bytes.fromhex(made["root"]), made["at"],
    )  # fmt: skip
    assert text == one.text()
    message = signing_message(KIND, bytes.fromhex(made["net"]), text)
    key = PlainKey.from_secret(bytes.fromhex(made["secret"]))
    assert (key.sign(message), key.public.hex()) == (signature, made["public"])
    verify_plain(key.public, message, signature)
    assert "".join(made["text"].split()) in spec("ledger.md")


@pytest.mark.asyncio(loop_scope="module")
async def test_any_node_finds_a_statement_as_it_was_signed(story: Story) -> None:
    for reader in (story.skopje, story.belgrade):
        found = await reader.audit.vouched(story.pdf, story.note)
        assert (found.problems, found.open) == ((), ())
        shown = printed(inquiries.vouched(found), 120)
        assert shown.startswith(f"GOOD  {NAME}, signed by {story.skopje.officer} {SKOPJE}")
        assert "is one of the log that this device knows" in shown


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("at", [0, 9, 700, -1])
async def test_fault_54_a_changed_byte_of_a_statement_is_found(story: Story, at: int) -> None:
    changed = bytearray(story.pdf)
    changed[at] ^= 1
    found = await story.belgrade.audit.vouched(bytes(changed), story.note)
    assert found.problems == ("the file is not the one that was signed: it was changed since",)
    assert printed(inquiries.vouched(found), 120).startswith("WRONG  ")


@pytest.mark.asyncio(loop_scope="module")
async def test_fault_54_a_changed_byte_of_its_digest_is_found(story: Story) -> None:
    for place in range(0, len(story.note) - 1, 7):
        changed = bytearray(story.note)
        changed[place] ^= 1
        with pytest.raises(SeefenError):
            await story.belgrade.audit.vouched(story.pdf, bytes(changed))
    for more in (b"\n", b"x"):
        with pytest.raises(RefusedError, match="no signed digest"):
            parse(story.note + more)
    with pytest.raises(RefusedError, match="no signed digest"):
        parse(b"\xff" * 20)


@pytest.mark.asyncio(loop_scope="module")
async def test_attack_a_statement_of_another_key_or_another_log_is_refused(story: Story) -> None:
    skopje, reader = story.skopje, story.belgrade
    one, _, _ = parse(story.note)
    with pytest.raises(UntrustedError):
        await reader.audit.vouched(story.pdf, signed(skopje, one, SigningKey.generate()))

    lies: list[tuple[Callable[[Vouched], Vouched], str]] = [
        (lambda v: replace(v, root=bytes(32)), "none of the log that this device knows"),
        (lambda v: replace(v, size=v.size - 1), "none of the log that this device knows"),
        (lambda v: replace(v, size=10**9), "none of the log that this device knows"),
        (lambda v: replace(v, log="other/activity"), "of the log other/activity"),
    ]
    for lie, said in lies:
        found = await reader.audit.vouched(story.pdf, signed(skopje, lie(one)))
        assert len(found.problems) == 1
        assert said in found.problems[0]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_could_not_be_checked_is_said(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise UnreachableError("the broker does not answer", rule="broker")

    await story.belgrade._engine.sync()
    one, _, _ = parse(story.note)
    monkeypatch.setattr(story.belgrade._engine.connection, "request", away)
    for size in (one.size, 10**9):  # of a log that has grown since this device heard of it
        note = signed(story.skopje, replace(one, size=size))
        found = await story.belgrade.audit.vouched(story.pdf, note)
        assert found.problems == ()
        assert found.open == (
            "whether the device that signed was lost since: the broker does not answer",
            "whether its checkpoint is one of this log: the broker does not answer",
        )
        assert printed(inquiries.vouched(found), 120).startswith("UNCHANGED, and not all")
    with pytest.raises(UnreachableError, match="for this the broker is needed"):
        await story.belgrade.audit.vouched(
            story.pdf, signed(story.skopje, replace(one, device=NEW))
        )
    audit = story.belgrade.audit
    for look in (audit.verdict, audit.verify, audit.export):
        with pytest.raises(UnreachableError, match="for this the broker is needed") as caught:
            await look()
        assert caught.value.rule == "audit-away"


@pytest.mark.asyncio(loop_scope="module")
async def test_attack_a_device_that_was_lost_or_is_no_auditor_vouches_for_nothing(
    story: Story,
) -> None:
    network, take = story.place.network, story.place.broker.take
    await take(network.enrol(SKOPJE, ("field",)))
    await take(network.enrol(SKOPJE, ("auditor",)))
    one, _, _ = parse(story.note)
    field = next(m for m in network.machines.values() if m.roles == ("field",))
    lost = next(m for m in network.machines.values() if m.roles == ("auditor",))
    await story.belgrade.sync()
    await story.belgrade._engine.connection.close()  # the reader does not hear of it
    await take(network.revoke(lost))
    for machine, said in ((lost, "was lost since"), (field, "no auditor's")):
        other = replace(one, device=machine.device)
        note = signed(story.skopje, other, machine.sign)
        found = await story.belgrade.audit.vouched(story.pdf, note)
        assert len(found.problems) == 1
        assert said in found.problems[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("rule", ["expired", "consistency", "rewind", "fork", "origin"])
@pytest.mark.parametrize("asked", ["sync", "prove"])
async def test_attack_a_broker_that_refuses_makes_no_true_statement_false(
    story: Story, monkeypatch: pytest.MonkeyPatch, rule: str, asked: str
) -> None:
    async def refuse(*_: object) -> None:
        raise UntrustedError("your certificate has expired", rule=rule)

    await story.belgrade.sync()
    monkeypatch.setattr(story.belgrade._engine, asked, refuse)
    found = await story.belgrade.audit.vouched(story.pdf, story.note)
    assert found.problems == ()
    where = "is one of this log" if asked == "prove" else "was lost since"
    assert [f"{where}: your certificate has expired" in one for one in found.open] == [True]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_auditor_that_is_none_any_more_may_have_signed_in_time(story: Story) -> None:
    network, take = story.place.network, story.place.broker.take
    await take(network.enrol(SKOPJE, ("auditor",)))
    former = next(
        m for m in network.machines.values()
        if m.roles == ("auditor",) and network.directory.is_active(m.device)
    )  # fmt: skip
    one, _, _ = parse(story.note)
    note = signed(story.skopje, replace(one, device=former.device), former.sign)
    found = await story.belgrade.audit.vouched(story.pdf, note)
    assert (found.problems, found.open) == ((), ())
    for roles, problems, missing in ((("field",), 0, 1), (("auditor",), 0, 0)):
        former.roles = roles
        certificate = network.certify(former, by=network.admin(SKOPJE).sign)
        await take(network.bundle("device", certificate))
        found = await story.belgrade.audit.vouched(story.pdf, note)
        assert (len(found.problems), len(found.open)) == (problems, missing)
        assert all("is none now, and the time" in text for text in found.open)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_name_that_would_break_the_lines_is_refused(story: Story) -> None:
    made = await story.skopje.audit.report(this_month(story.skopje._engine.now()))
    for name in ("a\nb.pdf", "a\\b.pdf", "\x1b.pdf", ""):
        with pytest.raises(RefusedError):
            story.skopje.audit.vouch(made, name, b"")
