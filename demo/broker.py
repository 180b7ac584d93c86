"""The broker as a process of its own that ends when the demo ends, however it ends."""

import os
import signal
import sys
import threading

from seefen.server.cli import main


def _stop_when_alone() -> None:
    # The demo holds the other end of this pipe. When it is gone, even by SIGKILL, the
    # read returns and the broker stops in order, PostgreSQL first of all.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_when_alone, daemon=True).start()
    sys.exit(main(["serve", *sys.argv[1:]]))
