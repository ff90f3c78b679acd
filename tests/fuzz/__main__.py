"""`python -m tests.fuzz --seconds 600`: every decoder of foreign bytes in turn, for so long; one that falls is told and ends it."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import count

from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import tried

EXAMPLES = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, at least one turn (60)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; again for more")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    arguments = parser.parse_args()
    until = time.monotonic() + arguments.seconds
    done = dict.fromkeys(arguments.target or TARGETS, 0)
    for seed in count(arguments.first):
        for name in done:
            try:
                done[name] += tried(TARGETS[name], examples=EXAMPLES, seed=seed)
            except Exception:
                print(f"{name} fell at seed {seed}", file=sys.stderr)
                raise
        print(f"seed {seed}: {sum(done.values())} inputs", flush=True)
        if time.monotonic() > until:
            break
    for name, inputs in done.items():
        print(f"{name:24} {inputs:>9}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
