"""Node cards: whom to call, node by node."""

from collections.abc import Sequence

from seefen.client.cards import NodeCard
from seefen.client.cli import codes, times
from seefen.client.cli.paint import Ledger, Painted, Piece, alarm, bold, dim, line, stack, warn
from seefen.client.cli.views.objects import draft
from seefen.client.labels import ENGLISH, label
from seefen.client.values import Sent

ON_PAPER = "no card opened here: telephone on paper"


def listed(cards: Sequence[NodeCard], lang: str = ENGLISH) -> Painted:
    """Return the nodes with their cards."""
    rows = Ledger("NODE", "TELEPHONE", "HOURS", "LANGUAGES", "ANSWERS", "SAID")
    for card in cards:
        rows.row(
            bold(card.node),
            card.telephone or dim(ON_PAPER),
            card.hours,
            ", ".join(label(lang, "lang", code) for code in card.languages),
            _state(card, lang),
            _said(card),
        )
    return stack(
        rows,
        *(line(f"  {card.node}: ", card.text) for card in cards if card.text),
        draft(lang),
        dim("Cards open under a watch. 'seefen card --telephone NUMBER' publishes yours (a lead)."),
    )


def _state(card: NodeCard, lang: str) -> Piece:
    if card.in_force is not None:
        return alarm(codes.left_out(card.in_force))
    if not card.state:
        return ""
    text = label(lang, "node_state", card.state)
    return text if card.state == "open" else warn(f"{text} until {card.until}")


def _said(card: NodeCard) -> str:
    return f"{card.said_in}, {times.moment(card.at, times.now())}" if card.said_in else ""


def published(sent: Sequence[Sent]) -> Painted:
    """Return where a card went."""
    waits = sum(one.queued for one in sent)
    named = ", ".join(one.ref for one in sent if one.ref)
    return stack(
        line("Card published: ", named, ". It counts where it is opened.") if named else None,
        warn(f"{waits} queued: they leave when the broker is back") if waits else None,
    )
