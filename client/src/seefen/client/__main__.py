"""``python -m seefen.client`` is ``seefen``."""

import sys

from seefen.client.cli import main

if __name__ == "__main__":
    sys.exit(main())
