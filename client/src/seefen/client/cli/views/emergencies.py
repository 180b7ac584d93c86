"""Cases that were opened in an emergency: what came of it, and the reason that is due."""

from collections.abc import Mapping, Sequence

from seefen.client.cli import times
from seefen.client.cli.paint import Painted, alarm, dim, line, stack, warn
from seefen.client.emergencies import EmergencyView


def asked(view: EmergencyView) -> Painted:
    """Return what came of a question."""
    if view.state == "refused":
        return alarm(
            f"Refused: {view.why}. A keyholder may assign it: seefen case assign {view.case} "
            "OFFICER; --again asks once more."
        )
    if view.state == "asked":
        return stack(
            warn(f"Asked for {view.case}: no keyholder's client has answered yet."),
            dim("One that stays answers by itself (seefen tail). Call a keyholder; run it again."),
        )
    return stack(
        alarm(f"{view.case} is open to you in an EMERGENCY: its members and the auditors see it."),
        line(f"Read: seefen case show {view.case}"),
        _due(view),
    )


def listed(views: Sequence[EmergencyView]) -> Painted:
    """Return what is still open about emergencies of this device."""
    return stack(*map(_row, views))


def _row(view: EmergencyView) -> Painted:
    if view.state == "opened":
        return _due(view)
    why = view.why or "no keyholder's client has answered yet"
    return warn(f"EMERGENCY  {view.case} {view.state}: {why}")


def _due(view: EmergencyView) -> Painted:
    now = times.now()
    late = view.due_at <= now.timestamp()
    due = f"{'' if late else 'due '}{times.due(view.due_at, now)}"
    text = f"EMERGENCY  the reason for {view.case} is {due}: seefen case reason {view.case} TEXT"
    return alarm(text) if late else warn(text)


def given(done: Mapping[str, object]) -> Painted:
    """Return where a reason stands."""
    return line(
        f"Reason for {done['case']}: entry {done['entry']}, for the auditors of both nodes."
    )
