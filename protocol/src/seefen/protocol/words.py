"""Six words for a fingerprint, to be read aloud over the telephone.

Eleven bits a word, so six words are 66 bits. Both sides read them at the same time from
what each of them has; who would deceive them needs 2**66 tries before the call. The list
of 2,048 words comes from the caller.
"""

from collections.abc import Sequence
from typing import Final

from seefen.protocol.suite import P, sha256

_LIST: Final = 2048
_BITS: Final = 11
_MOST: Final = 23  # as many as SHA-256 fills


def fingerprint_words(data: bytes, words: Sequence[str], count: int = 6) -> tuple[str, ...]:
    """Return ``count`` words that stand for ``data``.

    Raises:
        ValueError: The list has not 2,048 words, or ``count`` is not 1 to 23.
    """
    if len(words) != _LIST:
        raise ValueError(f"the list has {len(words)} words and not {_LIST}")
    if not 1 <= count <= _MOST:
        raise ValueError(f"a fingerprint has 1 to {_MOST} words")
    digest = int.from_bytes(sha256(P + b"words\0" + data), "big")
    shifts = (256 - _BITS * place for place in range(1, count + 1))
    return tuple(words[digest >> shift & _LIST - 1] for shift in shifts)
