"""``make handbook``: runs every page and writes down what was really printed."""

import asyncio

from demo.screen import told
from tests.handbook.stage import BOOK, cast
from tests.handbook.transcript import Page

PAGES = (
    "administrator",
    "duty-officer",
    "investigator",
    "ballistics-expert",
    "controlled-delivery",
    "auditor",
)


async def _write() -> None:
    async with cast() as raised:
        for name in PAGES:
            page = Page.read(BOOK / f"{name}.md")
            page.write(await raised.play(page, compare=False), raised.names)
            told(f"{page.path.relative_to(BOOK.parent.parent)}: {len(page.steps)} commands")


if __name__ == "__main__":
    asyncio.run(_write())
