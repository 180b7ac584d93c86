"""``make demo ARGS='--files DIR --data DIR'``: files as they are met in the field."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from demo.samples import write_samples
from tests.support.faultbook import long
from tests.system.running import ROOT, Run, after, scene

REAL = ROOT.parent / "shared" / "samples"
CYRILLIC = "Записник о увиђају 14. марта.pdf"  # noqa: RUF001
LONG = "ш" * 58 + ".x3p"  # 120 bytes, as many as a name may have
TOO_LONG = "long-" + "n" * 200 + ".x3p"
DECOMPOSED = "c\u030carapa s pis\u030ctoljem.jpeg"  # as some systems store letters with a hook
BIG = 9 << 20


def _write_files(folder: Path) -> None:
    folder.mkdir()
    if REAL.is_dir():
        for path in REAL.iterdir():
            shutil.copy(path, folder)
    else:
        write_samples(folder)
    (folder / CYRILLIC).write_bytes(b"%PDF-1.4\nnot much of one\n%%EOF\n")
    (folder / LONG).write_bytes(b"PK\x05\x06" + bytes(18))
    (folder / TOO_LONG).write_bytes(b"never sent")
    (folder / DECOMPOSED).write_bytes(b"\xff\xd8\xff\xe0 no photograph at all \xff\xd9")
    (folder / "empty file.txt").write_bytes(b"")
    block = sha256(b"a video").digest() * 2048
    (folder / "video of the search.mp4").write_bytes(block * (BIG // len(block)))
    (folder / ".DS_Store").write_bytes(b"no evidence")
    (folder / "inner").mkdir()


@long
def test_files_of_all_kinds_travel_byte_for_byte(demo: Callable[..., Run], port: int) -> None:
    run = demo("--version-of-nothing")  # a place for this test's files, and a wrong word
    assert run.ended() == 2
    run.assert_no_folder_left()
    given, data = run.folder / "from the field", run.folder / "data"
    _write_files(given)
    sent = {p.name: p for p in given.iterdir() if p.is_file() and p.suffix != ".md"}
    del sent[".DS_Store"], sent[TOO_LONG]

    story = demo("--port", str(port), "--files", str(given), "--data", str(data))
    code = story.ended()

    assert code == 0, story.output
    story.assert_no_traceback()
    story.assert_nothing_left()
    story.assert_no_folder_left()
    assert "Left out, its name is longer than 120 bytes: long-nnn" in story.output
    text = scene(story.output, 3)
    assert f"All {len(sent)} files arrived byte for byte." in text
    asked = " ".join(after(text, "skopje-border $ seefen trace ask"))
    assert f"files {len(sent)}/{len(sent)}" in asked
    fetched = [path.read_bytes() for path in (data / "fetched").iterdir()]
    assert sorted(map(_hash, fetched)) == sorted(_hash(p.read_bytes()) for p in sent.values())
    assert "0 of " in scene(story.output, 6)
    _no_process_complained(data)
    _nobody_sees_a_second_run_over_this_one(demo, data, port)


def _no_process_complained(data: Path) -> None:
    said = {path.name: path.read_text() for path in (data / "stderr").iterdir()}
    assert len(said) == 8  # the broker and its admin, the holders of root keys, six devices
    assert {name: text for name, text in said.items() if text} == {}
    lines = map(json.loads, (data / "broker.log").read_text().splitlines())
    errors = [line for line in lines if line["level"] == "error"]
    # Looking every half second, the broker may or may not meet the rewound log of scene 4.
    assert [e for e in errors if (e["event"], e.get("rule")) != ("alarm", "ledger-changed")] == []


def _nobody_sees_a_second_run_over_this_one(
    demo: Callable[..., Run], data: Path, port: int
) -> None:
    before = sorted(data.rglob("*"))
    again = demo("--port", str(port), "--data", str(data))
    assert again.ended() == 1
    assert "is not empty (an earlier demo?); delete it or give another folder" in again.output
    again.assert_no_traceback()
    assert sorted(data.rglob("*")) == before


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()
