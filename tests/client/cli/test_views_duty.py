"""What duty officers read of cards, FLASH and hand-overs; nothing in it is obeyed by a terminal."""

from collections.abc import Callable
from typing import Any

import pytest

from seefen.client import values
from seefen.client.cards import NodeCard
from seefen.client.cli.views import cards
from tests.client.cli.hostile import HOSTILE, obeyed_in
from tests.client.cli.test_views import one, printed
from tests.client.cli.values import filled

VIEWS: list[tuple[Callable[[Any], Any], Any]] = [
    (cards.listed, tuple[NodeCard, ...]),
    (cards.published, tuple[values.Sent, ...]),
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("view", "type_"), VIEWS)
def test_attack_52_no_view_of_the_watch_prints_what_a_terminal_obeys(
    view: Callable[[Any], Any], type_: Any, text: str
) -> None:
    for width in (60, 160):
        assert obeyed_in(printed(view(filled(type_, text)), width)) == set()


def test_cards_and_nodes_that_have_none() -> None:
    open_ = NodeCard("tirana-border", "Tirana", None, "open", "+000 1", "00-24", ("sq", "en"))
    late = one(
        NodeCard, node="pristina-ffp", in_force=None, state="reduced", until="2026-05-10T07:00Z",
        telephone="+000 2", languages=("sq",),
    )  # fmt: skip
    none, gone = NodeCard("a-ffp", "A", None), NodeCard("b-ffp", "B", "suspended")
    shown = printed(cards.listed([open_, late, none, gone]), 200)
    for part in (
        "+000 1", "Albanian, English", "desk answers with delay until 2026-05-10", "+000 2",
        "no card opened here: telephone on paper", "suspended by the network", "seefen card",
    ):  # fmt: skip
        assert part in shown
