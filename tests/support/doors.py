"""Doors to a broker that is a process of its own: straight, and through nginx.

``passing`` is the relay of ``deploy/nginx.conf``, as operators run it: TLS goes through
untouched. ``opening`` is an nginx that was given the broker's own key and opens TLS. No
device of ours is to meet one, but it reads each request with other eyes than the broker,
and where the two disagree a request can be smuggled.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from seefen.server.app import open_services
from seefen.server.config import DATABASE_URL, read_config
from tests.support.broker import RunningBroker, free_port, running_broker
from tests.support.database import empty_database
from tests.support.devices import NODE
from tests.support.vectors import ROOT
from tests.support.waiting import until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
MISSING = "" if NGINX and MODULE.exists() else (
    "nginx with its stream module is not here: apt-get install nginx libnginx-mod-stream"
)  # fmt: skip
RELAY = ROOT / "deploy" / "nginx.conf"

OPENING = """
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    map $http_upgrade $wanted {{ "" ""; default upgrade; }}
    upstream broker {{ server {listen}; keepalive 1; }}
    server {{
        listen {address} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {data}/server.pem;
        ssl_certificate_key {data}/server.key;
        client_max_body_size 8m;
        client_header_timeout 10s;
        client_body_timeout 10s;
        location / {{
            proxy_pass https://broker;
            proxy_ssl_protocols TLSv1.3;
            proxy_http_version 1.1;
            proxy_set_header Connection $wanted;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_request_buffering off;
            proxy_buffering off;
        }}
    }}
}}
"""


@dataclass
class Door:
    """How a client reaches a broker."""

    broker: RunningBroker
    relay: Path | None = None

    @property
    def url(self) -> str:
        """What devices are told."""
        return self.broker.url

    @property
    def ca(self) -> str:
        """What devices believe."""
        return self.broker.ca

    @property
    def pid(self) -> int:
        """The process of the broker."""
        assert self.broker.process is not None
        return self.broker.process.pid

    def memory(self) -> int:
        """Return the bytes of memory that the broker has now."""
        return resident(self.pid)

    def connections(self) -> int:
        """Return how many sockets and files the broker has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@asynccontextmanager
async def opened(kind: str, settings: str = "", **changes: str) -> AsyncGenerator[Door, None]:
    """Give a running broker with one node behind a ``direct``, ``passing`` or ``opening`` door.

    Args:
        kind: Which door.
        settings: Further lines of ``seefen.toml``.
        changes: Values of settings in ``deploy/nginx.conf`` that a test cannot wait for.
    """
    listen = f"127.0.0.1:{free_port()}"
    address = listen if kind == "direct" else f"localhost:{free_port()}"
    async with empty_database() as dsn:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(DATABASE_URL, dsn)
            async with running_broker(found=False, address=address, listen=listen) as broker:
                with (broker.data / "seefen.toml").open("a") as file:
                    file.write(settings)
                await broker.found()
                async with open_services(read_config(broker.data), dsn) as services:
                    bundle = broker.network.admit(NODE)
                    await services.broker.submit(None, bundle, 0)
                    broker.network.take(bundle)
                await broker.start()
                if kind == "direct":
                    yield Door(broker)
                    return
                text = _opening(broker) if kind == "opening" else relay_text(broker, **changes)
                async with _nginx(text, address) as folder:
                    yield Door(broker, folder)


def relay_text(broker: RunningBroker, **changes: str) -> str:
    """Return ``deploy/nginx.conf`` for a broker, with only the lines changed that say where."""
    host, _, port = broker.address.rpartition(":")
    text = RELAY.read_text(encoding="utf-8")
    named = {
        "modules/ngx_stream_module.so": str(MODULE),
        "/run/nginx.pid": "{folder}/nginx.pid",
        "/var/log/nginx/error.log": "{folder}/error.log",
        "/var/log/nginx/seefen.log": "{folder}/seefen.log",
        "TLSv1.3 broker.example": f"TLSv1.3 {host}",
        "server 10.0.0.5:8443": f"server {broker.listen}",
        "listen 443": f"listen 127.0.0.1:{port}",
        **changes,
    }
    for old, new in named.items():
        assert old in text, f"{RELAY.name} does not say {old!r} any more"
        text = text.replace(old, new)
    return text


def _opening(broker: RunningBroker) -> str:
    address = broker.address.replace("localhost", "127.0.0.1")
    return OPENING.format(
        folder="{folder}", listen=broker.listen, address=address, data=broker.data
    )


@asynccontextmanager
async def _nginx(text: str, address: str) -> AsyncGenerator[Path, None]:
    assert NGINX is not None, MISSING
    folder = Path(tempfile.mkdtemp(prefix="seefen-nginx-"))
    folder.chmod(0o711)
    config = folder / "nginx.conf"
    config.write_text(text.replace("{folder}", str(folder)))
    process = await asyncio.create_subprocess_exec(
        NGINX, "-c", config, "-p", folder, "-e", folder / "start.log", "-g", "daemon off;",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:

        async def listens() -> bool:
            logs = (folder / name for name in ("start.log", "error.log"))
            said = "".join(log.read_text() for log in logs if log.exists())
            assert process.returncode is None, f"nginx ended:\n{said}"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", address.rpartition(":")[2])
            except OSError:
                return False
            writer.close()
            return True

        await until(listens, seconds=30)
        yield folder
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)
