"""Stubs: what others wrote in a case, and this device is not shown; what it should have been."""

from collections.abc import Callable

from seefen.client.doubts import doubt
from seefen.client.trust import Taken, Trust
from seefen.client.vault import Vault
from seefen.protocol import case_chain
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.frames import Stub


def stub_of(taken: Taken) -> Stub:
    """Return what others are shown of an entry: its number, as its core proves it."""
    core = taken.core
    return Stub(
        taken.index,
        taken.opened.kind,
        bytes.fromhex(core.case),
        bytes.fromhex(core.device),
        core.case_n,
    )


def is_told_less(state: CaseState, stub: Stub, node: str) -> bool:
    """Tell whether numbers may be missing before one: ``node`` was no member of the case yet.

    Of what stands before it came it is told how far each device was (docs/decisions/0050). The
    versions say when that was, so nobody can pass off as older what was hidden later.

    Args:
        state: The case just before.
    """
    return not state.was_member(node) and stub.case_n > state.last(stub.device).case_n


class Stubs:
    """Takes stubs in, and raises an alarm where one stands in place of an entry."""

    def __init__(self, trust: Trust, vault: Vault, alarm: Callable[[str], None]) -> None:
        self._trust = trust
        self._vault = vault
        self._alarm = alarm

    def check(self, stub: Stub, node: str) -> None:
        """Raise an alarm when a statement for a node came as a stub (attack 13)."""
        state = self._trust.state(stub.case)
        if state is None or self._vault.has_entry(stub.index):
            return
        try:
            case_chain.check_stub(state, stub, self._trust.directory, node)
        except UntrustedError as err:
            self._alarm(f"entry {stub.index} of {state.number} was withheld: {err}")
            doubt(self._vault, stub.case)

    def take(self, stub: Stub, node: str) -> None:
        """Take a stub in."""
        state = self._trust.state(stub.case)
        if state is None:
            # Its opening was refused or withheld. The rest of the feed must still come in.
            if not self._vault.has_entry(stub.index):
                self._alarm(f"entry {stub.index} is in a case this device was never told of")
                doubt(self._vault, stub.case)
                self._trust.keep_stub(stub)
            return
        try:
            self._trust.take_stub(stub)
        except OutOfTurnError:
            if not is_told_less(state, stub, node):
                what = f"something was withheld before entry {stub.index}"
                self._alarm(f"{what}: a number is missing")
                doubt(self._vault, stub.case)
            self._trust.jump(stub)
