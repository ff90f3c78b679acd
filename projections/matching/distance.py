"""How people mistype: words and digits that are nearly the same."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from projections.matching.nicknames import is_written_otherwise

MEMORY = 65_536
"""Answers that each question about words remembers. They repeat what patients are called: no memory of them is without a bound."""


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


COLUMN = 8
"""Letters that a name still has, at least, where a system's column cuts it short."""


def is_cut(one: str, other: str) -> bool:
    """Whether a column of some system cut one of two names short."""
    return one != other and min(len(one), len(other)) >= COLUMN and (one.startswith(other) or other.startswith(one))


SPELT = (
    (r"ph", "f"),
    (r"(ie|ey|ee|i)$", "y"),
    (r"(?<=[aeou])h$", ""),
    (r"(.)\1+", r"\1"),
    (r"k", "c"),
    (r"(?<=.)z", "s"),
    (r"(?<=..)y(?=..)|y$", "i"),
)
"""Ways to write one sound. What begins with Z is another name than what begins with S, and Mya another one than Mia."""

SAID_OTHERWISE = frozenset(map(frozenset, (("maria", "mariah"), ("marie", "mary"))))
"""What is written nearly the same, and is two names."""


def are_said_otherwise(one: str, other: str) -> bool:
    """Whether two names that look like one are two."""
    return frozenset((one, other)) in SAID_OTHERWISE


@lru_cache(MEMORY)
def sounds_alike(one: str, other: str) -> bool:
    """Whether two names are said the same, so that nobody calls two children so: Eric and Erik, Sara and Sarah."""
    if is_written_otherwise(one, other):
        return True
    if are_said_otherwise(one, other):
        return False
    here, there = one, other
    for written, said in SPELT:
        here, there = re.sub(written, said, here), re.sub(written, said, there)
    return here == there


KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The rows of a keyboard; a key touches the two beside it, and in the rows above and below those of its place and one off."""
SOUNDS = frozenset(map(frozenset, ("ck", "sz", "iy", "mn", "bv", "dt", "ei")))
FEW = 4
"""In a name of fewer letters a letter more or less makes another name: Mia, Mila."""
LONG = 7
"""In a name of so many letters the last one may be lost."""


@lru_cache(MEMORY)
def is_slip(one: str, other: str) -> bool:
    """Whether one name is the other as a hand slips or an ear mishears it, and not as another name is made of it.

    Names begin alike then, and a letter at the end makes another one (Gabriel, Gabriela; Julia, Julian). A wrong letter lies beside
    the right one, or sounds like it.
    """
    if not is_one_off(one, other) or one[0] != other[0]:
        return False
    if len(one) == len(other):
        wrong = [(here, there) for here, there in zip(one, other, strict=True) if here != there]
        return len(wrong) == 2 or frozenset(wrong[0]) in SOUNDS or _are_beside(*wrong[0])
    shorter, longer = sorted((one, other), key=len)
    if longer.startswith(shorter):
        return len(longer) >= LONG and longer[-1] != "a"
    return len(longer) >= FEW


def _are_beside(one: str, other: str) -> bool:
    here, there = ([(row, keys.index(key)) for row, keys in enumerate(KEYS) if key in keys] for key in (one, other))
    return any(abs(row - other_row) <= 1 and abs(at - other_at) <= 1 for row, at in here for other_row, other_at in there)


def is_one_off(one: str, other: str) -> bool:
    """One letter or digit wrong, missing or too many, or two neighbours swapped."""
    return one != other and OSA.distance(one, other, score_cutoff=1) <= 1
