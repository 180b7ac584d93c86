"""Which files of a folder are sent, in which order, and which of their names are searched for."""

from hashlib import sha256
from pathlib import Path

import pytest

from demo.material import LONGEST, MOST, hashes, material
from demo.screen import StoryError


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "from the field"
    folder.mkdir()
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    folder.mkdir()
    return folder


def test_without_a_folder_the_samples_are_sent(own: Path) -> None:
    sent = material(own, None)
    assert len(sent.photographs) == 3
    assert set(sent.names) - set(sent.photographs) == {
        "samples/registry.pdf",
        "samples/breech-face.x3p",
    }
    assert all(sent.path(name).is_file() for name in sent.names)


def test_photographs_come_first_and_each_other_file_once(own: Path, given: Path) -> None:
    for name in ("b.pdf", "a.x3p", "Z.JPG", "c.jpeg", "d.png"):
        (given / name).write_bytes(b"x")
    sent = material(own, given)
    assert sent.names == tuple(f"files/{n}" for n in ("Z.JPG", "c.jpeg", "d.png", "a.x3p", "b.pdf"))
    assert sent.photographs == ("files/Z.JPG", "files/c.jpeg", "files/d.png")
    assert sent.path("files/a.x3p").read_bytes() == b"x"


def test_what_is_no_evidence_or_has_no_name_to_type_stays(
    own: Path, given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = ("README.md", ".hidden", "line\nbreak.jpg", "\u202egpj.exe", "n" * (LONGEST + 1))
    for name in (*bad, "n" * LONGEST):
        (given / name).write_bytes(b"x")
    Path(str(given) + "/\udcff.jpg").write_bytes(b"x")
    (given / "folder.jpg").mkdir()
    assert material(own, given).names == ("files/" + "n" * LONGEST,)
    assert "Left out, its name is longer than 120 bytes: nnn" in capsys.readouterr().out


def test_of_many_the_first_are_sent_and_it_is_said(
    own: Path, given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(MOST + 3):
        (given / f"{number:02}.jpg").write_bytes(b"x")
    assert len(material(own, given).names) == MOST
    assert f"the first {MOST} are sent" in " ".join(capsys.readouterr().out.split())


def test_a_folder_without_files_is_refused(own: Path, given: Path) -> None:
    (given / "inner").mkdir()
    with pytest.raises(StoryError, match="no file"):
        material(own, given)


def test_short_names_are_not_searched_for(own: Path, given: Path) -> None:
    # Four bytes stand somewhere in forty megabytes by chance: that would be no leak.
    for name in ("a.pdf", "ab", "записник.pdf"):
        (given / name).write_bytes(b"x")
    assert material(own, given).secrets == ("записник.pdf",)


def test_hashes_compare_files_whatever_they_are_called(tmp_path: Path) -> None:
    for folder, names in (("one", ("a", "b")), ("two", ("x", "y"))):
        (tmp_path / folder).mkdir()
        for name, content in zip(names, (b"1", b"22"), strict=True):
            (tmp_path / folder / name).write_bytes(content)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert hashes(tmp_path, ("one/a", "two/x")) == [sha256(b"1").digest()] * 2
