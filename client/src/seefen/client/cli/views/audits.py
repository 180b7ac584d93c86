"""The audit: a verdict on one page, readings with their proof, the check of the log.

Every page says what stands behind it: without witnesses, that views may be split.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from seefen.client.alarms import Kept
from seefen.client.cli import codes, times
from seefen.client.cli.paint import (
    Grid,
    Ledger,
    Painted,
    Piece,
    alarm,
    bold,
    dim,
    good,
    line,
    stack,
    warn,
)
from seefen.client.compared import Compared
from seefen.client.explained import GAP, Finding
from seefen.client.findings import (
    AuditRow,
    Cosigned,
    EmergencyCase,
    Published,
    SearchView,
    SoughtView,
    Verdict,
    VerifyReport,
    ViewVerdict,
)
from seefen.client.wording import counted, day, stamp
from seefen.protocol.ledger.quorum import INDEPENDENT

LATE: Final = 300  # seconds between a search and its entry that are worth a word
_RULES: Final = {
    "revoked": "the device was revoked",
    "expired": "the device or what it asked for had expired",
    "suspended": "its node was suspended",
    "role": "it has no such role",
    "not-a-reader": "it was not given the key",
    "not-a-member": "its node is no member any more",
    "not-the-owner": "its node does not own the case",
    "not-a-viewer": "nobody has let it look there",
}
_ASSIGNED: Final = {"yes": "assigned", "no": "NOT ASSIGNED", "keyholder": "keyholder"}
_HASH: Final = re.compile(
    r"(?<=references )([0-9a-f]{8})[0-9a-f]{56}\b"
)  # as `audit person` binds them
FEW: Final = 2  # nodes that are named
MOST: Final = 3  # of the searches of one entry that are named


def verdict(value: Verdict) -> Painted:
    """Return the verdict on one page."""
    month = f" · {value.month}" if value.month else ""
    return stack(
        line(bold(value.node), f", {value.network}{month} · {_span(value)} · ",
             f"checkpoint {value.head}, {stamp(value.at)}"),
        line((good if value.ok else alarm)(value.sentence),
             f"  {value.proved} of {value.entries} entries proved"),
        cosigned(value.cosigned),
        _compared(value.manifests),
        _counts(value),
        *(_emergency(one, value.findings) for one in value.emergencies),
        *map(_alarm, value.alarms),
        *(alarm("  PROBLEM  ", text) for text in _named(value.problems, value.findings)),
        *(warn(f"  GAP      {one.name}, ", one.sentence) for one in _open(value.findings, GAP)),
        *map(_known, value.findings),
        *(warn(f"  FLAG     {name}: ", text) for name, text in value.flags),
        _limits(value.limits, value.cosigned.needed, value.cosigned.of),
        dim("Each one: 'seefen audit list'. The whole log: 'seefen audit verify'."),
        dim("A flag is a question: 'seefen audit flags'.") if value.flags else None,
        None if _all_answered(value.alarms, value.findings) else dim(
            "What is explained, by its eight digits: 'seefen audit acknowledge NAME --why ...'."),
    )  # fmt: skip


def viewed(value: ViewVerdict) -> Painted:
    """Return what a guest or a network auditor is shown, on one page."""
    whose = value.of or "the whole network"
    when = "" if value.whole else f", {day(value.since)} to {day(value.upto - 1)}"
    order = (good if value.ok else alarm)(value.sentence)
    counts = "   ".join(f"{act} {count}" for act, count in value.acts) or "nothing"
    every = " · every entry of the log is shown" if value.whole else ""
    return stack(
        line(bold(whose), f"{when} · you may look until {stamp(value.expires)} · ",
             f"checkpoint {value.head}, {stamp(value.at)}"),
        line(order, f"  {counted(value.entries, 'entry', 'entries')}{every}"),
        line("  ", value.cosigned.sentence) if value.cosigned.needed else None,
        line("  ", counts),
        *map(_alarm, value.alarms),
        *(alarm("  PROBLEM  ", text) for text in _named(value.problems, value.findings)),
        *map(_known, value.findings),
        _limits(value.limits, value.cosigned.needed, value.cosigned.of),
        dim(f"Each one: 'seefen audit list --of {value.of or 'all'}'."),
        None if _all_answered(value.alarms, value.findings) else dim(
            "What is explained, by its eight digits: 'seefen audit acknowledge NAME --of "
            f"{value.of or 'all'} --why ...'."),
    )  # fmt: skip


def published(made: Sequence[Published]) -> Painted:
    """Return which manifests were entered."""
    grid = Grid("NODE", "ENTRIES", "TO BE SHOWN", "NO TEXT", "ENTERED AS", right=(2, 3))
    for one in made:
        places = f"{one.start} to {one.upto - 1}"
        grid.row(one.of, places, str(one.named), str(one.closed), f"#{one.entry}")
    return grid.painted()


def _compared(value: Compared) -> Painted:
    said = f"  {value.sentence}"
    if not value.ok:
        return alarm(said)
    return line(said) if value.is_clear else warn(said)


def _span(value: Verdict) -> str:
    if value.entries:
        return f"log {value.first}-{value.last}"
    return "no entry for your node yet" if value.head else "the log is empty"


def acknowledged(one: Kept | Finding) -> Painted:
    """Return that an alarm or a finding was acknowledged, and where that stands."""
    return line(_answer(one), ". It stays on the page of 'seefen audit'.")


def _alarm(one: Kept) -> Text:
    said = f"  ALARM    {one.name}, {stamp(one.at)}: {one.sentence}"
    return warn(said, f"; {_answer(one)}: {one.why}") if one.acknowledged else alarm(said)


def _answer(one: Kept | Finding) -> str:
    entry = "its entry leaves later" if one.entry is None else f"entry {one.entry}"
    return f"acknowledged {stamp(one.acknowledged)}, {entry}"


def _named(texts: Sequence[str], findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what is wrong, each finding with the name by which it is acknowledged."""
    names = {one.sentence: one.name for one in findings if not one.acknowledged}
    return (f"{names[text]}, {text}" if text in names else text for text in texts)


def _open(findings: Sequence[Finding], what: str) -> Iterator[Finding]:
    return (one for one in findings if one.what == what and not one.acknowledged)


def _all_answered(alarms: Sequence[Kept], findings: Sequence[Finding]) -> bool:
    return all(one.acknowledged for one in alarms) and all(one.acknowledged for one in findings)


def _known(one: Finding) -> Text | None:
    """Say what stands and was explained: never hidden, and never without who said so and when."""
    if not one.acknowledged:
        return None
    return warn(f"  KNOWN    {one.name}, {one.what}: {one.sentence}; {_answer(one)}: {one.why}")


def listed(rows: Sequence[AuditRow], quorum: int, named: int = 0, *, within: str = "") -> Painted:
    """Return readings, each with its proof; ``within`` is a case that need not be named again."""
    grid = Ledger("ENTRY", "WHEN, UTC", "WHO", "DID", "PURPOSE", "PROVED IN")
    now = times.now()
    for row in rows:
        grid.row(
            f"#{row.index}",
            times.entered(row.at, now),
            " ".join(filter(None, (row.officer or row.device[:8], row.node))),
            did(row, within),
            _why(row),
            _proof(row),
        )
    proved = sum(row.proved for row in rows)
    nobody = "" if quorum else f", {_nobody(named)}"
    total = f"{proved} of {len(rows)} proved{nobody}"
    what = "PROVED IN: the checkpoint, and how many witnesses cosigned it (0: none yet)."
    return stack(grid, line(total), dim(what) if quorum else None, _limits((), quorum, named))


def left_out(count: int) -> Painted:
    """Return that entries which are not proved stand nowhere in what was shown."""
    which = "entry is" if count == 1 else "entries are"
    return alarm(
        f"{count} {which} NOT PROVED, and counted nowhere here: 'seefen audit' names the first."
    )


def none_fits(asked: str, behind: int, head: int, of: str | None = None) -> Painted:
    """Return that no entry fits a filter; only without one did nobody open anything.

    Args:
        asked: The filter in words; ``behind`` is the last entry that was seen.
        behind: -1: none.
        head: How long the log is.
        of: Whose entries were looked at under a view, empty for all; None: the own node's.
    """
    if asked == "everything" and behind < 0 and of is not None:
        said = f"Nobody has opened anything of {of or 'the network'} that you may see."
    elif asked == "everything" and behind < 0:
        said = "Nobody has opened anything that your node may see."
    else:
        after = f", behind #{behind}" if behind >= 0 else ""
        said = f"No entry fits: {asked}{after}. The log ends at #{head - 1}."
    return line(said)


def _proof(row: AuditRow) -> Text:
    """Return where an entry is proved, for a column: what it means is said below."""
    if not row.proved:
        return proof(row)
    if not row.needed:
        return good(row.size)
    seen = f"{row.cosigned}/{row.witnesses}"
    if not row.cosigned:
        return warn(f"{row.size}, {seen}")
    return good(f"{row.witnessed}, {seen}")


def proof(row: AuditRow) -> Text:
    """Return where an entry is proved, or in red why it is not."""
    if not row.proved:
        return alarm(f"NOT PROVED: {row.problem}")
    if not row.needed:
        return good(f"proved in {row.size}, {_nobody(row.witnesses)}")
    if not row.cosigned:
        return warn(f"proved in {row.size}, no quorum has seen it yet")
    return good(
        f"proved in {row.witnessed}, cosigned by {row.cosigned} of {row.witnesses} witnesses"
    )


def _nobody(named: int) -> str:
    return "no witness required" if named else "no witness"


def behind(quorum: int, named: int) -> Painted:
    """Return what nobody could see."""
    return _limits((), quorum, named)


def verified(report: VerifyReport) -> Painted:
    """Return what a check of the whole log found."""
    seen = counted(report.checked, "record")
    if report.problems:
        count = counted(len(report.problems), "problem")
        first = alarm(f"THE LOG IS NOT IN ORDER: {count}")
    elif report.stale:
        first = alarm(f"NOT FRESH  {seen} in checkpoint {report.head}")
    else:
        first = good(f"OK  {seen} in checkpoint {report.head}")
    evidence = "Keep this device as it is, and tell the other nodes." if report.problems else None
    return stack(
        line(first, _entries(report.entries)),
        alarm("  ", report.stale) if report.stale else None,
        *(alarm("  ", text) for text in _named(report.problems, report.findings)),
        *map(_known, report.findings),
        line(evidence) if evidence else None,
        cosigned(report.cosigned),
        _limits(report.limits, report.cosigned.needed, report.cosigned.of),
    )


def _entries(count: int | None) -> str:
    if count is None:
        return "; entries are for the auditors of your node to check"
    return f"; {counted(count, 'entry', 'entries')} of your node checked"


def cosigned(value: Cosigned) -> Painted | None:
    """Return up to where a quorum has seen the log, and when; who signed that, and who did not."""
    if not value.needed:
        return None
    return stack(
        line("  ", value.sentence),
        line("    signed by   ", ", ".join(value.signed)) if value.signed else None,
        warn("    not signed  ", ", ".join(value.silent)) if value.silent else None,
    )


def _counts(value: Verdict) -> Painted:
    return stack(
        line(
            f"  readings {value.readings}   disclosures {value.disclosures}"
            f"   searches {value.searches} (and {value.cross_checks} automated)"
        ),
        line(
            f"  refused {value.refused}   emergency {value.emergency}   flags {len(value.flags)}"
            f"   looks into the audit {value.audits}"
        ),
        line("  by operation: ", "   ".join(f"{op} {count}" for op, count in value.operations)),
    )


def _emergency(one: EmergencyCase, findings: Sequence[Finding]) -> Painted:
    """Name who opened which case in an emergency, in red while a reason is overdue."""
    found = next((it for it in findings if it.subject == one.subject), None)
    now = times.now()
    since = f"since {stamp(one.at)}, {counted(one.readings, 'reading')}"
    said = f"  EMERGENCY  {one.officer} {one.node}  {one.case}  {since}: "
    if one.reason_at is not None:
        return line(said, f"reason given {stamp(one.reason_at)}")
    if one.unknown:
        return warn(said, one.unknown)
    if one.due_at <= now.timestamp():
        late = f"NO REASON GIVEN, {times.due(one.due_at, now)}"
        if found is not None and found.acknowledged:
            return warn(said, late)
        return alarm(said, late, "" if found is None else f"; {found.name}")
    return warn(said, f"no reason yet, due {stamp(one.due_at)}")


def _limits(limits: Sequence[str], quorum: int, named: int) -> Painted:
    """Say what nobody could see: a verdict that is silent about it promises too much."""
    own = [codes.quorum(quorum, named)] if quorum < INDEPENDENT else []
    others = [text for text in limits if text not in own]
    said = (*own, *others)
    if not said:
        return line("")
    return stack(line("What this cannot show:"), *(warn("  ", text) for text in said))


def did(row: AuditRow, within: str = "") -> Piece:
    """Return what was done, to what, and whether it was refused; of a search what for."""
    if row.search is not None:
        sought = _sought(row.search, row.at, row.what)
        return sought if row.outcome == "ok" else line(sought, _refused(row.outcome))
    mark = "  EMERGENCY" if row.emergency else ""
    others = [node for node in row.to if node != row.node]
    to = f" to {_nodes(others)}" if others and row.op == "disclose" else ""
    facts = _facts(row)
    ref = row.ref or row.case or ("" if row.outcome == "ok" else "the audit")
    # In the table of one case its name is that of the page.
    ref = ref.removeprefix(within) if within else ref
    said = f"{row.what} {ref}".rstrip() + to
    said += (f" ({facts})" if facts else "") + mark
    return said if row.outcome == "ok" else line(said, _refused(row.outcome))


def _refused(rule: str) -> Text:
    return alarm("  REFUSED: ", _RULES.get(rule, rule))


def _nodes(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{len(names)} nodes"


def _facts(row: AuditRow) -> str:
    """Return what the cover and the assignments say, as far as this device knows them."""
    return " · ".join(
        filter(
            None,
            (
                codes.message_type(row.type) if row.type else "",
                row.offence,
                row.urgency if row.urgency in ("FLASH", "URGENT") else "",
                _ASSIGNED.get(row.assigned, ""),
                f"request {row.request}" if row.request else "",
            ),
        )
    )


def _sought(search: SearchView, at: int, what: str) -> Piece:
    """Return what was looked for, and when, if the log heard of it later."""
    late = abs(at - search.made_at) >= LATE
    when = f", made {stamp(search.made_at)}" if late else ""
    verb = f"cross-checked {search.count}, automated" if search.automated else what
    if search.sought is None:
        return f"{verb} (what for: not sealed to this device){when}"
    found = [_found(one) for one in search.sought[:MOST]]
    more = [f"and {search.count - MOST} more"] if search.count > MOST else []
    return f"{verb}: {', '.join(found + more)}{when}"


def _found(one: SoughtView) -> str:
    if one.what in ("cross-check", "audit"):
        return f"{one.query} ({one.results} found)"
    query = _HASH.sub(r"\1…", one.query)
    return f'{one.what} "{query}" ({one.results} found)'


def _why(row: AuditRow) -> str:
    reason = "" if not row.reason else f' · "{row.reason}"'
    return " · ".join(filter(None, (row.purpose, row.basis))) + reason
