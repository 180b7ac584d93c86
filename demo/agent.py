"""A node's agent as a process of its own, with turns in quick succession: the story is short."""

import sys
from typing import Final

from demo import leash
from seefen.client.agent import agent
from seefen.client.cli import main

TURN: Final = 0.5  # seconds; in truth ten

if __name__ == "__main__":
    leash.lines(leash.terminate)
    agent.ROUND_SECONDS = TURN
    sys.exit(main(["agent", "run", *sys.argv[1:]]))
