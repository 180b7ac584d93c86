"""Runs ``seefen-server``."""

import sys

from seefen.server.cli import main

if __name__ == "__main__":
    sys.exit(main())
