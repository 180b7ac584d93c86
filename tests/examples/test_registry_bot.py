"""The example runs as a process on a device of its own: it drafts, and it never answers."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from examples.registry_bot import Books, draft
from seefen.client.cli import forms
from seefen.protocol.matching import Exactness
from seefen.protocol.messages import Item, Register, TraceReply, TraceRequest
from tests.client.homes import PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, SKOPJE, until

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "registry_bot.py"
# Invented. The first letter of the second number is Cyrillic.
BOOK = """serial,event,date,actor_type
C-84417,issued,1969,army
\u0421-90001,written off,1992,army
EV-19070413,registered,2001,private
EV-19070418,registered,2001,private
"""
SCOPE = Register(name="military register", years="1960-1992")


def request(number: str, state: str = "") -> TraceRequest:
    return TraceRequest(
        to=(BELGRADE,),
        offence="trafficking",
        item=Item(category="pistol", serial_as_read=number, serial_state=state),
        illicit_nature="seized",
        question=("manufacture",),
    )


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "register.csv"
    path.write_text(BOOK, encoding="utf-8-sig")
    return path


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


@pytest.mark.parametrize(
    ("number", "outcome", "exactness", "confidence"),
    [
        ("C-84417", "traced_partial", Exactness.EXACT, "moderate"),
        ("\u0421-84417", "traced_partial", Exactness.LOOK_ALIKE, "low"),
        ("C-9000I", "need_more", Exactness.POSSIBLE, ""),
        ("EV-1907041?", "need_more", Exactness.POSSIBLE, ""),
        ("ZZ-1", "no_record", None, ""),
    ],
)
def test_what_it_drafts_says_how_exact_it_is(
    book: Path, number: str, outcome: str, exactness: Exactness | None, confidence: str
) -> None:
    found = Books(book, SCOPE).find(number)
    assert {fit[0] for fit in found} == ({exactness} if exactness else set())
    reply = draft(request(number), found, SCOPE)
    reply.check()
    assert reply.outcome == outcome
    assert (exactness or "").capitalize() in reply.text
    assert confidence in ("", reply.confidence)
    assert len(reply.chain) == (outcome == "traced_partial")


@asynccontextmanager
async def bot(place: Site, book: Path, *more: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    home = place.home(place.network.of(BELGRADE))
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLE, book, "--name", SCOPE.name, "--years", SCOPE.years, "--home", home,
        *more, stdout=asyncio.subprocess.PIPE, env={**os.environ, "SEEFEN_PASSPHRASE": PASSPHRASE},
    )  # fmt: skip
    try:
        yield process
    finally:
        if not more:  # else it ends by itself
            process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    return line.decode().rstrip()


async def test_it_drafts_as_requests_come_and_answers_nothing(place: Site, book: Path) -> None:
    skopje = await place.client(SKOPJE)
    case = (await skopje.cases.open("Pistols", (BELGRADE,))).number
    first = str((await skopje.requests.ask(case, request("\u0421-84417"))).ref)
    async with bot(place, book) as process:
        expected = f"{first}: traced_partial; seefen request answer {first} --draft"
        assert await said(process) == expected
        none = str((await skopje.requests.ask(case, request("", "obliterated"))).ref)
        assert await said(process) == f"{none}: no number to look for"
        second = str((await skopje.requests.ask(case, request("ZZ-1"))).ref)
        assert (await said(process)).startswith(f"{second}: no_record")
    await skopje.sync()
    assert {skopje.requests.show(ref).lives[0].state for ref in (first, second)} == {"asked"}
    assert [one.sender for one in skopje.cases.show(case).objects] == [SKOPJE] * 3
    # It ends by itself when its time is over, and drafts nothing a second time.
    async with bot(place, book, "--seconds", "0.5") as process:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.read(), 20) == b""
    async with place.briefly(BELGRADE) as belgrade:
        kept = belgrade.draft(f"reply/{first}")
        assert kept is not None
        reply = forms.message_of(forms.fields_of(kept))
        assert isinstance(reply, TraceReply)
        assert reply.chain[0].event == "issued"
        assert reply.text == "Look-alike match: row 2 (C-84417)."
        assert belgrade.draft(f"reply/{none}") is None
        entries = [row for row in await belgrade.audit.list(case=case) if row.reason]
        assert {row.reason for row in entries} == {"look-up in military register"}
        # The officer signs: only now it is an answer.
        await belgrade.requests.move(first, reply)
    await until(lambda: skopje.requests.show(first).lives[0].state == "answered", skopje)
