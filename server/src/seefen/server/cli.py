"""The commands of ``seefen-server``."""

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import structlog

from seefen.protocol.errors import SeefenError
from seefen.protocol.suite import derive, random_bytes
from seefen.server import doctor, holding, logs, restoring, setup, tls
from seefen.server.alarms import alarm
from seefen.server.app import listening, now, open_services, read_log_key
from seefen.server.config import DATABASE_URL, Config, SetupError, read_config
from seefen.server.database import Database, any_database, own_database
from seefen.server.errors import UnreachableError
from seefen.server.fsck import keep_looking
from seefen.server.memory import settle
from seefen.server.mirrors import open_mirror
from seefen.server.retention import keep_erasing
from seefen.server.web.watch import watched

DATA = "SEEFEN_DATA"
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    # So that a stop while the database starts unwinds like any other end.
    signal.signal(signal.SIGTERM, _interrupt)
    logs.configure(random_bytes(32))  # until a command knows the broker's own key
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except SetupError as err:
        _say(f"error: {err}")
        if err.hint:
            _say(f"hint: {err.hint}")
        return 1
    except (OSError, SeefenError) as err:
        _say(f"error: {err}")
        if isinstance(err, UnreachableError) and os.environ.get(DATABASE_URL):
            _say(f"hint: does the database run, and is it the one that {DATABASE_URL} names?")
        return 1
    except KeyboardInterrupt:
        return 130


def init(options: argparse.Namespace) -> int:
    """Make a broker; or, with a root statement, open its network."""
    data: Path = options.data.absolute()
    if options.root is not None:
        config = _config(options)
        with own_database(config) as database:
            root = _run(setup.open_network(config, database.dsn, options.root))
        print(f"the network {root.name} is open: seefen-server serve --data {data}")  # noqa: T201
        return 0
    config = setup.make_broker(
        data, name=options.name, address=options.address, listen=options.listen
    )
    config = _with_environment(config)
    with own_database(config, new=True) as database:
        _run(_touch(config, database.dsn))
    setup.seal_settings(config)
    path = data / setup.BROKER_FILE
    print(path.read_text(), end="")  # noqa: T201
    print(f"next, on the machine of the root keys: seefen found {path}", file=sys.stderr)  # noqa: T201
    return 0


def serve(options: argparse.Namespace) -> int:
    """Run the broker until it is told to stop."""
    config = _config(options)
    stream = None if options.log is None else logs.open_file(options.log)
    logs.configure(derive(read_log_key(config).secret, "log-ids"), stream)
    tls.renew_certificate(config.data, config.host, datetime.fromtimestamp(now(), UTC))
    _take_descriptors()
    # A terminal that closes and a logrotate that sends it would end the broker, and systemd takes
    # that for an end in order: it would not start it again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with own_database(config) as database:
        try:
            _run(_serve(config, database))
        finally:
            # The database is being stopped in order: a second Ctrl-C must not tear it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return 0


def invite(options: argparse.Namespace) -> int:
    """Write the invite of a node."""
    config = _config(options)
    path: Path = options.out or Path(f"{options.node}.invite")
    if path.exists():
        raise SetupError(f"{path} is there already", hint="give another file with --out")
    with any_database(config) as database:
        content = _run(setup.invite_node(config, database.dsn, options.node, hours=options.hours))
    setup.write_invite(path, content)
    print(f"{path}: hand it over in person or by a channel you trust, then: seefen join {path}")  # noqa: T201
    return 0


def examine(options: argparse.Namespace) -> int:
    """Say what is wrong with a broker, if anything."""
    config = _config(options)
    findings = doctor.examine_files(config)
    try:
        with any_database(config) as database:
            findings += _run(doctor.examine_database(config, database.dsn))
    except SetupError as err:  # a full disk may be why, and that was seen
        findings.append(doctor.unusable(err))
    for finding in findings:
        print(finding)  # noqa: T201
    return 0 if all(finding.good for finding in findings) else 1


def put_back(options: argparse.Namespace) -> int:
    """Put back from mirrors what an older backup lacks."""
    config = _config(options)
    if not options.mirrors and not options.newest:
        raise SetupError(
            "no mirror is named",
            hint="--from FOLDER; without any, and only if you know it: --this-is-the-newest",
        )
    mirrors = [open_mirror(text) for text in options.mirrors]
    with own_database(config) as database:
        rebuilt = _run(restoring.rebuild(config, database.dsn, mirrors))
    for line in restoring.told(rebuilt):
        print(line)  # noqa: T201
    return 0


def check(options: argparse.Namespace) -> int:
    """Hash everything again, and name what differs."""
    config = _config(options)
    with any_database(config) as database:
        looked = _run(doctor.hash_again(database.dsn))
    for problem in looked.problems:
        print(f"!!  {problem}")  # noqa: T201
    if looked.more:
        print(f"!!  and {looked.more} more")  # noqa: T201
    lost = f"; {looked.lost} without their text, as `recover` said" if looked.lost else ""
    lost += f"; {looked.erased} erased under retention" if looked.erased else ""
    print(f"{looked.entries} entries of both logs were hashed{lost}")  # noqa: T201
    return 1 if looked.problems else 0


def hold(options: argparse.Namespace) -> int:
    """Put a case or a node on hold, lift it, or say what is on hold."""
    config = _config(options)
    with any_database(config) as database:
        for line in _run(
            holding.change_holds(database.dsn, options.subject, options.why, lift=options.lift)
        ):
            print(line)  # noqa: T201
    return 0


def erase(options: argparse.Namespace) -> int:
    """Erase what is over its time: the operator says that the clock is right."""
    config = _config(options)
    if not config.entries_years:
        raise SetupError("nothing has an end: entries_years is 0")
    print(f"by the clock of this machine it is {datetime.fromtimestamp(now(), UTC):%Y-%m-%d}")  # noqa: T201
    with own_database(config) as database:
        count = _run(_erase(config, database.dsn, sure=options.yes))
    print(f"{count} readings were erased")  # noqa: T201
    return 0


async def _erase(config: Config, dsn: str, *, sure: bool) -> int:
    async with open_services(config, dsn, signs=False) as services:
        return await services.broker.retention.run(sure=sure)


def _take_descriptors() -> None:
    """Take as many lines as this process may: a shell gives a thousand, which strangers hold."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(config: Config, database: Database) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_services(config, database.dsn) as services:
        setup.require_open(config, services.broker)
        async with watched(config, services), listening(config, services):
            watch = asyncio.create_task(_keep_running(database))
            looking = asyncio.create_task(keep_looking(services.reads))
            erasing = asyncio.create_task(keep_erasing(services.broker.retention))
            settle()
            _say_ready(config, services.broker.frozen)
            await stop.wait()
            if database.embedded is not None:
                database.embedded.give_up()
            watch.cancel()
            looking.cancel()
            erasing.cancel()
    structlog.get_logger().info("stopped")


def _say_ready(config: Config, frozen: str) -> None:
    if frozen:
        # It stays up to say so: whoever asks is told why, and nobody believes it to be away.
        alarm("frozen", text=frozen)
        print(f"seefen-server: {config.name} is FROZEN at {config.url}: {frozen}", flush=True)  # noqa: T201
        return
    print(f"seefen-server: {config.name} is ready at {config.url}", flush=True)  # noqa: T201
    structlog.get_logger().info("ready", url=config.url)


async def _keep_running(database: Database) -> None:
    """Start the embedded database again when it was killed; requests wait or get 503."""
    while database.embedded is not None:
        await asyncio.sleep(1)
        if database.embedded.is_running:
            continue
        try:
            await asyncio.to_thread(database.embedded.start)
        except Exception as err:
            # On a full disk it cannot even replay its log, and on one that hangs it cannot be
            # ended: once there is room, it can. Without this nobody starts it again.
            alarm("database-down", failed=type(err).__name__)


async def _touch(config: Config, dsn: str) -> None:
    """Make the tables, so that a database that cannot hold them is found now."""
    async with open_services(config, dsn):
        pass


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        import uvloop  # not made for every system; asyncio's own loop will do
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _config(options: argparse.Namespace) -> Config:
    data: Path = options.data.absolute()
    setup.require_owner(data)
    return read_config(data)


def _with_environment(config: Config) -> Config:
    return replace(config, database=os.environ.get(DATABASE_URL))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="seefen-server", description="The seefen broker.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = _command(commands, "init", init, "make a broker, or open its network with --root")
    one.add_argument("--address", default="127.0.0.1:8443", help="where devices reach it")
    one.add_argument("--listen", help="where it listens, if that is another address")
    one.add_argument("--name", default="seefen", help="the name of the network")
    one.add_argument("--root", type=Path, metavar="FILE", help="root version 1, signed")
    one = _command(commands, "serve", serve, "run the broker")
    one.add_argument("--log", type=Path, metavar="FILE", help="JSON lines; default: stderr")
    one = _command(commands, "invite", invite, "write the invite of a node")
    one.add_argument("node", metavar="NODE", help="its name, as in skopje-border")
    one.add_argument("--out", type=Path, metavar="FILE", help="default: NODE.invite")
    one.add_argument("--hours", type=int, default=48, help="how long it may be used")
    _command(commands, "doctor", examine, "look for what is wrong")
    _command(commands, "fsck", check, "hash both logs again, and name what differs")
    text = "keep the entries of a case or node past their retention; alone: say what is on hold"
    one = _command(commands, "hold", hold, text)
    one.add_argument("subject", metavar="SUBJECT", nargs="?", default="",
                     help="id of a case, 32 digits of hex, or name of a node")  # fmt: skip
    one.add_argument("--why", default="", help="who asked for it: it is shown to operators alone")
    one.add_argument("--lift", action="store_true", help="end it")
    text = "erase now what is over its time; the broker stands still meanwhile"
    one = _command(commands, "erase", erase, text)
    one.add_argument("--yes", action="store_true", help="the clock is right, whatever the log says")
    text = "put back from mirrors what an older backup lacks"
    one = _command(commands, "recover", put_back, text)
    one.add_argument(
        "--from",
        dest="mirrors",
        action="append",
        default=[],
        metavar="MIRROR",
        help="folder `mirror` of an agent, a copy, or where it is served; several count together",
    )
    one.add_argument(
        "--this-is-the-newest",
        dest="newest",
        action="store_true",
        help="no mirror exists, the mark is lost, and nothing is missing",
    )
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    default = os.environ.get(DATA)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=None if default is None else Path(default),
        required=default is None,
        help=f"the broker's data folder (or {DATA})",
    )
    parser.set_defaults(command=run)
    return parser


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"seefen-server: {text}", file=sys.stderr)  # noqa: T201
