"""Put together: the only place where the web, the promises and the store meet."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from aiohttp import web

from seefen.protocol.directory import Directory
from seefen.protocol.suite import PlainKey
from seefen.server import tls
from seefen.server.alarms import alarm
from seefen.server.blobs import Blobs
from seefen.server.broker import Broker
from seefen.server.config import Config, SetupError, split_address
from seefen.server.enrolment import Enrolment
from seefen.server.files import make_folder
from seefen.server.high_water import HighWater
from seefen.server.lines import Lines
from seefen.server.rates import Rates
from seefen.server.store import Store
from seefen.server.store.blobs import BlobRows
from seefen.server.store.invites import InviteRows
from seefen.server.store.migrations import SchemaError
from seefen.server.store.outage import AWAY
from seefen.server.store.tokens import TokenRows
from seefen.server.tokens import Tokens
from seefen.server.web.connections import listen, mark_requests
from seefen.server.web.freezing import frozen
from seefen.server.web.limits import STATEMENTS, add_headers, limits
from seefen.server.web.problems import problems
from seefen.server.web.routes import add_routes
from seefen.server.web.services import SERVICES, Services

Clock = Callable[[], int]

STOP_SECONDS: Final = 5.0
RENEW_SECONDS: Final = 3600.0  # between two looks at how long the certificate is good


def now() -> int:
    """Return the Unix time in seconds: the only clock of the broker."""
    return int(time.time())


@asynccontextmanager
async def open_services(
    config: Config, dsn: str, *, clock: Clock = now, signs: bool = True
) -> AsyncGenerator[Services, None]:
    """Open the store and everything that stands on it; see :meth:`Broker.open`."""
    log_key = read_log_key(config)
    make_folder(config.blobs)
    async with _opened(dsn) as store:
        broker = await Broker.open(
            store,
            log_key=log_key,
            clock=clock,
            high_water=HighWater(config.high_water_file, log_key.public),
            unwitnessed=config.unwitnessed_seconds,
            signs=signs,
        )
        broker.retention.years = config.entries_years
        try:
            yield _services(config, store, broker, clock)
        finally:
            await broker.close()


@asynccontextmanager
async def _opened(dsn: str) -> AsyncGenerator[Store, None]:
    try:
        async with Store.open(dsn) as store:
            yield store
    except SchemaError as err:
        raise SetupError(str(err), hint="start the version of the broker that made it") from err


def _services(config: Config, store: Store, broker: Broker, clock: Clock) -> Services:
    def directory() -> Directory:
        return broker.directory

    async def is_ready() -> bool:
        try:
            async with asyncio.timeout(2):
                return bool(await store.pool.fetchval("SELECT true"))
        except AWAY:
            return False

    return Services(
        broker=broker,
        reads=store,
        tokens=Tokens(
            TokenRows(store.pool),
            url=config.url,
            seconds=config.token_seconds,
            directory=directory,
            look=broker.look,
            clock=clock,
        ),
        rates=Rates(config, time.monotonic),
        enrolment=Enrolment(InviteRows(store.pool), directory=directory, clock=clock),
        blobs=Blobs(
            BlobRows(store.pool),
            config.blobs,
            free_percent=config.free_disk_percent,
            quota_mebibytes=config.quota_mebibytes_per_node,
        ),
        lines=Lines(config.sockets_per_device),
        socket_seconds=config.socket_seconds,
        clock=clock,
        is_ready=is_ready,
        connections=lambda: (store.pool.get_size(), store.pool.get_idle_size()),
    )


def make_app(services: Services) -> web.Application:
    """Return the web application over ``services``."""
    app = web.Application(
        middlewares=[mark_requests, problems, limits, frozen], client_max_size=STATEMENTS
    )
    app[SERVICES] = services
    app.on_response_prepare.append(add_headers)
    add_routes(app)
    return app


@asynccontextmanager
async def listening(config: Config, services: Services) -> AsyncGenerator[None, None]:
    """Answer at the configured address until the block ends.

    Raises:
        SetupError: The port is taken, or is not ours to take.
    """
    host, port = split_address(config.listen)
    runner = web.AppRunner(make_app(services), shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the runner has no server after its setup")
    context = tls.server_context(config.data)
    try:
        try:
            server = await listen(runner.server, host, port, context)
        except OSError as err:
            raise SetupError(
                f"cannot listen on {config.listen}: {err.strerror or 'the port is taken'}",
                hint="stop what uses the port, or change listen in seefen.toml",
            ) from None
        tasks = [
            asyncio.create_task(services.repeats.keep_telling(), name="repeats"),
            asyncio.create_task(
                _keep_renewing(config, context, services.clock), name="certificate"
            ),
        ]
        try:
            yield
        finally:
            server.close()
            services.lines.end_all()
            for task in tasks:
                task.cancel()
    finally:
        await runner.cleanup()


async def _keep_renewing(config: Config, context: ssl.SSLContext, clock: Clock) -> None:
    """Renew the certificate while the broker runs, for those who connect from then on."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            at = datetime.fromtimestamp(clock(), UTC)
            if tls.renew_certificate(config.data, config.host, at):
                tls.load_certificate(context, config.data)
                structlog.get_logger().info("certificate.renewed")
        except Exception as err:  # a full disk: the next hour will do, there are thirty days
            alarm("certificate", failed=type(err).__name__)


def read_log_key(config: Config) -> PlainKey:
    """Return the key that signs the checkpoints of this broker.

    Raises:
        SetupError: It is not there, or others may read it.
    """
    try:
        mode = config.log_key.stat().st_mode
        secret = bytes.fromhex(config.log_key.read_text().strip())
    except (OSError, ValueError):
        raise SetupError(f"the log key {config.log_key} cannot be read") from None
    if mode & 0o077:
        raise SetupError(
            f"others than its owner may read {config.log_key}", hint=f"chmod 600 {config.log_key}"
        )
    return PlainKey.from_secret(secret)
