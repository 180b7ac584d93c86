"""The people of the handbook: a broker and their devices, each a process of its own."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.samples import write_samples
from demo.stage import Answer, Prompt, Stage, together
from tests.handbook.transcript import Names, Page, Step
from tests.support.broker import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
BOOK: Final = ROOT / "docs" / "handbook"
PASSPHRASE: Final = "invented words for this handbook only"
# In force before the first page begins. Pristina and its officer join on the administrator's page.
NODES: Final = (
    "skopje-border", "belgrade-ffp", "sarajevo-lab", "tirana-border", "podgorica-ffp",
    "chisinau-hub",
)  # fmt: skip
LATER: Final = ("pristina-ffp", "pristina-field")
# Officers whose devices are in force, too: name of the device, its node, its roles.
OFFICERS: Final = (
    ("skopje-duty", "skopje-border", ("field",)),
    ("skopje-auditor", "skopje-border", ("auditor",)),
)
ADMIN, HOLDERS = "broker", "coordinator"
_HOLD: Final = ("--root-key", "root/root-1.key", "--root-key", "root/root-2.key")
# Commands that look and change nothing.
_LOOKS: Final = {
    ("due",), ("status",), ("audit",), ("alert", "list"), ("alert", "reach"), ("alert", "show"),
    ("case", "show"), ("case", "list"), ("request", "show"), ("request", "list"),
    ("device", "list"),
}  # fmt: skip
HOUR, MORNING, DAY = 3600, 9 * 3600, 86_400  # seconds
SETTLED, SETTLING = 1.5, 30  # seconds
PATIENCE: Final = 300  # seconds a command may take while other tests use the cores


@dataclass(slots=True)
class Cast:
    """Everybody's terminal, and the folder they work in."""

    folder: Path
    stage: Stage
    prompts: dict[str, Prompt]
    names: Names

    async def play(self, page: Page, *, compare: bool) -> list[list[str]]:
        """Type the commands of a page, and return what each printed.

        Args:
            compare: Look again for a while at what is not yet as the handbook has it.

        Raises:
            AssertionError: It is not, and does not become so.
        """
        outputs = list[list[str]]()
        joins: tuple[Step, asyncio.Task[Answer]] | None = None
        for step in page.steps:
            if step.words[0] == "join":
                # It waits until somebody admits it, who types the next command.
                joins = step, asyncio.create_task(self.type(step))
                outputs.append([])
                continue
            if joins is None:
                outputs.append(await self._settled(step, compare=compare))
                continue
            printed = _lines(await self.type(step))
            joining, typing = joins
            outputs[-1] = _lines(await typing)
            self._take(joining, outputs[-1], compare=compare)
            self._take(step, printed, compare=compare)
            outputs.append(printed)
            await self.prompts[joining.who].switch_on()
            joins = None
        return outputs

    async def type(self, step: Step) -> Answer:
        """Type one command."""
        clock = self.folder / "devices" / step.who / "clock"
        if step.later:
            clock.write_text(str(step.later))
        try:
            return await self._run(step)
        finally:
            clock.unlink(missing_ok=True)

    async def _run(self, step: Step) -> Answer:
        prompt = self.prompts[step.who]
        return await prompt.run(
            *self.names.command(step.words),
            typed_in=step.typed,
            show=False,
            may_fail=True,
            patience=PATIENCE,
        )

    async def _settled(self, step: Step, *, compare: bool) -> list[str]:
        """Return what a command prints; one that only looks is typed again until it fits."""
        looks = tuple(step.words[:2]) in _LOOKS or (step.words[0],) in _LOOKS
        if looks and not compare:
            await asyncio.sleep(SETTLED)  # what others send by themselves has come then
        ends = asyncio.get_running_loop().time() + SETTLING
        while True:
            printed = _lines(await self.type(step))
            problem = self.names.difference(step.expected, printed)
            again = looks and asyncio.get_running_loop().time() < ends
            if not (compare and problem and again):
                self._take(step, printed, compare=compare)
                return printed
            await asyncio.sleep(0.1)

    def _take(self, step: Step, printed: list[str], *, compare: bool) -> None:
        problem = self.names.difference(step.expected, printed)
        if compare and problem:
            command = " ".join((step.program, *step.words))
            raise AssertionError(f"{step.who}$ {command}\n{problem}")


def _lines(answer: Answer) -> list[str]:
    return [line.rstrip() for line in answer.text.splitlines()]


@asynccontextmanager
async def cast() -> AsyncGenerator[Cast]:
    """Raise the network of the handbook; all of it ends with the block."""
    # Not pytest's folder: under root PostgreSQL runs as nobody, who must pass through.
    folder = Path(tempfile.mkdtemp(prefix="seefen-handbook-", dir="/tmp"))
    folder.chmod(0o711)
    stage = Stage(folder, PASSPHRASE, TZ=zone(int(time.time())))
    try:
        write_samples(folder)
        for form in BOOK.glob("forms/*"):
            shutil.copy(form, folder)
        prompts = await _terminals(stage, folder)
        raised = Cast(folder, stage, prompts, Names(year=time.strftime("%Y", time.gmtime())))
        await _found(raised)
        yield raised
    finally:
        await stage.close(folder / "broker" / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def zone(now: int) -> str:
    """Return the time zone, after POSIX, in which this moment is in the hour after nine.

    In whole hours, as zones are, for it stands beside times. So no shift ends after midnight: a
    date beside a time makes a column wider, and a page that was written in the morning would not
    come out in the evening.
    """
    ahead = (MORNING - now % DAY + HOUR - 1) // HOUR  # less than a day to either side
    sign = "-" if ahead >= 0 else "+"  # after POSIX a zone east of Greenwich has a minus
    return f"<SEE>{sign}{abs(ahead)}:00"


async def _terminals(stage: Stage, folder: Path) -> dict[str, Prompt]:
    devices = (*NODES, *LATER, *(name for name, _, _ in OFFICERS))
    started = await together(
        stage.terminal(ADMIN, "seefen-server"),
        stage.terminal(HOLDERS, "seefen"),
        *(
            stage.device(name, folder / "devices" / name, "tests.handbook.device")
            for name in devices
        ),
    )
    return {prompt.name: prompt for prompt in started}


async def _found(raised: Cast) -> None:
    admin, holders = raised.prompts[ADMIN], raised.prompts[HOLDERS]
    address = f"127.0.0.1:{free_port()}"
    await _run(admin, "init", "--data", "broker", "--address", address, "--name", "seefen")
    await _run(
        holders, "found", "broker/broker.json", "--name", "seefen", "--keys", "3",
        "--threshold", "2", "-o", "root",
    )  # fmt: skip
    await _run(admin, "init", "--data", "broker", "--root", "root/root.statement")
    await raised.stage.broker(raised.folder / "broker", raised.folder / "broker.log")
    invites = [f"{node}.invite" for node in NODES]
    for node, invite in zip(NODES, invites, strict=True):
        await _run(admin, "invite", node, "--data", "broker", "--out", invite)
    await together(
        _run(holders, "admit", *invites, *_HOLD, "--wait", "120", "--yes"),
        *(_run(raised.prompts[node], "join", f"{node}.invite") for node in NODES),
    )
    await together(*(raised.prompts[node].switch_on() for node in NODES))
    for name, node, roles in OFFICERS:
        await _enrol(raised, name, node, roles)


async def _enrol(raised: Cast, name: str, node: str, roles: Sequence[str]) -> None:
    head, invite = raised.prompts[node], f"{name}.invite"
    wanted = [word for role in roles for word in ("--role", role)]
    await _run(head, "officer", "add", *wanted, "-o", invite)
    await together(
        _run(raised.prompts[name], "join", invite),
        _run(head, "admit", invite, "--wait", "120", "--yes"),
    )
    await raised.prompts[name].switch_on()


async def _run(prompt: Prompt, *words: str) -> Answer:
    return await prompt.run(*words, show=False, patience=PATIENCE)
