"""The vault: encrypted, for one process, and nothing half-written."""

import resource
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from seefen.client.vault import StoredEntry, Vault
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Head
from seefen.protocol.suite import random_bytes

KEY = bytes(range(32))
CASE = b"c" * 16
DEVICE = b"d" * 16
PUT = "INSERT OR REPLACE INTO setting VALUES (?, ?)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


def test_what_was_put_is_there_after_opening_again(path: Path) -> None:
    vault = Vault.open(path, KEY)
    vault.put("name", b"value")
    vault.put_number("device_n", 41)
    vault.close()

    again = Vault.open(path, KEY)
    assert again.get("name") == b"value"
    assert again.get_number("device_n") == 41
    assert again.get("never") is None
    assert again.get_number("never") == 0
    again.close()


def test_nothing_readable_stands_on_the_disk(path: Path) -> None:
    vault = Vault.open(path, KEY)
    with vault.change():
        for number in range(50):
            vault.put(f"canary-name-{number}", b"canary-value " * 100)
    on_disk = [file.read_bytes() for file in path.parent.iterdir()]
    vault.close()
    on_disk += [file.read_bytes() for file in path.parent.iterdir()]

    assert any(len(data) > 50_000 for data in on_disk)
    for data in on_disk:
        assert b"canary" not in data
        assert b"SQLite format" not in data
        assert b"CREATE TABLE" not in data


def test_another_thread_is_told_each_time_and_not_only_when_it_meets_the_first(path: Path) -> None:
    vault = Vault.open(path, KEY)

    def change() -> None:
        with vault.change():
            pass

    with ThreadPoolExecutor(1) as thread:
        for what in (
            lambda: vault.get("name"),
            lambda: vault.put("name", b"value"),
            lambda: vault.many(PUT, [("name", b"value")]),
            change,
        ):
            with pytest.raises(RuntimeError, match="the thread that opened it"):
                thread.submit(what).result()
    vault.put("name", b"value")
    vault.close()


def test_another_key_does_not_open_it(path: Path) -> None:
    Vault.open(path, KEY).close()

    with pytest.raises(RefusedError, match="damaged or does not belong") as caught:
        Vault.open(path, bytes(32))
    assert caught.value.rule == "vault"


def test_a_second_process_gets_a_clear_answer(path: Path) -> None:
    # Two with one vault would use the same numbers twice: to partners that is a clone.
    vault = Vault.open(path, KEY)
    with pytest.raises(RefusedError, match="another seefen is running") as caught:
        Vault.open(path, KEY)
    assert caught.value.rule == "vault-busy"
    vault.close()

    Vault.open(path, KEY).close()


def test_a_change_stands_whole_or_not_at_all(path: Path) -> None:
    vault = Vault.open(path, KEY)
    vault.put("kept", b"before")
    with pytest.raises(ZeroDivisionError):
        _change_and_fail(vault)

    assert vault.get("kept") == b"before"
    assert not vault.has_entry(7)
    vault.close()


def test_a_change_inside_a_change_falls_with_it(path: Path) -> None:
    vault = Vault.open(path, KEY)
    with pytest.raises(ZeroDivisionError):
        _change_twice_and_fail(vault)

    assert vault.get("inner") is None
    vault.close()


def test_a_head_never_goes_back(path: Path) -> None:
    vault = Vault.open(path, KEY)
    assert vault.head("activity") is None
    vault.put_head("activity", Head(9, b"9" * 32), "nine")
    vault.put_head("activity", Head(4, b"4" * 32), "four")

    assert vault.head("activity") == (Head(9, b"9" * 32), "nine")
    assert vault.head("authority") is None
    vault.close()


def test_a_newer_note_over_the_same_head_is_kept_for_its_time(path: Path) -> None:
    vault = Vault.open(path, KEY)
    vault.put_head("activity", Head(9, b"9" * 32), "at nine")
    vault.put_head("activity", Head(9, b"9" * 32), "at ten")

    assert vault.head("activity") == (Head(9, b"9" * 32), "at ten")
    vault.close()


def test_entries_come_back_in_the_order_of_the_log(path: Path) -> None:
    vault = Vault.open(path, KEY)
    for index in (12, 3, 8):
        vault.add_entry(_entry(index, kind="object" if index == 8 else "case"))

    assert [entry.index for entry in vault.entries(CASE)] == [3, 8, 12]
    assert [entry.index for entry in vault.entries(CASE, "object")] == [8]
    assert list(vault.entries(b"x" * 16)) == []
    assert vault.has_entry(8)
    assert vault.cases() == [CASE]
    vault.close()


def test_what_is_written_soon_outlives_a_kill_and_is_synced_with_the_next_change(
    path: Path, tmp_path: Path
) -> None:
    vault = Vault.open(path, KEY)
    with vault.soon():
        vault.put("soon", b"written")
    assert not vault.synced

    left = tmp_path / "left"
    left.mkdir()
    for file in (path, path.with_name(f"{path.name}-wal")):
        (left / file.name).write_bytes(file.read_bytes())  # all that a killed process leaves
    dead = Vault.open(left / path.name, KEY)
    assert dead.get("soon") == b"written"
    dead.close()

    vault.put("other", b"in full")
    assert vault.synced
    vault.close()


def test_a_change_around_it_is_in_full_whatever_is_inside(path: Path) -> None:
    vault = Vault.open(path, KEY)
    with vault.change(), vault.soon():
        vault.put("inner", b"1")
    assert vault.synced
    with vault.soon(), vault.change():
        vault.put("inner", b"2")
    assert not vault.synced, "the outermost decides"
    vault.sync()
    assert vault.synced
    vault.close()


def test_soon_ends_with_its_block_also_when_that_fails(path: Path) -> None:
    vault = Vault.open(path, KEY)
    with pytest.raises(ZeroDivisionError):
        _soon_and_fail(vault)
    assert vault.get("kept") is None
    assert vault.one("PRAGMA synchronous") == (2,)
    vault.put("kept", b"yes")
    assert vault.synced
    vault.close()


@pytest.mark.parametrize("limit", ["TIDY", "MOST"])
def test_a_long_log_is_taken_into_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    # By whoever has time for it, and at the latest by the commit that makes it far too long.
    monkeypatch.setattr("seefen.client.vault.TIDY", 20)
    if limit == "MOST":
        monkeypatch.setattr("seefen.client.vault.MOST", 20)
    vault = Vault.open(path, KEY)
    before = path.stat().st_size
    with vault.change():
        for number in range(100):
            vault.put(f"name-{number}", bytes(2000))
    if limit == "TIDY":
        assert path.stat().st_size == before
        vault.tidy()
    assert path.stat().st_size > before + 200_000
    vault.close()


def _change_and_fail(vault: Vault) -> None:
    with vault.change():
        vault.put("kept", b"after")
        vault.add_entry(_entry(7))
        raise ZeroDivisionError


def _soon_and_fail(vault: Vault) -> None:
    with vault.soon():
        vault.put("kept", b"no")
        raise ZeroDivisionError


def _change_twice_and_fail(vault: Vault) -> None:
    with vault.change():
        with vault.change():
            vault.put("inner", b"1")
        raise ZeroDivisionError


def _entry(index: int, kind: str = "case") -> StoredEntry:
    return StoredEntry(index, kind, CASE, DEVICE, index, 1, 1_790_000_000, b"envelope", None)


def test_a_write_that_is_refused_for_a_full_disk_is_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seefen.client.vault.MOST", 50)
    monkeypatch.setattr("seefen.client.vault.TIDY", 50)
    vault = Vault.open(path, KEY)
    vault.tidy()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    written = 0
    # No file may pass 600 kB: first the log can be taken into the file no longer, and the
    # commits stand all the same; then the log itself is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, unlimited[1]))
    try:
        with pytest.raises(RefusedError) as caught:  # noqa: PT012 - it fails at some write
            for written in range(1000):
                vault.put(f"value-{written}", random_bytes(9000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert caught.value.rule == "disk"
    assert written > 60  # beyond what fills the file
    assert vault.get(f"value-{written}") is None
    assert all(vault.get(f"value-{n}") is not None for n in range(written))
    vault.close()


def test_what_is_written_later_is_seen_by_the_next_question(path: Path) -> None:
    vault = Vault.open(path, KEY)
    with vault.change():
        vault.add_entry(_entry(3))
        vault.later(PUT, "name", b"first", key="name")
        vault.later(PUT, "name", b"last", key="name")
        assert vault.get("name") == b"last"
        vault.later(PUT, "name", b"after", key="name")
        vault.put("name", b"now")
        assert [entry.index for entry in vault.entries(CASE)] == [3]
    vault.later(PUT, "alone", b"outside of a change")
    vault.close()

    again = Vault.open(path, KEY)
    assert again.get("name") == b"now"
    assert again.get("alone") == b"outside of a change"
    assert again.has_entry(3)
    again.close()


def test_what_is_written_later_falls_with_its_own_change_alone(path: Path) -> None:
    vault = Vault.open(path, KEY)
    with vault.change():
        vault.later(PUT, "outer", b"1")
        vault.add_entry(_entry(3))
        with pytest.raises(ZeroDivisionError):
            _later_and_fail(vault)
        assert not vault.has_entry(9)
        vault.later(PUT, "end", b"1")

    assert vault.get("outer") == vault.get("end") == b"1"
    assert vault.get("inner") is None
    assert [vault.has_entry(index) for index in (3, 9)] == [True, False]
    vault.close()


def test_an_entry_that_was_taken_back_is_not_there(path: Path) -> None:
    vault = Vault.open(path, KEY)
    vault.add_entry(_entry(3))
    assert not vault.has_entry(9)
    with pytest.raises(ZeroDivisionError):
        _later_and_fail(vault)
    vault.add_entry(_entry(12))

    assert [vault.has_entry(index) for index in (2, 3, 9, 12, 13)] == [
        False, True, False, True, False,
    ]  # fmt: skip
    vault.close()


def _later_and_fail(vault: Vault) -> None:
    with vault.change():
        vault.later(PUT, "inner", b"1")
        vault.add_entry(_entry(9))
        assert vault.has_entry(9)
        raise ZeroDivisionError


def test_a_disk_that_is_full_in_the_middle_takes_the_whole_transaction_back(
    tmp_path: Path,
) -> None:
    vault = Vault.open(tmp_path / "vault.db", random_bytes(32))
    db: Any = vault._db
    db.pragma("max_page_count", db.pragma("page_count") + 3)

    def write() -> None:
        with vault.change():
            for n in range(40):
                # As the engine does with an entry that cannot be believed: it goes on.
                with suppress(RefusedError):
                    vault.put(f"n{n}", random_bytes(2000))

    with pytest.raises(RefusedError) as refused:
        write()
    assert refused.value.rule == "disk"
    assert vault.one("SELECT count(*) FROM setting") == (0,)
    db.pragma("max_page_count", 1_000_000)
    with vault.change():
        vault.put("n", b"1")
    assert vault.get("n") == b"1"
    vault.close()
