"""What becomes of memory that was freed: told to Python and to the C library.

A broker lives for months, and a thousand lines that break and come anew are tens of MiB each time.
"""

import ctypes
import gc
from collections.abc import Callable
from typing import Any, Final

_M_MMAP_THRESHOLD: Final = -3  # malloc.h of glibc
_LARGE: Final = 128 * 1024  # bytes, as glibc begins


def settle() -> None:
    """Leave what is loaded out of the collections of garbage, and make fewer of them.

    Statements, rows and proofs are freed by reference; only the few cycles of tasks wait.
    Looking for them after every 700 new objects cost a twentieth of the write path.

    Large pieces are asked of the system one by one, and go back to it: each line has one of
    256 KiB of which a page or two is used. glibc raises that bound when the first of them is
    freed; from then on the pieces lie among the small ones, in memory that was written before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    _ask("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Collect garbage, and give back what is free, also between what is not."""
    gc.collect()
    _ask("malloc_trim", 0)


def _ask(name: str, *arguments: int) -> None:
    """Call a function of the C library, where it has that one: not every one can be asked."""
    function: Callable[..., Any] | None = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
