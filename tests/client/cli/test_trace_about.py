"""A trace request about a weapon that stands in a message: nothing of it is typed again."""

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from demo import case_a
from seefen.client.cli import times, trace_about
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.views import messages
from seefen.protocol.messages import Message, Note, SeizureAlert, TraceRequest, encode_message

NODES = ("belgrade-ffp", "tirana-border", "sarajevo-lab")


def about(message: Message, number: int = 0) -> TraceRequest:
    return trace_about.request(message, number, NODES, times.now())


def test_the_weapon_goes_on_as_it_was_read_with_its_handling_and_its_mark() -> None:
    alert = replace(case_a.alert(), exercise=True, handling="H3")
    request = about(alert, 7)
    encode_message(request)  # it can be sent as it is
    assert request.item == replace(case_a.pistol(), n=0)
    assert request.to == NODES
    assert (request.exercise, request.handling, request.conditions) == (
        True, "H3", alert.conditions,
    )  # fmt: skip
    assert (request.illicit_nature, request.recovered_at) == ("seized", "2026-03-14")
    assert request.question


def test_a_request_is_asked_again_elsewhere() -> None:
    request = about(case_a.trace_request())
    assert request.item.serial_as_read == case_a.pistol().serial_as_read
    assert request.persons == ()  # whom it names concerns the node it was for
    assert request.illicit_nature == "seized"


def test_which_weapon_must_be_said_where_there_are_several() -> None:
    with pytest.raises(UsageError) as refused:
        about(case_a.alert())
    assert "7 Zastava M57" in refused.value.hint
    with pytest.raises(UsageError):
        about(case_a.alert(), 99)
    with pytest.raises(UsageError, match="no weapon"):
        about(Note(text="x"))
    third = replace(
        case_a.alert(), items=(case_a.pistol(n=1), replace(case_a.pistol(n=10), model="M70"))
    )
    assert about(third, 10).item.model == "M70"
    assert "10. pistol · Zastava · M70" in _shown(third)
    # Without numbers they are called by their places, as they are shown.
    unnumbered = replace(third, items=(case_a.pistol(), replace(case_a.pistol(), model="M70")))
    assert about(unnumbered, 2).item.model == "M70"
    assert "2. pistol · Zastava · M70" in _shown(unnumbered)
    with pytest.raises(UsageError) as refused:
        about(unnumbered)
    assert refused.value.hint.startswith("--item, one of: 1 Zastava M57 ")
    one = SeizureAlert(offence="trafficking", items=(case_a.pistol(n=3),))
    assert about(one).item.model == "M57"


def _shown(message: Message) -> str:
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as captured:
        console.print(messages.body(message))
    return captured.get()
