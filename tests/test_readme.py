"""The pages say what is so: the example runs, commands and links exist, settings are all there."""

import asyncio
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from seefen.client import Client, admitting, founding, joining
from seefen.client.cli.app import app
from seefen.client.keyfile import read_root_key
from seefen.protocol.messages import InfoRequest, SeizureAlert, TraceRequest, message_from_form
from seefen.server import cli as server_cli
from seefen.server.config import Config
from tests.support.broker import RunningBroker, running_broker

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
DEPLOYED = sorted((ROOT / "deploy").iterdir())

PASSPHRASE = "copper lantern violet nine orchard"
CHEAP = 8192  # KiB: the least a key file may name
REQUEST = {
    "offence": "trafficking",
    "illicit_nature": "seized",
    "item": {
        "category": "pistol", "make": "Zastava", "model": "M57", "calibre": "7.62x25",
        "serial_as_read": "C-84417",
    },
    "question": ["manufacture", "last legal holder"],
    "searched": [{"channel": "national registry"}],
}  # fmt: skip
CHANNEL = "seefen-border"
QUESTION = {
    "to": ["belgrade-ffp"], "about": ["vehicle"], "what_is_asked": "Whose?",
    "offence": "trafficking", "basis": "pcc-see",
    "facts": "A grey car fled from the crossing.", "why_you": "It has your plates.",
}  # fmt: skip
ALERT = {
    "occurred_at": "2026-03-14T02:47+01:00", "setting": "bcp",
    "place": "Tabanovce",
    "items": [{"category": "pistol", "make": "Zastava", "serial_as_read": "C-84417"}],
}  # fmt: skip

# A machine of ours, or an address to download from: no page and no unit may name one.
FORBIDDEN = re.compile(r"/work\b|/root/|/home/\w|pypi\.org|pythonhosted|jfrog|\bTODO\b|\bFIXME\b")
FENCE = re.compile(r"```(?P<kind>\w*)\n(?P<text>.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
COMMAND = re.compile(r"(?:^|/bin/)(?:seefen-server|seefen) [a-z-].*")


# --- the example -----------------------------------------------------------------------


def _example() -> str:
    (text,) = [m["text"] for m in FENCE.finditer(README) if m["kind"] == "python"]
    return text


def test_the_example_has_ten_lines() -> None:
    assert len([line for line in _example().splitlines() if line.strip()]) == 10


async def test_the_example_runs_as_it_stands(tmp_path: Path) -> None:
    async with running_broker(found=False) as broker:
        keys = await _founded(broker, tmp_path / "root")
        for node, home in (("skopje-border", "skopje"), ("belgrade-ffp", "home")):
            await _join(broker, node, tmp_path / home, keys)
        ref, subject = await _ask_for_a_trace(tmp_path / "skopje")
        await _ask_everybody(tmp_path / "skopje")
        (tmp_path / "passphrase.txt").write_text(PASSPHRASE + "\n", encoding="utf-8")
        (tmp_path / "form.pdf").write_bytes(b"%PDF-1.7\nreceived\n")

        said = await _run(_example(), tmp_path)

        told = re.fullmatch(
            rf"{re.escape(ref)} from skopje-border: {re.escape(subject)}; entry (\d+)", said
        )
        assert told, said
        await _has_the_answer(tmp_path / "skopje", ref, int(told[1]))
        await _nothing_else_was_touched(tmp_path / "skopje")


async def _founded(broker: RunningBroker, folder: Path) -> tuple[Path, ...]:
    made = await asyncio.to_thread(
        founding.found, broker.data / "broker.json", folder, PASSPHRASE, memory_kib=CHEAP
    )
    await broker.found(made.statement)
    await broker.start()
    return made.keys


async def _join(broker: RunningBroker, node: str, home: Path, keys: tuple[Path, ...]) -> None:
    invite = await broker.invite(node)
    spoken: list[tuple[str, ...]] = []
    joined = asyncio.create_task(
        joining.join(invite, home, PASSPHRASE, spoken.append, memory_kib=CHEAP, patience_s=60)
    )
    request = await admitting.read_request(invite, wait_s=60)
    assert spoken == [request.words]  # what both sides compare on the telephone
    roots = [read_root_key(path, PASSPHRASE) for path in keys[:2]]
    await admitting.admit_node(request, tuple(roots))
    await joined


async def _ask_for_a_trace(home: Path) -> tuple[str, str]:
    request = message_from_form("TraceRequest", REQUEST)
    assert isinstance(request, TraceRequest)
    async with Client.open(home, PASSPHRASE) as client:
        case = await client.cases.open("A pistol", ["belgrade-ffp"])
        sent = await client.requests.ask(case.number, request)
        assert sent.ref is not None
        (asked,) = [o for o in client.cases.show(case.number).objects if o.ref == sent.ref]
        return sent.ref, asked.subject


async def _ask_everybody(home: Path) -> None:
    """Let an alert and a trace wait in a channel, and a question in a case."""
    raised = message_from_form("SeizureAlert", ALERT)
    trace = message_from_form("TraceRequest", REQUEST)
    question = message_from_form("InfoRequest", QUESTION)
    assert isinstance(raised, SeizureAlert)
    assert isinstance(trace, TraceRequest)
    assert isinstance(question, InfoRequest)
    async with Client.open(home, PASSPHRASE) as client:
        await client.channels.open(CHANNEL, ["belgrade-ffp"])
        await client.alerts.send(raised, CHANNEL)
        await client.requests.ask(CHANNEL, trace)
        case = await client.cases.open("A question", ["belgrade-ffp"])
        await client.requests.ask(case.number, question)


async def _nothing_else_was_touched(home: Path) -> None:
    async with Client.open(home, PASSPHRASE) as client:
        assert [one.type for one in client.cases.show(CHANNEL).objects] == [
            "SeizureAlert",
            "TraceRequest",
        ]
        read = [row.ref for row in await client.audit.list(node="belgrade-ffp")]
        assert len(set(read)) == 1, read


async def _run(text: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().strip()


async def _has_the_answer(home: Path, ref: str, entry: int) -> None:
    async with Client.open(home, PASSPHRASE) as client:
        case = ref.partition("#")[0]
        note, file = client.cases.show(case).objects[-2:]
        opened = await client.read(note.ref, purpose="trace", basis="pcc-see")
        (reading,) = [row for row in await client.audit.list(case=case) if row.index == entry]
    assert (note.type, file.file) == ("Note", True)
    assert getattr(opened.message, "text", "") == "Received; we search our register."
    assert (reading.node, reading.ref, reading.purpose) == ("belgrade-ffp", ref, "trace")
    assert reading.proved


# --- commands ----------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    """Yield each command that a page or a unit names."""
    for page in [*PAGES, *DEPLOYED]:
        if page.parent.name == "handbook":
            continue  # tests/handbook runs every command there
        text = page.read_text(encoding="utf-8")
        blocks = [block["text"] for block in FENCE.finditer(text)]
        spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
        started = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        for said in [*spans, *started, *"\n".join(blocks).splitlines()]:
            if found := COMMAND.search(said):
                yield found[0].removeprefix("/bin/")


def _broker_options(words: list[str]) -> set[str]:
    """Return the options of a command of ``seefen-server``."""
    parser: Any = server_cli._parser()
    commands = parser._subparsers._group_actions[0].choices
    return set(commands[words[0]]._option_string_actions)


def _device_options(words: list[str]) -> set[str]:
    """Return the options of a command of ``seefen``, and those that hold for all."""
    command = typer.main.get_command(app)
    found = {"--help", *_opts(command)}
    for word in words:
        inner = getattr(command, "commands", {})
        if not inner:
            break
        if word not in inner:
            # A group may stand for itself, and `seefen audit` is a command as well.
            assert getattr(command, "invoke_without_command", False), word
            break
        command = inner[word]
    return found | _opts(command)


def _opts(command: Any) -> set[str]:
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("said", sorted(set(_commands())))
def test_each_command_on_a_page_exists(said: str) -> None:
    name, *words = shlex.split(said, comments=True)
    if name == "seefen" and words[:1] == ["--home"]:
        del words[:2]  # an option of all commands, in front
    known = (_broker_options if name == "seefen-server" else _device_options)(words)
    options = {word for word in words if word.startswith("-")}
    assert options <= known, said


def test_the_pages_name_commands_of_both_programs() -> None:
    names = {said.partition(" ")[0] for said in _commands()}
    assert names == {"seefen", "seefen-server"}


# --- links, settings, words ----------------------------------------------------------------


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_leads_somewhere(page: Path) -> None:
    for found in LINK.finditer(page.read_text(encoding="utf-8")):
        target, _, anchor = found["target"].partition("#")
        if target.startswith("https://"):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), found["target"]
        assert not anchor or anchor in _anchors(there), found["target"]


def test_the_settings_table_names_each_field_once_with_its_default() -> None:
    table = OPERATING.partition("## Settings")[2]
    rows = [[cell.strip() for cell in row.split("|")] for row in table.splitlines()]
    said = {row[1].strip("`"): row[3] for row in rows if row[1:] and row[1].startswith("`")}
    assert list(said) == [field.name for field in fields(Config)]
    numbers = {f.name: str(f.default) for f in fields(Config) if isinstance(f.default, int)}
    assert {name: said[name] for name in numbers} == numbers


def test_each_spec_that_the_protocol_names_exists() -> None:
    named = {
        page
        for path in (ROOT / "protocol" / "src").rglob("*.py")
        for page in re.findall(r"docs/spec/[\w-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert named
    assert [page for page in sorted(named) if not (ROOT / page).exists()] == []


@pytest.mark.parametrize(
    "page", [*PAGES, *DEPLOYED], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_no_page_names_a_machine_of_ours_or_a_place_to_download_from(page: Path) -> None:
    assert FORBIDDEN.findall(page.read_text(encoding="utf-8")) == []
