"""Making a broker, opening its network, and inviting the first device of a node.

``init`` makes keys that name the broker; the holders of the root keys sign them into root
version 1 on their own machines; ``init --root`` brings that back and opens the network.
Each step may be repeated: what is there is kept.
"""

import json
import os
import pwd
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import ValidationError, convert

from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import NodeName, Root
from seefen.protocol.suite import PlainKey, new_id, random_bytes, sha256
from seefen.server import tls
from seefen.server.app import now, open_services, read_log_key
from seefen.server.broker import Broker
from seefen.server.config import FILE, Config, SetupError, check_name, split_address, write_config
from seefen.server.enrolment import Invite
from seefen.server.files import make_folder, write_durably

BROKER_FILE: Final = "broker.json"
HOUR: Final = 3600  # seconds
MOUNTS: Final = ("lost+found", "postgres", "blobs")  # disks of their own may be there before us


def make_broker(data: Path, *, name: str, address: str, listen: str | None) -> Config:
    """Make the data folder of a broker, its keys and certificates, and ``broker.json``.

    Raises:
        SetupError: There is a broker in the folder, or a value cannot be used.
    """
    if (data / FILE).exists():
        raise SetupError(
            f"{data} is a broker's data folder already", hint=f"seefen-server serve --data {data}"
        )
    split_address(address)
    split_address(listen or address)
    require_owner(data)
    _require_own_folder(data)
    config = Config(data, check_name(name), f"https://{address}", listen or address)
    make_folder(data)
    # As root, PostgreSQL runs as nobody, who must pass through; what is inside stays closed.
    data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    if not config.log_key.exists():
        secret = PlainKey.generate().secret.hex()
        write_durably(config.log_key, f"{secret}\n".encode())
    today = datetime.fromtimestamp(now(), UTC)
    tls.make_authority(data, name, today)
    tls.renew_certificate(data, config.host, today)
    make_folder(config.blobs)
    write_durably(data / BROKER_FILE, broker_json(config, address).encode(), mode=0o644)
    return config


def require_owner(data: Path) -> None:
    """Refuse to work as root in a folder that is another user's, or to make one in such a folder.

    What root makes there its broker cannot read: a mark of an invite that was made so would
    freeze the one that runs, and the database would be lent to nobody.

    Raises:
        SetupError: It is; the hint is the same command as the right user.
    """
    if os.geteuid() != 0:
        return  # and may not even see whose it is: who reads the settings says so
    there = next(path for path in (data, *data.parents) if path.exists())
    if owner := there.stat().st_uid:
        name = _user(owner)
        raise SetupError(
            f"{there} belongs to {name}, and what root makes there {name} cannot read",
            hint=f"sudo -u {name} seefen-server ...",
        )


def seal_settings(config: Config) -> None:
    """Write ``seefen.toml``: from now on the folder is a broker's."""
    write_durably(config.data / FILE, write_config(config).encode())


def broker_json(config: Config, address: str) -> str:
    """Return what the holders of the root keys must know of a broker."""
    document = {
        "name": config.name,
        "origin": config.name,
        "address": address,
        "log_key": read_log_key(config).public.hex(),
        "ca": tls.ca_pem(config.data),
        "pin": tls.pin(config.data).hex(),
    }
    return json.dumps(document, indent=2) + "\n"


async def open_network(config: Config, dsn: str, root_file: Path) -> Root:
    """Commit root version 1 and return it. The same root again changes nothing.

    Raises:
        SetupError: It does not name this broker, or the broker has another root.
    """
    envelope, root = _read_root(config, root_file)
    async with open_services(config, dsn) as services:
        directory = services.broker.directory
        if directory.size and directory.net == sha256(open_envelope(envelope, "root").payload):
            return root
        if directory.size:
            raise SetupError("this broker has another network already")
        try:
            await services.broker.found(Bundle((Signed("root", envelope, b""),), (), ()))
        except SeefenError as err:
            raise SetupError(f"the broker refuses this root statement: {err}") from err
    return root


async def invite_node(config: Config, dsn: str, node: str, *, hours: int) -> dict[str, object]:
    """Return the content of ``NODE.invite`` and store the hash of its secret.

    Raises:
        SetupError: The name cannot be used, or the network is not open yet.
    """
    try:
        convert(node, NodeName)
    except ValidationError:
        raise SetupError(
            f"{node!r} is not a node name", hint="city and agency, as in skopje-border"
        ) from None
    if not 1 <= hours <= 720:
        raise SetupError("an invite lives 1 to 720 hours")
    secret, invite_id = random_bytes(32), new_id()
    expires = now() + hours * HOUR
    async with open_services(config, dsn, signs=False) as services:
        directory = services.broker.directory
        require_open(config, services.broker)
        if services.broker.frozen:
            raise SetupError(f"the broker is frozen: {services.broker.frozen}")
        invite = Invite(invite_id, sha256(secret), "node", node, (), expires)
        try:
            await services.enrolment.invite_node(invite)
        except SeefenError as err:
            raise SetupError(str(err)) from err
        root, net = directory.root, directory.net
    return {
        "v": 1,
        "network": root.name,
        "net": net.hex(),
        "broker": config.url,
        "ca": tls.ca_pem(config.data),
        "pin": tls.pin(config.data).hex(),
        "kind": "node",
        "node": node,
        "id": invite_id.hex(),
        "secret": secret.hex(),
        "expires": expires,
    }


def write_invite(path: Path, content: dict[str, object]) -> None:
    """Write an invite so that its owner alone may read it; an old file is not replaced.

    Raises:
        SetupError: There is a file already, or the folder cannot be written.
    """
    if path.exists():
        raise SetupError(f"{path} is there already", hint="give another file with --out")
    try:
        write_durably(path, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as err:
        raise SetupError(f"{path} cannot be written: {err.strerror}") from None


def require_open(config: Config, broker: Broker) -> None:
    """Refuse to go on before the network has a root.

    Raises:
        SetupError: It has none; the hint is the next step. Where the mark says that there was
            one, this is another database, and opening a network in it would be the wrong step.
    """
    if broker.directory.size:
        return
    if broker.frozen:
        raise SetupError(
            f"there is no network in this database, and there was one: {broker.frozen}",
            hint="is it the right one? Look at SEEFEN_DATABASE_URL, and at what was put back",
        )
    raise SetupError("the network is not open yet", hint=_next_step(config))


def _require_own_folder(data: Path) -> None:
    """Refuse a folder that holds other things: its mode is changed, and keys are laid into it.

    Raises:
        SetupError: It does. What an ``init`` that was cut off has left there is no hindrance.
    """
    if not data.is_dir() or (data / "log.key").exists():
        return
    if others := sorted(path.name for path in data.iterdir() if path.name not in MOUNTS):
        raise SetupError(
            f"{data} holds other things already: {others[0]}{', ...' if others[1:] else ''}",
            hint=f"name a folder of the broker's own: --data {data / 'broker'}",
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def _next_step(config: Config) -> str:
    return (
        f"seefen found {config.data / BROKER_FILE}, "
        f"then seefen-server init --data {config.data} --root FILE"
    )


def _read_root(config: Config, path: Path) -> tuple[bytes, Root]:
    try:
        envelope = path.read_bytes()
        root = open_envelope(envelope, "root").statement
    except OSError as err:
        raise SetupError(f"{path} cannot be read: {err.strerror}") from None
    except SeefenError as err:
        raise SetupError(f"{path} is not a root statement: {err}") from None
    if not isinstance(root, Root) or root.version != 1:
        raise SetupError(f"{path} is not version 1 of a root statement")
    wrong = [
        what
        for what, good in (
            ("log key", root.log_key == read_log_key(config).public),
            ("certificate pin", tls.pin(config.data) in root.tls_pins),
            ("origin", root.origin == config.name),
        )
        if not good
    ]
    if wrong:
        # Devices would refuse this broker: better that its operator hears it now.
        raise SetupError(
            f"{path} names another broker: {', '.join(wrong)} differ",
            hint=f"seefen found {config.data / BROKER_FILE}",
        )
    return envelope, root
