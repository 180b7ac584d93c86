# ruff: noqa: RUF001 (a passphrase in Cyrillic)

from pathlib import Path

import pytest

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.settings import Settings, hoisted, home_folder, language


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["due", "--json"], ["--json", "due"]),
        (["join", "f", "--home", "/d"], ["--home", "/d", "join", "f"]),
        (["due", "--home=/d", "--json"], ["--home=/d", "--json", "due"]),
        (["check", "--", "--json"], ["check", "--", "--json"]),
        (["due", "--lang", "sq"], ["--lang", "sq", "due"]),
        (["due", "--lang=sq"], ["--lang=sq", "due"]),
        (["--json", "due", "--json"], ["--json", "--json", "due"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere(typed: list[str], read: list[str]) -> None:
    assert hoisted(typed) == read


@pytest.mark.parametrize("option", ["--home", "--passphrase-file", "--lang"])
def test_a_global_option_without_its_value(option: str) -> None:
    with pytest.raises(UsageError, match="needs a value"):
        hoisted(["due", option])


def test_the_language_of_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEFEN_LANG", raising=False)
    assert language(None) == "en"
    monkeypatch.setenv("SEEFEN_LANG", "sr-Latn")
    assert language(None) == "sr"
    assert language("mk") == "mk"
    monkeypatch.setenv("SEEFEN_LANG", "")
    assert language(None) == "en"


@pytest.mark.parametrize("given", ["fr", "", "\x1b[31m"])
def test_a_language_without_labels_is_named_in_a_sentence(given: str) -> None:
    with pytest.raises(UsageError, match="no labels in") as caught:
        language(given)
    assert "\x1b" not in str(caught.value)
    assert "sr-Cyrl" in caught.value.hint


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SEEFEN_HOME", raising=False)
    assert home_folder(None).name == "seefen"
    monkeypatch.setenv("SEEFEN_HOME", str(tmp_path))
    assert home_folder(None) == tmp_path
    assert home_folder(tmp_path / "x") == tmp_path / "x"


def test_the_passphrase_of_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SEEFEN_PASSPHRASE", raising=False)
    assert Settings(tmp_path).passphrase() is None
    monkeypatch.setenv("SEEFEN_PASSPHRASE", "from the environment")
    assert Settings(tmp_path).passphrase() == "from the environment"
    file = tmp_path / "passphrase"
    file.write_bytes("\ufeffпет речи \r\nsecond".encode())
    assert Settings(tmp_path, passphrase_file=file).passphrase() == "пет речи "


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 5000])
def test_no_passphrase_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        Settings(tmp_path, passphrase_file=file).passphrase()
    assert caught.value.hint


def test_a_passphrase_file_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Settings(tmp_path, passphrase_file=tmp_path / "none").passphrase()
