"""Settings: read once, complete, and refused when a key is unknown."""

from pathlib import Path

import pytest

from seefen.server.config import (
    FILE,
    Config,
    SetupError,
    check_name,
    read_config,
    split_address,
    write_config,
)

URL = "https://broker.example:8443"


def write(folder: Path, **settings: object) -> Path:
    lines = {"name": "seefen", "url": URL, "listen": "127.0.0.1:8443", **settings}
    text = "\n".join(f"{k} = {v!r}" for k, v in lines.items()).replace("'", '"')
    (folder / FILE).write_text(text)
    return folder


def test_what_is_not_said_has_a_default_with_a_unit_in_its_name(tmp_path: Path) -> None:
    config = read_config(write(tmp_path), {})
    assert config == Config(tmp_path, "seefen", URL, "127.0.0.1:8443")
    assert (config.host, config.token_seconds, config.socket_seconds) == (
        "broker.example",
        600,
        12 * 3600,
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    config = Config(tmp_path, "seefen", URL, "0.0.0.0:1", logins_per_minute_per_address=7)
    (tmp_path / FILE).write_text(write_config(config))
    assert read_config(tmp_path, {}) == config


def test_the_environment_names_the_database(tmp_path: Path) -> None:
    assert read_config(write(tmp_path), {"SEEFEN_DATABASE_URL": "postgresql://db"}).database


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"logins_per_minute": 3}, "logins_per_minute"),
        ({"database": "postgresql://x"}, "database"),
        ({"data": "/elsewhere"}, "data"),
        ({"token_seconds": 601}, "token_seconds"),
        ({"socket_seconds": 0}, "socket_seconds"),
        ({"token_seconds": "600"}, "token_seconds"),
        ({"url": "http://broker.example:8443"}, "https"),
        ({"url": "https://broker.example:8443/v1"}, "https"),
        ({"url": "https://broker.example"}, "address"),
        ({"listen": "8443"}, "address"),
        ({"name": "See Fen"}, "name"),
    ],
)
def test_a_setting_nobody_can_mean_is_refused(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(SetupError, match=said):
        read_config(write(tmp_path, **settings), {})


def test_a_folder_without_settings_says_how_to_make_a_broker(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        read_config(tmp_path, {})
    assert "init" in caught.value.hint


def test_text_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("name = ")
    with pytest.raises(SetupError, match="TOML"):
        read_config(tmp_path, {})


@pytest.mark.parametrize("address", ["127.0.0.1:8443", "[::1]:443", "broker.example:1"])
def test_addresses_are_host_and_port(address: str) -> None:
    host, port = split_address(address)
    assert host in address.replace("[", "")
    assert address.endswith(f":{port}")


@pytest.mark.parametrize(
    "address",
    ["", "host", "host:", "host:0", "host:65536", "host:x", ":1", "a b:1", "h/p:1", "ho:٣"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SetupError):
        split_address(address)


@pytest.mark.parametrize("name", ["a", "Seefen", "see+fen", "see fen", "see\nfen", "x" * 64, ""])
def test_a_name_must_fit_the_first_line_of_a_checkpoint(name: str) -> None:
    with pytest.raises(SetupError):
        check_name(name)
