"""Where a reader of the feed stands, and that no page leads him astray."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seefen.client.paging import Place, keep_place, place_of
from seefen.client.vault import Vault
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import FeedFrom, Page, Stub

SIZE = 20


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault.open(tmp_path / "vault.db", bytes(32))
    yield vault
    vault.close()


def page(upto: int, within: int = 0, *stubs: int) -> Page:
    told = tuple(Stub(index, "ack", bytes(16), bytes(16), 1) for index in stubs)
    return Page((), told, upto, "", (), within)


@pytest.mark.parametrize(
    ("before", "shown", "end", "more"),
    [
        (Place(3), page(8), Place(8), True),
        (Place(3), page(SIZE), Place(SIZE), False),
        (Place(3), page(3), Place(3), False),
        (Place(3), page(8, 2), Place(8, 2), True),
        (Place(8, 2), page(8, 5), Place(8, 5), True),
        (Place(8, 5), page(9), Place(9), True),
        (Place(8, 5), page(8, 5), Place(8, 5), False),
        (Place(8, 5), page(8, 2), Place(8, 2), False),
    ],
)
def test_a_reader_goes_on_while_it_goes_on(
    before: Place, shown: Page, end: Place, *, more: bool
) -> None:
    assert before.behind(shown, SIZE) == (end, more)


@pytest.mark.parametrize(
    "shown",
    [
        page(2),
        page(SIZE + 1),
        page(SIZE, 2),
        page(8, 8),
        page(8, 9),
        page(8, 0, SIZE),
    ],
)
def test_a_page_that_is_not_in_the_log_is_refused(shown: Page) -> None:
    with pytest.raises(UntrustedError) as caught:
        Place(3).behind(shown, SIZE)
    assert caught.value.rule == "page"


def test_a_page_of_an_older_log_leads_nowhere() -> None:
    assert Place(SIZE).behind(page(SIZE), SIZE - 5) == (Place(SIZE), False)


def test_the_next_question_says_where_the_last_page_ended() -> None:
    assert Place(8, 5).asked(500, 7) == FeedFrom(8, 500, 7, 5)


def test_a_place_is_kept_and_whoever_goes_back_begins_the_backlog_anew(vault: Vault) -> None:
    assert place_of(vault) == Place()
    keep_place(vault, Place(8, 5))
    assert place_of(vault) == Place(8, 5)
    vault.put_number("cursor", 6)
    assert place_of(vault) == Place(6)
    keep_place(vault, Place(9))
    assert place_of(vault) == Place(9)
    vault.put_number("cursor", 8)  # asked for again, after all
    assert place_of(vault) == Place(8)
