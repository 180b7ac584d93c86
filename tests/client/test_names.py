"""File names from other people: they stay in their folder, on every system (attack 48)."""

import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.client.names import LIMIT, safe_name, saved_name


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


STEMS = (
    *(
        "con",
        "NUL",
        "aux",
        "Prn",
        "com1",
        "LPT9",
        "com\u00b9",
        "CONIN$",
        "clock",
        "photo",
        "записник",
    ),
    *("..", ".", "~", "a\u202egpj", "\u2066x\u2069", "\u200b", "a\x00b", "a\nb", "\x1b[2J"),
    *("C:", "C:\\a", "\\\\server\\share", "/etc/passwd", "../../a", "..\\..\\a", "a/b", "a:stream"),
    *("-rf", "ж" * 130, "e\u0301", "\U0001f600", "\ud800", "fullwidth\uff0f", "|pipe", "<b>", '"'),
)
ENDINGS = (
    *("", ".", " ", ". . .", ".txt", ".jpg.exe", ".lnk", ".html", ".jpg ", ".txt.", ".JPG"),
    *(".svg", "\u202e.gpj", ".pdf\n"),
)
MANY = [stem + ending for stem in STEMS for ending in ENDINGS]
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"
}


def test_attack_48_five_hundred_names_are_names_on_three_systems(tmp_path: Path) -> None:
    assert len(MANY) >= 500
    for name in MANY:
        made = saved_name(name)
        # POSIX: one step, no NUL, 255 bytes; this system takes it.
        assert made not in (".", "..", "")
        assert not set(made) & {"/", "\0"}
        assert len(made.encode()) <= 255
        (tmp_path / made).write_bytes(b"")
        # Windows: no device, with or without an ending; no end that it cuts off; no stream.
        assert not set(made) & set('\\/:*?"<>|')
        assert made.partition(".")[0].strip().lower() not in DEVICES
        assert made == made.rstrip(" .")
        # macOS: one form of each letter, no colon; nowhere a mark that turns or hides writing.
        assert made == unicodedata.normalize("NFC", made)
        assert all(c.isprintable() for c in made)
        assert not made.startswith((".", "-"))
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}


PROGRAMS = (
    "html",
    "htm",
    "svg",
    "exe",
    "js",
    "lnk",
    "docm",
    "xml",
    "hta",
    "url",
    "scr",
    "iso",
    "sh",
)


@pytest.mark.parametrize("ending", PROGRAMS)
def test_attack_47_what_a_click_would_run_is_saved_as_bytes(ending: str) -> None:
    for name in (f"photo.{ending}", f"photo.jpg.{ending.upper()}", f"gpj.\u202e{ending}"):
        assert saved_name(name).endswith(".bin")


@pytest.mark.parametrize("name", ["serial.jpg", "scan.X3P", "registry.pdf", "list.csv"])
def test_what_a_click_shows_keeps_its_name(name: str) -> None:
    assert saved_name(name) == name
    assert saved_name("no suffix") == "no suffix.bin"
    assert saved_name("photo650.bin") == "photo650.bin"
    assert saved_name("photo.exe.BIN") == "photo.exe.BIN"
    assert saved_name(".bin") == "bin.bin"
