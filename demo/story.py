"""The story in six scenes; each step is checked, and the first that fails ends it."""

import asyncio
import shlex
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from demo import scene_alert, scene_audit, scene_case, scene_found, scene_search, scene_split
from demo.material import Material, material
from demo.recorder import Recorder
from demo.screen import StoryError, listed, said, scene, title, told
from demo.stage import Prompt, Stage
from seefen.server.embedded import running_dsn

NETWORK = "seefen-demo"
PASSPHRASE = "invented words for this demonstration only"  # noqa: S105 - of nobody
SCENES = (scene_found, scene_alert, scene_case, scene_audit, scene_split, scene_search)
SHOWN = (
    ("founded", "a network by 2 of 3 root keys; four nodes and two more officers joined by an"
     " invite file and six spoken words"),
    ("alert", "seen, opened and answered by three nodes; the sender saw recorded, delivered and"
     " read for each, and who was not reached"),
    ("case", "request, files and answer; a node added later and a lost device read nothing of"
     " what is not theirs"),
    ("audit", "each reading listed with its purpose and proved; an altered, a removed and a"
     " rewound log named by every node"),
    ("split view", "a second log for one node alone, found by a witness that never met that"
     " node, and proved to all"),
    ("search", "nothing of the case in database, files, log and traffic of the broker"),
    ("not shown", "what a cheating broker can hide for a day: the witnesses see the log, and not"
     " what each node is shown of it"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line, and where the demo may write."""

    folder: Path
    port: int
    files: Path | None
    stay: bool


class Stop:
    """What Ctrl-C does: it ends the story, once and in order."""

    def __init__(self, task: "asyncio.Task[int]") -> None:
        self._task = task
        self.expected = False
        self.deaf = False

    def come(self) -> None:
        """End the story, unless it is ending: processes are being stopped then."""
        if not self.deaf:
            self.deaf = True
            self._task.cancel()


@dataclass(slots=True)
class Play:
    """What the scenes share."""

    stage: Stage
    folder: Path
    port: int
    inner_port: int  # where the broker listens, behind the recorder
    material: Material
    prompts: dict[str, Prompt] = field(default_factory=dict[str, Prompt])
    pids: dict[str, int] = field(default_factory=dict[str, int])  # of agents
    second_port: int = 0  # where the broker's second book listens
    recorder: Recorder | None = None
    case: str = ""
    alert: str = ""

    @property
    def broker_data(self) -> Path:
        """The data folder of the broker."""
        return self.folder / "broker"

    @property
    def postgres(self) -> Path:
        """The folder of the broker's database."""
        return self.broker_data / "postgres"

    @property
    def dsn(self) -> str:
        """The database of the running broker, for those with full rights on this machine."""
        dsn = running_dsn(self.postgres)
        if dsn is None:
            raise StoryError("the broker's database does not run")
        return dsn

    @property
    def broker_log(self) -> Path:
        """The log file of the broker."""
        return self.folder / "broker.log"

    @property
    def traffic(self) -> Path:
        """The folder in which the recorder writes down what passes."""
        return self.folder / "traffic"

    def free_port(self) -> int:
        """Return a port that nobody uses."""
        return _free_port(self.port)

    def divert(self, pid: int, port: int) -> None:
        """Lead the connections of a process to another broker from now on."""
        if self.recorder is None:
            raise StoryError("nothing stands before the broker")
        self.recorder.divert(pid, port)

    def home(self, device: str) -> Path:
        """The folder of a device."""
        return self.folder / "devices" / device

    def __getitem__(self, name: str) -> Prompt:
        """Return somebody's terminal."""
        return self.prompts[name]


async def tell(options: Options, stop: Stop) -> None:
    """Run the story from founding to search.

    Raises:
        StoryError: A step did not come out as it should.
    """
    title(NETWORK)
    began = time.monotonic()
    stage = Stage(options.folder, PASSPHRASE)
    play: Play | None = None
    try:
        sent = await asyncio.to_thread(material, options.folder, options.files)
        play = Play(stage, options.folder, options.port, _free_port(options.port), sent)
        await _play(play)
        scene(len(SCENES) + 1, "what was shown")
        listed(SHOWN)
        told(f"\nAll steps came out as they should, in {time.monotonic() - began:.0f} s.")
        if options.stay:
            await _stay(play, stop)
    finally:
        # From here on Ctrl-C changes nothing: it would only leave something behind.
        stop.deaf = True
        if play is not None and play.recorder is not None:
            await play.recorder.stop()
        await stage.close(options.folder / "broker" / "postgres")


async def _play(play: Play) -> None:
    for one in SCENES:
        try:
            await one.play(play)
        except StoryError:
            play.stage.require_broker()
            raise


async def _stay(play: Play, stop: Stop) -> None:
    await play.stage.close_devices()
    program, here = Path(sys.executable).parent / "seefen", Path.cwd()
    near = program.is_relative_to(here)
    seefen = shlex.quote(str(program.relative_to(here) if near else program))

    def command(device: str, words: str) -> None:
        home = shlex.quote(str(play.home(device)))
        said(f"  {seefen} --home {home} {words}")

    said("\nThe broker goes on. In another terminal, from this folder:\n", "bold")
    said(f"  export SEEFEN_PASSPHRASE={shlex.quote(PASSPHRASE)}")
    for name in ("skopje-border", "belgrade-ffp", "auditor"):
        command(name, "status")
    command("belgrade-ffp", f"case show {play.case}")
    command("auditor", f"audit list --case {play.case}")
    command("auditor", "audit verify")
    command("belgrade-ffp", "tail")
    said("\nCtrl-C here ends the broker.", "bold")
    stop.expected = True
    await play.stage.wait_for_broker()
    raise StoryError("the broker ended by itself")


def _free_port(besides: int) -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port != besides:
            return port
