"""Figures for the operator's Prometheus, at an address of this machine only.

The port that devices reach never shows them: how busy a node's night was is nobody's
business outside (docs/decisions/0015).
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, ProcessCollector, generate_latest
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from seefen.server.config import Config, SetupError, split_address
from seefen.server.metrics import COUNTED
from seefen.server.web.services import Services


class _State(Collector):
    """What is so at the moment somebody looks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        """Yield each figure."""
        heads = self._services.broker.heads
        leaves = GaugeMetricFamily("seefen_log_size", "Entries in a log.", labels=("log",))
        leaves.add_metric(("authority",), heads.authority.size)
        leaves.add_metric(("activity",), heads.activity.size)
        yield leaves
        yield GaugeMetricFamily("seefen_lines", "Open sockets.", value=len(self._services.lines))
        open_, idle = self._services.connections()
        connections = GaugeMetricFamily(
            "seefen_database_connections", "Connections to PostgreSQL.", labels=("state",)
        )
        connections.add_metric(("busy",), open_ - idle)
        connections.add_metric(("idle",), idle)
        yield connections


def figures(services: Services) -> bytes:
    """Return every figure in the text format of Prometheus."""
    state = CollectorRegistry()
    state.register(_State(services))
    ProcessCollector(registry=state)
    return generate_latest(COUNTED) + generate_latest(state)


@asynccontextmanager
async def watched(config: Config, services: Services) -> AsyncGenerator[None, None]:
    """Serve ``/metrics`` while the block runs, if the settings name an address for it.

    Raises:
        SetupError: The address is taken.
    """
    if not config.metrics_listen:
        yield
        return

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=figures(services), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    host, port = split_address(config.metrics_listen)
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as err:
            raise SetupError(
                f"cannot listen on {config.metrics_listen}: {err.strerror or 'the port is taken'}",
                hint="change metrics_listen in seefen.toml",
            ) from None
        yield
    finally:
        await runner.cleanup()
