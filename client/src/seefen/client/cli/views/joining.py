"""Founding, inviting, joining, admitting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seefen.client.admitting import Request
from seefen.client.cli import codes, times
from seefen.client.cli.arguments import ROLES
from seefen.client.cli.paint import Painted, bold, dim, line, stack, warn
from seefen.client.findings import without_quorum
from seefen.client.founding import Founded
from seefen.client.joining import JoinedView
from seefen.client.watching import HOLDERS


@dataclass(frozen=True, slots=True)
class Admitted:
    """A node or device that was let in."""

    node: str
    kind: str
    roles: tuple[str, ...]


def read_aloud(words: Sequence[str]) -> Painted:
    """Return the six words, for the one who joins."""
    return stack(
        line("Read these words to your admin (number on your paper): "),
        line("  ", bold(" · ".join(words))),
        dim("Waiting for admission ..."),
    )


def compare(request: Request) -> Painted:
    """Return the six words, for the one who admits."""
    roles, words = ", ".join(request.roles), request.words
    device = request.kind == "device"
    who = f"A device of {request.node}" if device else f"The new node {request.node}"
    return stack(
        line(bold(who), f" wants to join ({roles})."),
        line("Telephone the number on your own paper. They must read out exactly:"),
        line("  ", bold(" · ".join(words))),
        warn("One word that differs: do not admit."),
    )


def joined(view: JoinedView) -> Painted:
    """Return where this machine is now, and what its officer may do."""
    may = "; ".join(ROLES[role] for role in view.roles if role in ROLES)
    by = f" by {view.admitted_by}" if view.admitted_by else ""
    return stack(
        line(f"Network  {view.network}{_founded(view.founded_at)}     Node  {view.node}"),
        line(f"Admitted {times.moment(view.admitted_at, times.now())}{by}."),
        line("Check: this device ", may or "has no role", "."),
        dim(f"Next: {_next(view)}, 'seefen status' at any time."),
    )


def _next(view: JoinedView) -> str:
    if not view.officer:
        return "'seefen agent run', or its unit (docs/operating.md)"
    if HOLDERS.isdisjoint(view.roles):
        return "'seefen audit'" if "auditor" in view.roles else "'seefen device list'"
    return "'seefen watch on' once a shift"


def _founded(at: int) -> str:
    return f" (founded {times.local(at).date().isoformat()})" if at else ""


def admitted(done: Sequence[Admitted]) -> Painted:
    """Return who is in."""
    return stack(*(line(bold(one.node), f" admitted ({', '.join(one.roles)}).") for one in done))


def invited(made: Mapping[str, object]) -> Painted:
    """Return where the invite is and how it travels."""
    agent = bool(made.get("agent"))
    who = "On the agent's machine run" if agent else "The officer runs"
    return stack(
        line("Invite, valid 48 h and once: ", bold(str(made["invite"]))),
        line(f"{who}: seefen join {made['invite']}"),
        line(f"and reads you six words. You run: seefen admit {made['invite']}")
        if not agent
        else line(f"It shows six words. Here you run: seefen admit {made['invite']}"),
        dim("Give your telephone number on paper, not with the file.") if not agent else None,
        warn(
            f"Auditor and keyholder {'on one machine' if agent else 'in one hand'}: once it is "
            "admitted, nobody opens a name at your node ('seefen audit name')."
        )
        if made.get("opens_names_alone")
        else None,
    )


def founded(made: Founded) -> Painted:
    """Return what was made, and who keeps what."""
    return stack(
        line(
            "Network ",
            bold(made.name),
            f" founded: {made.threshold} of {len(made.keys)} keys must sign.",
        ),
        *(line(f"  {path}") for path in made.keys),
        line(f"  {made.statement}"),
        line(f"Its hash, to be compared on paper: {made.net}"),
        _witnesses(made),
        warn("Give each root key to another person, on a stick of its own, and delete it here."),
        dim(f"Next: seefen-server init --data FOLDER --root {made.statement}"),
    )


def _witnesses(made: Founded) -> Painted:
    if not made.quorum:
        return warn(without_quorum(made.witnesses))
    text = f"{made.quorum} of {made.witnesses} witnesses must see the log before anybody writes."
    return stack(line(text), warn(codes.ONE_WITNESS) if made.quorum == 1 else None)


def witness(made: Mapping[str, object]) -> Painted:
    """Return where the card of a witness is, and where the key stays."""
    return stack(
        line("Card of this witness: ", bold(str(made["card"]))),
        line(f"It signs as .../witness/{made['id']}: let it be written down whose that is; the"),
        line("root names keys, and pages of the audit say no more."),
        line(f"Who founds the network runs: seefen found broker.json --witness {made['card']}"),
        line(f"In one that is founded: seefen root change --witness {made['card']}"),
        dim("The key beside it stays on this machine, alone. Never put an older copy back."),
    )
