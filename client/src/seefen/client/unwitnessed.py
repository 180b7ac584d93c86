"""The one exception to letter (a): an alert leaves although nobody has seen the log lately.

It carries the mark ``unwitnessed`` inside its signature, and its entry says ``emergency``. The
next log that was seen confirms it, or an alarm names whose key was taken away meanwhile: they
may have been handed it because a broker hid that. Rules about keys and members hold as ever.
"""

from typing import Final

from seefen.client import keying
from seefen.client.drafts import Draft
from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import SeizureAlert, decode_message

EXCUSED: Final = ("a-stale-log", "a-unwitnessed")
_SENT: Final = "alert-unwitnessed/"


def stale(engine: Engine) -> bool:
    """Tell whether nobody has seen the log lately."""
    return _refused(engine) in EXCUSED


def _refused(engine: Engine) -> str:
    try:
        keying.require_fresh_log(engine)
    except RefusedError as err:
        return err.rule
    return ""


async def may_leave(engine: Engine, draft: Draft) -> bool:
    """Check letter (a) for a draft; return whether it must carry the mark.

    Raises:
        RefusedError: rule ``a-stale-log``, ``a-unwitnessed`` (it is no alert), ``a-clock``.
        UntrustedError: The broker shows another log: no alert leaves on that either.
    """
    try:
        await keying.refresh(engine)
    except RefusedError as err:
        if err.rule not in EXCUSED or not _is_alert(engine, draft):
            raise
    else:
        return False
    # Before it leaves: whatever happens then, it is not forgotten.
    engine.vault.put(f"{_SENT}{draft.object.hex()}", encode(engine.directory.size))
    return True


def confirm(engine: Engine) -> None:
    """Look again at what left unwitnessed, once the log was seen; raise alarms."""
    sql = "SELECT name, value FROM setting WHERE name > ? AND name < ?"
    rows = list(engine.vault.run(sql, _SENT, _SENT + "g"))
    if not rows or _refused(engine):
        return
    for name, value in rows:
        _confirm(engine, bytes.fromhex(name.removeprefix(_SENT)), decode(value, int))
        engine.vault.run("DELETE FROM setting WHERE name = ?", name)


def _confirm(engine: Engine, object_: bytes, since: int) -> None:
    found = engine.vault.one("SELECT case_id, n FROM object WHERE object = ?", object_)
    if found is None:
        return  # it did not leave then; if it does now, the log is fresh
    state = engine.trust.require_state(found[0])
    gone = [name for node in state.members for name in _gone(engine, node, since)]
    if gone:
        engine.alarm(
            f"{engine.name_of(state)}#{found[1]} left while nobody had seen the log, and "
            f"{', '.join(gone)} may read it although no longer in force: tell those it concerns"
        )


def _gone(engine: Engine, node: str, since: int) -> list[str]:
    directory = engine.directory
    links = ((one, directory.revoked(one.device)) for one in directory.devices(node))
    gone = [
        f"{one.officer or one.device.hex()[:8]} of {node}"
        for one, link in links
        if link is not None and link.index >= since
    ]
    suspended = directory.link(("suspend", node))
    return [*gone, node] if suspended is not None and suspended.index >= since else gone


def _is_alert(engine: Engine, draft: Draft) -> bool:
    state = engine.trust.require_state(draft.case)
    return state.form == "channel" and isinstance(decode_message(draft.plain), SeizureAlert)
