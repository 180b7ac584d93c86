"""Legal holds: what must be kept past its retention, by the operator's hand."""

import re
from datetime import UTC, datetime

from seefen.server.app import now
from seefen.server.config import SetupError
from seefen.server.store import Store

_SUBJECT = re.compile(r"[0-9a-f]{32}|[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)


async def change_holds(dsn: str, subject: str, why: str, *, lift: bool) -> list[str]:
    """Put a case or node on hold, or lift it; return what is to be said, a line each.

    Args:
        dsn: Of the database.
        subject: Id of a case in hex, or name of a node; empty: say what is on hold.
        why: Who asked for it; needed for a new hold.
        lift: End it.

    Raises:
        SetupError: It is neither, is not known, has no reason, or is not on hold.
    """
    async with Store.open(dsn) as store:
        rows = store.erasures
        if not subject:
            holds = await rows.holds()
            return [f"{one}, since {_day(since)}: {why}" for one, since, why in holds] or [
                "nothing is on hold"
            ]
        if not _SUBJECT.fullmatch(subject):
            raise SetupError(f"{subject!r} is no id of a case and no name of a node")
        if lift:
            if not await rows.lift(subject):
                raise SetupError(f"{subject} is not on hold")
            return [f"{subject} is on hold no more: its entries go when their time is over"]
        if not why.strip():
            raise SetupError("say who asked for the hold", hint="--why TEXT")
        if not await rows.known(subject):
            # Else a slip of the pen would be told as a hold, and a court's order be for nothing.
            raise SetupError(f"the ledger has no case and no node {subject!r}")
        await rows.hold(subject, now(), why.strip())
        kept, gone = await rows.covered(subject)
        said = f"{subject} is on hold: {kept} readings stay until 'hold --lift', and all new ones"
        return [said, *([f"{gone} were erased before"] if gone else [])]


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
