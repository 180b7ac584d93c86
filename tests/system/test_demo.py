"""``make demo`` as a person sees it: the whole story once, and then by hand.

One run that stays is shared by all tests here; the last one ends it with Ctrl-C.
"""

import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Generator

import pytest

from tests.support.broker import free_port
from tests.system.running import ROOT, Run, after, scene

NODES = ("skopje-border", "belgrade-ffp", "pristina-ffp", "sarajevo-lab")
DEVICES = (*NODES, "belgrade-field", "auditor")
CASE = "SF-2026-SKP-00001"
STAYS = "Ctrl-C here ends the broker."


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def story(port: int) -> Generator[Run]:
    # What a user of the real thing has in his environment must not reach the demo.
    run = Run(
        "--port", str(port), "--stay",
        SEEFEN_HOME="/nowhere", SEEFEN_DATABASE_URL="postgresql://nobody@127.0.0.1:9/x",
        SEEFEN_PASSPHRASE="short", HTTPS_PROXY="http://127.0.0.1:9",
    )  # fmt: skip
    try:
        run.until(lambda output: STAYS in output)
        yield run
    finally:
        run.close()


@pytest.fixture
def told(story: Run) -> str:
    return story.output


def test_it_is_all_invented_and_says_so_first(told: str) -> None:
    assert "Everything in this story is invented" in told.splitlines()[1]


def test_two_of_three_root_keys_found_the_network(told: str) -> None:
    text = scene(told, 1)
    assert "2 of 3 keys must sign" in text
    admitted = " ".join(text.split())
    assert "--root-key root-keys/root-1.key" in admitted
    assert "root-keys/root-3.key --" not in admitted  # the third stays in its safe


def test_both_sides_see_the_same_six_words(told: str) -> None:
    text = scene(told, 1)
    joining = after(text, "skopje-border $ seefen join skopje-border.invite")
    (mine,) = {line.strip() for line in joining if " · " in line}
    admitting = after(text, "root holders $ seefen admit")
    theirs = [line.strip() for line in admitting if line.count(" · ") == 5]
    assert len(set(theirs)) == len(NODES)
    assert mine in theirs
    for device in DEVICES:
        rows = re.findall(rf"^  {device} +(\w+(?: · \w+){{5}})$", text, re.MULTILINE)
        assert len(rows) == 1, device
        assert text.count(rows[0]) >= 2, f"{device}: the words stand on one side only"


def test_the_sender_sees_node_by_node_how_far_the_alert_got(told: str) -> None:
    text = scene(told, 2)
    first, later, last = (part for part in text.split("$ seefen alert reach seefen-border#1")[1:])
    assert re.search(r"sarajevo-lab +recorded, not delivered", first)
    assert re.search(r"belgrade-ffp +delivered \d\d:\d\d", first)
    assert re.search(r"sarajevo-lab +delivered \d\d:\d\d", later)
    for node, answer in (("belgrade-ffp", "taken"), ("pristina-ffp", "taken"),
                         ("sarajevo-lab", "not ours")):  # fmt: skip
        assert re.search(rf"{node} +read \d\d:\d\d, {answer} by o-", last)
    assert "Sarajevo was not reached" in text


def test_each_duty_officer_sees_the_cover_opens_and_answers(told: str) -> None:
    text = scene(told, 2)
    for node, answer in zip(NODES[1:], ("taken", "taken", "not-ours"), strict=True):
        cover = " ".join(after(text, f"{node} $ seefen alert list"))
        assert "12 pistols, 340 rounds" in cover
        assert "С-84417" not in cover  # noqa: RUF001
        assert after(text, f"{node} $ seefen alert show seefen-border#1")
        assert after(text, f"{node} $ seefen alert answer seefen-border#1 {answer}")
    assert re.search(r"^  Corrected by seefen-border#\d+: nny 82 -> ппу 82$", text, re.MULTILINE)
    arrived = "3 photographs arrived, pixel for pixel and without the place, time and device"
    assert arrived in " ".join(text.split())


def test_a_request_is_asked_and_answered_with_files(told: str) -> None:
    text = scene(told, 3)
    asked = " ".join(after(text, f"skopje-border $ seefen trace ask {CASE}"))
    assert "files 5/5" in asked
    assert "All 5 files arrived byte for byte." in text
    assert f"{CASE}#2" in " ".join(after(text, "belgrade-ffp $ seefen due"))
    read = " ".join(after(text, f"skopje-border $ seefen case show {CASE}#8"))
    assert "Rashodovan 1992." in read
    assert "solved, decisive" in " ".join(
        after(text, f"belgrade-ffp $ seefen request show {CASE}#2")
    )
    found = " ".join(after(text, "belgrade-ffp $ seefen check C-84417"))
    assert "Exact: nothing." in found
    assert "Searched: this vault" in found


def test_a_node_added_late_and_a_lost_device_read_nothing(told: str) -> None:
    text = scene(told, 3)
    late = after(text, f"sarajevo-lab $ seefen case show {CASE}#2")
    assert late[0].startswith("  seefen: error: ")
    assert "Милош" not in "".join(late)
    lost = after(text, f"belgrade-field $ seefen case show {CASE}#13")
    assert "revoked" in lost[0]
    assert "novi" not in "".join(lost)
    assert "novi ključ" in "".join(after(text, f"belgrade-ffp $ seefen case show {CASE}#13"))


def test_the_auditor_sees_every_reading_proved(told: str) -> None:
    text = scene(told, 4)
    rows = " ".join(after(text, f"auditor $ seefen audit list --case {CASE}"))
    count, total = re.findall(r"(\d+) of (\d+) proved", rows)[-1]
    assert count == total
    assert int(count) >= 9
    for node in ("skopje-border", "belgrade-ffp", "sarajevo-lab"):
        assert node in rows
    assert "trace · pcc-see" in rows
    assert "laboratory ·" in rows  # its basis goes on below, where the screen is narrow
    verdict = " ".join(after(text, "auditor $ seefen audit"))
    assert "split views possible" in verdict


def test_each_device_says_exactly_what_was_done_to_the_log(told: str) -> None:
    text = scene(told, 4)
    _, altered, removed, rewound = re.split(r"\n[123]\. He ", text)
    for name in (*NODES, "auditor"):
        entry = re.findall(r"entry (\d+): the officer", altered)
        assert _says(altered, name, f"entry {entry[0]} is not the one that was signed"), name
        entry = re.findall(r"entry (\d+): nobody", removed)
        assert _says(removed, name, f"entry {entry[0]} was removed from the log"), name
        words = r"the activity log was rewound: the broker now shows (\d+) entries, and it had"
        shown = re.search(words + r" signed (\d+)", " ".join(rewound.split()))
        assert shown is not None
        assert int(shown[2]) - int(shown[1]) == 5
        assert _says(rewound, name, "the activity log was rewound"), name
    assert "without witnesses" in rewound


def _says(text: str, name: str, sentence: str) -> bool:
    """Say whether a sentence stands on a device's own lines."""
    if re.search(rf"^  {name} +{re.escape(sentence)}", text, re.MULTILINE):
        return True
    page = text.partition(f"{name} $ seefen audit verify\n")[2]  # the one shown in full
    return sentence in page.partition(" $ ")[0]


def test_a_witness_that_never_met_the_victim_finds_the_second_log_and_proves_it(told: str) -> None:
    text = scene(told, 5)
    assert "0 of 0 must sign, then 2 of 2 must sign" in text
    assert "2 witnesses must sign" in text
    sent = " ".join(after(text, "pristina-ffp $ seefen alert send"))
    assert "recorded" in sent
    assert "belgrade-ffp recorded, not delivered" in " ".join(sent.split())
    alarm = " ".join(after(text, "tirana-lab $ seefen agent alarms"))
    assert "critical: fork" in alarm
    assert "activity-fork-" in alarm
    proved = " ".join(after(text, "skopje-border $ seefen evidence check"))
    assert "PROVED FORK" in " ".join(proved.split())


def test_the_search_finds_none_and_the_control_word(told: str) -> None:
    text = scene(told, 6)
    counts = re.findall(r"(\d+) of (\d+) found", text)
    assert len(counts) == 6
    assert {found for found, _ in counts} == {"0"}
    assert int(counts[0][1]) >= 30
    assert text.count("'skopje-border' found") >= 4


def test_it_ends_with_what_was_shown_and_how_long_it_took(told: str) -> None:
    text = scene(told, 7)
    for word in ("founded", "alert", "case", "audit", "split view", "search", "not shown"):
        assert re.search(rf"^  {word} ", text, re.MULTILINE)
    seconds = re.search(r"as they should, in (\d+) s\.", text)
    assert seconds is not None
    assert int(seconds[1]) > 0  # how many is for the reader: other work may share the cores


def test_it_can_be_read_on_a_screen(told: str) -> None:
    assert "\x1b" not in told
    story, _, by_hand = told.partition("The broker goes on.")
    assert by_hand
    assert [line for line in story.splitlines() if len(line) > 100] == []
    assert "/tmp/" not in story
    assert story.count("What this cannot show") <= 5
    assert [line for line in told.splitlines() if line != line.rstrip()] == []


def _commands(told: str) -> list[str]:
    tail = told.partition("The broker goes on.")[2]
    return [line.strip() for line in tail.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize(
    ("wanted", "shows"),
    [
        ("status", "skopje-border"),
        (f"case show {CASE}", "Pistols in a spare wheel, Tabanovce"),
        ("audit verify", "entries of your node checked"),
        (f"audit list --case {CASE}", "proved"),
    ],
)
def test_commands_that_are_printed_work_by_hand(told: str, wanted: str, shows: str) -> None:
    export, *commands = _commands(told)
    assert export.startswith("export SEEFEN_PASSPHRASE=")
    command = next(line for line in commands if line.endswith(wanted))
    done = subprocess.run(
        ["sh", "-c", f"{export}\n{command}"],
        cwd=ROOT, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert shows in done.stdout
    # A device that saw the log rewound keeps saying so, and nothing else.
    alarms = [line for line in done.stdout.splitlines() if "ALARM" in line]
    assert all("was rewound" in line for line in alarms)
    assert shlex.split(command)[0] == ".venv/bin/seefen"


def test_a_second_start_is_told_and_the_first_goes_on(
    story: Run, port: int, demo: Callable[..., Run]
) -> None:
    second = demo("--port", str(port))
    assert second.ended() == 1
    assert f"port {port} is in use (another demo?)" in second.output
    assert "--port " in second.output
    second.assert_no_traceback()
    second.assert_no_folder_left()
    assert story.process.poll() is None
    with socket.create_connection(("127.0.0.1", port), 5):
        pass


def test_ctrl_c_ends_what_stayed(story: Run) -> None:
    assert story.processes()
    story.kill(signal.SIGINT)
    # He did what the page told him to do: that is no failure.
    assert story.ended() == 0
    story.assert_nothing_left()
    story.assert_no_folder_left()
    story.assert_no_traceback()
    assert "No process is left behind." in story.output
