"""What two lists say of each other: whether they are samples of people who live alone, or have families between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from projections.matching.compare import date_level, first_level, last_level, street_alike
from projections.matching.distance import is_near, is_similar
from projections.matching.levels import DATE_MISTYPED, MISTYPED, SAID
from projections.matching.levels import Level as L
from projections.matching.names import is_nickname
from projections.matching.normal import Normal

MOST = 8
"""Charts of one household, or of one first name and birth date, that are looked at."""


def beside_each_other(left: Sequence[Normal], right: Sequence[Normal]) -> tuple[int, int, int]:
    """Pairs of two lists who are strangers in one household, of whom something is replaced, and of whom something is mistyped."""
    homes: defaultdict[tuple[str, str], list[Normal]] = defaultdict(list)
    named: defaultdict[tuple[str, str], list[Normal]] = defaultdict(list)
    for one in left:
        if one.place:
            homes[one.names.last, one.place].append(one)
        if one.names.first and one.day:
            named[one.names.first, one.day].append(one)
    strangers = replaced = mistyped = 0
    for other in right:
        for one in homes.get((other.names.last, other.place), ())[:MOST]:
            first, born = first_level(one.names, other.names), date_level(one.day, other.day)
            strangers += _are_strangers(one, other)
            replaced += (first is L.OTHER and born is L.EXACT) or (first in SAID and born is L.OTHER)
            mistyped += (first in MISTYPED and born is L.EXACT) or (first in SAID and born in DATE_MISTYPED)
        for one in named.get((other.names.first, other.day), ())[:MOST]:
            mistyped += _is_mistyped(one, other)
    return strangers, replaced, mistyped


def _is_mistyped(one: Normal, other: Normal) -> bool:
    """Whether last name or street of two of one first name and birth date is misspelt, and the other of the two is not another's."""
    last = last_level(one.names.last, one.names.lasts, other.names.last, other.names.lasts)
    street = street_alike(one.street, other.street)
    return (last is L.EXACT and street is L.NEAR) or (last in MISTYPED and street in (L.EXACT, L.NEAR))


def _are_strangers(one: Normal, other: Normal) -> bool:
    here, there = one.names.first, other.names.first
    if not (here and there and one.day and other.day) or is_similar(here, there) or is_nickname(here, there):
        return False
    same = sum(one.day[part] == other.day[part] for part in (slice(4), slice(4, 6), slice(6, 8)))
    return same < 2 and not is_near(one.day, other.day)
