"""A process that races with others for one witness: ``python -m tests.support.racer FOLDER PART``.

It says that it is ready, waits for a line, and asks for heads of which every other is its own.
It prints from which size to which each one grew that was signed.
"""

import sys
from pathlib import Path

from tests.support.steps import witness_in
from tests.support.witnesses import Leaves

HEADS = 200


def main(folder: Path, part: int) -> None:
    """Ask for heads of 1 to 199 leaves from whatever is stored just then."""
    witness, tree = witness_in(folder), Leaves.of(HEADS)
    notes = [tree.note(size) for size in range(HEADS)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for size in range(part, HEADS, 2):
        old = witness.head("activity").size
        if old >= size:
            continue
        if witness.add_checkpoint(old, tree.proof(old, size), notes[size]).status == 200:
            sys.stdout.write(f"{old} {size}\n")
    witness.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
