"""An alert matters until when its author signed: the same for all, closed to nobody."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.cli import times
from seefen.client.cli.views import alerts, due, objects
from seefen.client.engine import Engine
from seefen.client.values import ObjectView
from seefen.protocol.messages import SeizureAlert
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until

REF, NEXT = f"{CHANNEL}#1", f"{CHANNEL}#2"
HOUR = 3600


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def later(patch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let the clocks of all devices be ahead; the broker's stays."""
    now = Engine.now

    def ahead(engine: Engine) -> int:
        return now(engine) + seconds

    patch.setattr(Engine, "now", ahead)


def seen(client: Client, ref: str = REF) -> ObjectView:
    return next(view for view in client.alerts.list() if view.ref == ref)


async def sent(place: Site, hours: int = 72) -> tuple[Client, Client]:
    """Return two clients; the first has told the second what matters for so many hours."""
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    preliminary = replace(alert(), status="preliminary")
    await skopje.alerts.send(preliminary, CHANNEL, matters_s=hours * HOUR)
    await until(belgrade.alerts.list, belgrade)
    return skopje, belgrade


async def test_all_agree_until_when_by_the_time_its_author_signed(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await sent(place)
    ends = seen(skopje).expires_at
    assert ends == seen(skopje).created_at + 72 * HOUR == seen(belgrade).expires_at
    assert [due.ref for due in belgrade.requests.waiting()] == [REF]
    with monkeypatch.context() as patch:
        later(patch, 72 * HOUR - 600)
        assert not seen(belgrade).expired
        assert [due.ref for due in belgrade.requests.waiting()] == [REF]
    later(monkeypatch, 72 * HOUR + 600)
    assert seen(skopje).expired
    assert seen(belgrade).expired
    assert belgrade.requests.due() == []
    assert belgrade.requests.reminders() == []
    assert [view.ref for view in belgrade.alerts.expired()] == [REF]
    assert skopje.alerts.expired() == []
    assert "EXPIRED" in printed(alerts.listed(belgrade.alerts.list()))
    assert REF in printed(due.page(due.Due(expired=tuple(belgrade.alerts.expired()))))
    later(monkeypatch, 7 * 24 * HOUR)
    assert belgrade.alerts.expired() == []  # the list of alerts still has it
    assert seen(belgrade).expired


async def test_what_has_expired_is_still_read_and_answered(place: Site) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    state, over = skopje._casework.find(CHANNEL, "channel"), skopje._engine.now() - 1
    await skopje._messaging.send(state, alert(), expires=over)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.watch.on(**WHY)  # asks for no key of it, and is not refused for it
    read = await belgrade.alerts.show(REF)
    assert isinstance(read.message, SeizureAlert)
    shown = printed(objects.opened(read))
    assert f"EXPIRED: it mattered until {times.moment(over, times.now())}" in shown
    await belgrade.alerts.answer(REF, "taken")
    assert seen(belgrade).answer == "taken"
    assert belgrade.alerts.expired() == []


async def test_a_newer_version_is_asked_anew_for_as_long(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await sent(place)
    with monkeypatch.context() as patch:
        later(patch, 73 * HOUR)
        assert belgrade.requests.waiting() == []
    await skopje.amend.confirm(REF)
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    newer = seen(belgrade, NEXT)
    assert newer.expires_at - newer.created_at == 72 * HOUR
    assert [due.ref for due in belgrade.requests.waiting()] == [NEXT]
    await skopje.amend.replace(NEXT, alert(), matters_s=0)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    assert seen(belgrade, f"{CHANNEL}#3").expires_at == 0
