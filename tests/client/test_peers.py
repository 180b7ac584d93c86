"""What broke other systems of this kind, tried on this one (docs/attacks.md)."""

import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.cli.views import cases, sent
from seefen.client.sheets import as_csv
from seefen.client.views import ROW
from seefen.protocol.messages import Note
from seefen.protocol.suite import new_id
from tests.client.cli.hostile import obeyed_in
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, alert, until

MANY, SOME = 650, 25
NINE = tuple(f"node-{letter}" for letter in "abcdefghi")
NAMES = (
    "O'Brien's \"case\" [bold]of[/bold] {braces} <b>%s</b>; DROP TABLE object;--",
    "😀 Ѓорѓи 👮🏽 Њивица",
    "l'été (1) [:warning:] \\ / ~ `x` $(y)",
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as made:
        yield made


async def test_650_attachments_in_one_case_are_listed_fetched_and_exported(
    place: Site, tmp_path: Path
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = (await skopje.cases.open("Scans", (BELGRADE,))).number
    files = [tmp_path / f"scan-{n:03}.txt" for n in range(SOME)]
    for file in files:
        file.write_text(file.name)
    said = await skopje.cases.send(case, "All annexes", files)
    assert [one.ref for one in said.files] == [f"{case}#{n + 2}" for n in range(SOME)]
    assert f"files {SOME}/{SOME}" in printed(sent.sent(said))
    await until(lambda: len(belgrade.cases.show(case).objects) == SOME + 1, belgrade)
    refs = belgrade.files.of(f"{case}#1")
    assert len(refs) == SOME
    for ref, file in zip(refs[:8], files, strict=False):
        assert belgrade.files.here(ref, tmp_path / "got") is None
        got = await belgrade.files.get(ref, tmp_path / "got", **WHY)
        assert (got.name, got.read_bytes()) == (file.name, file.read_bytes())
        assert belgrade.files.here(ref, tmp_path / "got") == got
    _multiply(belgrade)

    started = time.perf_counter()
    shown = belgrade.cases.show(case)
    text = printed(cases.whole(shown))
    took = time.perf_counter() - started
    assert len(shown.objects) == MANY + 1
    assert len(text.splitlines()) < 10
    assert f"#2-{MANY + 1}" in text
    assert f"{MANY} files of {case}#1" in text
    assert f"{MANY - 8} not fetched" in text
    assert took < 5
    opened = await belgrade.read(f"{case}#1", **WHY)
    assert len(opened.files) == MANY
    table = as_csv(await belgrade.export.make(case, **WHY))
    assert sum(f"{case}#" in row for row in table.splitlines()) == MANY + 1


def _multiply(client: Client) -> None:
    """Let the last file stand there until there are 650: what is measured is the list."""
    vault = client._engine.vault
    ((last, *_),) = vault.run(f"{ROW} ORDER BY n DESC LIMIT 1")
    columns = [str(row[1]) for row in vault.run("PRAGMA table_info(object)")]
    fresh = {"object": "?", "n": "?", "idx": "idx + ?", "message_id": "NULL"}
    copied = ", ".join(fresh.get(name, name) for name in columns)
    with vault.change():
        for n in range(SOME + 2, MANY + 2):
            sql = f"INSERT INTO object SELECT {copied} FROM object WHERE object = ?"
            vault.run(sql, new_id(), n, n, last)


async def test_names_with_signs_of_all_kinds_break_no_list(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    numbers = [(await skopje.cases.open(name[:200], (BELGRADE,))).number for name in NAMES]
    for number, name in zip(numbers, NAMES, strict=True):
        file = tmp_path / f"{name.translate({0x2F: None, 0x5C: None})}.pdf"
        file.write_bytes(name.encode())
        await skopje.cases.publish(number, Note(text=name), (file,))
    await until(lambda: sum(len(belgrade.cases.show(n).objects) for n in numbers) == 6, belgrade)
    listed = printed(cases.case_list(belgrade.cases.list()), width=300)
    for number, name in zip(numbers, NAMES, strict=True):
        assert belgrade.cases.show(number).title == name
        assert name in listed
        opened = await belgrade.read(f"{number}#1", **WHY)
        assert getattr(opened.message, "text", "") == name
        got = await belgrade.files.get(f"{number}#2", tmp_path / "got", **WHY)
        assert got.read_bytes() == name.encode()
        assert as_csv(await belgrade.export.make(number, with_persons=True)).count(number) >= 2
    assert obeyed_in(listed) == set()
    for words in ("O'Brien's", "Ѓорѓи", "gjorgji", "l'été", '"case" [bold]', "DROP TABLE"):
        assert belgrade.search(words, **WHY).views


async def test_of_twelve_recipients_the_one_that_is_not_reached_is_named(tmp_path: Path) -> None:
    nodes = (BELGRADE, PRISTINA, *NINE)
    async with site(tmp_path, SKOPJE, *nodes) as place:
        skopje = await place.client(SKOPJE)
        await skopje.channels.open(CHANNEL, nodes)
        await place.broker.take(place.network.suspend("node-c"))
        await place.broker.take(place.network.revoke(place.network.of("node-g"), "lost"))
        said = await skopje.alerts.send(alert(), CHANNEL)
        assert said.left_out == (("node-c", "suspended"), ("node-g", "no-holder"))
        text = printed(sent.sent(said))
        assert "NOT REACHED" in text
        assert "node-c" in text
        assert "node-g" in text
        reached = {one.node: one.left_out for one in skopje.alerts.reach(f"{CHANNEL}#1")}
        assert reached.keys() == set(nodes)
        assert {node for node, why in reached.items() if why} == {"node-c", "node-g"}
        belgrade = await place.client(BELGRADE)  # one bad recipient silences nobody
        assert (await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)).message == (
            await skopje.alerts.show(f"{CHANNEL}#1")
        ).message
