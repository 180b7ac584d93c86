"""X3P surfaces: described, checked, and never believed."""

import hashlib
import tracemalloc
import zipfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from demo.samples import write_samples
from seefen.client import surfaces
from seefen.client.cli.views import cases, objects
from seefen.client.cli.views.objects import Fetched
from seefen.client.surfaces import surface_of
from seefen.protocol.messages import Surface
from seefen.protocol.suite import random_bytes
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until
from tests.support.vectors import ROOT

MAIN, DATA, SUMS = "main.xml", "bindata/data.bin", "md5checksum.hex"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a surface that nothing is wrong with."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    with zipfile.ZipFile(folder / "breech-face.x3p") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as made:
        yield made


def packed(path: Path, parts: dict[str, bytes], prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(prefix + name, data)
    return path


def summed(parts: dict[str, bytes], **changed: bytes) -> dict[str, bytes]:
    """Return parts with another description, whose sum is right."""
    made = {**parts, MAIN: changed["main"]}
    made[SUMS] = hashlib.md5(changed["main"], usedforsecurity=False).hexdigest().encode()
    return made


def test_what_it_says_of_itself(good: dict[str, bytes], tmp_path: Path) -> None:
    found = surface_of(packed(tmp_path / "a.x3p", good))
    assert found == Surface(
        kind="surface", columns=200, rows=200, layers=1, step_x_pm=3_125_000, step_y_pm=3_125_000,
        instrument="none computed 0", measured_at="2026-03-14", sums="match",
    )  # fmt: skip
    assert surface_of(packed(tmp_path / "b.x3p", good, "folder/")) == found


@pytest.mark.parametrize(
    ("part", "sums"),
    [(SUMS, "main_differs"), (DATA, "data_differs"), (MAIN, "main_differs")],
)
def test_sums_that_do_not_fit_are_named(
    good: dict[str, bytes], tmp_path: Path, part: str, sums: str
) -> None:
    data = good[part]
    changed = b"0" * 32 if part == SUMS else data[:-1] + bytes([data[-1] ^ 1])
    changed = data + b"<!-- edited -->" if part == MAIN else changed
    found = surface_of(packed(tmp_path / "a.x3p", {**good, part: changed}))
    assert (found.sums, found.columns) == (sums, 200)


def test_both_and_no_sums(good: dict[str, bytes], tmp_path: Path) -> None:
    both = {**good, SUMS: b"0" * 32, DATA: bytes(len(good[DATA]))}
    assert surface_of(packed(tmp_path / "a.x3p", both)).sums == "both_differ"
    bare = {name: data for name, data in good.items() if name != SUMS}
    assert surface_of(packed(tmp_path / "b.x3p", bare)).sums == "none"
    gone = {name: data for name, data in good.items() if name != DATA}
    assert surface_of(packed(tmp_path / "c.x3p", gone)).sums == "data_differs"


def test_the_sample_from_the_field_has_a_wrong_list() -> None:
    sample = ROOT.parent / "shared" / "samples" / "csafe-logo.x3p"
    if not sample.exists():
        pytest.skip("the sample surface is not beside this repository")
    found = surface_of(sample)
    assert (found.sums, found.columns, found.rows) == ("main_differs", 741, 419)


DOCTYPE = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "entities": lambda main: main.replace(b"?>", b"?>" + DOCTYPE, 1).replace(b"none", b"&c;"),
    "long": lambda main: main + b" " * surfaces.MAIN_LIMIT,
    "binary": lambda _: random_bytes(5000),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_attack_49_a_hostile_description_is_unreadable(
    good: dict[str, bytes], tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    parts = summed(good, main=change(good[MAIN]))
    assert surface_of(packed(tmp_path / "a.x3p", parts)) == Surface(sums="unreadable")


def test_attack_49_deep_and_crowded(
    good: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = summed(good, main=b"<a>" * 200_000 + b"</a>" * 200_000)
    assert surface_of(packed(tmp_path / "a.x3p", deep)) == Surface(sums="match")
    monkeypatch.setattr(surfaces, "LIST_LIMIT", 5000)
    crowded = {**good, **{f"{n:040}": b"" for n in range(100)}}
    assert surface_of(packed(tmp_path / "b.x3p", crowded)) == Surface(sums="unreadable")


def test_attack_48_names_in_it_lead_nowhere(good: dict[str, bytes], tmp_path: Path) -> None:
    away = "../../../../etc/passwd"
    main = good[MAIN].replace(b"bindata/data.bin", away.encode())
    assert surface_of(packed(tmp_path / "a.x3p", summed(good, main=main))).sums == "data_differs"
    inside = {**summed(good, main=main), away: good[DATA]}
    assert surface_of(packed(tmp_path / "b.x3p", inside)).sums == "match"
    assert {path.name for path in tmp_path.iterdir()} == {"a.x3p", "b.x3p"}


def test_attack_52_what_it_calls_its_instrument_is_one_plain_line(
    good: dict[str, bytes], tmp_path: Path
) -> None:
    name = "\u202egnp.exe\n\u200b[2J".encode() + b"x" * 5000
    parts = summed(good, main=good[MAIN].replace(b"computed", name))
    found = surface_of(packed(tmp_path / "a.x3p", parts))
    assert (found.sums, len(found.instrument)) == ("match", 200)
    assert found.instrument.startswith("none gnp.exe [2Jxxx")
    assert found.instrument.isprintable()


def test_attack_49_a_bomb_passes_through_little_memory_and_stops(
    good: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = packed(tmp_path / "a.x3p", {**good, DATA: bytes(96 << 20)})
    assert bomb.stat().st_size < 1 << 20
    surface_of(packed(tmp_path / "warm.x3p", good))  # what is imported is no memory of a file
    tracemalloc.start()
    assert surface_of(bomb).sums == "data_differs"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    monkeypatch.setattr(surfaces, "DATA_LIMIT", 64 << 20)
    assert surface_of(bomb) == Surface(sums="unreadable")


def test_whatever_is_broken_in_it_is_no_error(good: dict[str, bytes], tmp_path: Path) -> None:
    small = summed({**good, DATA: b"12345678"}, main=good[MAIN])
    whole = packed(tmp_path / "a.x3p", small).read_bytes()
    broken = tmp_path / "b.x3p"
    for at in range(0, len(whole), 5):
        for changed in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]):
            broken.write_bytes(changed)
            assert surface_of(broken).sums


async def test_attack_a_wrong_list_is_named_on_every_view_and_the_file_travels_as_it_is(
    good: dict[str, bytes], place: Site, tmp_path: Path
) -> None:
    scan = packed(tmp_path / "breech.x3p", {**good, SUMS: b"0" * 32})
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = (await skopje.cases.open("Pistols", (BELGRADE,))).number
    wrong = "MD5 list does not match main.xml"
    sent = await skopje.cases.send(case, "Scan", (scan,))
    assert [file.remark for file in sent.files] == [f"breech.x3p: {wrong}; it travels as it is"]
    await until(lambda: len(belgrade.cases.show(case).objects) == 2, belgrade)
    covered = belgrade.cases.show(case).objects[1]
    assert "surface scan" in printed(cases.whole(belgrade.cases.show(case)))
    assert covered.surface is None  # what the file says of itself stands in its body
    path = await belgrade.files.get(f"{case}#2", tmp_path / "got", **WHY)
    assert path.read_bytes() == scan.read_bytes()
    view = belgrade.files.view(f"{case}#2")
    assert view.surface is not None
    described = (
        "surface · 200 \u00d7 200 · step 3.125 \u00d7 3.125 µm · none computed 0 · 2026-03-14"
    )
    for client in (skopje, belgrade):
        assert wrong in printed(cases.whole(client.cases.show(case)))
        opened = await client.read(f"{case}#1", **WHY)
        assert f"{described} · {wrong}" in printed(objects.opened(opened))
    assert wrong in printed(objects.fetched(Fetched(view.ref, path, view.name, view.surface)))
    assert "kontrolni zbir se ne" in printed(cases.whole(belgrade.cases.show(case), "sr"))
