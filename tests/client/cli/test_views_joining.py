"""What a device that was just admitted is told to do next."""

import dataclasses

import pytest

from seefen.client.cli.views import joining
from seefen.client.joining import JoinedView
from tests.client.cli.test_views import one, printed


@pytest.mark.parametrize(
    ("officer", "roles", "told"),
    [
        ("o-7f31", ("field",), "seefen watch on"),
        ("o-7f31", ("auditor",), "seefen audit"),
        ("o-7f31", ("admin",), "seefen device list"),
        ("", ("auditor", "keyholder"), "seefen agent run"),
    ],
)
def test_what_comes_next_is_what_its_roles_let_it_do(
    officer: str, roles: tuple[str, ...], told: str
) -> None:
    view = dataclasses.replace(one(JoinedView), officer=officer, roles=roles)
    assert f"Next: '{told}'" in printed(joining.joined(view))
