"""The pages of the handbook, one after the other, as they stand; and what each costs an officer.

One run of real processes is shared by all: each page goes on where the one before ended.
"""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.handbook.__main__ import PAGES
from tests.handbook.stage import BOOK, Cast, cast
from tests.handbook.transcript import Page

pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raised() -> AsyncGenerator[Cast]:
    async with cast() as them:
        yield them


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_comes_out_as_it_stands(raised: Cast, name: str) -> None:
    await raised.play(Page.read(BOOK / f"{name}.md"), compare=True)
