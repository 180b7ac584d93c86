"""docs/cli.md: each command stands in it, and its forms are forms."""

import json
import re
from pathlib import Path

import pytest

from seefen.protocol.messages import message_from_form
from tests.client.cli.test_commands import COMMANDS

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
FORMS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_on_the_page(name: str) -> None:
    group, _, last = name.partition(" ")
    named = f"`{name}`" in PAGE or f"seefen {name}" in PAGE
    # A row may name several commands of a group: `channel open`, `list`, ...
    assert named or re.search(rf"`{group} \w+`[^|]*`{last}`", PAGE)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_on_the_page_is_one(form: str) -> None:
    fields = json.loads(form)
    assert fields["type"] == message_from_form(fields["type"], fields).TYPE


def test_there_is_a_form_of_each_kind() -> None:
    assert {json.loads(form)["type"] for form in FORMS} == {
        "SeizureAlert", "TraceRequest", "TraceReply", "Presets", "PairPolicy", "ActionDay",
    }  # fmt: skip
