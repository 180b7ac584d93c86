import pytest
from mnemonic import Mnemonic

from seefen.protocol.suite import P, sha256
from seefen.protocol.words import fingerprint_words

WORDS = Mnemonic("english").wordlist


def test_the_words_are_the_first_bits_of_the_hash() -> None:
    bits = "".join(f"{byte:08b}" for byte in sha256(P + b"words\0" + b"root"))
    expected = [WORDS[int(bits[11 * n : 11 * n + 11], 2)] for n in range(6)]
    assert list(fingerprint_words(b"root", WORDS)) == expected


def test_more_words_begin_with_the_same() -> None:
    assert fingerprint_words(b"x", WORDS, 12)[:6] == fingerprint_words(b"x", WORDS)
    assert fingerprint_words(b"x", WORDS, 1) == fingerprint_words(b"x", WORDS)[:1]
    assert len(fingerprint_words(b"x", WORDS, 23)) == 23


def test_other_data_gives_other_words() -> None:
    assert len({fingerprint_words(bytes([n]), WORDS) for n in range(256)}) == 256


@pytest.mark.parametrize(("words", "count"), [(WORDS[:-1], 6), (WORDS, 0), (WORDS, 24)])
def test_a_wrong_list_or_count_is_the_callers_mistake(words: list[str], count: int) -> None:
    with pytest.raises(ValueError, match="words"):
        fingerprint_words(b"x", words, count)
