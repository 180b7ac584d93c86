"""The story in five scenes; each step is checked, and the first that fails ends it."""

import argparse
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from demo import scene_alert, scene_audit, scene_case, scene_found, scene_search
from demo.recorder import Recorder
from demo.scene_found import PASSPHRASE
from demo.screen import StoryError, console, title, told
from demo.stage import Device, Stage
from seefen.server.embedded import running_dsn

NETWORK = "seefen-demo"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line, and where the demo may write."""

    folder: Path
    given: argparse.Namespace

    @property
    def own_folder(self) -> bool:
        """Whether the folder was made for this run and goes with it."""
        return self.given.data is None


@dataclass(slots=True)
class Play:
    """What the scenes share."""

    stage: Stage
    folder: Path
    port: int
    files: Path | None
    devices: dict[str, Device] = field(default_factory=dict[str, Device])
    recorder: Recorder | None = None
    case: str = ""
    alert: str = ""
    file_names: tuple[str, ...] = ()

    @property
    def broker_data(self) -> Path:
        """The data folder of the broker."""
        return self.folder / "broker"

    @property
    def dsn(self) -> str:
        """The database of the running broker, for those with full rights on this machine."""
        dsn = running_dsn(self.broker_data / "postgres")
        if dsn is None:
            raise StoryError("the broker's database does not run")
        return dsn

    @property
    def broker_log(self) -> Path:
        """The log file of the broker."""
        return self.folder / "broker.log"

    @property
    def traffic(self) -> Path:
        """What the recorder wrote down."""
        return self.folder / "traffic.bin"

    def home(self, device: str) -> Path:
        """The folder of a device."""
        return self.folder / "devices" / device

    def __getitem__(self, name: str) -> Device:
        return self.devices[name]


async def tell(options: Options) -> None:
    """Run the story from founding to search.

    Raises:
        StoryError: A step did not come out as it should.
    """
    _require_port(options.given.port, "--port")
    _require_port(options.given.port + 1, "--port (the one after it is needed too)")
    stage = Stage(options.folder)
    play = Play(stage, options.folder, options.given.port, options.given.files)
    title(NETWORK)
    began = time.monotonic()
    try:
        for scene in (scene_found, scene_alert, scene_case, scene_audit, scene_search):
            await scene.play(play)
        seconds = time.monotonic() - began
        told(f"\nAll steps came out as they should, in {seconds:.0f} s.")
        if options.given.stay:
            await _stay(play)
    finally:
        if play.recorder is not None:
            await play.recorder.stop()
        await stage.close()


async def _stay(play: Play) -> None:
    await play.stage.close_devices()
    console.print("\nThe broker goes on. In another terminal, from this folder:\n", style="bold")
    console.print(f"  export SEEFEN_PASSPHRASE='{PASSPHRASE}'", markup=False)
    for name in ("skopje-border", "belgrade-ffp", "auditor"):
        home = play.home(name)
        console.print(f"  .venv/bin/seefen --home {home} status", markup=False, soft_wrap=True)
    home = play.home("belgrade-ffp")
    console.print(f"  .venv/bin/seefen --home {home} case show {play.case}", markup=False)
    console.print(f"  .venv/bin/seefen --home {home} tail", markup=False, soft_wrap=True)
    console.print("\nCtrl-C here ends the broker.", style="bold")
    await play.stage.wait_for_broker()
    raise StoryError("the broker ended by itself")


def _require_port(port: int, option: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StoryError(
                f"port {port} is in use (another demo?); choose another with {option} N: "
                f"make demo ARGS='--port {port + 1000}'"
            ) from None
