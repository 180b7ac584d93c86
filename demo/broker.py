"""The broker as a process of its own that ends when the demo ends, however it ends."""

import sys

from demo import leash
from seefen.server.cli import main

if __name__ == "__main__":
    # PostgreSQL is stopped by it first of all; that must never be cut short.
    leash.lines(leash.terminate)
    sys.exit(main(["serve", *sys.argv[1:]]))
