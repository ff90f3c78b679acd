"""How people mistype: words and digits that are nearly the same."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

MEMORY = 200_000


@lru_cache(MEMORY)
def is_near(one: str, other: str) -> bool:
    """One letter too many, too few, wrong, or two neighbours swapped; two such faults in a long word."""
    shortest = min(len(one), len(other))
    if shortest < 3:
        return False
    most = 1 if shortest < 6 else 2
    return OSA.distance(one, other, score_cutoff=most) <= most


@lru_cache(MEMORY)
def is_similar(one: str, other: str) -> bool:
    """More faults than two, and still rather one word than two: cut short, or heard wrongly."""
    shortest = min(len(one), len(other))
    if shortest < 3:
        return False
    if shortest >= 4 and (one.startswith(other) or other.startswith(one)):
        return True
    return JaroWinkler.similarity(one, other, score_cutoff=0.86) >= 0.86


def is_one_off(one: str, other: str) -> bool:
    """One letter or digit wrong, missing or too many, or two neighbours swapped."""
    return one != other and OSA.distance(one, other, score_cutoff=1) <= 1
