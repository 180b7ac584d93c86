"""Memory that was freed goes back to the system when it is asked for."""

import ctypes
import subprocess
import sys

import pytest

LIBC = ctypes.CDLL(None)
needs_glibc = pytest.mark.skipif(
    not hasattr(LIBC, "malloc_trim"), reason="other C libraries keep memory in another way"
)
BEGIN = """
import ctypes, gc
from pathlib import Path
from seefen.server import memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def piece(size):
    at = libc.malloc(size)
    ctypes.memset(at, 1, size)
    return at
"""


def ran(code: str) -> int:
    """Return the number that a process of its own prints: what it asks for is for all of it."""
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, check=True)
    return int(done.stdout)


@needs_glibc
def test_what_is_free_between_what_is_not_goes_back_when_asked() -> None:
    assert ran(
        """
held = [piece(64 * 1024) for _ in range(1000)]
for at in held[::2]:
    libc.free(at)
before = resident()
memory.give_back()
print(before - resident())
"""
    ) > 20 << 20  # fmt: skip


def test_what_is_loaded_is_left_out_of_collections() -> None:
    assert ran("memory.settle(); print(gc.get_freeze_count())") > 1000
