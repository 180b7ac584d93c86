"""Scene 4: the auditor lists and verifies; then somebody tampers with the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.scene_found import NODES
from demo.screen import expect, listed, scene, told, typed
from demo.stage import together
from demo.tamper import intruder

if TYPE_CHECKING:
    from demo.stage import Answer
    from demo.story import Play
    from demo.tamper import Intruder

AUDITOR = "auditor"
CHECKERS = (*NODES, AUDITOR)
VERIFY = ("audit", "verify")
LIMITS = "What this cannot show"


async def play(play: Play) -> None:
    """Audit; alter, remove, rewind; see who says what."""
    scene(4, "who opened what, and what if somebody lies")
    auditor = play[AUDITOR]
    readings = await auditor.run("audit", "list", "--case", play.case)
    expect("pcc-see" in readings.out.lower(), "the auditor does not see the legal basis")
    await _all_proved(play)
    verdict = await auditor.run("audit")
    expect(LIMITS in verdict.out, "the auditor is not told what nobody could see")
    await _all_agree(play)
    told("Each node has checked every record. Now somebody with full rights lies.")
    async with intruder(play.dsn) as villain:
        await _alter(play, villain)
        await _remove(play, villain)
        await _rewind(play, villain)
    await _all_calm(play)
    told(
        "What nobody could have seen without witnesses: a split view, "
        "which shows each node another log; and a tail that was hidden before anybody fetched "
        "it. There was one broker and no witness until here, and every page above says so."
    )


async def _all_proved(play: Play) -> None:
    found = (await play[AUDITOR].json("audit", "list", "--case", play.case))["rows"]
    expect(found and all(row["proved"] for row in found), "a reading is not proved by the log")
    readers = {row["node"] for row in found}
    missing = {"skopje-border", "belgrade-ffp", "sarajevo-lab"} - readers
    expect(not missing, f"the auditor does not see that {', '.join(missing)} read the case")


async def _all_agree(play: Play) -> None:
    first, *others = CHECKERS
    await play[first].run(*VERIFY)
    answers = await together(*(play[name].run(*VERIFY, show=False) for name in others))
    listed((name, said.out.splitlines()[0]) for name, said in zip(others, answers, strict=True))


async def _all_calm(play: Play) -> None:
    """Nothing false may be left in what a device says, once the log is what it was."""
    answers = await together(*(play[name].run(*VERIFY, show=False) for name in CHECKERS))
    wrong = [f"{name}: {w}" for name, a in zip(CHECKERS, answers, strict=True) for w in _wrong(a)]
    expect(not wrong, f"the log is what it was, and it is still said: {'; '.join(wrong)}")
    if all("ALARM" in answer.text for answer in answers):
        told("He puts everything back: the log is proved again, and each device keeps the alarm.")


async def _alter(play: Play, villain: Intruder) -> None:
    index = await _an_access(play, "belgrade-ffp")
    told(f"\n1. He alters entry {index}: the officer's purpose becomes another one.")
    row = await villain.alter(index, b'"purpose":"trace"', b'"purpose":"other"')
    await _all_say(play, f"entry {index}", "altered", in_full=True)
    await villain.restore(index, row)


async def _remove(play: Play, villain: Intruder) -> None:
    index = await _an_access(play, "sarajevo-lab")
    told(f"\n2. He removes entry {index}: nobody shall know that Sarajevo looked.")
    row = await villain.remove(index)
    await _all_say(play, f"entry {index}", "removed")
    await villain.put_back("activity_leaf", [row])


async def _rewind(play: Play, villain: Intruder) -> None:
    told("\n3. He rewinds the log by five entries, and the mark that holds an honest broker back.")
    head, rows = await villain.rewind(5, play.broker_data)
    size = head["activity_size"]
    await _all_say(play, "rewound", str(size - 5), str(size))
    await villain.put_back("activity_leaf", rows)
    await villain.set_head(head)


async def _all_say(play: Play, *words: str, in_full: bool = False) -> None:
    """Let everybody verify; show the first page in full if asked, of others what is wrong."""
    answers = await together(
        *(play[name].run(*VERIFY, show=False, may_fail=True) for name in CHECKERS)
    )
    rest = list(zip(CHECKERS, answers, strict=True))
    if in_full:
        name, answer = rest.pop(0)
        play[name].show(VERIFY, answer)
    typed("each device", "seefen", *VERIFY)
    for name, answer in rest:
        names = (name, *[""] * len(CHECKERS))
        listed(zip(names, _wrong(answer), strict=False), wide=max(map(len, CHECKERS)))
    for name, answer in zip(CHECKERS, answers, strict=True):
        expect(answer.code != 0, f"{name} does not notice")
        expect(
            any(all(word in wrong for word in words) for wrong in _wrong(answer)),
            f"{name} does not say exactly what is wrong ({', '.join(words)})",
        )


def _wrong(answer: Answer) -> list[str]:
    """Return what a page says is wrong, without its frame."""
    error = "seefen: error: "
    errors = [line.removeprefix(error) for line in answer.err.splitlines() if error in line]
    page = answer.out.partition(LIMITS)[0].splitlines()
    return errors + [line.strip() for line in page if line.startswith("  ")]


async def _an_access(play: Play, node: str) -> int:
    rows = (await play[AUDITOR].json("audit", "list", "--case", play.case, "--node", node))["rows"]
    purposes = ("trace", "laboratory")
    found = [row["index"] for row in rows if row["what"] == "opened" and row["purpose"] in purposes]
    expect(found, f"the auditor sees no access of {node}")
    return int(found[0])
