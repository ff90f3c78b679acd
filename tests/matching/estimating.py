"""The weights from data: how often each level is among pairs of one person, and among pairs of two."""

from __future__ import annotations

import random
from collections import Counter

from projections.matching import Compared, Frequencies, Level, normalize
from projections.matching.compare import compared
from projections.matching.weights import ASSUMED, WEIGHTS
from tests.matching.febrl import febrl
from tests.matching.lists import Lists
from tests.matching.town import town

RANDOM_PAIRS = 200_000
ESTIMATION_SEED = 1
Counts = dict[Compared, Counter[Level]]


def counted(lists: Lists, random_pairs: int = RANDOM_PAIRS) -> tuple[Counts, Counts]:
    """The levels of all pairs of one person, and of as many random pairs as are worth it."""
    left = {one.id: normalize(one) for one in lists.left}
    right = {one.id: normalize(one) for one in lists.right}
    frequencies = Frequencies.of(list(left.values()), list(right.values()))
    same: Counts = {field: Counter() for field in Compared}
    apart: Counts = {field: Counter() for field in Compared}
    for one, other in sorted(lists.truth):
        for field, level in compared(left[one], right[other], frequencies).items():
            same[field][level] += 1
    pick, lefts, rights = random.Random(7), sorted(left), sorted(right)
    for _ in range(random_pairs):
        pair = pick.choice(lefts), pick.choice(rights)
        if pair not in lists.truth:
            for field, level in compared(left[pair[0]], right[pair[1]], frequencies).items():
                apart[field][level] += 1
    return same, apart


def shares(counts: Counter[Level], levels: tuple[Level, ...], floor: float) -> dict[Level, float]:
    """Shares of the levels where both have the field; what was not seen may still be."""
    total = sum(counts[level] for level in levels)
    return {level: max(counts[level] / total, floor) for level in levels} if total >= 50 else {}


def estimated(size: int = 5_000, random_pairs: int = RANDOM_PAIRS) -> dict[Compared, dict[Level, tuple[float, float]]]:
    """The mean of FEBRL set 1 and of mix 1 of the generator, rounded to two digits; the assumed ones as they are."""
    samples = [counted(lists, random_pairs) for lists in (febrl(1), town(size, seed=ESTIMATION_SEED, judging=False))]
    table: dict[Compared, dict[Level, tuple[float, float]]] = {}
    for field, known in WEIGHTS.items():
        levels = tuple(known)
        ms = [found for same, _ in samples if (found := shares(same[field], levels, 0.002))]
        us = [found for _, apart in samples if (found := shares(apart[field], levels, 0.00001))]
        table[field] = {level: known[level] for level in levels if (field, level) in ASSUMED}
        for level in levels if ms and us else ():
            m, u = (sum(one[level] for one in each) / len(each) for each in (ms, us))
            table[field].setdefault(level, (_rounded(m), min(_rounded(u), 0.999)))
    return table


def _rounded(share: float) -> float:
    return float(f"{share:.2g}")
