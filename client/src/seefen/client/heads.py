"""Heads that others saw: a message carries the head of the log its author had checked.

A broker that shows two nodes two logs is found out by the first message that crosses from
one to the other, and it cannot filter that: the head is inside the signature (attack 9).

Of each device only the newest head is compared: its own client saw that it grew from the
ones before.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from seefen.client.accusing import grown
from seefen.client.connection import Connection
from seefen.client.evidence import accusation, keep_evidence
from seefen.client.trust import Prove, Taken, Trust
from seefen.client.vault import Vault
from seefen.protocol.errors import (
    MalformedError,
    OutOfTurnError,
    RefusedError,
    SeefenError,
    UntrustedError,
)
from seefen.protocol.frames import Proof, Span
from seefen.protocol.ledger.tree import check_consistency
from seefen.protocol.statements import Activity, Head


class SeenHeads:
    """The newest head of each other device, until it is compared with ours."""

    def __init__(self, own: bytes, evidence: Path) -> None:
        self._own = own
        self._evidence = evidence
        self._newest: dict[bytes, tuple[Head, Taken]] = {}

    def note(self, taken: Taken) -> None:
        """Keep the head in a statement that was taken in."""
        statement = taken.opened.statement
        if isinstance(statement, Activity) and statement.device != self._own:
            self._newest[statement.device] = (statement.activity, taken)

    async def compare(self, trust: Trust, vault: Vault, connection: Connection) -> list[str]:
        """Compare what was kept with our head; return a sentence for each other log.

        Raises:
            UnreachableError: No broker; what was kept is compared the next time.
        """
        alarms: list[str] = []
        kept = vault.head("activity")
        if kept is None:
            return alarms
        mine = kept[0]

        async def prove(log: str, old: int, new: int) -> tuple[bytes, ...]:
            return (await connection.request("consistency", Span(log, old, new), Proof)).hashes

        for device, (head, taken) in tuple(self._newest.items()):
            if head.size > mine.size:
                continue  # it was written after the page we have: next time
            if head.size and not await _is_part(head, mine, prove):
                sentence = _sentence(head, taken)
                alarms.append(sentence)
                value = accusation("fork", sentence, trust.root.log_key, [kept[1]])
                with suppress(SeefenError):  # the alarm does not wait for it
                    shown = await grown(trust, vault, connection, head.size, prove)
                    value["grown"] = [shown]
                self._keep(value, head, mine, taken)
            del self._newest[device]
        return alarms

    def _keep(self, value: dict[str, Any], head: Head, mine: Head, taken: Taken) -> None:
        # What the other node was shown is the word of its device here; its own file, with the
        # root at the same size under its own head, is the log's.
        value |= {
            "signed": taken.opened.envelope.hex(),
            "theirs": [head.size, head.root.hex()],
            "ours": [mine.size, mine.root.hex()],
        }
        keep_evidence(self._evidence, f"activity-fork-{taken.index}.json", value)


def _sentence(head: Head, taken: Taken) -> str:
    return (
        f"{taken.core.node} was shown another activity log than this device: "
        f"its message in entry {taken.index} names another one at {head.size}"
    )


async def _is_part(head: Head, mine: Head, prove: Prove) -> bool:
    try:
        proof = () if head.size == mine.size else await prove("activity", head.size, mine.size)
        check_consistency(head.size, head.root, mine.size, mine.root, proof)
    except (UntrustedError, MalformedError, OutOfTurnError, RefusedError):
        return False
    return True
