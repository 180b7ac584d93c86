import pytest

from seefen.protocol import errors
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (SeefenError, 500, "error"),
        (MalformedError, 400, "malformed"),
        (UntrustedError, 403, "untrusted"),
        (OutOfTurnError, 409, "out-of-turn"),
        (RefusedError, 422, "refused"),
    ],
)
def test_an_error_says_what_to_do(error: type[SeefenError], status: int, kind: str) -> None:
    raised = error("the key is of an older generation", rule="stale-generation")
    assert str(raised) == "the key is of an older generation"
    assert (raised.status, raised.kind, raised.rule) == (status, kind, "stale-generation")
    assert isinstance(raised, SeefenError)


def test_a_rule_may_be_missing() -> None:
    assert MalformedError("cut short").rule == ""


def test_the_tree_is_drawn_whole() -> None:
    tree = errors.__doc__ or ""
    for error in SeefenError.__subclasses__():
        if error.__module__ == errors.__name__:
            assert f"{error.__name__:<16} {error.status}" in tree
