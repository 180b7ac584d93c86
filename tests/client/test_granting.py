"""Who is let look: the root names who sees every core, a node whom it lets in for a while."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import Filter
from seefen.client.bundling import Files
from seefen.client.cli.complaints import explain
from seefen.client.cli.views import audits, inquiries
from seefen.client.connection import UnreachableError
from seefen.client.granting import AUDITOR_DAYS
from seefen.client.standalone import verify
from seefen.protocol.envelope import sign
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.frames import AuditPage
from seefen.protocol.statements import Device
from seefen.protocol.suite import SigningKey
from seefen.server import looks
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    SKOPJE,
    WHY,
    alert,
    channel,
    honest,
    spoil,
    until,
)
from tests.protocol.authority import following
from tests.support.exports import (
    Damage,
    by_python,
    by_shell,
    entry,
    read,
    sign_anew,
    unpack,
    unzip,
)
from tests.support.network import Network

BOARD = "oversight-board"
DAY = 86_400


class Story(NamedTuple):
    place: Site
    board: Client
    skopje: Client
    guest: str


@pytest_asyncio.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with site(tmp_path, SKOPJE, BELGRADE, BOARD, roots=3) as place:
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        await until(belgrade.alerts.list, belgrade)
        await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, reason="a call")
        board = await place.client(BOARD)
        yield Story(place, board, skopje, f"{BOARD}/{board.officer}")


async def refuses(rule: str, awaitable: object) -> None:
    with pytest.raises(SeefenError) as caught:
        await awaitable  # type: ignore[misc]
    assert caught.value.rule == rule, caught.value


async def test_a_guest_sees_the_cores_of_a_period_and_is_entered(
    story: Story, tmp_path: Path
) -> None:
    place, board, skopje, guest = story
    now = place.network.at
    await refuses("not-a-viewer", board.audit.view(SKOPJE).verdict())
    given = await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=30)
    assert (given.of, given.node, given.officer) == (SKOPJE, BOARD, board.officer)
    assert now + 29 * DAY < given.expires <= now + 31 * DAY
    assert skopje.root.views.list(SKOPJE) == [given]
    await board.sync()
    view = board.audit.view(SKOPJE)
    page = await view.page(Filter())
    assert [(row.what, row.node, row.proved, row.reason) for row in page.rows] == [
        ("opened", BELGRADE, True, None),
        ("looked at the cores of", BOARD, True, None),
    ]
    assert "Cores only" in printed(inquiries.page(page))
    shown = await view.show(page.rows[0].index)
    assert shown.fields["purpose"] == WHY["purpose"]
    assert shown.proof
    assert "signed record" in printed(inquiries.entry(shown))
    # He is told of the same people as who belongs to the node; members he cannot name.
    knows = {who for who, _ in shown.knows}
    inside = {who for who, _ in (await skopje.audit.show(page.rows[0].index)).knows}
    assert {who.split(" (")[0] for who in inside if "members of" not in who} == {
        who.split(" (")[0] for who in knows if "members of" not in who
    }
    assert {f"auditors and admins of {SKOPJE}", f"auditors and admins of {BELGRADE}",
            f"{board.officer} of {BOARD}, guest"} <= knows  # fmt: skip
    found = await view.verdict()
    assert (found.problems, found.whole, found.of) == ((), False, SKOPJE)
    assert dict(found.acts)["access"] == 1
    assert any("cores only" in text for text in found.limits)
    assert "IN ORDER" in printed(audits.viewed(found))
    # What a guest asks for is entered for the auditors of his own node.
    looks = [row.search for row in await board.audit.list() if row.what.startswith("looked")]
    asked = [one.query for look in looks if look for one in look.sought or ()]
    assert f"list of {SKOPJE}: everything" in asked
    assert f"verdict of {SKOPJE}" in asked
    # That he looked is entered by the broker, for the auditors of both nodes.
    for client in (skopje, board):
        rows = [row for row in await client.audit.list() if row.what == "looked at the cores of"]
        assert [(row.node, row.officer, row.ref, row.proved) for row in rows] == [
            (BOARD, board.officer, SKOPJE, True)
        ]
        assert (await client.audit.verdict()).ok
    export = verify.Export(unzip(await skopje.audit.export()), None)
    export.check()
    assert export.findings == []
    assert "viewed" in {entry["kind"] for entry in export.entries}
    code, out = by_shell(unpack(export.files, tmp_path / "export"))
    assert code == 0, out
    # What was not made in the period is not shown.
    await skopje.root.views.invite_guest(guest, now - 9 * DAY, now - 8 * DAY, days=30)
    await board.sync()
    with pytest.raises(RefusedError, match="none that is shown to you"):
        await board.audit.view(SKOPJE).show(skopje.audit.head)
    # Taken back, the broker shows nothing more, and the device shows nothing it has kept.
    gone = await skopje.root.views.take_back(guest)
    assert gone.expires == 0
    await board.sync()
    await refuses("not-a-viewer", board.audit.view(SKOPJE).page(Filter()))
    await refuses("not-a-viewer", skopje.root.views.take_back(guest))
    assert skopje.root.views.list() == []


async def test_a_guest_exports_what_he_is_shown_and_no_more(story: Story, tmp_path: Path) -> None:
    place, board, skopje, guest = story
    now = place.network.at
    await refuses("not-a-viewer", board.audit.export_view(SKOPJE))
    await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=30)
    await board.sync()
    made = await board.audit.export_view(SKOPJE)
    assert made.findings == ()
    files = unzip(made)
    entries = read(files)
    shown = {row.index for row in (await board.audit.view(SKOPJE).page(Filter(op="all"))).rows}
    assert {one["index"] for one in entries} == shown
    assert {one["envelope"] for one in entries} == {""}
    assert not any("detail" in one for one in entries), "no reason, and no search"
    assert [*json.loads(files["keys.json"])["devices"]] == [board.device_hex]
    folder = unpack(files, tmp_path / "export")
    words = ("--log-key", made.log_key)
    for code, said in (by_python(folder, *words), by_shell(folder, made.log_key)):
        assert code == 0, said
        assert f"GOOD   {made.entries} entries" in said
        assert "text, reason, statement" not in said, "it claims no signature"
        assert f"OPEN   a view of {SKOPJE}, 2" in said
    # He is entered: by his own device, and by the broker for the auditors of both.
    rows = [row.search for row in await board.audit.list() if row.search]
    asked = [one.query for row in rows for one in row.sought or ()]
    assert f"export of {SKOPJE}" in asked
    for client in (board, skopje):
        assert "looked at the cores of" in {row.what for row in await client.audit.list()}
    # Of another period nothing that was made now; taken back, nothing at all.
    await skopje.root.views.invite_guest(guest, now - 9 * DAY, now - 8 * DAY, days=30)
    await refuses("no-entry", board.audit.export_view(SKOPJE))
    await skopje.root.views.take_back(guest)
    await refuses("not-a-viewer", board.audit.export_view(SKOPJE))


def _without_view(made: Files) -> None:
    keys = json.loads(made["keys.json"])
    del keys["view"]
    made["keys.json"] = f"{verify.as_text(keys)}\n".encode()


async def test_fault_54_a_damaged_export_of_a_guest_is_refused(
    story: Story, tmp_path: Path
) -> None:
    place, board, skopje, guest = story
    now = place.network.at
    await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=30)
    files = unzip(await board.audit.export_view(SKOPJE))
    own = unzip(await skopje.audit.export())
    envelope = read(own)[0]["envelope"]
    damages: list[tuple[str, Damage]] = [
        ("not the one that the text names", _without_view),
        ("neither statement nor reason", entry(0, "envelope", lambda _: envelope)),
        ("the text or its salt is not", entry(0, "core", lambda text: text.replace("1", "2"))),
    ]
    for nth, (said, damage) in enumerate(damages):
        damaged = dict(files)
        damage(damaged)
        sign_anew(damaged)
        folder = unpack(damaged, tmp_path / f"{nth}")
        for code, out in (by_python(folder), by_shell(folder)):
            assert (code, said in out) == (1, True), out
    # A broker that keeps a text back: it stands in the findings, and the export is made.
    (read_,) = [row.index for row in await skopje.audit.list() if row.what == "opened"]
    spoil(board, "view", blanking(read_), once=False)
    made = await board.audit.export_view(SKOPJE)
    assert made.findings == (f"entry {read_}: its text is gone, and nothing in the log allows it",)
    assert made.erased == (read_,)


async def test_a_network_auditor_is_named_by_the_root_alone(story: Story) -> None:
    place, board, skopje, guest = story
    roots = place.network.roots
    for keys, rule in ((roots[:1], "quorum"), ((SigningKey.generate(),), "root-key")):
        await refuses(rule, skopje.root.views.name_auditor(guest, keys))
    given = await skopje.root.views.name_auditor(guest, roots[:2])
    assert given.whole
    assert given.expires <= place.network.at + AUDITOR_DAYS * DAY
    await board.sync()
    found = await board.audit.view("all").verdict()
    assert (found.whole, found.problems) == (True, ())
    assert found.entries == found.head
    page = await board.audit.view("all").page(Filter(op="all", node=BELGRADE))
    assert {row.node for row in page.rows} == {BELGRADE}
    assert {row.node for row in (await board.audit.list(wanted=Filter(op="all")))} == {BOARD}
    assert "whole network" in printed(audits.viewed(found))
    gone = await skopje.root.views.take_back(guest, roots[:2])
    assert (gone.of, gone.expires) == ("", 0)
    await board.sync()
    await refuses("not-a-viewer", board.audit.view("all").verdict())


async def test_a_manifest_of_a_new_network_names_at_least_the_look_itself(tmp_path: Path) -> None:
    async with site(tmp_path, BOARD, roots=1) as place:
        board = await place.client(BOARD)
        await board.root.views.name_auditor(f"{BOARD}/{board.officer}", place.network.roots)
        for _ in range(2):
            made = await board.audit.manifests.publish()
            assert [one.of for one in made] == [BOARD]


async def test_only_an_admin_of_the_node_lets_a_guest_in_and_only_an_auditors_device(
    story: Story,
) -> None:
    place, board, skopje, guest = story
    now = place.network.at
    span = (now - DAY, now + DAY)
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",)))
    await place.broker.take(place.network.enrol(BOARD, ("field",)))
    auditor = await place.client(SKOPJE, nth=1)
    await refuses("not-an-admin", auditor.root.views.invite_guest(guest, *span, days=9))
    views = skopje.root.views
    await refuses("view-life", views.invite_guest(guest, *span, days=93))
    await refuses("view-period", views.invite_guest(guest, now, now, days=9))
    for ends in ((now, 253_402_214_400), (-DAY, now)):
        with pytest.raises(RefusedError, match="between the years 1970 and 9000") as period:
            await views.invite_guest(guest, *ends, days=9)
        assert "--until DAY" in explain(period.value).hint
    own_auditor = f"{SKOPJE}/{auditor.officer}"
    with pytest.raises(RefusedError, match="of your own node") as own_guest:
        await views.invite_guest(own_auditor, *span, days=9)
    assert "seefen audit" in explain(own_guest.value).hint
    assert views.list() == []
    for text in (f"{BOARD}/o-0000", BOARD, f"nobody/{board.officer}", f"{BOARD}/"):
        await refuses("unknown-device", views.invite_guest(text, *span, days=9))
    officer = place.network.of(BOARD, nth=1).officer
    await refuses("role", views.invite_guest(f"{BOARD}/{officer}", *span, days=9))
    # Two admins must sign: said, and not tried.
    machine = place.network.of(SKOPJE)
    second = SigningKey.generate()
    node = place.network.directory.node(SKOPJE)
    changed = replace(
        node, **following(place.network, ("node", SKOPJE)),
        admins=(machine.sign.public, second.public), threshold=2,
    )  # fmt: skip
    await place.broker.services.broker.submit(
        machine.device, Network.bundle("node", sign(changed, machine.sign, second)), 0
    )
    with pytest.raises(RefusedError, match="2 admins of your node must sign") as caught:
        await views.invite_guest(guest, *span, days=9)
    assert caught.value.rule == "admins"


def blanking(index: int) -> Callable[[AuditPage], AuditPage]:
    def blank(page: AuditPage) -> AuditPage:
        return replace(
            page,
            items=tuple(
                replace(i, entry=replace(i.entry, core=b"", salt=b""))
                if i.entry.index == index
                else i
                for i in page.items
            ),
        )

    return blank


async def test_attack_a_text_is_kept_from_a_guest_as_if_it_were_erased(story: Story) -> None:
    place, board, skopje, guest = story
    now = place.network.at
    (read,) = [row.index for row in await skopje.audit.list() if row.what == "opened"]
    await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=30)
    spoil(board, "view", blanking(read), once=False)
    found = await board.audit.view(SKOPJE).verdict()
    assert [*found.problems] == [
        f"entry {read}: its text is gone, and nothing in the log allows it"
    ]
    assert "NOT IN ORDER: 1 problem" in printed(audits.viewed(found))
    honest(board)
    assert (await board.audit.view(SKOPJE).verdict()).problems == ()


async def test_a_guest_sees_another_period_whole_and_nothing_of_the_one_before(
    story: Story,
) -> None:
    """How far it was fetched means nothing under another period."""
    place, board, skopje, guest = story
    now, view = place.network.at, board.audit.view(SKOPJE)
    await skopje.root.views.invite_guest(guest, now - 90 * DAY, now - 60 * DAY, days=30)
    assert (await view.verdict()).entries == 0
    await skopje.root.views.invite_guest(guest, now - 90 * DAY, now + DAY, days=30)
    wide = await view.verdict()  # without a sync of its own
    assert dict(wide.acts)["access"] == 1
    assert wide.entries == len((await view.page(Filter(op="all"))).rows) > 3
    await skopje.root.views.invite_guest(guest, now - 9 * DAY, now - 8 * DAY, days=30)
    narrow = await view.verdict()
    assert (narrow.entries, narrow.acts, narrow.since) == (0, (), now - 9 * DAY)
    assert (await view.page(Filter(op="all"))).rows == ()


async def test_what_was_shown_under_a_view_goes_with_it(story: Story) -> None:
    place, board, skopje, guest = story
    now, vault = place.network.at, board._engine.vault
    await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=30)
    await board.audit.view(SKOPJE).verdict()

    def kept() -> list[int]:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'viewed_*'"
        return [vault.run(f"SELECT count(*) FROM {name}")[0][0] for (name,) in vault.run(names)]

    assert max(kept()) > 3
    await board.sync()
    assert max(kept()) > 3
    await skopje.root.views.take_back(guest)
    await board.sync()
    assert not any(kept())
    assert not vault.run("SELECT name FROM setting WHERE name GLOB 'viewed*'")
    await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=1)
    await board.audit.view(SKOPJE).verdict()
    assert any(kept())
    board._engine.now = lambda: now + 2 * DAY  # type: ignore[method-assign]
    await refuses("not-a-viewer", board.audit.view(SKOPJE).verdict())
    assert not any(kept()), "its time is over"


async def test_without_the_broker_an_empty_period_is_not_in_order(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise UnreachableError("the broker does not answer", rule="broker")

    place, board, skopje, guest = story
    now = place.network.at
    await skopje.root.views.invite_guest(guest, now - DAY, now + DAY, days=30)
    await board.sync()
    monkeypatch.setattr(board._engine.connection, "request", away)
    await refuses("audit-away", board.audit.view(SKOPJE).verdict())


async def test_attack_a_broker_says_of_somebody_without_a_view_that_he_looked(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, board, skopje, _ = story
    mine = board._engine.directory.device(board._engine.keys.device)

    def anybody(*_: object, **__: object) -> Device:
        return mine

    monkeypatch.setattr(looks, "require_view", anybody)
    job = looks.ViewedJob(mine.device, SKOPJE)
    await place.broker.services.broker._sequencer.write(job)
    (problem,) = (await skopje.audit.verdict()).problems
    assert f"no view of {SKOPJE}" in problem
