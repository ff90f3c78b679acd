"""`python -m tests.simulation --seeds 10000`: many seeds, with progress; stories that fail are shortened and told."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice

from tests.simulation import bugs
from tests.simulation.crowd import crowd, of_seed, tried
from tests.simulation.run import Verdict
from tests.simulation.shrink import shortest, told

PLANS = {
    "both ways": "a practice of the profile elation-led",
    "booking": "a practice that books Elation's appointments in Kareo",
    "booking switched": "a practice that books them, and switches that off for a while",
    "switching": "a practice that changes its profile in the middle",
    "left alone": "people who hold writes and keep patients out",
    "mapping": "people who save rows of the maps and give them back",
    "restored": "a practice whose database goes back to an earlier point",
}
"""The days of a kind of their own, and whom they are with."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many (300)")
    parser.add_argument("--first", type=int, default=1, help="the first one (1)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--bug", default="", choices=["", *bugs.BUGS], help="with a deliberate bug in the daemon")
    for plans, with_whom in PLANS.items():
        option = "--" + plans.replace(" ", "-")
        parser.add_argument(
            option, dest="plans", action="store_const", const=plans, default="drawn", help=f"with {with_whom}"
        )
    parser.add_argument("--keep", action="store_true", help="do not shorten the stories that fail")
    arguments = parser.parse_args()
    first, most = (arguments.seed, 1) if arguments.seed is not None else (arguments.first, arguments.seeds)
    plans = arguments.plans
    began = time.monotonic()
    fallen: list[Verdict] = []
    events = done = 0
    with crowd() as pool:
        left = iter(range(first, first + most))
        running: set[Future[Verdict]] = {pool.submit(of_seed, seed, arguments.bug, plans) for seed in islice(left, 8)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(of_seed, seed, arguments.bug, plans) for seed in islice(left, len(ended))}
            for future in ended:
                verdict, done = future.result(), done + 1
                events += verdict.events
                if not verdict.ok:
                    fallen.append(verdict)
                    print(f"\nseed {verdict.plan.seed} violates {', '.join(verdict.broken)}", flush=True)
            pace = done / (time.monotonic() - began)
            print(
                f"\r{done} of {most} seeds, {len(fallen)} fallen, {events} events, {pace:.1f} a second ", end="", flush=True
            )
        print()
        for verdict in fallen[:5]:
            if not arguments.keep:
                verdict = shortest(verdict, lambda plan: pool.submit(tried, plan, arguments.bug).result())
            print(f"\n{told(verdict)}")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
