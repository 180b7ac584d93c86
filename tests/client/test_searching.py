"""Searching the own vault: across alphabets, parts of words, covers alone, nothing erased."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demo import case_a
from seefen.client.folding import fold, fold_all
from seefen.client.searching import words_of
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Ammunition
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, until

SAME = [
    ("Милош", "Miloš", "Milosh", "MILOŠ"),
    ("Đorđe", "Djordje", "Ђорђе", "Gjorgje", "Ѓорѓе"),
    ("Țurcanu", "Ţurcanu", "Turcanu", "Цуркану"),
    ("Олександр", "Oleksandr"),
    ("Гнатюк", "Hnatiuk", "Gnatiuk", "Gnatyuk", "Gnatjuk"),
    ("Сергій", "Serhii", "Sergij"),
    ("Згурський", "Zghurskyi", "Zgurskij"),
    ("Ґалаґан", "Galagan"),
    ("Хоменко", "Khomenko", "Homenko"),
    ("Марія", "Mariia", "Mariya", "Marija", "Maria"),
    ("Živković", "Zivkovic", "Živković", "Живковић", "Zhivkovich"),
    ("Љубљана", "Ljubljana"),
    ("Њњ", "Njnj"),
    ("Hoxha", "Hodža", "Хоџа"),
    ("Gjoka", "Đoka", "Ђока"),
    ("Юрій", "Yurii", "Jurij"),
    ("Ёлкин", "Елкин", "Jelkin"[1:]),
    ("Щербань", "Shcherban"),
    ("EV-19070413", "EV19070413", "ЕВ-19070413"),
]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: str(spellings[0]))
def test_spellings_of_one_word_are_one(spellings: tuple[str, ...]) -> None:
    folded = {fold(word) for word in spellings if not word.startswith("Țur")}
    if spellings[0].startswith("Țur"):
        # A Cyrillic ц is no t; the two Latin spellings and the plain one are one word.
        assert fold("Țurcanu") == fold("Ţurcanu") == fold("Turcanu")
        return
    assert len(folded) == 1, folded
    assert folded.pop()


@pytest.mark.parametrize(
    ("written", "sought"),
    [
        ("Ѓорѓи Ќосев", ("Ѓорѓи", "Gjorgji", "Gjorgi", "Đorđi", "Ǵorǵi", "Gorgi")),
        ("Ѓорѓи Ќосев", ("Ќосев", "Kjosev", "Ćosev", "Kosev", "Косев", "орѓи ќос")),
        ("Gjorgji Kjosev", ("Ѓорѓи", "Gorgi", "Ќосев", "Kosev")),
        ("Gorgi Kosev", ("Ѓорѓи", "Gjorgji", "Ќосев", "Kjosev")),
        ("Đorđi Ćosev", ("Ѓорѓи", "Gjorgji", "Ќосев", "Kjosev")),
    ],
)
def test_a_macedonian_letter_is_found_as_its_sound_and_without_its_mark(
    written: str, sought: tuple[str, ...]
) -> None:
    assert [text for text in sought if not finds(written, text)] == []


@pytest.mark.parametrize(
    ("written", "sought"),
    [
        ("Đorđi", "Gorgi"),  # a Serbian letter is no g
        ("Ćosev", "Kosev"),
        ("Gorgi", "Đorđi"),
        ("Ѓорѓи", "Георги"),  # another name
        ("Ѓорѓи", "Ѓорѓе"),
        ("Ќосев", "Ќосто"),
        ("Ѓоко", "Кокo"),
    ],
)
def test_a_false_friend_is_not_found(written: str, sought: str) -> None:
    assert not finds(written, sought)


def finds(written: str, sought: str) -> bool:
    """Tell whether the index would find a text: each word, in one of its ways, in part."""
    kept = fold_all(written)
    return all(any(way in kept for way in ways) for ways in words_of(sought))


def test_other_words_stay_other_words() -> None:
    words = ("Miloš", "Milan", "Marko", "Zastava", "Trajanov", "Trajkov", "Skopje", "Split")
    assert len({fold(word) for word in words}) == len(words)


@given(st.text(max_size=60))
def test_what_is_folded_is_plain_and_folding_again_changes_nothing(text: str) -> None:
    folded = fold_all(text)
    assert folded.isascii()
    assert '"' not in folded  # it goes into a query between quotation marks
    for word in text.split():
        assert fold(fold(word)).isalnum() or fold(word) == ""


async def test_a_name_is_found_in_either_alphabet_and_only_its_cover_is_shown(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Pistols", (BELGRADE,))
    await skopje.cases.send(case.number, "Возачот е Милош Трајанов, од Велес.")
    await skopje.cases.send(case.number, "Nothing of that kind.")
    ref = f"{case.number}#1"
    await skopje.cases.send(case.number, "Патник: Ѓорѓи Ќосев.")
    for text in ("Gorgi", "Gjorgji Kosev", "ЌОСЕВ"):
        assert [one.number for one in skopje.search(text, **WHY).views] == [3]
    for text in ("milosh", "TRAJANOV", "Трајан", "ilo veles", "велес милош"):
        (view,) = skopje.search(text, **WHY).views
        assert (view.ref, view.subject) == (ref, "note")
    assert skopje.search("milan").views == ()
    assert skopje.search("milosh nothing").views == ()  # both words, in one message
    # Who has not opened it does not find it, and is told how much was not searched.
    await until(lambda: len(belgrade.cases.show(case.number).objects) == 3, belgrade)
    result = belgrade.search("milosh", **WHY)
    assert (result.views, result.searched, result.closed) == ((), 0, 3)
    await belgrade.read(ref, **WHY, accept=True)
    assert [view.ref for view in belgrade.search("milosh").views] == [ref]


async def test_words_that_an_older_version_folded_otherwise_are_found(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = await skopje.cases.open("Pistols", (BELGRADE,))
    await skopje.cases.send(case.number, "Олександр Гнатюк")
    vault = skopje._engine.vault
    vault.run("DELETE FROM word")
    vault.run("INSERT INTO word (rowid, folded) SELECT idx, 'hnatuk' FROM object")
    vault.put_number("folding", 1)
    assert [view.ref for view in skopje.search("Hnatiuk", **WHY).views] == [f"{case.number}#1"]
    assert [view.ref for view in skopje.search("oleksandr").views] == [f"{case.number}#1"]


async def test_the_newest_comes_first_and_marks_are_found(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    for _ in range(3):
        await skopje.alerts.send(case_a.alert(), CHANNEL)
    found = skopje.search("19070413 passat", **WHY)
    assert [view.ref for view in found.views] == [f"{CHANNEL}#{n}" for n in (3, 2, 1)]
    assert skopje.search("normal").views == ()  # a code is no word


async def test_what_is_erased_is_found_no_more(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Pistols", (BELGRADE,))
    await skopje.cases.send(case.number, "Милош Трајанов")
    ref = f"{case.number}#1"
    await until(
        lambda: belgrade.cases.list() and belgrade.cases.show(case.number).objects, belgrade
    )
    await belgrade.read(ref, **WHY, accept=True)
    assert belgrade.search("trajanov", **WHY).views
    await skopje.amend.recall(ref, "wrong_data")
    await until(lambda: belgrade.cases.show(case.number).objects[0].recalled_by, belgrade)
    assert belgrade.search("trajanov").views == ()
    await belgrade.amend.erase(ref)
    vault = belgrade._engine.vault
    erased = vault.run("SELECT idx FROM object WHERE n = 1")
    assert erased[0] not in vault.run("SELECT rowid FROM word")


@pytest.mark.parametrize("text", ["", "  ", "a", "ab", "-- ..", '"', "ј ј", "zzzz"])
async def test_too_little_to_look_for_is_refused(place: Site, text: str) -> None:
    skopje = await place.client(SKOPJE)
    with pytest.raises(RefusedError, match=r"at least 3.*counts once") as refused:
        skopje.search(text, **WHY)
    assert refused.value.rule == "short"


async def test_a_headstamp_is_found_by_its_short_words_and_as_a_mark(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    first, ref = replace(case_a.alert(), ammunition=(), text="Headstamp nny 82"), f"{CHANNEL}#1"
    await skopje.alerts.send(first, CHANNEL)
    for text in ("nny 82", "NNY  82", "82 nny"):
        found = [view.ref for view in skopje.search(text, **WHY).views]
        assert found == ([] if text.startswith("82") else [ref])
    hits = skopje.check("ппу 82", **WHY)
    assert (hits.exact, [hit.ref for hit in hits.look_alike]) == ((), [ref])
    (hit,) = skopje.check("nny 82").exact
    assert (hit.ref, hit.field) == (ref, "headstamp")
    await skopje.amend.correct(ref, "misread", "Headstamp ппу 82", "Headstamp nny 82")
    assert [view.number for view in skopje.search("ппу 82").views] == [2]
    assert [hit.ref for hit in skopje.check("ппу 82").exact] == [ref]
    lot = Ammunition(qty=340, headstamp_as_read="ппу 82")
    await skopje.alerts.send(replace(first, ammunition=(lot,), text=""), CHANNEL)
    assert f"{CHANNEL}#3" in [hit.ref for hit in skopje.check("ппу 82").exact]


async def test_a_query_is_no_language(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = await skopje.cases.open("Pistols", (BELGRADE,))
    await skopje.cases.send(case.number, "near and not or folded")
    for text in ('foo" OR "near', "near*", "folded:near", "NEAR(near near)", "-near", "^near"):
        skopje.search(text, **WHY)
    assert skopje.search('nea" OR "zxc').views == ()


async def test_the_title_of_a_case_is_found_while_this_device_may_read_it(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    number = (await skopje.cases.open("Пиштољи из Табановца", [BELGRADE])).number
    await until(lambda: any(one.title for one in belgrade.cases.list()), belgrade)
    for client in (skopje, belgrade):
        found = client.search("tabanov Pištolji", "detection", "pcc-see")
        assert [(one.number, one.title) for one in found.cases] == [
            (number, "Пиштољи из Табановца")
        ]
        assert (found.views, found.count) == ((), 1)
        assert client.search("tabanov rifle").cases == ()
    monkeypatch.setattr(skopje._engine, "case_key", _no_key)
    assert skopje.search("tabanov").cases == ()


def _no_key(*_: object) -> None:
    return None
