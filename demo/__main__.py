"""``make demo``: here only what must stand before anything else is loaded."""

import os
import signal
import sys


def main() -> int:
    """Load the demo and run it; Ctrl-C while it loads ends it without a word."""
    signal.signal(signal.SIGINT, _end)
    from demo.command import run  # loading takes long enough to be interrupted

    return run(sys.argv[1:])


def _end(_number: int, _frame: object) -> None:
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
