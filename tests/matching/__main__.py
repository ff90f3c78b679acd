"""`python -m tests.matching estimate` prints the table of weights; `judge` what matching comes to, on FEBRL and on mix 2."""

from __future__ import annotations

import argparse
import resource
import sys
import time

from projections.matching import match
from projections.matching.keys import told
from tests.matching.estimating import estimated
from tests.matching.febrl import FOLDER, febrl, is_there
from tests.matching.lists import Lists, judged
from tests.matching.town import town


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matching", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("estimate", help="estimate the weights from FEBRL set 1 and mix 1 of the generator")
    judge = commands.add_parser("judge", help="match FEBRL 1, 2, 3 and mix 2 of the generator, and compare with the truth")
    judge.add_argument("--size", type=int, default=5_000, help="charts of each invented list (default 5000)")
    judge.add_argument("--seeds", type=int, default=3, help="how many invented pairs of lists (default 3)")
    judge.add_argument("--show", action="store_true", help="also the pairs that are wrong or missed, by id")
    arguments = parser.parse_args()
    if not is_there():
        print(f"{FOLDER} is not there: only the generator is used", file=sys.stderr)
    if arguments.command == "estimate":
        return _estimate()
    lists = {f"FEBRL {number}": febrl(number) for number in (1, 2, 3) if is_there()}
    wrong = sum(_judge(name, one, arguments.show) for name, one in lists.items())
    for seed in range(101, 101 + arguments.seeds):
        wrong += _judge(f"mix 2, seed {seed}", town(arguments.size, seed=seed, judging=True), arguments.show)
    return 1 if wrong else 0


def _estimate() -> int:
    if not is_there():
        return 1
    for field, levels in estimated().items():
        print(f"    F.{field.name}: {{")
        for level, (m, u) in levels.items():
            print(f"        L.{level.name}: ({m:f}".rstrip("0").rstrip(".") + f", {u:f}".rstrip("0") + "),")
        print("    },")
    return 0


def _judge(name: str, lists: Lists, show: bool) -> int:
    started = time.perf_counter()
    matched = match(lists.left, lists.right)
    seconds = time.perf_counter() - started
    found = judged(lists, matched)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {found.line()}; {seconds:.1f} s, {matched.compared} compared, {peak:.0f} MB")
    for line in told(matched.large):
        print(f"    {line}")
    if lists.errors:
        print(
            f"    {sum(len(one) > 1 for one in lists.errors.values()) / len(lists.errors):.1%} of the pairs have two or more errors"
        )
    if show:
        for kind, pairs in (("wrong", found.wrong_pairs), ("missed", found.missed_pairs)):
            for left, right in pairs:
                print(f"    {kind}: {left} {right} {lists.kinds.get(left, '')} {lists.kinds.get(right, '')}")
    return found.wrong


if __name__ == "__main__":
    sys.exit(main())
