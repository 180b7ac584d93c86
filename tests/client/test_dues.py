"""Who has a request, and whose clock is known: of one's own node, and nobody else's."""

import dataclasses

from seefen.client.cli.views import requests
from seefen.client.dues import due_view
from seefen.client.values import LifeView, RequestView
from tests.client.cli.test_views import printed

OURS, THEIRS, THIRD = "skopje-border", "belgrade-ffp", "sarajevo-lab"
LIFE = LifeView(
    node=THEIRS, state="asked", running=True, delivered_at=None, due_at=None, used=0, officer="",
    moved_at=None, said="",
)  # fmt: skip
VIEW = RequestView(
    ref="SF-2026-SKP-00001#2", case="SF-2026-SKP-00001", type="TraceRequest", subject="1 pistol",
    urgency="NORMAL", handling="H1", asker=OURS, ours=True, asked_at=0, due_s=86_400,
    exercise=False, lives=(LIFE,),
)  # fmt: skip
HOLDERS = ("o-89b4", "o-8f81")


def test_a_request_at_another_node_is_held_by_none_of_ours() -> None:
    assert due_view(VIEW, LIFE, HOLDERS).assigned == ()
    assert due_view(VIEW, LIFE, HOLDERS, ours=True).assigned == HOLDERS  # asked back
    asked = dataclasses.replace(VIEW, ours=False, asker=THEIRS)
    assert due_view(asked, dataclasses.replace(LIFE, node=OURS), HOLDERS).assigned == HOLDERS


def test_the_clock_of_another_that_is_asked_is_not_known() -> None:
    refused = dataclasses.replace(LIFE, node=THIRD, state="refused", running=False)
    view = dataclasses.replace(VIEW, lives=(LIFE, refused))
    assert printed(requests.shown(view, node=OURS)).count("not delivered: no clock runs") == 1
    beside = dataclasses.replace(view, ours=False)
    shown = printed(requests.shown(beside, node=THIRD))
    assert shown.count("its clock is not known here") == 1
    assert "no clock runs" not in shown
