"""The agent: how it begins, what it has raised."""

from collections.abc import Sequence

from seefen.client import Client
from seefen.client.agent import Agent, Alarm
from seefen.client.agent.alarms import CRITICAL, NOTICE
from seefen.client.cli import times
from seefen.client.cli.paint import Painted, Piece, alarm, bold, dim, line, stack, warn


def begins(client: Client, agent: Agent) -> Painted:
    """Return what the agent does from now on."""
    sees = "auditor" in client.roles or "admin" in client.roles
    return stack(
        line("Agent of ", bold(client.node), f" in {client.network}; mirror and alarms are in "),
        line(f"  {agent.folder}"),
        line(f"It cosigns both logs, with the key in {agent.cosigner.folder}.")
        if agent.cosigner.folder.exists()
        else dim("It is no witness: 'seefen witness' was not run in its home."),
        None
        if sees
        else dim("Its role does not see what your officers opened: only cases are mirrored."),
        line("It renews the keys that a revoked device leaves, and assigns by the roster.")
        if "keyholder" in client.roles
        else None,
        dim("Alarms come as lines of JSON on standard error. Ctrl-C or SIGTERM ends it."),
    )


def ended() -> Painted:
    """Return that it has stopped."""
    return line("The agent has stopped; what was mirrored is safe.")


def alarms(found: Sequence[Alarm]) -> Painted:
    """Return the alarms, the newest last."""
    if not found:
        return stack(
            line("No alarm."),
            dim("'seefen agent run' raises them; on this machine it may never have run."),
        )
    return stack(*(_alarm(one) for one in found))


def expected(answer: dict[str, int]) -> Painted:
    """Return until when devices may come and go without an alarm."""
    until = answer["expected_until"]
    if not until:
        return line("Every change of your node's keys is an alarm again.")
    return line(
        f"Until {times.moment(until, times.now())} changes of your node's keys are expected."
    )


def _alarm(one: Alarm) -> Painted:
    evidence = dim(f"  evidence: {one.evidence}") if one.evidence else None
    head = line(times.moment(one.at, times.now()), "  ", _kind(one))
    return stack(head, line(f"  {one.text}"), evidence)


def _kind(one: Alarm) -> Piece:
    text = f"{one.severity}: {one.kind}"
    if one.severity == CRITICAL:
        return alarm(text)
    return dim(text) if one.severity == NOTICE else warn(text)
