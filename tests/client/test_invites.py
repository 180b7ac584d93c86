"""Invite files: read strictly, written for their owner alone."""

import json
from pathlib import Path

import pytest

from seefen.client.invites import Invite, read_invite, write_invite
from seefen.protocol.errors import RefusedError

GOOD = {
    "v": 1,
    "network": "seefen-test",
    "net": "ab" * 32,
    "broker": "https://127.0.0.1:8443",
    "ca": "-----BEGIN CERTIFICATE-----\n",
    "pin": "cd" * 32,
    "kind": "node",
    "node": "skopje-border",
    "id": "01" * 16,
    "secret": "02" * 32,
    "expires": 1_790_000_000,
}


def test_the_invite_of_a_node_is_read(tmp_path: Path) -> None:
    path = tmp_path / "skopje-border.invite"
    path.write_text(json.dumps(GOOD))
    invite = read_invite(path)

    assert (invite.kind, invite.node, invite.roles) == ("node", "skopje-border", ())
    assert invite.credential == "01" * 16 + "." + "02" * 32
    assert invite.address.url == "https://127.0.0.1:8443"


def test_what_is_written_is_read_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "o-2b9f.invite"
    invite = Invite(**{**GOOD, "kind": "device", "roles": ("field",)})  # type: ignore[arg-type]
    write_invite(path, invite)

    assert read_invite(path) == invite
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"net": "AB" * 32},
        {"net": "ab" * 31},
        {"net": "zz" * 32},
        {"broker": "http://127.0.0.1:8443"},
        {"broker": "https://127.0.0.1:8443/path"},
        {"broker": "https://127.0.0.1:8443\n"},
        {"kind": "root"},
        {"id": "01" * 16 + "\n"},
        {"secret": ""},
        {"expires": "soon"},
        {"expires": None},
    ],
)
def test_anything_else_is_no_invite(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "bad.invite"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(RefusedError, match="is not an invite") as caught:
        read_invite(path)

    assert caught.value.rule == "invite"


@pytest.mark.parametrize("missing", GOOD)
def test_nothing_may_be_missing(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "bad.invite"
    path.write_text(json.dumps({name: value for name, value in GOOD.items() if name != missing}))
    with pytest.raises(RefusedError, match=missing):
        read_invite(path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"null"])
def test_a_file_of_something_else_is_no_invite(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.invite"
    path.write_bytes(data)
    with pytest.raises(RefusedError, match="is not an invite"):
        read_invite(path)


def test_no_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be read"):
        read_invite(tmp_path / "nothing.invite")
