"""Explaining: an auditor says once why something stands; it is entered, and never hidden.

An alarm says what happened on this device, a finding what is wrong with the entries as they are.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from unicodedata import normalize

from seefen.client import alarms
from seefen.client.alarms import Kept
from seefen.client.audit.emergencies import Emergency, emergencies, overdue
from seefen.client.audit.facts import AUDIT
from seefen.client.audit.gaps import gaps
from seefen.client.audit.looking import Looking, once
from seefen.client.audit.store import Store
from seefen.client.audit.unshown import not_shown
from seefen.client.explained import (
    ENTRY,
    GAP,
    SHORT,
    Explained,
    Finding,
    explain,
    explained,
    subject_of,
)
from seefen.protocol.errors import RefusedError

MOST: Final = 1000  # findings that are named, beside those that are explained
NAMED: Final = 20  # of those that are open, where none has the name that was given
# What is wrong belongs to it: another fault of the same bytes was never looked into.
_WRONG: Final = (
    "SELECT act, problem, idx, kind, record, core, salt, envelope FROM audited"
    " JOIN audited_bytes USING (idx) WHERE problem <> '' ORDER BY idx"
)


class Explaining(Looking):
    """Names what is wrong, and keeps what is said of it."""

    def findings(self) -> tuple[Finding, ...]:
        """Return gaps and entries that are not proved, those that were explained too."""
        return self._with_words(self._found())

    def emergencies(self) -> list[Emergency]:
        """Return all emergencies that stand here."""
        return emergencies(self._engine, self.store)

    def reasons(self, found: Iterable[Emergency]) -> tuple[Finding, ...]:
        """Return the reasons of emergencies that are overdue, those that were explained too.

        They are no fault of the log, and none that a broker could mend.
        """
        return self._with_words(overdue(found))

    def _with_words(self, every: Iterable[tuple[str, str, str]]) -> tuple[Finding, ...]:
        said = explained(self._engine.vault)
        found: list[Finding] = []
        unanswered = 0
        for what, sentence, subject in every:
            known = said.get(subject)
            if known is not None:
                found.append(Finding(what, sentence, subject, known.at, known.why, known.entry))
            elif (unanswered := unanswered + 1) <= MOST:
                found.append(Finding(what, sentence, subject))
        return tuple(found)

    def _found(self) -> Iterator[tuple[str, str, str]]:
        if self.is_auditor:
            # Who sees single cases alone has not all numbers of a device, and none is missing.
            for gap in gaps(self._engine, self.store):
                yield GAP, gap.sentence, gap.subject
        yield from wrong(self.store)
        yield from not_shown(self.store)

    async def acknowledge(self, name: str, why: str) -> Kept | Finding:
        """Say why an alarm or a finding is none any more; that is entered with its words.

        Args:
            name: Its eight digits, or more of its hash where two begin alike.
            why: In the words of who looked into it.

        Raises:
            UntrustedError: rule ``not-an-auditor``.
            RefusedError: rule ``unknown-alarm``: none that is open has this name, or more than
                one; ``form``: no reason.
        """
        self.require_auditor()
        chosen, why = self._unanswered(name), normalize("NFC", why.strip())
        if not why:
            raise RefusedError("say what explains it", rule="form")
        what = "alarm" if isinstance(chosen, Kept) else chosen.what
        # Its name and the reason first: a long sentence is cut.
        text = f"acknowledged {what} {chosen.name}: {why}; it was: {chosen.sentence}"
        self._journal.enter(AUDIT, text, lambda: chosen, once)
        vault, at = self._engine.vault, self._engine.now()
        if isinstance(chosen, Kept):
            # Before the broker is asked: what its answers raise meanwhile is open again.
            known = alarms.acknowledge(vault, chosen, at, why, None)
            return alarms.acknowledge(vault, known, at, why, await self._journal.upload())
        entry = await self._journal.upload()
        explain(vault, chosen.subject, Explained(at, why, entry))
        return Finding(chosen.what, chosen.sentence, chosen.subject, at, why, entry)

    def _unanswered(self, name: str) -> Kept | Finding:
        every: tuple[Kept | Finding, ...] = (
            *alarms.kept(self._engine.vault), *self.findings(),
            *self.reasons(self.emergencies()),
        )  # fmt: skip
        waiting = [one for one in every if not one.acknowledged]
        found = [one for one in waiting if len(name) >= SHORT and one.subject.startswith(name)]
        if not found:
            names = ", ".join(one.name for one in waiting[:NAMED]) or "none"
            text = f"no alarm, gap, entry or reason {name} is open here; open are: {names}"
            raise RefusedError(text, rule="unknown-alarm")
        if len(found) > 1:
            # A broker that chooses what an alarm says could choose its digits as well.
            names = ", ".join(one.subject for one in found)
            raise RefusedError(f"more than one begins with {name}: {names}", rule="unknown-alarm")
        return found[0]


def wrong(store: Store, *, opened: bool = False) -> Iterator[tuple[str, str, str]]:
    """Yield entries that are not proved: what they are, what is wrong, and its hash.

    Args:
        opened: Only those whose text was shown.
    """
    for act, problem, *shown in store.run(_WRONG):
        if act or not opened:
            yield ENTRY, problem, subject_of(ENTRY, problem.encode(), *shown)
