"""Scene 4: the auditor lists and verifies; then somebody tampers with the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.screen import expect, scene, told
from demo.stage import Answer
from demo.tamper import intruder

if TYPE_CHECKING:
    from demo.story import Play
    from demo.tamper import Intruder

NODES = ("skopje-border", "belgrade-ffp", "pristina-ffp", "sarajevo-lab")


async def play(play: Play) -> None:
    """Audit; alter, remove, rewind; see who says what."""
    scene(4, "who opened what, and what if somebody lies")
    auditor = play["auditor"]
    listed = await auditor.run("audit", "list", "--case", play.case)
    expect("pcc-see" in listed.out.lower(), "the auditor does not see the legal basis")
    verdict = await auditor.run("audit")
    expect(verdict.code == 0, "the audit found something where nothing is wrong")
    for node in NODES:
        clean = await play[node].run("audit", "verify", show=node == NODES[0])
        expect(clean.code == 0, f"{node} finds a fault in an honest log")
    told("Each node has checked and mirrored every record. Now somebody with full rights lies.")
    async with intruder(play.dsn) as villain:
        await _alter(play, villain)
        await _remove(play, villain)
        await _rewind(play, villain)
    after = await auditor.run("audit", "verify", show=False, may_fail=True)
    expect("altered" not in after.text, "the log was put back and is still called altered")
    told(
        "Without witnesses nobody could have seen a split view, or a tail that was hidden "
        "before anybody fetched it. With one broker and no witness each screen says so."
    )


async def _alter(play: Play, villain: Intruder) -> None:
    index = await _an_access(play, "belgrade-ffp")
    told(f"1. He alters entry {index}: the officer's purpose becomes another one.")
    row = await villain.alter(index, b'"purpose":"trace"', b'"purpose":"other"')
    await _all_say(play, str(index), "altered")
    verdict = await play["auditor"].run("audit", "verify", may_fail=True)
    expect(verdict.code != 0, "the auditor does not notice the altered entry")
    await villain.restore(index, row)


async def _remove(play: Play, villain: Intruder) -> None:
    index = await _an_access(play, "sarajevo-lab")
    told(f"2. He removes entry {index}: nobody shall know that Sarajevo looked.")
    row = await villain.remove(index)
    await _all_say(play, str(index), "removed")
    await villain.put_back("activity_leaf", [row])


async def _rewind(play: Play, villain: Intruder) -> None:
    told("3. He rewinds the log by five entries, as from last night's backup.")
    head, rows = await villain.rewind(5)
    await _all_say(play, "rewound")
    await villain.put_back("activity_leaf", rows)
    await villain.set_head(head)


async def _all_say(play: Play, *words: str) -> None:
    for node in NODES:
        said: Answer = await play[node].run("audit", "verify", may_fail=True)
        expect(said.code != 0, f"{node} does not notice")
        expect(
            all(word in said.text for word in words),
            f"{node} does not say exactly what is wrong ({', '.join(words)})",
        )


async def _an_access(play: Play, node: str) -> int:
    rows = await play["auditor"].json("audit", "list", "--case", play.case, "--node", node)
    found = [
        row["index"] for row in (rows if isinstance(rows, list) else [])
        if row["what"] == "opened" and row["purpose"] in ("trace", "laboratory")
    ]  # fmt: skip
    expect(found, f"the auditor sees no access of {node}")
    return int(found[0])
