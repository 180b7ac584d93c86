"""``make soak``: the model test for a million steps, or as many as said, by seeds in a row."""

import argparse
import secrets
import time
from typing import Final

from tests.model.test_model import Life, live

ROUND: Final = 10_000  # steps of one seed: what a failure prints is repeated in a minute


def main() -> None:
    """Run round after round; print the seed of each, and the rate."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    began, number = time.monotonic(), options.seed
    while Life.steps < options.steps:
        print(f"seed {number}, {Life.steps} steps so far", flush=True)
        live(min(ROUND, options.steps), number)
        number += 1
    rate = Life.steps / (time.monotonic() - began)
    print(
        f"{Life.steps} steps from seed {options.seed}, {rate:.0f} a second, each as the model says"
    )
    print(", ".join(f"{what} {times}" for what, times in sorted(Life.told.items())))


if __name__ == "__main__":
    main()
