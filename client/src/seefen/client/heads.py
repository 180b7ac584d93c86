"""Heads that others saw: a message carries the head of the log its author had checked.

A broker that shows two nodes two logs is found out by the first message that crosses from
one to the other, and it cannot filter that: the head is inside the signature (attack 9).

Of each device only the newest head is compared: its own client saw that it grew from the
ones before.
"""

from pathlib import Path

from seefen.client.evidence import keep_evidence
from seefen.client.trust import Prove, Taken
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError, UntrustedError
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

    async def compare(self, mine: Head, prove: Prove) -> list[str]:
        """Compare what was kept with our head; return a sentence for each other log.

        Raises:
            UnreachableError: No broker; what was kept is compared the next time.
        """
        alarms: list[str] = []
        for device, (head, taken) in tuple(self._newest.items()):
            if head.size > mine.size:
                continue  # it was written after the page we have: next time
            if head.size and not await _is_part(head, mine, prove):
                alarms.append(self._accuse(head, mine, taken))
            del self._newest[device]
        return alarms

    def _accuse(self, head: Head, mine: Head, taken: Taken) -> str:
        sentence = (
            f"{taken.core.node} was shown another activity log than this device: "
            f"its message in entry {taken.index} names another one at {head.size}"
        )
        value: dict[str, object] = {
            "rule": "fork",
            "what": sentence,
            "signed": taken.opened.envelope.hex(),
            "theirs": [head.size, head.root.hex()],
            "ours": [mine.size, mine.root.hex()],
        }
        keep_evidence(self._evidence, f"activity-fork-{taken.index}.json", value)
        return sentence


async def _is_part(head: Head, mine: Head, prove: Prove) -> bool:
    try:
        proof = () if head.size == mine.size else await prove("activity", head.size, mine.size)
        check_consistency(head.size, head.root, mine.size, mine.root, proof)
    except (UntrustedError, MalformedError, OutOfTurnError, RefusedError):
        return False
    return True
