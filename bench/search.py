"""(h) Words looked for in a vault of 200,000 open messages: the time of ``Client.search``.

The line of the journal, synced before anything is shown, is a part of it.

A real client has written and keeps the newest messages; the index is filled up to the count
with words of other messages that are older, of the same length and the same kind. *Rare*
stands in one message, *common* in every one, *part* is three letters in the middle of a word.
"""

import random
import time
from collections.abc import Iterator
from typing import Any

from bench.rows import Row
from bench.stage import Stage
from seefen.client import Client
from seefen.client.folding import fold_all

COUNTS = {"tiny": 500, "usual": 200_000, "full": 200_000}
OWN = {"tiny": 3, "usual": 120, "full": 120}
MUST = 50.0  # ms
QUERIES = {"rare": "милошевска", "common": "Застава", "part": "ста бор"}  # noqa: RUF001
TIMES = 30
TEXT = "Пиштољ Zastava M57, возило из Бора, власник {} {}, број {}."  # noqa: RUF001


async def run(stage: Stage) -> list[Row]:
    """Measure each kind of query."""
    count, own = COUNTS[stage.scale.name], OWN[stage.scale.name]
    async with stage.workshop() as workshop:
        await workshop.admit("searcher-node", machines=2)
        case = await workshop.open_case(stage.network.of("searcher-node"))
    number = stage.network.cases[case].number
    rows: list[Row] = []
    async with stage.client(stage.network.of("searcher-node", nth=1)) as client:
        texts = _texts()
        for n in range(own):
            name = "Милошевска" if n == 0 else "Трајанов"
            await client.cases.send(number, f"{next(texts)} {name}")
        _fill(client, texts, count - own)
        for what, query in QUERIES.items():
            times = sorted(_timed(client, query) for _ in range(TIMES))
            name = f"search in {count} messages, {what} word"
            rows.append(Row("h", name, "ms", times[len(times) // 2], None, MUST, at_most=True))
    return rows


def _timed(client: Client, query: str) -> float:
    began = time.perf_counter()
    found = client.search(query, "trace", "pcc-see")
    took = 1000 * (time.perf_counter() - began)
    if not found.views:
        raise RuntimeError(f"{query} was not found")
    return took


def _texts() -> Iterator[str]:
    drawn = random.Random(57)
    letters = "абвгдезиклмнопрстуф"
    while True:
        names = ["".join(drawn.choices(letters, k=9)).title() for _ in range(2)]
        yield TEXT.format(*names, drawn.randrange(10**6))


def _fill(client: Client, texts: Iterator[str], count: int) -> None:
    vault: Any = getattr(client, "_engine").vault  # noqa: B009 - nobody opens so many for this
    with vault.change():
        vault.many(
            "INSERT INTO word (rowid, folded) VALUES (?, ?)",
            ((-n, fold_all(text)) for n, text in zip(range(1, count + 1), texts, strict=False)),
        )
