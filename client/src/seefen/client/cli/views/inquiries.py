"""What an auditor asks beside the verdict and the list: entry, case, register, sample, flags."""

from collections.abc import Sequence
from typing import Final

from seefen.client.audit.flags import Flag
from seefen.client.audit.register import Disclosed, Processing
from seefen.client.audit.reporting import NOT_LOOKED_FOR, Statement
from seefen.client.audit.sampling import Sample
from seefen.client.audit.vouching import Checked
from seefen.client.cli import times
from seefen.client.cli.paint import (
    Grid,
    Ledger,
    Painted,
    alarm,
    bold,
    dim,
    good,
    line,
    stack,
    warn,
    whole,
)
from seefen.client.cli.views.audits import behind, did, listed, none_fits, proof
from seefen.client.findings import AuditPage, CaseAudit, EntryView
from seefen.client.wording import counted, day, stamp

_NAMES: Final = {
    "act": "kind",
    "at": "time",
    "basis": "legal basis",
    "case_n": "number of the device in the case",
    "device_n": "number of the device",
    "n": "number in the case",
    "op": "operation",
    "req": "signed record, SHA-256",
    "to": "recipients",
    "under": "rests on entries",
    "v": "version",
}
_BARE: Final = "Cores only: reasons, and what was searched for, are for the node's own auditors."
_UNKNOWN: Final = "What the log does not know, and a person fills in:"


def page(value: AuditPage) -> Painted:
    """Return a page of entries, and how to see the next."""
    if value.own and not value.rows:
        return stack(
            line("This device has opened nothing that fits."),
            dim("What others opened is for the auditors of your node."),
        )
    more = f"More: --after {value.after}" if value.after is not None else None
    return stack(
        None if value.fresh else warn("The broker is away: what was checked here before."),
        listed(value.rows, value.quorum, value.named)
        if value.rows
        else none_fits(value.asked, value.behind, value.head, value.of),
        None if value.rows else behind(value.quorum, value.named),
        None if value.rows else dim(_verdict(value.of)),
        None if value.of is None else dim(_BARE),
        dim("Only what this device opened itself.") if value.own else None,
        line(more) if more else None,
    )


def _verdict(of: str | None) -> str:
    if of is None:
        return "'seefen audit' gives the verdict over the whole log."
    return f"'seefen audit --of {of or 'all'}' gives the verdict over all that you may see."


def entry(value: EntryView) -> Painted:
    """Return one entry whole."""
    row = value.row
    fields = Grid("", "")
    for name, text in value.fields.items():
        if text:
            said = stamp(row.at, seconds=True) if name == "at" else text
            fields.row(dim(_NAMES.get(name, name)), said)
    knows = Grid("", "")
    for who, what in value.knows:
        knows.row(who, what)
    when = stamp(row.at, seconds=True) if row.at else ""
    return stack(
        line(bold(f"#{row.index}"), f"  {when}  {row.officer or row.device[:8]} {row.node}"),
        line(did(row)),
        line(f'Reason: "{row.reason}"') if row.reason else None,
        proof(row),
        line(f"Its text is kept until {stamp(value.kept_until)}.") if value.kept_until else None,
        fields.painted(),
        line(bold("Who may know what of it")),
        knows.painted(),
        line(bold("Where it stands")),
        whole(f"  record   {value.record}"),
        whole(f"  leaf     {value.leaf}"),
        *(whole(f"  proof    {one}") for one in value.proof),
        whole(f"  root     {value.root}  at {value.head}"),
        *(line(f"  witness  {name}  {stamp(at)}") for name, at in value.by),
        None
        if value.proof or value.head == 1
        else dim("  No proof by itself: the broker is away."),
        behind(value.quorum, value.named),
    )


def case(value: CaseAudit) -> Painted:
    """Return who saw what of a case, and when."""
    members = ", ".join(value.members)
    head = f"{value.case}, of {value.owner}; members: {members}" if value.owner else value.case
    readers = Grid("NODE", "OFFICER", "SAW", right=(2,))
    for node, officer, count in value.readers:
        readers.row(node, officer or "devices on watch", str(count))
    more = f"More: --after {value.after}" if value.after is not None else None
    return stack(
        line(bold(head)),
        *(alarm("KEPT FROM YOU: ", problem) for problem in value.problems),
        readers.painted() if value.readers else line("Nobody has opened anything of it."),
        listed(value.rows, value.quorum, value.named, within=value.case) if value.rows else None,
        line(more) if more else None,
    )


def register(lines: Sequence[Disclosed]) -> Painted:
    """Return who disclosed to whom."""
    if not lines:
        return stack(
            line("Nothing was disclosed to another node."), dim("'seefen audit' gives the verdict.")
        )
    now = times.now()
    grid = Ledger("FROM", "TO", "SENT", "KEYS", "PUSHED", "FIRST, UTC", "LAST, UTC", "CASES",
                  right=(2, 3, 4))  # fmt: skip
    for one in lines:
        more = f" and {one.more_cases} more" if one.more_cases else ""
        grid.row(
            one.node, one.to, str(one.objects), str(one.keys), str(one.pushed),
            times.entered(one.first_at, now), times.entered(one.last_at, now),
            ", ".join(one.cases) + more,
        )  # fmt: skip
    return stack(
        grid,
        dim("SENT: messages and files that the other node may read. PUSHED: to devices on watch."),
        dim("Only what your node did, or what concerned its cases, is known here."),
    )


def processing(value: Processing) -> Painted:
    """Return the record of processing of a node."""
    return stack(
        line(bold(f"Record of processing, {value.node}"), f" ({value.network}), Directive (EU)"),
        line(f"2016/680, Article 24 · from {value.entries} entries, checkpoint {value.head}, "
             f"{stamp(value.at)}"),
        line("Purposes     ", _counted(value.purposes)),
        line("Legal bases  ", _counted(value.bases)),
        line("Recipients   ", ", ".join(value.recipients) or "none"),
        line(f"Kept in      {counted(value.cases, 'case')}, {counted(value.channels, 'channel')}",
             ends(value)),
        line("Devices      ", _counted(value.devices)),
        line("Profiling    ", value.profiling),
        line("Security"),
        *(line("  ", text) for text in value.security),
        warn(_UNKNOWN),
        *(warn("  ", text) for text in value.missing),
    )  # fmt: skip


def _counted(pairs: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in pairs) or "none"


def ends(value: Processing) -> str:
    """Return when cases are to be erased; one without a date has none, and no first of 1970."""
    first, last = day(value.earliest_end), day(value.latest_end)
    dated = f"; to be erased from {first} to {last}" if value.endless < value.cases else ""
    have = "has" if value.endless == 1 else "have"
    endless = f"{counted(value.endless, 'case')} {have} no date for erasure"
    return dated + (f"; {endless}" if value.endless else "")


def sample(value: Sample, quorum: int, named: int = 0) -> Painted:
    """Return a sample, or when it can be drawn."""
    some = f"{value.count} of {value.of}" if value.count < value.of else f"all {value.of}"
    where = f"entries {value.start} to {value.stop - 1}"
    fixed = f"{some} readings, {where}; the rule is entry {value.entry}"
    if not value.root:
        left = max(0, value.size - value.head)
        return stack(
            line("Fixed: ", fixed),
            line(f"Seed: the root of the log at {value.size}, which is not known yet "
                 f"({left} entries to go). The same command draws then."),
        )  # fmt: skip
    return stack(
        line("Drawn: ", fixed),
        whole(f"Seed: the root at {value.size}, {value.root}"),
        whole(f"      and the number in the rule, {value.nonce}, which the broker could not read"),
        listed(value.rows, quorum, named)
        if value.rows
        else line("There was no reading to draw from."),
        dim("The same command shows these again; what came since is drawn from with --anew."),
    )


def flags(found: Sequence[Flag]) -> Painted:
    """Return what is worth a question."""
    if not found:
        return stack(good("No flag."), dim("The rules: docs/cli.md, Audit."), *_not_looked_for())
    parts: list[Painted] = []
    for flag in found:
        numbers = ", ".join(f"#{index}" for index in flag.entries)
        more = (
            f" and {flag.count - len(flag.entries)} more" if flag.count > len(flag.entries) else ""
        )
        parts += [
            line(warn(flag.name), f"  {flag.who}  {flag.figure}"),
            line(f"  rule      {flag.rule}"),
            line(f"  baseline  {flag.baseline}"),
            line(f"  entries   {numbers}{more}"),
            dim(f"  It may be {flag.honest}."),
        ]
    return stack(
        *parts, line("A flag is a question, and no verdict on anybody."), *_not_looked_for()
    )


def _not_looked_for() -> tuple[Painted, ...]:
    return (line("No rule looks for:"), *(warn("  ", text) for text in NOT_LOOKED_FOR))


def statement(value: Statement) -> Painted:
    """Return the statement of a month."""
    grid = Grid("", "")
    for part in value.sections:
        grid.row(bold(part.title), "")
        for name, text in part.lines:
            grid.row(f"  {name}", text)
    return stack(
        line(bold(f"Statement, Article 25, {value.month}"), f"  {value.node}, {value.network}"),
        None if value.over else warn(f"The month is not over: its days up to {stamp(value.at)}."),
        line(f"{value.filter} · checkpoint {value.head}"),
        (good if value.ok else alarm)(value.verdict),
        line(value.cosigned.sentence) if value.cosigned.needed else None,
        grid.painted(),
        line(bold("What could NOT be checked")),
        *(warn("  ", text) for text in value.unchecked),
        behind(value.cosigned.needed, value.cosigned.of) if value.cosigned.needed else None,
    )


def vouched(found: Checked) -> Painted:
    """Return whether a statement on paper is as its maker signed it."""
    one = found.vouched
    who = " ".join(filter(None, (found.officer or one.device.hex()[:8], found.node)))
    said = alarm("WRONG") if found.problems else good("GOOD")
    if found.open and not found.problems:
        said = warn("UNCHANGED, and not all was checked")
    return stack(
        line(said, f"  {one.name}, signed by {who}, {stamp(one.at)}"),
        *(alarm("  ", text) for text in found.problems),
        *(warn("  not checked: ", text) for text in found.open),
        None if found.problems or found.open
        else line(f"  its checkpoint {one.size} is one of the log that this device knows"),
    )  # fmt: skip
