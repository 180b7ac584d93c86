"""What the quorum has seen: the newest witnessed head of each log, kept for ever.

A broker can show one device another log than the rest, and sign it. It cannot have it signed by
the quorum. So what counts as fresh is the time of the witnesses (attack 11): the log's own time
counts only in a network without any. And what was shown here beyond the witnessed head must be
witnessed in its turn: a tail for this device alone would never be.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

from seefen.client import alarms
from seefen.client.findings import Cosigned
from seefen.client.trust import Prove, Trust
from seefen.client.vault import Vault
from seefen.client.wording import stamp
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.ledger.quorum import Quorum, Witnessed, open_witnessed, quorum_of, witness_name

LOGS: Final = ("authority", "activity")
SLACK: Final = 60  # seconds that a clock may be wrong
YOUNG: Final = 10  # seconds for which a witnessed head is new enough: a broker's round

Ask = Callable[[str], Awaitable[str]]


@lru_cache(maxsize=8)
def opened(note: str, origin: str, log_public: bytes, quorum: Quorum) -> Witnessed:
    """Return the head in a note, checked; see :func:`open_witnessed`. A refusal is not kept."""
    return open_witnessed(note, origin, log_public, quorum)


class WitnessedHeads:
    """The newest head of each log that the quorum signed."""

    def __init__(self, vault: Vault, trust: Trust) -> None:
        self._vault = vault
        self._trust = trust

    def newest(self, log: str) -> Witnessed | None:
        """Return the newest witnessed head; None if today's quorum has signed none."""
        note = self.note(log)
        if not note:
            return None
        try:
            return self._open(log, note)
        except UntrustedError:
            return None  # the root has changed since, and other witnesses must say so

    def note(self, log: str) -> str:
        """Return the text of the newest witnessed head with its lines; empty without one."""
        return (self._vault.get(f"witnessed/{log}") or b"").decode()

    def of_entry(self, index: int) -> tuple[int, int, int]:
        """Return which witnessed head covers an entry of the activity log.

        Its size, how many witnesses signed it, how many the root names; the first two are 0
        while none does.
        """
        kept, of = self.newest("activity"), len(self._trust.root.witnesses)
        if kept is None or index >= _size(kept):
            return 0, 0, of
        return _size(kept), len(kept.by), of

    def cosigned(self) -> Cosigned:
        """Return how far the quorum has seen the activity log: the setting alone signs nothing."""
        kept, root = self.newest("activity"), self._trust.root
        of, head = len(root.witnesses), self._trust.head("activity").size
        names = [witness_name(root.origin, public) for public in root.witnesses]
        if kept is None:
            return Cosigned(0, 0, of, 0, root.quorum, head, (), tuple(names))
        signed = tuple(name for name, _ in kept.by)
        silent = tuple(name for name in names if name not in signed)
        by = len(signed)
        return Cosigned(_size(kept), by, of, kept.time, root.quorum, head, signed, silent)

    def covers(self, index: int) -> bool:
        """Tell whether the quorum has seen an entry of the activity log."""
        kept = self.newest("activity")
        return kept is not None and index < _size(kept)

    def fresh_at(self, log: str) -> int:
        """Return until when all that was shown here is known to have been seen; 0 for never."""
        kept = self.newest(log)
        if kept is None:
            return 0
        waiting = self._waiting(log)
        return kept.time if waiting is None else min(kept.time, waiting[1])

    async def fetch(self, ask: Ask, prove: Prove, now: int) -> None:
        """Fetch what the quorum has signed since; nothing, in a network without one.

        Raises:
            UntrustedError: rule ``split-view``: the quorum saw another log than the one this
                device was shown. Evidence is kept.
            UnreachableError: No broker.
        """
        if not self._trust.root.quorum:
            return
        for log in LOGS:
            kept = self.newest(log)
            head = self._trust.head(log)
            if kept is None or kept.time <= now - YOUNG or _size(kept) < head.size:
                await self._take(log, await ask(log), prove)
            self._wait(log, now)

    def _wait(self, log: str, now: int) -> None:
        """Note since when a head of this device waits to be witnessed."""
        kept, waiting, size = self.newest(log), self._waiting(log), self._trust.head(log).size
        seen = -1 if kept is None else _size(kept)
        if waiting is None or waiting[0] <= seen:
            self._vault.put(f"unwitnessed/{log}", encode((size, now) if size > seen else (0, 0)))

    def _waiting(self, log: str) -> tuple[int, int] | None:
        value = self._vault.get(f"unwitnessed/{log}")
        waiting = (0, 0) if value is None else decode(value, tuple[int, int])
        return waiting if waiting[1] else None

    async def _take(self, log: str, note: str, prove: Prove) -> None:
        try:
            found = self._open(log, note)
        except SeefenError:
            return  # nobody has signed this: what was witnessed before is not fresher for it
        new, mine = found.signed.checkpoint, self._trust.head(log)
        if (new.size, new.root) != (mine.size, mine.root):
            try:
                await self._trust.accept(log, note, (), prove)
            except UntrustedError as err:
                raise self._split(log) from err
        kept = self.newest(log)
        if kept is None or (_size(kept), kept.time) < (new.size, found.time):
            self._vault.put(f"witnessed/{log}", note.encode())
            if log == "activity":
                self._bound(kept, found)

    def _bound(self, before: Witnessed | None, now: Witnessed) -> None:
        """Raise an alarm about what is dated outside of what the witnesses saw (fault 11).

        An entry behind a head is younger than the last look at that head, and what a head covers
        is no younger than the last look at it.
        """
        start, since = (0, 0) if before is None else (_size(before), before.time)
        sql = "SELECT min(idx), count(*) FROM entry WHERE idx >= ? AND "
        early = self._vault.one(f"{sql} at < ?", start, since - SLACK)
        late = self._vault.one(f"{sql} idx < ? AND at > ?", start, _size(now), now.time + SLACK)
        for found, what in (
            (early, f"before {stamp(since)}, when the witnesses saw the log without it"),
            (late, f"after {stamp(now.time)}, when the witnesses had seen it"),
        ):
            if found is not None and found[1]:
                more = f" and {found[1] - 1} behind it are" if found[1] > 1 else " is"
                sentence = f"entry {found[0]}{more} dated {what}: a false date, or a wrong clock"
                alarms.keep(self._vault, sentence)

    def _split(self, log: str) -> UntrustedError:
        sentence = (
            f"the witnesses have seen another {log} log than the one this device was shown: both "
            "are kept as evidence"
        )
        alarms.keep(self._vault, sentence)
        return UntrustedError(sentence, rule="split-view")

    def _open(self, log: str, note: str) -> Witnessed:
        root = self._trust.root
        quorum = quorum_of(root.origin, root.witnesses, root.quorum)
        return opened(note, self._trust.origin(log), root.log_key, quorum)


def _size(witnessed: Witnessed) -> int:
    return witnessed.signed.checkpoint.size
