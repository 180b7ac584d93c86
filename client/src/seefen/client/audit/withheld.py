"""Withheld: what the signed logs say is for this device to see, and the broker does not show.

A refusal is nobody's signature, and what is hidden is not there: so nothing here proves itself to
others. It is an alarm, and the file of evidence holds the heads under which this device was kept
from it, for another node to compare.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from seefen.client.compared import entries
from seefen.client.engine import Engine
from seefen.client.evidence import FOLDER, accusation, keep_evidence
from seefen.client.witnessed import LOGS
from seefen.protocol.errors import SeefenError, UntrustedError

AUDITORS: Final = ("auditor", "admin")
OWNERS: Final = (*AUDITORS, "lead", "keyholder")  # of a case that their node opened
NOT_SAID: Final = "tls"  # what did not come from the broker at all


async def require_honest(engine: Engine, refusal: SeefenError, *, of_case: bool) -> None:
    """Compare a refusal with the authority log; the engine's lock must be held.

    Args:
        refusal: What the broker answered.
        of_case: To who asked for the readings of a case of his node; else for the whole audit.

    Raises:
        UntrustedError: rule ``withheld``: this device has the right. Alarm and evidence are kept.
    """
    if refusal.rule == NOT_SAID:
        return
    with suppress(SeefenError):
        await engine.sync_authority()  # the right may be gone since
    try:
        roles = OWNERS if of_case else AUDITORS
        engine.directory.require_role(engine.keys.device, *roles, at=engine.now())
    except UntrustedError:
        return
    what = "who read a case of your node" if of_case else "the audit of your node"
    sentence = (
        f"the broker refuses this device {what} (it says: {refusal.rule or refusal}), and by the "
        "signed records of keys it may see that: entries may be hidden (withheld)"
    )
    _accuse(engine, "audit-refused", sentence, said=str(refusal), at=engine.now())
    raise UntrustedError(sentence, rule="withheld") from refusal


def cut(engine: Engine, start: int, size: int) -> UntrustedError:
    """Return the error that an audit is which ends before the log does, with alarm and evidence."""
    sentence = (
        f"the broker shows the audit up to entry {start} and no further, and {size} entries were "
        "signed (withheld)"
    )
    _accuse(engine, "audit-cut", sentence, at=engine.now())
    return UntrustedError(sentence, rule="withheld")


def known_readings(engine: Engine, case: bytes, upto: int) -> list[int]:
    """Return where before ``upto`` the readings of a case stand, as its members were told."""
    sql = "SELECT idx FROM entry WHERE case_id = ? AND kind = 'access' AND idx < ? ORDER BY idx"
    return [index for (index,) in engine.vault.run(sql, case, upto)]


def hidden_readings(engine: Engine, case: bytes, hidden: Collection[int]) -> list[str]:
    """Return a sentence for each reading that is kept from the owner; raise the alarm."""
    if not hidden:
        return []
    name = engine.name_of(engine.trust.require_state(case))
    sentence = (
        f"the broker does not show who made {entries(hidden)}: as every member of {name} was "
        "told, readings of it stand there (withheld)"
    )
    sql = "SELECT record FROM record WHERE idx = ?"
    records = {index: engine.vault.one(sql, index) for index in hidden}
    shown = [
        {"index": index, "record": "" if row is None else row[0].hex()}
        for index, row in records.items()
    ]
    _accuse(engine, f"case-audit-{min(hidden)}", sentence, case=case.hex(), hidden=shown)
    return [
        f"entry {index} is a reading of this case, and the broker does not show it"
        for index in hidden
    ]


def _accuse(engine: Engine, name: str, sentence: str, **said: object) -> None:
    engine.alarm(sentence)
    heads = [kept[1] for log in LOGS if (kept := engine.vault.head(log)) is not None]
    value = accusation("withheld", sentence, engine.trust.root.log_key, heads)
    keep_evidence(engine.home / FOLDER, f"{name}.json", value | said)
