"""A register that drafts answers to trace requests. It never answers: an officer does.

    python examples/registry_bot.py register.csv --name "military register" --years 1960-1992

The register has a head and the columns serial, event, date, actor_type; for the codes see
``seefen schema event`` and ``seefen schema actor``. SEEFEN_PASSPHRASE opens the vault. What it
drafts is shown and sent with ``seefen request answer REF --draft``. A vault is for one process:
end this one first (``--seconds 60`` does, for a timer).
"""

import argparse
import asyncio
import csv
import os
from contextlib import suppress
from itertools import chain
from pathlib import Path

from seefen.client import Client
from seefen.client.values import Opened
from seefen.protocol.matching import Exactness, compare, weak_key
from seefen.protocol.messages import Event, Register, TraceReply, TraceRequest, to_json

Row = dict[str, str]
Found = list[tuple[Exactness, int, Row]]


class Books:
    """The register: rows by the weak key of their number, which all that may fit share."""

    def __init__(self, path: Path, scope: Register) -> None:
        self.scope = scope
        self._rows: dict[str, list[tuple[int, Row]]] = {}
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                self._rows.setdefault(weak_key(row["serial"]), []).append((number, row))

    def find(self, serial: str) -> Found:
        """Return the rows that fit best, all with one exactness; none is ever called a hit."""
        key = weak_key(serial)
        # ? and * stand for what nobody could read: such a number is compared with every row.
        has_gaps = "?" in key or "*" in key
        rows = [*chain(*self._rows.values())] if has_gaps else self._rows.get(key, [])
        fits = [(compare(serial, row["serial"]), number, row) for number, row in rows]
        best = next((e for e in Exactness if any(e is fit[0] for fit in fits)), Exactness.NOTHING)
        return [] if best is Exactness.NOTHING else [fit for fit in fits if fit[0] is best]


def draft(request: TraceRequest, found: Found, scope: Register) -> TraceReply:
    """Return what an officer may want to answer: he sees it, with the exactness, and decides."""
    rows = ", ".join(f"row {number} ({row['serial']})" for _, number, row in found)
    match found:
        case []:
            return TraceReply(offence=request.offence, outcome="no_record", registers=(scope,))
        case [(Exactness.EXACT | Exactness.LOOK_ALIKE as exactness, _, row)]:
            known = Event(event=row["event"], date=row["date"], actor_type=row["actor_type"])
            return TraceReply(
                offence=request.offence,
                outcome="traced_partial",
                registers=(scope,),
                chain=(known,),
                confidence="moderate" if exactness is Exactness.EXACT else "low",
                text=f"{exactness.capitalize()} match: {rows}.",
            )
        case _:
            text = f"{found[0][0].capitalize()} only: {rows}. Can more of the number be read?"
            return TraceReply(offence=request.offence, outcome="need_more", text=text)


async def serve(client: Client, books: Books) -> None:
    """Draft an answer to each trace request, as it comes."""

    @client.on(TraceRequest)
    async def look_up(opened: Opened) -> None:
        request, ref = opened.message, opened.view.ref
        if not isinstance(request, TraceRequest) or not request.item.serial_as_read:
            print(f"{ref}: no number to look for", flush=True)
            return
        found = await asyncio.to_thread(books.find, request.item.serial_as_read)
        # Not less strict than the question, whose words it may repeat.
        reply = client.presets.fill(draft(request, found, books.scope), client.cases.object_id(ref))
        client.keep_draft(f"reply/{ref}", to_json(reply).encode())
        print(f"{ref}: {reply.outcome}; seefen request answer {ref} --draft", flush=True)

    await client.run(purpose="trace", basis="un-iti", reason=f"look-up in {books.scope.name}")


async def main() -> None:
    """Read the arguments and serve until the time is over or somebody stops it."""
    words = argparse.ArgumentParser(description="Draft answers to trace requests.")
    words.add_argument("register", type=Path)
    words.add_argument("--name", required=True)
    words.add_argument("--years", required=True, help="which years it covers: 1960-1992")
    home = os.environ.get("SEEFEN_HOME")
    words.add_argument("--home", type=Path, default=home, required=home is None)
    words.add_argument("--seconds", type=float, help="how long; else until Ctrl-C")
    given = words.parse_args()
    books = Books(given.register, Register(name=given.name, years=given.years))
    async with Client.open(given.home, os.environ["SEEFEN_PASSPHRASE"]) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(given.seconds):
                await serve(client, books)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
