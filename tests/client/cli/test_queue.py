"""``seefen queue``: what waits, as its officer reads it, and what he is asked before it goes."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.cli import sending, session
from seefen.client.cli.plain import encode_json
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import Late
from seefen.client.cli.views import queue
from seefen.client.queueing import WaitingView
from seefen.client.values import Sent
from seefen.protocol.errors import RefusedError
from tests.client.cli.hostile import HOSTILE, obeyed_in
from tests.client.cli.stage import Said, command
from tests.client.cli.test_views import NOW, one, printed
from tests.client.cli.values import filled
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def run(client: Client, *argv: object, typed: list[str] | None = None) -> Said:
    """Run a command on an open client of this loop."""
    session.host(client, asyncio.get_running_loop())
    try:
        return await asyncio.to_thread(command, *argv, typed=typed)
    finally:
        session.host(None, None)


def refuse(_: object) -> None:
    raise RefusedError("has no basis (row 14)", rule="pair-persons")


@pytest.mark.parametrize("text", HOSTILE)
def test_attack_52_no_view_of_the_queue_prints_what_a_terminal_obeys(text: str) -> None:
    view = filled(WaitingView, text)
    painted = [queue.listed([view], online=online) for online in (True, False)]
    for shown in (*painted, queue.asked(view), queue.dropped(view)):
        assert obeyed_in(printed(shown, 60)) == set()


def test_what_waits_says_why_and_what_to_do() -> None:
    kept = one(
        WaitingView, id="4f2a9c10", what="SeizureAlert", case="seefen-border", files=2, of="",
        subject="12 pistols, 340 rounds", made_at=NOW, state="waits", problem="",
    )  # fmt: skip
    back = dataclasses.replace(
        kept, id="90b1c2d3", state="kept-back", problem="has no basis (row 14) [pair-persons]"
    )
    left = dataclasses.replace(kept, id="aa00bb11", state="may-have-left")
    file = dataclasses.replace(kept, what="FileNote", subject="слика.jpg", of="seefen-border#12")
    shown = " ".join(printed(queue.listed([kept, back, left, file], online=False), 60).split())
    for part in (
        "4 queued, NOT acknowledged", "seizure alert, 2 files", "the broker cannot be reached",
        "has no basis (row 14)", "90b1c2d3: ask your lead", "it may have left",
        "seefen recall REF", "seefen queue drop ID", "file of seefen-border#12", "слика.jpg",
    ):  # fmt: skip
        assert part in shown
    online = printed(queue.listed([left], online=True))
    assert "queue drop" not in online, "what may have left is not dropped"
    assert "next command" not in online
    for line in (True, False):  # on line, too: opening has brought out what it could
        shown = " ".join(printed(queue.listed([kept], online=line)).split())
        assert "leaves now" not in shown
        assert "It leaves with the next command, or with 'seefen tail'." in shown


def test_what_is_dropped_says_that_its_preview_has_left() -> None:
    file = one(WaitingView, what="FileNote", of="seefen-border#1", preview="")
    has = dataclasses.replace(file, preview="seefen-border#2")
    for said in (queue.asked, queue.dropped):
        assert "preview" not in printed(said(file))
        assert "has left, as seefen-border#2: 'seefen recall seefen-border#2'" in printed(said(has))
    assert json.loads(encode_json(has))["preview"] == "seefen-border#2"


def test_what_waits_nowhere_is_said() -> None:
    assert "Nothing waits" in printed(queue.listed([], online=True))


async def test_no_receipt_yet_is_said_of_what_is_sent_now_alone(
    place: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was kept back before waits on, and says nothing of an alert that is recorded."""
    skopje = await channel(place, BELGRADE)
    late = list[Late]()

    def noted(seconds: float, tell: Callable[[], None]) -> Late:
        late.append(Late(seconds, tell))
        return Late(3600, tell)

    async def files_follow(client: Client) -> Sent:
        sent = await client.alerts.send(alert(), CHANNEL)
        await asyncio.to_thread(late[-1].tell)  # five seconds are over
        return sent

    async def shown() -> tuple[Sent, bool]:
        sent = await asyncio.to_thread(sending.urgently, at_work, files_follow)
        screen = " ".join(capsys.readouterr().out.split())
        return sent, "NOT acknowledged, and tried again" in screen

    monkeypatch.setattr(sending, "Late", noted)
    at_work = session.Session(skopje, asyncio.get_running_loop(), Screen())
    skopje._outbox.permit = refuse
    await skopje.alerts.send(alert(), CHANNEL)
    [kept] = skopje.queue.list()
    sent, said = await shown()
    assert (sent.queued, said) == (True, True)

    waiting = {draft.object for _, draft, _ in skopje._outbox.waiting()}
    skopje._outbox.permit = lambda draft: refuse(draft) if draft.object in waiting else None
    sent, said = await shown()
    assert (sent.ref, said) == (f"{CHANNEL}#1", False)
    assert kept.id in [one.id for one in skopje.queue.list()]


async def test_nothing_is_dropped_that_nobody_has_said_yes_to(place: Site) -> None:
    skopje = await channel(place, BELGRADE)

    skopje._outbox.permit = refuse
    await skopje.alerts.send(alert(), CHANNEL)
    [kept] = skopje.queue.list()
    shown = await run(skopje, "queue", "list")
    assert (shown.code, kept.id in shown.out) == (0, True)
    assert "queued: 'seefen queue list'" in (await run(skopje, "status")).out.replace(
        ", leaving when the broker takes it", ""
    )
    nobody = await run(skopje, "queue", "drop", kept.id)
    assert (nobody.code, "--yes" in nobody.err) == (2, True)
    no = await run(skopje, "queue", "drop", kept.id, typed=["n"])
    assert (no.code, "It has not left" in no.out) == (130, True)
    assert skopje.queue.list() == [kept]
    yes = await run(skopje, "queue", "drop", kept.id, typed=["y"])
    assert (yes.code, "never will" in yes.out) == (0, True)
    assert skopje.queue.list() == []
    again = await run(skopje, "queue", "drop", kept.id, "--yes")
    assert (again.code, "queue list" in again.err) == (1, True)
    assert (await run(skopje, "queue", "drop", "x7")).code == 2
