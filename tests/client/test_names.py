"""File names from other people: they stay in their folder, on every system (attack 48)."""

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.client.names import LIMIT, safe_name


@pytest.mark.parametrize(
    "name", ["serial.jpg", "записник 117-26.pdf", "Đurđević.x3p", "a.tar.gz", "no suffix"]
)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini"),
        ("C:\\autoexec.bat", "C__autoexec.bat"),
        ("/etc/passwd", "_etc_passwd"),
        ("photo.jpg:stream", "photo.jpg_stream"),
        ("gpj.\u202eexe.jpg", "gpj.exe.jpg"),
        ("a\r\nb\x1b[31m.txt", "ab[31m.txt"),
        ("CON", "file_CON"),
        ("nul.txt", "file_nul.txt"),
        ("Com1.jpg", "file_Com1.jpg"),
        ("report.pdf. . .", "report.pdf"),
        (".hidden", "hidden"),
        ("", "file"),
        ("...", "file"),
        ("\u200b\u2060", "file"),
        ("what?*.jpg", "what__.jpg"),
    ],
)
def test_a_trick_becomes_a_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_what_it_is() -> None:
    name = safe_name("ж" * 300 + ".pdf")

    assert name.endswith("ж.pdf")
    assert len(name.encode()) <= LIMIT


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder(name: str) -> None:
    safe = safe_name(name)

    assert safe
    assert safe == safe.strip()
    assert len(safe.encode()) <= LIMIT
    assert Path("/folder") / safe == Path("/folder", Path(safe).name)
    assert PureWindowsPath("C:/folder", safe).parent == PureWindowsPath("C:/folder")
    assert not set(safe) & set('\0/\\:*?"<>|\r\n')


@given(st.text(max_size=300))
def test_a_safe_name_is_safe_already(name: str) -> None:
    assert safe_name(safe_name(name)) == safe_name(name)
