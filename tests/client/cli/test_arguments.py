# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

from pathlib import Path

import pytest

from seefen.client.cli import arguments
from seefen.client.cli.arguments import Reference, UsageError


@pytest.mark.parametrize(
    ("text", "case", "number"),
    [
        ("SF-2026-SKP-00418#3", "SF-2026-SKP-00418", 3),
        ("sf-2026-skp-00418#12", "SF-2026-SKP-00418", 12),
        ("seefen-border#12", "seefen-border", 12),
        (" Seefen-Border#1 ", "seefen-border", 1),
    ],
)
def test_a_reference(text: str, case: str, number: int) -> None:
    found = arguments.reference(text)
    assert found == Reference(case, number)
    assert str(found) == f"{case}#{number}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#",
        "#3",
        "SF-2026-SKP-00418",
        "a#",
        "ab#0",
        "ab#-1",
        "ab#1.5",
        "ab#03",
        "ab#1#2",
        "a b#1",
        "ab#٣",
        "ab\x1b[2J#1",
        "ab#" + "9" * 16,
        "x" * 61 + "#1",
        "СF-2026#1",
    ],
)
def test_no_reference(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        arguments.reference(text)
    assert "CASE#number" in caught.value.hint
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("text", ["", "a", "-a", "a b", "ab#3", "../etc", "случај"])
def test_no_case(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        arguments.case_name(text)
    assert caught.value.hint


def test_a_case_is_spelled_in_capitals_and_a_channel_in_small_letters() -> None:
    assert arguments.case_name("sf-2026-skp-00418") == "SF-2026-SKP-00418"
    assert arguments.case_name("SEEFEN-border") == "seefen-border"


@pytest.mark.parametrize(
    "text", ["", "ab", "Belgrade-FFP", "belgrade_ffp", "-ffp", "ffp-", "a" * 41, "белград"]
)
def test_no_node(text: str) -> None:
    with pytest.raises(UsageError, match="not the name of a node"):
        arguments.node_name(text)


def test_codes() -> None:
    assert arguments.role(" Field ") == "field"
    assert arguments.handling("h2") == "H2"
    assert arguments.loss("lost") == "lost"
    for parse, wrong in (
        (arguments.role, "boss"),
        (arguments.handling, "H9"),
        (arguments.loss, "?"),
    ):
        with pytest.raises(UsageError) as caught:
            parse(wrong)
        assert caught.value.hint.startswith("one of: ")


def test_a_serial_stays_as_read() -> None:
    assert arguments.serial(" С-84417 ") == "С-84417"
    for wrong in ("", "  ", "1" * 81):
        with pytest.raises(UsageError):
            arguments.serial(wrong)


def test_files(tmp_path: Path) -> None:
    photo = tmp_path / "serial.jpg"
    photo.write_bytes(b"x")
    assert arguments.existing_file(str(photo)) == photo
    with pytest.raises(UsageError, match="is a folder"):
        arguments.existing_file(str(tmp_path))
    with pytest.raises(UsageError, match="there is no file"):
        arguments.existing_file(str(tmp_path / "none.jpg"))
    assert arguments.folder(str(tmp_path)) == tmp_path
    with pytest.raises(UsageError, match="is a file"):
        arguments.folder(str(photo))
    assert arguments.new_file(str(tmp_path / "new")) == tmp_path / "new"
    with pytest.raises(UsageError, match="exists already"):
        arguments.new_file(str(photo))
    with pytest.raises(UsageError, match="there is no folder"):
        arguments.new_file(str(tmp_path / "a" / "b"))


def test_each_once() -> None:
    assert arguments.distinct(["a", "b"], "node") == ("a", "b")
    assert arguments.distinct(None, "node") == ()
    with pytest.raises(UsageError, match="twice"):
        arguments.distinct(["a", "a"], "node")
    with pytest.raises(UsageError, match="at least 1"):
        arguments.distinct([], "node", least=1)


@pytest.mark.parametrize(("data", "why"), [(b"", "is empty"), (b"a letter", "is no picture")])
def test_a_photograph_is_a_picture(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "wheel.jpg"
    path.write_bytes(data)
    for text in (str(path), f"serial={path}"):
        with pytest.raises(UsageError, match=why):
            arguments.photograph(text)
    path.write_bytes(b"\xff\xd8\xff\xe0")
    assert arguments.photograph(str(path)).path == path
