"""The answer to a person who asks what is kept of him, and the person behind a pseudonym."""

from typing import Any

from seefen.client.audit.persons import Pack
from seefen.client.cli import codes
from seefen.client.cli.paint import Grid, Ledger, Painted, bold, dim, line, stack, warn
from seefen.client.cli.views.audits import behind, proof
from seefen.client.findings import NameTold, PersonAnswer, PersonSeen, PersonSought
from seefen.client.wording import counted, stamp


def found(pack: Pack, name: str) -> Painted:
    """Return what a keyholder found of a person: references, for the auditor beside him."""
    grid = Grid("MESSAGE", "WHAT", "FROM", "OTHERS NAMED", right=(3,))
    for one in pack.found:
        grid.row(one.ref, codes.message_type(one.type), one.sender, str(one.others))
    return stack(
        line("Looked for ", bold(f'"{name}"'), f": {len(pack.found)} of {pack.searched} messages "
             f"that are open in this vault; {pack.closed} are closed and were not searched. Your "
             f"search is entry {pack.entry}."),
        grid.painted() if pack.found else None,
        line("Give the file to your auditor: 'seefen audit person --found FILE'. "
             "It holds references, and no name."),
    )  # fmt: skip


def sought(value: PersonSought) -> Painted:
    """Return whom a keyholder looked for, and how: before an auditor answers with it."""
    by = value.entry
    return stack(
        line("Looked for ", bold(f'"{value.name}"'), ", as parts of words in either alphabet: ",
             ", ".join(value.words)),
        line(f"Searched by {by.officer} {by.node}, entry {by.index}: {value.found} of "
             f"{value.searched} messages; {value.closed} are closed there and were not searched."),
    )  # fmt: skip


def answer(value: PersonAnswer) -> Painted:
    """Return who saw what is kept of a person, and under which name."""
    name = value.sought.name
    return stack(
        line("Answer about ", bold(f'"{name}"'),
             f", from the search at entry {value.sought.entry.index}"),
        *(_seen(one) for one in value.seen),
        None
        if value.seen
        else line(f'Nothing that was searched has the name "{name}". Written otherwise it is not '
                  "found so: let the keyholder look for each way that the person writes it."),
        warn("  Other nodes keep their own copies: each answers for what it did with them."),
        warn("  Persons beside the one who asks: take them out before anything is handed over.")
        if any(one.others for one in value.seen)
        else None,
        dim("Whether the answer may be given or must be restricted (Article 15) a person decides."),
        line(f"The log: {value.cosigned.sentence}.") if value.cosigned.needed else None,
        behind(value.cosigned.needed, value.cosigned.of),
    )  # fmt: skip


def put(value: dict[str, Any]) -> Painted:
    """Return that a name was written into the register."""
    return stack(
        line(f"Written: {value['officer']}. Names in the register: {value['names']}."),
        line("A keyholder and an auditor open a name together, and nobody alone. Keep a copy."),
    )


def put_anew(value: dict[str, Any]) -> Painted:
    """Return that a name was written over another."""
    entry = value["entry"]
    where = "enters the log when the broker is back" if entry is None else f"is entry {entry}"
    return stack(
        warn(f"Written over: {value['officer']}. The name that stood there is gone."),
        line(f"That you did {where}, for your auditors. A half of the old name opens nothing with "
             "this register: let the keyholder give it again."),
        line(f"Names in the register: {value['names']}."),
    )  # fmt: skip


def half(value: dict[str, Any]) -> Painted:
    """Return that a keyholder gave his half."""
    return stack(
        line(f"Your half of {value['officer']} is in the file, sealed to your auditors: entry "
             f"{value['entry']}."),
        line("Give it to one of them: 'seefen audit name ... --half FILE'."),
    )  # fmt: skip


def told(value: NameTold) -> Painted:
    """Return who is behind a pseudonym, and who else opened it."""
    by = value.given
    when = stamp(value.written_at)
    return stack(
        line(bold(f"{value.officer} is {value.name}")),
        line(
            f"Written by an admin {when}; half given by {by.officer} {by.node}, entry {by.index}."
        ),
        warn("  Both of you stand in the log. Do not write the name into a case."),
    )


def _seen(one: PersonSeen) -> Painted:
    grid = Ledger("ENTRY", "WHEN", "WHO", "PURPOSE", "PROOF")
    for row in one.rows:
        whole = "" if "#" in row.ref else "all of it"
        why = " · ".join(filter(None, (row.purpose, row.basis, whole)))
        who = " ".join(filter(None, (row.officer or "devices on watch", row.node)))
        grid.row(f"#{row.index}", stamp(row.at), who, why, proof(row))
    others = f"; it names {counted(one.others, 'other')}" if one.others else ""
    return stack(
        line(bold(one.ref), f"  {codes.message_type(one.type)} from {one.sender}{others}"),
        grid if one.rows else line("  Nobody's reading of it is known to your node."),
    )
