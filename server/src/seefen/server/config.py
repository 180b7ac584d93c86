"""Configuration: one frozen value, read once, complete with units.

It comes from ``seefen.toml`` in the data folder and from ``SEEFEN_DATABASE_URL``. A key
that nobody knows is refused: a misspelt limit must not be silently the default.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

FILE: Final = "seefen.toml"
DATABASE_URL: Final = "SEEFEN_DATABASE_URL"

Positive = Annotated[int, Meta(ge=1)]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}", re.ASCII)
_HOST: Final = re.compile(
    r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE
)


class SetupError(Exception):
    """Something the operator must put right; the hint says how."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Make an error; ``hint`` is the next thing to do."""
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Config:
    """How one broker runs.

    ``url`` is what devices are told and what their proofs must name; nothing a request
    says about the host counts. ``listen`` is where this process waits; behind a relay the
    two differ.
    """

    data: Path
    name: str
    url: str
    listen: str
    database: str | None = None
    logins_per_minute_per_address: Positive = 10
    logins_per_hour_per_device: Positive = 60
    bad_proofs_before_block: Positive = 20
    block_seconds: Positive = 900
    token_seconds: Annotated[int, Meta(ge=1, le=600)] = 600
    socket_seconds: Annotated[int, Meta(ge=1, le=43200)] = 43200
    sockets_per_device: Positive = 5
    free_disk_percent: Annotated[int, Meta(ge=0, le=90)] = 10
    quota_mebibytes_per_node: Positive = 1 << 20
    unwitnessed_seconds: Annotated[int, Meta(ge=0)] = 14_400  # 0: never
    entries_years: Annotated[int, Meta(ge=0, le=100)] = 0  # for ever
    metrics_listen: str = ""
    high_water: str = ""

    @property
    def host(self) -> str:
        """The host that devices connect to, as it must stand in the certificate."""
        return split_address(urlsplit(self.url).netloc)[0]

    @property
    def log_key(self) -> Path:
        """The key that signs checkpoints."""
        return self.data / "log.key"

    @property
    def high_water_file(self) -> Path:
        """How far the logs were signed; best on another disk than the database."""
        return Path(self.high_water) if self.high_water else self.data / "high-water"

    @property
    def blobs(self) -> Path:
        """The folder of file bodies."""
        return self.data / "blobs"

    @property
    def postgres(self) -> Path:
        """The folder of the embedded database."""
        return self.data / "postgres"


def read_config(data: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of the broker in a data folder.

    Raises:
        SetupError: There is none, or a key is unknown or has a value it must not have.
    """
    path = data / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SetupError(
            f"{data} is not the data folder of a broker",
            hint=f"seefen-server init --data {data}",
        ) from None
    except UnicodeDecodeError:
        raise SetupError(f"{path} is no text in UTF-8") from None
    except OSError as err:
        raise SetupError(
            f"{path} cannot be read: {err.strerror}",
            hint="run the commands of a broker as its user: sudo -u USER seefen-server ...",
        ) from None
    environment = os.environ if environment is None else environment
    return _convert(path, text, data, environment.get(DATABASE_URL))


def write_config(config: Config) -> str:
    """Return the text of ``seefen.toml``; only what has no default, or another value."""
    lines = ["# docs/spec/api.md, section 6, lists all settings; unknown keys are refused.\n"]
    for field in fields(Config):
        value = getattr(config, field.name)
        if field.name in ("data", "database") or value == field.default:
            continue
        lines.append(
            f'{field.name} = "{value}"\n' if isinstance(value, str) else _plain(field, value)
        )
    return "".join(lines)


def check_name(name: str) -> str:
    """Return the name of a network that can stand in the first line of a checkpoint.

    Raises:
        SetupError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise SetupError("a network name has 2 to 63 lower-case letters, digits, dots and hyphens")
    return name


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[IPv6]:port``.

    Raises:
        SetupError: It is not an address.
    """
    host, colon, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise SetupError(f"{address!r} is not an address", hint="write host:port, 127.0.0.1:8443")
    if not (_HOST.fullmatch(bare) or _is_ip(bare)):
        raise SetupError(f"{host!r} is not a host name or an IP address")
    return bare, int(port)


def _convert(path: Path, text: str, data: Path, database: str | None) -> Config:
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as err:  # also too many digits, or brackets
        raise SetupError(f"{path} is not TOML: {err}") from None
    known = {field.name for field in fields(Config)} - {"data", "database"}
    if unknown := sorted(raw.keys() - known):
        raise SetupError(f"{path} has a key nobody knows: {', '.join(unknown)}")
    try:
        config = msgspec.convert({**raw, "data": data, "database": database}, Config)
    except msgspec.ValidationError as err:
        raise SetupError(f"{path}: {err}") from None
    _check(config, path)
    return config


def _check(config: Config, path: Path) -> None:
    check_name(config.name)
    split_address(config.listen)
    if config.high_water and not Path(config.high_water).is_absolute():
        raise SetupError(f"{path}: high_water is {config.high_water!r}", hint="a path from / on")
    if config.metrics_listen:
        _check_own(config.metrics_listen)
    parts = urlsplit(config.url)
    if (parts.scheme, parts.path, parts.query, parts.fragment) != ("https", "", "", ""):
        # A proof names this address letter by letter: one spelling only.
        raise SetupError(f"{path}: url must be https://host:port and nothing more")
    split_address(parts.netloc)


def _check_own(address: str) -> None:
    host, _ = split_address(address)
    if host != "localhost" and not (_is_ip(host) and ipaddress.ip_address(host).is_loopback):
        # Figures say who was busy when: they leave this machine by the operator's hand only.
        raise SetupError(
            f"metrics_listen is {address!r}", hint="an address of this machine: 127.0.0.1:9464"
        )


def _plain(field: Any, value: object) -> str:
    return f"{field.name} = {value}\n"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
